"""The key that a table has, and whether columns of a staged file can be one."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from supplyline.contracts import TableName, TableSettings
from supplyline.load.staging import STAGING
from supplyline.tenancy.connections import Connection

MOST_BYTES = 2_600
"""Of a key that is proposed: PostgreSQL's index takes a third of a page."""


def actual_key(conn: Connection, table: TableName) -> tuple[str, ...]:
    rows = conn.execute(
        "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY"
        " k(n, o) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n"
        " WHERE i.indisprimary AND i.indrelid = to_regclass(format('public.%%I', %s::text))"
        " ORDER BY k.o",
        (table,),
    ).fetchall()
    names = tuple(r[0] for r in rows)
    return () if names == ("_file", "_row") else names


def disagreement(settings: TableSettings, actual: tuple[str, ...]) -> str:
    """Why files of a table that is keyed so cannot be loaded with these settings, or ''."""
    if settings.key is None or settings.key == actual:
        return ""
    return (
        f"{settings.table} is keyed by {actual or 'file and row'}, its settings now say "
        f"{settings.key or 'no key'}."
    )


def is_key(conn: Connection, columns: Sequence[str]) -> bool:
    """Evidence on the staged file: every value there, never repeated and not too long."""
    names = [sql.Identifier(c) for c in columns]
    row = conn.execute(
        sql.SQL(
            "SELECT count(*) > 0 AND count(*) = count(DISTINCT ({k})) AND bool_and({full})"
            " AND max({size}) <= {most} FROM {t}"
        ).format(
            size=sql.SQL(" + ").join(sql.SQL("octet_length({})").format(n) for n in names),
            most=sql.Literal(MOST_BYTES),
            k=sql.SQL("ROW({})").format(sql.SQL(", ").join(names)),
            full=sql.SQL(" AND ").join(sql.SQL("coalesce({}, '') <> ''").format(n) for n in names),
            t=sql.Identifier(STAGING),
        )
    ).fetchone()
    return bool(row and row[0])
