"""Empty cells of a column that was typed and is text again."""

from __future__ import annotations

from psycopg import sql

from supplyline.contracts import TableName
from supplyline.load.keys import actual_key
from supplyline.tenancy.connections import Connection

_HAD = sql.SQL("SELECT load_id FROM supplyline.loads WHERE columns IS NULL OR {l} = ANY (columns)")
"""SQL: the loads of files that had the column."""


def restore_empties(conn: Connection, table: TableName, column: str) -> None:
    """A typed column says NULL for an empty cell; as text it says '' again, in table and history.

    Not for cells that were absent, nor for rows that never were in a file with the column. A row of
    a file without it has the cell of its version before, and so on.
    """
    key = actual_key(conn, table)
    for relation in (table, f"{table}_history"):
        parts = {
            "t": sql.Identifier("public", relation),
            "h": sql.Identifier("public", f"{table}_history"),
            "c": sql.Identifier(column),
            "l": sql.Literal(column),
            "had": _HAD.format(l=sql.Literal(column)),
        }
        conn.execute(
            sql.SQL(
                "UPDATE {t} SET {c} = '' WHERE {c} IS NULL"
                " AND coalesce(NOT (_raw -> 'absent' ? {l}), true) AND _load IN ({had})"
            ).format(**parts)
        )
        if key:
            _restore_older(conn, key, parts)


def _restore_older(
    conn: Connection, key: tuple[str, ...], parts: dict[str, sql.Composable]
) -> None:
    """The same for cells that a row has from an earlier version, followed back in the history."""

    def names(alias: str) -> sql.Composed:
        return sql.SQL(", ").join(sql.Identifier(alias, k) for k in key)

    kept = [sql.SQL("{} AS {}").format(sql.Identifier("r", k), sql.Identifier(f"_key_{n}"))
            for n, k in enumerate(key)]  # fmt: skip
    same = [sql.SQL("{} = {}").format(sql.Identifier("h", k), sql.Identifier("v", f"_key_{n}"))
            for n, k in enumerate(key)]  # fmt: skip
    conn.execute(
        sql.SQL(
            "WITH RECURSIVE had AS ({had}), v AS ("
            " SELECT r.ctid AS _at, {kept}, r._load, r._raw FROM {t} r"
            " WHERE r.{c} IS NULL AND r._load NOT IN (SELECT load_id FROM had)"
            " UNION ALL SELECT v._at, {older}, h._load, h._raw FROM v JOIN {h} h"
            " ON {same} AND h._replaced_by = v._load"
            " WHERE v._load NOT IN (SELECT load_id FROM had))"
            " UPDATE {t} t SET {c} = '' FROM v WHERE t.ctid = v._at AND t.{c} IS NULL"
            " AND v._load IN (SELECT load_id FROM had)"
            " AND coalesce(NOT (v._raw -> 'absent' ? {l}), true)"
        ).format(
            kept=sql.SQL(", ").join(kept),
            older=names("h"),
            same=sql.SQL(" AND ").join(same),
            **parts,
        )
    )
