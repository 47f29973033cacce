"""The shape of a loaded table: created by its first file, grown and widened by later ones.

Beside the file's columns a table has `_file` and `_row` (where the current version of the row came
from), `_seq` (order of files: a file that is loaded late never overwrites a later one), `_load` and
`_raw` (cells that were absent or in excess). Its history has the same columns and the period in
which a version was valid.

What a file would change is planned first (`plan`), so that it can be shown, then done (`apply`).
The table's policy decides: `evolve` adds columns and widens kinds, `freeze` refuses the file,
`quarantine` keeps the table as it is and has the rows that do not fit set aside. A kind set by the
organization stands whatever the policy is; rows that do not fit it are set aside.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from difflib import SequenceMatcher
from typing import LiteralString

import psycopg
from psycopg import sql

from supplyline.contracts import Json, TableName, TableSettings
from supplyline.errors import SchemaDrift
from supplyline.load.empties import restore_empties
from supplyline.load.exclusive import take_exclusively
from supplyline.load.kinds import TEXT, kind_of, sql_type
from supplyline.load.types import (
    Evidence,
    choose,
    comparable,
    remember,
    remembered,
    remembered_remarks,
    settle,
)
from supplyline.tenancy.connections import Connection
from supplyline.vocabulary import field_columns

HIDDEN = ("_file", "_row", "_seq", "_load", "_raw")
_HIDDEN_DDL: LiteralString = (
    "_file text NOT NULL, _row bigint NOT NULL, _seq bigint NOT NULL, _load text NOT NULL,"
    " _raw jsonb"
)


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a file does to its table.

    `types`: the kinds of the file's columns that the table has afterwards. `changed`: column →
    kind before and after. `strict`: columns whose values that do not fit are set aside with their
    row. `barred`: columns of the file that the table does not take; rows with a value there are
    set aside. `refusal`: why the file cannot be loaded at all, or ''.
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
    refusal: str = ""

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
        }

    def statements(self) -> list[sql.Composed]:
        """The DDL, in order."""
        names = (self.table, f"{self.table}_history")
        if self.created:
            return [*self.tables(), *self.indexes()]
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
                if sql_type(before) != sql_type(after)
            ),
        ]

    def tables(self) -> list[sql.Composed]:
        """DDL: the table that is created and its history, without indexes."""
        return _create(self.table, self.types)

    def indexes(self) -> list[sql.Composed]:
        """DDL: the key of the table that is created, and what finds a load's rows."""
        table = sql.Identifier("public", self.table)
        key = sql.SQL(", ").join(map(sql.Identifier, self.key or ("_file", "_row")))
        return [
            sql.SQL("ALTER TABLE {} ADD PRIMARY KEY ({})").format(table, key),
            sql.SQL("CREATE INDEX ON {} USING brin (_load text_bloom_ops)").format(table),
        ]


_MANY = 50
"""Columns that a file lacks from which on nobody looks for new names of each."""


def _alike(new: str, old: str) -> bool:
    """Whether two columns may be one under two names: a field's, or much the same words."""
    if field_columns([new]).keys() & field_columns([old]).keys():
        return True
    return SequenceMatcher(None, new, old).ratio() > 0.7


def exists(conn: Connection, table: str) -> bool:
    row = conn.execute("SELECT to_regclass(format('public.%%I', %s::text))", (table,)).fetchone()
    return bool(row and row[0])


def plan(
    conn: Connection,
    *,
    table: TableName,
    columns: Sequence[str],
    evidence: Evidence,
    settings: TableSettings,
    key: Sequence[str],
    created: bool | None = None,
    replay: bool = False,
) -> Plan:
    """What a file with this evidence would do to the table. Reads only.

    `created`: whether the table is made for this file, if that is known. `replay`: it holds
    corrected rows of a file that was accepted, and may lack the columns that came since.
    """
    if created is None:
        created = not exists(conn, table)
    known = {} if created else remembered(conn, table)
    work = _Planning(conn, table, settings, evidence, tuple(key))
    for column in columns:
        if column in known:
            work.old_column(column, known[column])
        else:
            work.new_column(column, created=created)
    work.lacking([c for c in known if c not in columns])
    drift = "" if created else work.drift(may_lack=replay)
    return Plan(
        table=table, key=tuple(key), created=created, types=work.types,
        added={} if created else work.added, changed=work.changed, remarks=work.remarks,
        remarks_before=remembered_remarks(conn, table),
        strict=tuple(work.strict), barred=tuple(work.barred), refusal=work.refusal or drift,
    )  # fmt: skip


