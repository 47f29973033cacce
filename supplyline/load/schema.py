"""The shape of a loaded table: created by its first file, grown and widened by later ones.

Beside the file's columns a table has `_file` and `_row` (where the current version of the row came
from), `_seq` (order of files: a file that is loaded late never overwrites a later one), `_load` and
`_raw` (cells that were absent or in excess). Its history has the same columns and the period in
which a version was valid.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import LiteralString

from psycopg import sql

from supplyline.contracts import TableName, TableSettings
from supplyline.errors import SchemaDrift
from supplyline.load.types import TEXT, join, remember, remembered
from supplyline.tenancy.connections import Connection

HIDDEN = ("_file", "_row", "_seq", "_load", "_raw")
_HIDDEN_DDL: LiteralString = (
    "_file text NOT NULL, _row bigint NOT NULL, _seq bigint NOT NULL, _load text NOT NULL,"
    " _raw jsonb"
)


def exists(conn: Connection, table: str) -> bool:
    row = conn.execute("SELECT to_regclass(format('public.%%I', %s::text))", (table,)).fetchone()
    return bool(row and row[0])


def fit(
    conn: Connection,
    *,
    table: TableName,
    inferred: Mapping[str, str | None],
    settings: TableSettings,
    key: Sequence[str],
) -> dict[str, str]:
    """Creates or evolves the table for a staged file; answers the types of the file's columns.

    Raises SchemaDrift when the policy is not `evolve` and something would change.
    """
    known = remembered(conn, table)
    if not exists(conn, table):
        types = {c: inferred[c] or TEXT for c in inferred}
        _create(conn, table, types, key)
        remember(conn, table, types)
        return types
    types, added, widened = {}, {}, {}
    for column, kind in inferred.items():
        if column not in known:
            added[column] = kind or TEXT
            types[column] = added[column]
        else:
            types[column] = known[column] if kind is None else join(known[column], kind)
            if types[column] != known[column]:
                widened[column] = types[column]
    if (added or widened) and settings.drift != "evolve":
        raise SchemaDrift(
            f"The file would change table {table}: new columns {sorted(added)}, "
            f"changed types {widened}; its policy is {settings.drift}.",
            table=table,
        )
    for name in (table, f"{table}_history"):
        for column, kind in added.items():
            _alter(conn, name, "ADD COLUMN {c} {k}", column, kind)
        for column, kind in widened.items():
            _alter(conn, name, "ALTER COLUMN {c} TYPE {k} USING {c}::{k}", column, kind)
    if widened:
        _restore_empties(conn, table, [c for c, k in widened.items() if k == TEXT])
    remember(conn, table, {**added, **widened})
    return types


def _create(
    conn: Connection, table: TableName, types: Mapping[str, str], key: Sequence[str]
) -> None:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(k)) for c, k in types.items()
    )
    lead = sql.SQL("{}, ").format(columns) if types else sql.SQL("")
    unique = sql.SQL(", ").join(sql.Identifier(c) for c in (key or ("_file", "_row")))
    conn.execute(
        sql.SQL("CREATE TABLE {} ({}{}, PRIMARY KEY ({}))").format(
            sql.Identifier("public", table), lead, sql.SQL(_HIDDEN_DDL), unique
        )
    )
    conn.execute(
        sql.SQL(
            "CREATE TABLE {} ({}{}, _valid_from timestamptz, _valid_to timestamptz NOT NULL,"
            " _replaced_by text NOT NULL)"
        ).format(sql.Identifier("public", f"{table}_history"), lead, sql.SQL(_HIDDEN_DDL))
    )
    conn.execute(sql.SQL("CREATE INDEX ON {} (_load)").format(sql.Identifier("public", table)))


def _alter(conn: Connection, table: str, what: LiteralString, column: str, kind: str) -> None:
    conn.execute(
        sql.SQL("ALTER TABLE {t} {w}").format(
            t=sql.Identifier("public", table),
            w=sql.SQL(what).format(c=sql.Identifier(column), k=sql.SQL(kind)),
        )
    )


def _restore_empties(conn: Connection, table: TableName, columns: Sequence[str]) -> None:
    """A typed column says NULL for an empty cell; as text it says '' again."""
    for name in (table, f"{table}_history"):
        for column in columns:
            conn.execute(
                sql.SQL(
                    "UPDATE {t} SET {c} = '' WHERE {c} IS NULL"
                    " AND coalesce(NOT (_raw -> 'absent' ? {l}), true)"
                ).format(
                    t=sql.Identifier("public", name),
                    c=sql.Identifier(column),
                    l=sql.Literal(column),
                )
            )
