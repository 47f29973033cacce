"""Rows of a landed file that its table does not take: set aside with their reason, never lost.

They are in `supplyline.rejected_rows` with every cell's text; the certificate counts them as
`rejected` and is `partial`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from supplyline.load.corrected import NO_COLUMN, WRONG_KIND
from supplyline.load.kinds import TEXT, kind_of
from supplyline.load.schema import Plan
from supplyline.load.staging import STAGING
from supplyline.tenancy.connections import Connection

Test = tuple[sql.Composed, str]
"""SQL that is true for a staged row `s` that does not fit, and the reason to give."""


def _tests(plan: Plan) -> list[Test]:
    """Why a staged row would not fit; those about kinds first."""
    return [
        *((_misfit(c, plan.types[c]), f"{c}: not a {plan.types[c]}") for c in plan.strict),
        *(
            (sql.SQL("{} <> ''").format(sql.Identifier("s", c)), f"{c}: no column of the table")
            for c in plan.barred
        ),
    ]


def without_key(key: Sequence[str]) -> Test:
    """What is wrong with a row that has no whole key."""
    empty = [sql.SQL("coalesce({}, '') = ''").format(sql.Identifier("s", k)) for k in key]
    return sql.SQL(" OR ").join(empty), f"the key {', '.join(key)} is empty in this row"


def _reason(tests: Sequence[Test]) -> sql.Composed:
    return sql.SQL("concat_ws('; ', {})").format(
        sql.SQL(", ").join(
            sql.SQL("CASE WHEN {} THEN {} END").format(test, sql.Literal(reason))
            for test, reason in tests
        )
    )


def _any(tests: Sequence[Test]) -> sql.Composed:
    return sql.SQL(" OR ").join([sql.SQL("false").format(), *(t for t, _ in tests)])


def set_aside_misfits(conn: Connection, plan: Plan, *, load_id: str) -> int:
    """Moves the staged rows that do not fit the plan out of staging; answers how many."""
    tests = _tests(plan)
    if not tests:
        return 0
    return conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {s} s WHERE {misfit} RETURNING s._row, CASE WHEN {kind}"
            " THEN {wrong} ELSE {unknown} END AS code, {reason} AS reason,"
            " to_jsonb(s) - '_row' AS cells)"
            " INSERT INTO supplyline.rejected_rows (load_id, row_number, code, reason, cells)"
            " SELECT {load}, _row, code, reason, cells FROM gone"
        ).format(
            s=sql.Identifier(STAGING),
            misfit=_any(tests),
            kind=_any(tests[: len(plan.strict)]),
            wrong=sql.Literal(WRONG_KIND),
            unknown=sql.Literal(NO_COLUMN),
            reason=_reason(tests),
            load=sql.Literal(load_id),
        )
    ).rowcount


def misfits_by_reason(conn: Connection, plan: Plan) -> list[tuple[str, int]]:
    """Reason and number of the staged rows that would be set aside, the most frequent first."""
    tests = _tests(plan)
    if plan.key:
        tests.append(without_key(plan.key))
    if not tests:
        return []
    return conn.execute(
        sql.SQL(
            "SELECT {reason}, count(*) FROM {s} s WHERE {misfit} GROUP BY 1 ORDER BY 2 DESC, 1"
        ).format(reason=_reason(tests), s=sql.Identifier(STAGING), misfit=_any(tests))
    ).fetchall()


def _misfit(column: str, kind: str) -> sql.Composed:
    name = sql.Identifier("s", column)
    return sql.SQL("({n} <> '' AND NOT {a})").format(n=name, a=kind_of(kind).accepts(name))


def leave_out_misfits(conn: Connection, types: Mapping[str, str]) -> int:
    """Takes the staged rows that do not fit these kinds away, so that the others can be read."""
    tests = [(_misfit(c, kind), "") for c, kind in types.items() if kind != TEXT]
    return conn.execute(
        sql.SQL("DELETE FROM {s} s WHERE {misfit}").format(
            s=sql.Identifier(STAGING), misfit=_any(tests)
        )
    ).rowcount


def leave_out_superseded(conn: Connection, key: Sequence[str]) -> int:
    """Takes the staged rows away that a later one of the same key replaced; the text is compared,
    which is the same where the value is (see `types.comparable`)."""
    return conn.execute(
        sql.SQL(
            "DELETE FROM {s} WHERE _row IN (SELECT _row FROM (SELECT _row, row_number()"
            " OVER (PARTITION BY {key} ORDER BY _row DESC) AS n FROM {s}) r WHERE n > 1)"
        ).format(s=sql.Identifier(STAGING), key=sql.SQL(", ").join(map(sql.Identifier, key)))
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