class _Planning:
    """The decisions for one file, column by column."""

    def __init__(
        self,
        conn: Connection,
        table: TableName,
        settings: TableSettings,
        evidence: Evidence,
        key: tuple[str, ...],
    ) -> None:
        self.conn, self.table, self.settings, self.evidence = conn, table, settings, evidence
        self.key = key
        self.types: dict[str, str] = {}
        self.added: dict[str, str] = {}
        self.changed: dict[str, tuple[str, str]] = {}
        self.remarks: dict[str, str] = {}
        self.strict: list[str] = []
        self.barred: list[str] = []
        self.refusal = ""
        self.lacks: list[str] = []

    def new_column(self, column: str, *, created: bool) -> None:
        wanted = self.settings.types.get(column)
        if wanted is None and not created and self.settings.drift == "quarantine":
            self.barred.append(column)
            self.remarks[column] = "not taken: the table has no such column and its policy is"
            self.remarks[column] += " quarantine"
            return
        if wanted is not None:
            self._set_by_hand(column, wanted)
        else:
            choice = self.evidence.choice(column)
            self._remark(column, choice.remark)
            self.types[column] = self._of_a_key(column, choice.kind)
        self.added[column] = self.types[column]

    def _set_by_hand(self, column: str, wanted: str, before: str = "") -> str:
        self._remark(column, f"the type `{wanted}` was set by the organization")
        self.types[column] = kind = self._of_a_key(column, wanted, before)
        if kind != TEXT and kind not in (self.evidence.fitting(column) or ()):
            self.strict.append(column)
        return kind

    def old_column(self, column: str, before: str) -> None:
        wanted = self.settings.types.get(column)
        fitting = self.evidence.fitting(column)
        if wanted is not None:
            kind = self._set_by_hand(column, wanted, before)
            if kind != before and not self._convertible(column, before, kind):
                self.refusal = (
                    f"{self.table}.{column} is to be {kind}, but holds values that do not fit."
                )
        elif self.settings.drift == "quarantine":
            self.types[column] = before
            if before != TEXT and fitting is not None and before not in fitting:
                self.strict.append(column)
        else:
            self.types[column] = after = self._of_a_key(
                column, self._settled(column, before, fitting), before
            )
            if after == TEXT != before:
                self._remark(column, f"a value that is no `{before}` made it text")
            elif after != before and (choice := choose(fitting or ())).kind == after:
                self._remark(column, choice.remark)
        if self.types[column] != before:
            self.changed[column] = (before, self.types[column])

    def _settled(self, column: str, before: str, fitting: tuple[str, ...] | None) -> str:
        frozen = self.settings.drift == "freeze"  # and text takes every value
        if before == TEXT and fitting and column not in self.key and not frozen:
            choice = self.evidence.choice(column)
            if choice.kind != TEXT and self._convertible(column, TEXT, choice.kind, empty=True):
                self._remark(column, choice.remark)  # nothing but empty cells until now
                return choice.kind
        return settle(
            before, fitting, convertible=lambda kind: self._convertible(column, before, kind)
        )

    def _of_a_key(self, column: str, kind: str, before: str = "") -> str:
        """Keys are compared as values, so that equal values must have equal texts.

        A column that is a number or json already stays so until the table is rebuilt.
        """
        if column not in self.key or comparable(kind):
            return kind
        if kind == before:
            self._remark(
                column, "1.0 and 1.00 are one key; `supplyline rebuild` makes the key text"
            )
            return kind
        self._remark(column, "text, as it is of the key: 1.0 and 1.00 would be one number")
        return TEXT

    def _convertible(self, column: str, before: str, after: str, *, empty: bool = False) -> bool:
        """Whether all that table and history hold fits `after` (`empty`: they hold nothing)."""
        if after == TEXT:
            return True
        name = sql.Identifier("t", column)
        text = kind_of(before).write(name)
        misfit = (
            sql.SQL("true") if empty else sql.SQL("NOT {}").format(kind_of(after).accepts(text))
        )
        tests = sql.SQL(" OR ").join(
            sql.SQL("EXISTS (SELECT FROM {} t WHERE {} AND {})").format(
                sql.Identifier("public", relation),
                sql.SQL("{} <> ''" if before == TEXT else "{} IS NOT NULL").format(name),
                misfit,
            )
            for relation in (self.table, f"{self.table}_history")
        )
        row = self.conn.execute(sql.SQL("SELECT NOT ({})").format(tests)).fetchone()
        return bool(row and row[0])

    def _remark(self, column: str, text: str) -> None:
        if text:
            self.remarks[column] = text

    def lacking(self, columns: Sequence[str]) -> None:
        """Columns of the table that the file does not have, and new ones that may be the same."""
        self.lacks = sorted(columns)
        kept = (
            "its rows keep the earlier values, new rows have none"
            if self.key
            else "its rows have none"
        )
        for column in self.lacks:
            self.remarks[column] = f"not in this file: {kept}"
        for new in self.added:
            for old in columns if len(columns) < _MANY else ():
                if _alike(new, old):
                    said = f"it may be {old} under another name: if so, `aliases` in the table's"
                    said += " contract join them"
                    self._remark(new, "; ".join(filter(None, (self.remarks.get(new), said))))

    def drift(self, *, may_lack: bool) -> str:
        """Why a frozen table refuses the file, or ''. What the organization set is no drift."""
        added = sorted(c for c in self.added if c not in self.settings.types)
        changed = {c: k[1] for c, k in self.changed.items() if c not in self.settings.types}
        if self.settings.drift != "freeze":
            return ""
        said = []
        if self.lacks and not may_lack:
            said.append(f"The file lacks the columns {self.lacks} of table {self.table}")
        if added or changed:
            said.append(
                f"The file would change table {self.table}: new columns {added},"
                f" changed types {changed}"
            )
        return f"{'. '.join(said)}; its policy is freeze." if said else ""


