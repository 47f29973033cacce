"""What a file would change of its table's shape, decided column by column; nothing is written.

The table's policy decides: `evolve` adds columns and widens kinds, `freeze` refuses the file,
`quarantine` keeps the table as it is and has the rows that do not fit set aside. A kind set by the
organization stands whatever the policy is; rows that do not fit it are set aside.
"""

from __future__ import annotations

from collections.abc import Sequence
from difflib import SequenceMatcher

from psycopg import sql

from supplyline.contracts import TableName, TableSettings
from supplyline.load.keys import primary_key
from supplyline.load.kinds import TEXT, kind_of
from supplyline.load.schema import Plan, Refusal, exists
from supplyline.load.types import (
    Evidence,
    choose,
    comparable,
    read_as,
    remembered,
    remembered_remarks,
    settle,
)
from supplyline.tenancy.connections import Connection
from supplyline.vocabulary import field_columns

MOST_COLUMNS = 1_592
"""PostgreSQL takes 1,600, of which the history has eight of ours."""
_MANY = 50
"""Columns that a file lacks from which on nobody looks for new names of each."""


def _alike(new: str, old: str) -> bool:
    """Whether two columns may be one under two names: a field's, or much the same words."""
    if field_columns([new]).keys() & field_columns([old]).keys():
        return True
    return SequenceMatcher(None, new, old).ratio() > 0.7


def plan(
    conn: Connection,
    *,
    table: TableName,
    columns: Sequence[str],
    evidence: Evidence,
    settings: TableSettings,
    key: Sequence[str],
    created: bool | None = None,
    rekeyed: bool = False,
    replay: bool = False,
    accepted: bool = False,
) -> Plan:
    """What a file with this evidence would do to the table. Reads only.

    `created`: whether the table is made for this file, if that is known. `rekeyed`: the table is
    there without a row, and `key` takes the place of the one that it has. `replay`: it holds
    corrected rows of a file that was accepted, and may lack the columns that came since.
    `accepted`: the file itself was, under the policy in `settings`, which does not refuse it now.
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
    drift = None if created or accepted else work.drift(may_lack=replay)
    return Plan(
        table=table, key=tuple(key), created=created, types=work.types,
        added={} if created else work.added, changed=work.changed, remarks=work.remarks,
        remarks_before=remembered_remarks(conn, table),
        strict=tuple(work.strict), barred=tuple(work.barred),
        refusal=work.refusal or drift or work.too_many(len(known)),
        policy=settings.drift, key_before=primary_key(conn, table) if rekeyed else None,
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
        self.refusal: Refusal | None = None
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
                self.refusal = Refusal(
                    detail=f"{self.table}.{column} is to be {kind}, but holds values that do not"
                    " fit.",
                    of_file=False,
                    next_step="Run `supplyline rebuild`: rows that do not fit are then set aside.",
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
                self._remark(column, self._why_text(column, before))
            elif after != before:
                choice = choose(fitting or (), mark=self.evidence.mark)
                self._remark(
                    column, choice.remark if choice.kind == after else read_as(after, fitting or ())
                )
        if self.types[column] != before:
            self.changed[column] = (before, self.types[column])

    def _why_text(self, column: str, before: str) -> str:
        if strays := self.evidence.strays(column):
            why = strays.text
        else:
            fitting = self.evidence.fitting(column) or ("text",)
            why = f"its values are `{fitting[0]}` in this file"
        return (
            f"it was `{before}` and is text now: {why}. To keep the type, undo this load, correct"
            " the file and upload it again; the drift policy `quarantine` keeps it by itself and"
            " sets such rows aside"
        )

    def _settled(self, column: str, before: str, fitting: tuple[str, ...] | None) -> str:
        # Text takes every value, so that a frozen table has nothing to change.
        frozen = self.settings.drift == "freeze"
        if before == TEXT and fitting and not frozen:
            choice = self.evidence.choice(column)
            if choice.kind != TEXT and self._convertible(column, TEXT, choice.kind, empty=True):
                self._remark(column, choice.remark)  # nothing but empty cells until now
                return choice.kind
        return settle(
            before,
            fitting,
            mark=self.evidence.mark,
            convertible=lambda kind: self._convertible(column, before, kind),
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

    def too_many(self, known: int) -> Refusal | None:
        """Why PostgreSQL does not take the columns that the file adds, if it does not."""
        if known + len(self.added) <= MOST_COLUMNS:
            return None
        return Refusal(
            detail=f"Table {self.table} has {known:,} columns, and the file would add"
            f" {len(self.added):,}; a table holds {MOST_COLUMNS:,}.",
            next_step="Upload the file for a table of its own, or without the columns that are new"
            " in it.",
        )

    def drift(self, *, may_lack: bool) -> Refusal | None:
        """Why a frozen table refuses the file, if it does. What is set by hand is no drift."""
        added = sorted(c for c in self.added if c not in self.settings.types)
        changed = {c: k[1] for c, k in self.changed.items() if c not in self.settings.types}
        if self.settings.drift != "freeze":
            return None
        said = []
        if self.lacks and not may_lack:
            said.append(f"The file lacks the columns {self.lacks} of table {self.table}")
        if added or changed:
            said.append(
                f"The file would change table {self.table}: new columns {added},"
                f" changed types {changed}"
            )
        return Refusal(detail=f"{'. '.join(said)}; its policy is freeze.") if said else None
