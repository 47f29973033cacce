"""The key that a table has, and whether columns of a staged file can be one."""

from __future__ import annotations

from collections.abc import Sequence

from psycopg import sql

from supplyline.contracts import TableName, TableSettings
from supplyline.load.staging import STAGING
from supplyline.tenancy.connections import Connection

ROW_OF_FILE = ("_file", "_row")
"""What identifies a row of a table without business key."""
MOST_BYTES = 2_600
"""Of a key that is proposed: PostgreSQL's index takes a third of a page."""


def primary_key(conn: Connection, table: TableName) -> tuple[str, tuple[str, ...]]:
    """Name and columns of a table's primary key; ("", ()) when there is none."""
    rows = conn.execute(
        "SELECT a.attname, c.relname FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid"
        " CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY k(n, o)"
        " JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n"
        " WHERE i.indisprimary AND i.indrelid = to_regclass(format('public.%%I', %s::text))"
        " ORDER BY k.o",
        (table,),
    ).fetchall()
    return (rows[0][1] if rows else ""), tuple(name for name, _ in rows)


def actual_key(conn: Connection, table: TableName) -> tuple[str, ...]:
    """The business key that a table has; () when a row is identified by file and number."""
    _, names = primary_key(conn, table)
    return () if names == ROW_OF_FILE else names


def is_open(conn: Connection, settings: TableSettings, actual: tuple[str, ...]) -> bool:
    """Whether a table that is keyed so takes its key from the next rows: it holds none, and the
    settings say nothing of a key, or another one."""
    if settings.key == actual:
        return False
    held = sql.SQL(" OR ").join(
        sql.SQL("EXISTS (SELECT FROM {})").format(sql.Identifier("public", relation))
        for relation in (settings.table, f"{settings.table}_history")
    )
    row = conn.execute(sql.SQL("SELECT NOT ({})").format(held)).fetchone()
    return bool(row and row[0])


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