def apply(conn: Connection, plan: Plan, *, filled: bool = False) -> None:
    """Creates or changes the table. Raises SchemaDrift when the plan says that it may not be.

    `filled`: the plan's table was created before, and only has to be remembered.
    """
    if plan.refusal:
        step = "Run `supplyline rebuild`: rows that do not fit are then set aside."
        by_hand = "is to be" in plan.refusal
        raise SchemaDrift(
            plan.refusal,
            of_file=not by_hand,
            next_step=step if by_hand else None,
            table=plan.table,
        )
    statements = [] if filled else plan.statements()
    if statements and not plan.created:
        take_exclusively(conn, (plan.table, f"{plan.table}_history"))
    try:
        for statement in statements:
            conn.execute(statement)
    except psycopg.errors.FeatureNotSupported as error:  # a view or rule uses the column
        raise SchemaDrift(
            f"Table {plan.table} cannot take another shape: {error.diag.message_primary}.",
            next_step=f"{error.diag.message_detail or 'Something rests on the column.'} Drop it,"
            " load, and make it again.",
            table=plan.table,
        ) from error
    to_text = [c for c, (_, after) in plan.changed.items() if after == TEXT]
    for column in to_text:
        restore_empties(conn, plan.table, column)
    changed = {c: after for c, (_, after) in plan.changed.items()}
    new = dict(plan.types) if plan.created else dict(plan.added)
    remember(conn, plan.table, {**new, **changed}, plan.remarks)


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
