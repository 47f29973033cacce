"""The shape of a loaded table: created by its first file, grown and widened by later ones.

Beside the file's columns a table has `_file` and `_row` (where the current version of the row came
from), `_seq` (order of files: a file that is loaded late never overwrites a later one), `_load` and
`_raw` (cells that were absent or in excess). Its history has the same columns and the period in
which a version was valid.

What a file would change is planned first (`planning`), so that it can be shown; `apply` does it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import LiteralString

import psycopg
from psycopg import sql

from supplyline.contracts import Json, TableName
from supplyline.errors import SchemaDrift
from supplyline.load.empties import restore_empties
from supplyline.load.exclusive import take_exclusively
from supplyline.load.keys import ROW_OF_FILE
from supplyline.load.kinds import TEXT, kind_of, read_alike, sql_type
from supplyline.load.types import remember
from supplyline.tenancy.connections import Connection

HIDDEN = ("_file", "_row", "_seq", "_load", "_raw")
_MOST_COLUMNS = 1590
"""Of a table and its history, beside our own."""
_HIDDEN_DDL: LiteralString = (
    "_file text NOT NULL, _row bigint NOT NULL, _seq bigint NOT NULL, _load text NOT NULL,"
    " _raw jsonb"
)


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """Why a file cannot be loaded. `of_file`: the table's other files can; `next_step`: None for
    the one of SchemaDrift."""

    detail: str
    of_file: bool = True
    next_step: str | None = None


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a file does to its table.

    `types`: the kinds of the file's columns that the table has afterwards. `changed`: column →
    kind before and after. `strict`: columns whose values that do not fit are set aside with their
    row. `barred`: columns of the file that the table does not take; rows with a value there are
    set aside. `refusal`: why the file cannot be loaded at all, or None. `policy`: the table's.
    `key_before`: name and columns of the primary key that `key` replaces, of a table without rows.
    """

    table: TableName
    key: tuple[str, ...]
    created: bool
    types: Mapping[str, str]
    added: Mapping[str, str] = field(default_factory=dict)
    changed: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    remarks: Mapping[str, str] = field(default_factory=dict)
    remarks_before: Mapping[str, str] = field(default_factory=dict)
    strict: tuple[str, ...] = ()
    barred: tuple[str, ...] = ()
    refusal: Refusal | None = None
    policy: str = "evolve"
    key_before: tuple[str, tuple[str, ...]] | None = None

    def shape(self) -> Json:
        """What is to be taken back with the load; kept in its receipt."""
        return {
            "created": self.created,
            "added": dict(self.added),
            "changed": {
                c: [before, after, self.remarks_before.get(c, "")]
                for c, (before, after) in self.changed.items()
            },
            "barred": list(self.barred),
            "key_before": self.key_before and list(self.key_before[1]),
            "policy": self.policy,
        }

    def statements(self) -> list[sql.Composed]:
        """The DDL, in order."""
        names = (self.table, f"{self.table}_history")
        if self.created:
            return [*self.tables(), self.add_key()]
        return [
            *(
                _alter(t, "ADD COLUMN {c} {k}", c, sql_type(kind))
                for t in names
                for c, kind in self.added.items()
            ),
            *(
                retype(t, c, before=before, after=after)
                for t in names
                for c, (before, after) in self.changed.items()
                if not read_alike(before, after)
            ),
            *(rekey(self.table, self.key_before[0], self.key) if self.key_before else ()),
        ]

    def tables(self) -> list[sql.Composed]:
        """DDL: the table that is created and its history, without indexes."""
        return _create(self.table, self.types)

    def add_key(self) -> sql.Composed:
        """DDL: the key of the table that is created, and its only index.

        The index holds old and new versions of rows that a file replaced until they are vacuumed.
        Keeping these together on a page (deduplication) takes more time than a page more. What
        looks for the rows of one load (undo, verify) reads the table: an index that finds them
        would cost each load more than it saves the few that are undone.
        """
        return _add_key(self.table, self.key)


def exists(conn: Connection, table: str) -> bool:
    row = conn.execute("SELECT to_regclass(format('public.%%I', %s::text))", (table,)).fetchone()
    return bool(row and row[0])


