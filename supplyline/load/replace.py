"""Tables without a key: a corrected file takes the place of the file that it corrects.

Two files of one name, or of the same bytes that were read otherwise, are either a correction of the
other or the next delivery under the same name (`sales.csv` every evening). The later file replaces
the earlier one, whose rows go to history, only when it holds the same delivery: at least nine of
ten of the earlier file's lines

- are in it as they were; or
- are in it with the same dates and identifiers, whatever their prices and quantities are now, and
  these say what a line is: dates or an order's number beside an identifier, or an identifier alone
  where there is no quantity that could be another day's.

Otherwise both stay. Whatever was decided about lines that are in both is said in the certificate's
remarks, with the way to decide otherwise; undo takes a replacement back.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from psycopg import sql

from supplyline.load.kinds import DATE, JSON, NUMERIC, TIMESTAMP, TIMESTAMPTZ, sql_type
from supplyline.load.merge import SOURCE, Target
from supplyline.load.schema import HIDDEN
from supplyline.load.types import comparable, remembered
from supplyline.tenancy.connections import Connection
from supplyline.vocabulary import field_columns

_DAYS = ("date", "as_of", "ship_date", "received_date")
_DOCUMENTS = ("order", "shipment")
_NAMES = ("item", "order", "line", "shipment", "location", "customer", "supplier")
_STATES = ("unit_price", "unit_cost", "on_hand", "on_order", "lead_time_days", "lead_time_sd_days",
           "review_days", "order_cost", "holding_rate", "fill_rate", "min_order_qty", "pack_size",
           "reorder_level")  # fmt: skip
_FLOWS = ("quantity", "amount")
_SAID = ("name", "description", "category", "carrier", "country")
"""Standard fields that say when, on which document, which, how much (as it stands, or of each
delivery), and that describe something."""
_SHOWN = 3
"""Earlier files of the name that remarks speak of; more are counted."""


@dataclass(frozen=True, kw_only=True)
class Replaced:
    """`rows` went to history; `remarks` say what was decided, and how to decide otherwise."""

    rows: int = 0
    remarks: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Lines:
    """Columns that both files have: all, and those that say which line it is."""

    all: tuple[str, ...]
    naming: tuple[str, ...]
    decisive: bool


@dataclass(frozen=True, kw_only=True)
class _Earlier:
    """Another file of the name or content: its rows in the table, and how many are in this file
    too."""

    key: str
    file_id: str
    rows: int
    whole: int
    named: int
    apart: int
    """Lines that are in both but for the columns that are written in another way."""
    lines: _Lines
    same: str = "name"

    @property
    def corrected(self) -> bool:
        alike = self.named if self.lines.decisive else self.whole
        return self.rows > 0 and 10 * max(alike, self.whole) >= 9 * self.rows

    @property
    def shared(self) -> int:
        """Lines that may be the same; those written in another way only if they are nearly all."""
        rewritten = self.rows > 0 and 10 * self.apart >= 9 * self.rows
        return max(self.named, self.apart if rewritten else 0)

    @property
    def said(self) -> str:
        """How many lines of the earlier file are in this one."""
        there = self.whole if self.named else self.apart
        some = f"{there} of the {self.rows} lines of the earlier file {self.file_id} of this"
        some += f" {self.same} are in this file"
        if not self.named:
            return f"{some}, but for columns that it writes in another way"
        if self.named > self.whole:
            some += f", {self.named} with the same {', '.join(self.lines.naming)}"
        return some


def replace_earlier(
    conn: Connection,
    target: Target,
    *,
    file_name: str,
    sha256: str,
    retyped: Collection[str] = (),
    now: datetime,
    replay: bool = False,
) -> Replaced:
    """Moves the rows of files that this one corrects to history, and says what was decided.

    `sha256`: of the file's bytes, which may have been read otherwise under another name.
    `retyped`: columns that this file writes in another way, so that its lines differ in them.
    `replay`: the file holds corrected rows of another one, and stands for nothing else.
    """
    if target.key or replay:
        return Replaced()
    found = conn.execute(
        "SELECT DISTINCT ON (file_key) file_key, l.file_id, columns, file_name"
        " FROM supplyline.loads l JOIN supplyline.certificates c USING (load_id)"
        " WHERE l.table_name = %s AND (file_name = %s OR c.body ->> 'sha256' = %s)"
        " AND file_key <> %s AND sequence < %s AND undone_at IS NULL AND replay_of IS NULL"
        " ORDER BY file_key, ordinal",
        (target.table, file_name, sha256, target.file_key, target.sequence),
    ).fetchall()
    compared = [
        replace(
            _compare(conn, target, *one, retyped=retyped),
            same="name" if name == file_name else "content",
        )
        for *one, name in found
    ]
    gone = [e for e in compared if e.corrected]
    both = sorted((e for e in compared if e.shared and not e.corrected), key=lambda e: -e.shared)
    this = target.load_id.rpartition(".")[0]
    rows = sum(_move(conn, target, e.key, now) for e in gone)
    remarks = [
        f"{e.said}: it was taken for a correction and replaced them. If it is another delivery,"
        f" run `supplyline undo --table {target.table} --file {this}`"
        + (" and upload it again under another name" if e.same == "name" else "")
        for e in gone
    ]
    remarks += [
        f"{e.said}: it was taken for another delivery, and both are in the table. If it is a"
        f" correction, run `supplyline undo --table {target.table} --file {e.file_id} --replay`"
        for e in both[:_SHOWN]
    ]
    if len(both) > _SHOWN:
        remarks.append(f"{len(both) - _SHOWN} more files of this name hold some of its lines")
    return Replaced(rows=rows, remarks=tuple(remarks))


def _lines(target: Target, columns: Sequence[str] | None) -> _Lines:
    common = [c for c in target.types if columns is None or c in columns]
    fields = {column: field for field, column in field_columns(common).items()}
    days, names, said, flows = [], [], [], False
    for column in common:
        kind, field = sql_type(target.types[column]), fields.get(column, "")
        if kind in (DATE, TIMESTAMP, TIMESTAMPTZ) or field in _DAYS:
            days.append(column)
        elif field in _NAMES:
            names.append(column)
        elif field in _SAID:
            said.append(column)
        elif field in _FLOWS or (kind == NUMERIC and field not in _STATES):
            flows = True
        elif field not in _STATES and kind != JSON:
            names.append(column)
    names = names or said
    dated = bool(days) or any(fields.get(c) in _DOCUMENTS for c in names)
    return _Lines(
        all=tuple(common),
        naming=(*days, *names),
        decisive=bool(names) and (dated or not flows),
    )


def _compare(
    conn: Connection,
    target: Target,
    key: str,
    file_id: str,
    columns: Sequence[str] | None,
    *,
    retyped: Collection[str],
) -> _Earlier:
    lines = _lines(target, columns)
    naming = lines.naming or lines.all
    row = conn.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM {t} WHERE _file = {e}), {whole}, {named}, {apart}"
        ).format(
            t=target.name,
            e=sql.Literal(key),
            whole=_shared(target, key, lines.all),
            named=_shared(target, key, naming),
            apart=_shared(target, key, [c for c in lines.all if c not in retyped])
            if retyped
            else sql.SQL("0"),
        )
    ).fetchone()
    rows, whole, named, apart = row or (0, 0, 0, 0)
    return _Earlier(
        key=key, file_id=file_id, rows=rows, whole=whole, named=named, apart=apart, lines=lines
    )


def _shared(target: Target, earlier: str, columns: Sequence[str]) -> sql.Composed:
    """SQL: how many of the earlier file's rows are in this one by these columns."""
    if not columns:
        return sql.SQL("0").format()
    names = sql.SQL(", ").join(
        sql.SQL("{}" if comparable(target.types[c]) else "{}::text").format(sql.Identifier(c))
        for c in columns
    )
    return sql.SQL(
        "(SELECT count(*) FROM (SELECT {c} FROM {t} WHERE _file = {e}"
        " INTERSECT ALL SELECT {c} FROM {s}) b)"
    ).format(c=names, t=target.name, e=sql.Literal(earlier), s=sql.Identifier(SOURCE))


def _move(conn: Connection, target: Target, earlier: str, now: datetime) -> int:
    names = sql.SQL(", ").join(map(sql.Identifier, [*remembered(conn, target.table), *HIDDEN]))
    return conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {t} WHERE _file = {e} OR _load IN (SELECT r.load_id"
            " FROM supplyline.loads r JOIN supplyline.loads o ON o.file_id = r.replay_of"
            " WHERE o.file_key = {e}) RETURNING {names})"
            " INSERT INTO {h} ({names}, _valid_from, _valid_to, _replaced_by)"
            " SELECT {names}, (SELECT loaded_at FROM supplyline.loads l WHERE l.load_id = _load),"
            " {now}, {load} FROM gone"
        ).format(
            t=target.name,
            e=sql.Literal(earlier),
            names=names,
            h=target.history,
            now=sql.Literal(now),
            load=sql.Literal(target.load_id),
        )
    ).rowcount
