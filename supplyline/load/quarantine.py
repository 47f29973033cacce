"""Rows of a landed file that its table does not take: set aside with their reason, never lost.

They are in `supplyline.rejected_rows` with every cell's text; the certificate counts them as
`rejected` and is `partial`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from supplyline.load.kinds import TEXT, kind_of
from supplyline.load.schema import Plan
from supplyline.load.staging import STAGING
from supplyline.tenancy.connections import Connection


def set_aside_misfits(conn: Connection, plan: Plan, *, load_id: str) -> int:
    """Moves the staged rows that do not fit the plan out of staging; answers how many."""
    tests = [
        *((_misfit(c, plan.types[c]), f"{c}: not a {plan.types[c]}") for c in plan.strict),
        *(
            (sql.SQL("{} <> ''").format(sql.Identifier("s", c)), f"{c}: no column of the table")
            for c in plan.barred
        ),
    ]
    if not tests:
        return 0
    reasons = sql.SQL(", ").join(
        sql.SQL("CASE WHEN {} THEN {} END").format(test, sql.Literal(reason))
        for test, reason in tests
    )
    code = sql.SQL("CASE WHEN {} THEN 'type_mismatch' ELSE 'unknown_column' END").format(
        sql.SQL(" OR ").join([sql.SQL("false"), *(t for t, _ in tests[: len(plan.strict)])])
    )
    return conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {s} s WHERE {misfit} RETURNING s._row, {code} AS code,"
            " concat_ws('; ', {reasons}) AS reason, to_jsonb(s) - '_row' AS cells)"
            " INSERT INTO supplyline.rejected_rows (load_id, row_number, code, reason, cells)"
            " SELECT {load}, _row, code, reason, cells FROM gone"
        ).format(
            s=sql.Identifier(STAGING),
            misfit=sql.SQL(" OR ").join(t for t, _ in tests),
            code=code,
            reasons=reasons,
            load=sql.Literal(load_id),
        )
    ).rowcount


def _misfit(column: str, kind: str) -> sql.Composed:
    name = sql.Identifier("s", column)
    return sql.SQL("({n} <> '' AND NOT {a})").format(n=name, a=kind_of(kind).accepts(name))


def leave_out_misfits(conn: Connection, types: Mapping[str, str]) -> int:
    """Takes the staged rows that do not fit these kinds away, so that the others can be read."""
    tests = [sql.SQL("false").format()]
    tests += [_misfit(c, kind) for c, kind in types.items() if kind != TEXT]
    return conn.execute(
        sql.SQL("DELETE FROM {s} s WHERE {misfit}").format(
            s=sql.Identifier(STAGING), misfit=sql.SQL(" OR ").join(tests)
        )
    ).rowcount


def leave_out_rejected(conn: Connection, *, load_id: str, columns: Sequence[str]) -> int:
    """Takes the rows that this load set aside, and whose texts are the same, out of staging."""
    same = sql.SQL(" AND ").join(
        sql.SQL("s.{c} IS NOT DISTINCT FROM r.cells ->> {l}").format(
            c=sql.Identifier(c), l=sql.Literal(c)
        )
        for c in columns
    )
    return conn.execute(
        sql.SQL(
            "DELETE FROM {s} s USING supplyline.rejected_rows r WHERE r.load_id = {load}"
            " AND r.row_number = s._row AND {same}"
        ).format(s=sql.Identifier(STAGING), load=sql.Literal(load_id), same=same)
    ).rowcount