def apply(conn: Connection, plan: Plan, *, filled: bool = False) -> None:
    """Creates or changes the table. Raises SchemaDrift when the plan says that it may not be.

    `filled`: the plan's table was created before, and only has to be remembered.
    """
    if plan.refusal:
        raise SchemaDrift(
            plan.refusal.detail,
            of_file=plan.refusal.of_file,
            next_step=plan.refusal.next_step,
            table=plan.table,
        )
    statements = [] if filled else plan.statements()
    if statements and not plan.created:
        take_exclusively(conn, (plan.table, f"{plan.table}_history"))
    try:
        for statement in statements:
            conn.execute(statement)
    except (
        psycopg.errors.FeatureNotSupported,  # a view or rule uses the column
        psycopg.errors.DependentObjectsStillExist,  # or the key, as a foreign key does
    ) as error:
        raise SchemaDrift(
            f"Table {plan.table} cannot take another shape: {error.diag.message_primary}.",
            next_step=f"{error.diag.message_detail or 'Something rests on it.'} Drop it,"
            " load, and make it again.",
            table=plan.table,
        ) from error
    except psycopg.errors.DuplicateColumn as error:
        column = next(c for c in plan.added if f'"{c}"' in str(error.diag.message_primary))
        raise SchemaDrift(
            f"Table {plan.table} has a column {column} that no load made, and a file brings one.",
            next_step="Rename it or drop it, then load again.",
            table=plan.table,
        ) from error
    except psycopg.errors.TooManyColumns as error:
        if len({*plan.types, *plan.remarks_before}) > _MOST_COLUMNS:
            raise
        raise SchemaDrift(
            f"PostgreSQL counts columns of {plan.table} that were dropped, and takes no more.",
            next_step=f"`supplyline rebuild --table {plan.table}` makes it again without them.",
            table=plan.table,
        ) from error
    to_text = [c for c, (_, after) in plan.changed.items() if after == TEXT]
    for column in to_text:
        restore_empties(conn, plan.table, column)
    changed = {c: after for c, (_, after) in plan.changed.items()}
    new = dict(plan.types) if plan.created else dict(plan.added)
    remember(conn, plan.table, {**new, **changed}, plan.remarks)


def rekey(table: TableName, name: str, key: tuple[str, ...]) -> list[sql.Composed]:
    """DDL: `key` in the place of the primary key of that name ('' for none)."""
    drop = sql.SQL("ALTER TABLE {} DROP CONSTRAINT {}").format(
        sql.Identifier("public", table), sql.Identifier(name)
    )
    return [*([drop] if name else []), _add_key(table, key)]


def _add_key(table: TableName, key: tuple[str, ...]) -> sql.Composed:
    return sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({}) WITH (deduplicate_items = off)").format(
        sql.Identifier("public", table),
        sql.SQL(", ").join(map(sql.Identifier, key or ROW_OF_FILE)),
    )


def _create(table: TableName, types: Mapping[str, str]) -> list[sql.Composed]:
    columns = sql.SQL(", ").join(
        sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(sql_type(k))) for c, k in types.items()
    )
    lead = sql.SQL("{}, ").format(columns) if types else sql.SQL("")
    return [
        sql.SQL("CREATE TABLE {} ({}{})").format(
            sql.Identifier("public", table), lead, sql.SQL(_HIDDEN_DDL)
        ),
        sql.SQL(
            "CREATE TABLE {} ({}{}, _valid_from timestamptz, _valid_to timestamptz NOT NULL,"
            " _replaced_by text NOT NULL)"
        ).format(sql.Identifier("public", f"{table}_history"), lead, sql.SQL(_HIDDEN_DDL)),
    ]


def _alter(relation: str, what: LiteralString, column: str, type_: str) -> sql.Composed:
    return sql.SQL("ALTER TABLE {t} {w}").format(
        t=sql.Identifier("public", relation),
        w=sql.SQL(what).format(c=sql.Identifier(column), k=sql.SQL(type_)),
    )


def retype(relation: str, column: str, *, before: str, after: str) -> sql.Composed:
    """DDL: the column with the same texts as values of another kind."""
    name = sql.Identifier(column)
    text = sql.SQL("nullif({}, '')").format(name) if before == TEXT else kind_of(before).write(name)
    return sql.SQL("ALTER TABLE {t} ALTER COLUMN {c} TYPE {k} USING {u}").format(
        t=sql.Identifier("public", relation),
        c=name,
        k=sql.SQL(sql_type(after)),
        u=kind_of(after).read(text),
    )
