"""Which kind a column has: the narrowest whose text form is the text that came.

Asked of every cell that is not empty, of the whole file; kinds themselves are in `kinds`. A kind is
taken only when it gives every cell's text back, and the certificate's checksum over the table
proves it afterwards. Where the cells leave two readings open (`01/02/2025`, `1,234`) nothing is
guessed: the column stays text and its remark says so.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from supplyline import arrays
from supplyline.arrays import EMPTY
from supplyline.load import dates
from supplyline.load.kinds import (
    BIGINT,
    DATE,
    JSON,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    TIMESTAMPTZ,
    WORDS,
    fits,
    kind_of,
    kinds_of,
    sql_type,
)
from supplyline.load.strays import Said, Strays
from supplyline.load.vectors import proves, proves_small
from supplyline.tenancy.connections import Connection

_NUMBERS = (BIGINT, NUMERIC)
_TIMES = (DATE, TIMESTAMP, TIMESTAMPTZ)
_SMALL = 3
"""Digits up to which a number has no mark between thousands, so that every format fits it."""
_UNGROUPED = r"^-?[0-9]{1,3}(\.[0-9]+)?$"
"""Numbers too small for such a mark: whatever it is, they are written in the same way."""

_HINTS = {
    "dates of which some do not exist, are written in another way, or have years of two digits"
    " (set a type with `(20)YY` or `(19)YY`)": (
        r"^[0-9]{1,4}([-./]([0-9]{1,2}|[A-Za-z]{3,9})[-./]| [A-Za-z]{3,9},? )([0-9]{2}|[0-9]{4})"
        r"([ T][0-9:.]+( ?[AaPp][Mm])?(Z|[+-][0-9:]+)?)?$"
    ),
    "numbers of which some would not come back as they were written (leading zero, plus sign,"
    " exponent, blank, or more than one way to write them)": (
        r"^[ ]*[+-]?[0-9][0-9.,_' \x{A0}\x{202F}\x{2019}]*([eE][+-]?[0-9]+)?[ ]*$"
    ),
}
"""What a column of text nearly was → the pattern that all of its cells match."""


@dataclass(frozen=True, kw_only=True)
class Choice:
    """A kind for a column and what a person should know about it ('' for nothing)."""

    kind: str
    remark: str = ""


class Evidence:
    """Which kinds every value of a file's columns fits, gathered batch by batch.

    `known`: the kinds that the table has for some of the columns; `source`: the file's name.
    """

    def __init__(
        self, columns: Sequence[str], *, known: Mapping[str, str] | None = None, source: str = ""
    ) -> None:
        self._known, self._source = known or {}, source
        self._strays: dict[str, Strays] = {}
        self._values = dict.fromkeys(columns, 0)
        self._kinds: dict[str, list[str] | None] = dict.fromkeys(columns)
        self._words: dict[str, set[str]] = {}
        self._hints: dict[str, list[str]] = {c: list(_HINTS) for c in columns}

    def add(self, batch: pa.RecordBatch) -> None:
        for column, kinds in self._kinds.items():
            hints = self._hints[column]
            strays = self._strays.get(column)
            if kinds is not None and not kinds and not hints and not (strays and strays.asked):
                continue
            cells = batch.column(column)
            values = (
                cells if arrays.complete(cells) else cells.filter(pc.not_equal(cells, EMPTY))
            )  # neither empty nor absent
            if not len(values):
                continue
            if kinds is None:
                hints[:] = [h for h in hints if _all(values[:1], _HINTS[h])]
                left = surviving(kinds_of(values[0].as_py()), values)
            else:
                left = surviving(kinds, values)
            self._kinds[column] = left
            if len(words := self._words.setdefault(column, set())) < 2 and set(left) & set(WORDS):
                words.update(pc.unique(values).to_pylist())
            self._values[column] += len(values)
            if not left:
                hints[:] = [h for h in hints if _all(values, _HINTS[h])]
                self._look_for_strays(column, kinds or (), values, batch)

    def _look_for_strays(
        self, column: str, before: Sequence[str], values: pa.Array, batch: pa.RecordBatch
    ) -> None:
        known = self._known.get(column, "")
        if known == TEXT:
            return
        if column not in self._strays:
            self._strays[column] = Strays(before, values, known=known)
        if self._strays[column].asked:
            self._strays[column].look(batch.column(column), batch)

    def strays(self, column: str) -> Said | None:
        """The cells because of which the column has no kind but text, where they are few or the
        table has one for it."""
        found = self._strays.get(column)
        source = self._source or "the file"
        return None if found is None else found.said(values=self._values[column], source=source)

    def fitting(self, column: str) -> tuple[str, ...] | None:
        """The kinds that all values fit, the narrowest first; None when there was no value."""
        kinds = self._kinds[column]
        return None if kinds is None else tuple(kinds)

    def choice(self, column: str) -> Choice:
        """The kind of a column that had none yet. One word throughout is no truth value."""
        fitting, words = self.fitting(column) or (), self._words.get(column, ())
        pair = next((k for k in fitting if k in WORDS), "")
        if pair and len(words) == 1:
            return Choice(
                kind=TEXT,
                remark=f"left as text: every value is {next(iter(words))}; if it means a truth"
                f" value, set the type `{pair}`",
            )
        if strays := self.strays(column):
            return Choice(
                kind=TEXT,
                remark=f"left as text: {strays.text}. Where that is a mistake, undo this load,"
                f" correct it and upload the file again; or set the type `{strays.kind}` and"
                " rebuild the table: such rows are set aside then",
            )
        found = choose(fitting, mark=self.mark)
        return found if found.remark else replace(found, remark=self.hint(column))

    @property
    def mark(self) -> str:
        """The decimal mark that the file's columns show which leave no doubt; '' where they do not,
        or show both."""
        marks = set()
        for kinds in self._kinds.values():
            numeric = [k for k in kinds or () if sql_type(k) in _NUMBERS]
            if numeric and BIGINT not in numeric:
                marks.add("".join(sorted({kind_of(k).meaning for k in numeric})))
        certain = marks & {".", ","}
        return certain.pop() if len(certain) == 1 else ""

    def hint(self, column: str) -> str:
        """What a column that is text nearly was."""
        found = self._hints[column]
        return f"left as text: {found[0]}" if found and self._kinds[column] == [] else ""


def surviving(kinds: Sequence[str], values: pa.Array) -> list[str]:
    """Those of `kinds` that every one of the values (none empty, none null) fits."""
    if BIGINT in kinds and _fit(BIGINT, values):
        small = pc.max(pc.binary_length(values)).as_py() <= _SMALL
        # An integer fits every format without grouping, and a small one every format.
        plain = (*_NUMBERS, f"{NUMERIC} 1234,5")
        return [k for k in kinds if small or k in plain or _fit(k, values)]
    if NUMERIC in kinds and _ungrouped(values):
        point = [k for k in kinds if k != BIGINT and kind_of(k).meaning == "."]
        return [k for k in kinds if k in point or _fit(k, values)]
    return [k for k in kinds if _fit(k, values)]


def _ungrouped(values: pa.Array) -> bool:
    """Whether all are plain numbers, and too small for a mark between thousands."""
    if proves_small(values, digits=_SMALL):
        return True
    return _fit(NUMERIC, values) and _all(values, _UNGROUPED)


def _fit(kind: str, values: pa.Array) -> bool:
    if proves(kind, values):
        return True
    if sql_type(kind) not in _NUMBERS:
        values = pc.unique(values)  # dates and the like repeat; numbers do less
    return bool(pc.all(fits(kind, values)).as_py())


def _all(values: pa.Array, pattern: str) -> bool:
    return bool(pc.all(pc.match_substring_regex(values, pattern)).as_py())


def choose(fitting: Sequence[str], *, mark: str = "") -> Choice:
    """The kind of a new column whose values all fit these kinds. `mark`: the decimal mark of the
    file's other columns, which decides where this one leaves it open."""
    if not fitting:
        return Choice(kind=TEXT)
    first = fitting[0]
    family = next((f for f in (_NUMBERS, _TIMES) if sql_type(first) in f), ())
    other = _other_reading(first, [k for k in fitting if sql_type(k) in family])
    if other is not None and mark and sql_type(first) == NUMERIC:
        kind = next(k for k in (first, other) if kind_of(k).meaning == mark)
        return Choice(
            kind=kind,
            remark=f"read as `{kind}`, as the file's other numbers are written; by itself it could"
            f" be `{other if kind == first else first}`",
        )
    if other is None:
        told_apart = not any(_alike(first, k) for k in fitting[1:])
        return Choice(kind=first, remark=_said(first) if told_apart else "")
    if first == NUMERIC:
        return Choice(
            kind=NUMERIC,
            remark="read with a decimal point, though every value has three places: if the point"
            f" separates thousands, set the type `{other}`",
        )
    return Choice(
        kind=TEXT,
        remark=f"left as text: its values can be read as `{first}` and as `{other}`, and mean"
        " something else each time; set the type that is right",
    )


def _other_reading(first: str, rivals: Sequence[str]) -> str | None:
    """A kind that reads other values out of the same texts. An integer is one in every format."""
    if first == BIGINT:
        return None
    if first == NUMERIC:
        return f"{NUMERIC} 1.234,5" if f"{NUMERIC} 1.234,5" in rivals else None
    meaning = kind_of(first).meaning
    return next((k for k in rivals if kind_of(k).meaning != meaning and not _alike(first, k)), None)


def read_as(kind: str, fitting: Sequence[str]) -> str:
    """What is to be said of values that the table's own format made `kind`, though they would mean
    something else by another that they fit; '' when they would not."""
    type_, meaning = sql_type(kind), kind_of(kind).meaning
    other = next(
        (k for k in fitting if sql_type(k) == type_ and kind_of(k).meaning != meaning
         and not _alike(kind, k)),
        None,
    )  # fmt: skip
    if other is None:
        return ""
    return (
        f"read as `{kind}`, as the table's other values are written; by itself it could be"
        f" `{other}`"
    )


def _alike(one: str, other: str) -> bool:
    """Whether two formats of numbers differ in the mark for decimals alone: values that fit both
    have none, and are the same numbers."""
    return sql_type(one) == sql_type(other) == NUMERIC and one[:-2] == other[:-2]


def _said(kind: str) -> str:
    """What was decided between readings that are often confused, and why."""
    if sql_type(kind) in _TIMES and dates.dotted(kind.partition(" ")[2]):
        return f"read as `{kind}`: between dots the day comes first"
    if kind_of(kind).meaning in ("dmy", "mdy") or (sql_type(kind) == NUMERIC and kind != NUMERIC):
        return f"read as `{kind}`: not every value can be read in another way"
    return ""


def settle(
    known: str,
    fitting: Sequence[str] | None,
    *,
    mark: str = "",
    convertible: Callable[[str], bool],
) -> str:
    """The kind of a column that is `known` after a file whose values fit `fitting`.

    `convertible`: whether every value that the table holds fits another kind too. A column goes to
    another kind of its family if it can, else to text; never to a narrower one.
    """
    if fitting is None or known in fitting or known == TEXT:
        return known
    family = next((f for f in (_NUMBERS, _TIMES) if sql_type(known) in f), ())
    decided = choose(fitting, mark=mark).kind
    for kind in fitting:
        if sql_type(kind) not in family or kind == BIGINT:
            continue
        if known == BIGINT and kind == decided == NUMERIC:
            return kind
        if known == BIGINT:
            may = kind == decided
        else:
            may = kind_of(kind).meaning == kind_of(known).meaning
        if may and convertible(kind):
            return kind
    return TEXT


def typed(column: str, kind: str, *, alias: str = "s") -> sql.Composable:
    """SQL: the staged text as a value of its kind; an empty cell of a typed column is NULL."""
    name = sql.Identifier(alias, column)
    if kind == TEXT:
        return name
    return kind_of(kind).read(sql.SQL("nullif({}, '')").format(name))


def restored(column: str, kind: str, *, alias: str = "t") -> sql.Composable:
    """SQL: the cell's text as it came. `_raw.absent` names the cells that were not there."""
    name = sql.Identifier(alias, column)
    if kind == TEXT:
        return name
    return sql.SQL(
        "CASE WHEN {n} IS NOT NULL THEN {w} WHEN {raw} -> 'absent' ? {c} THEN NULL ELSE '' END"
    ).format(
        n=name,
        w=kind_of(kind).write(name),
        raw=sql.Identifier(alias, "_raw"),
        c=sql.Literal(column),
    )


def restored_barred(column: str, *, alias: str = "t") -> sql.Composed:
    """SQL: the text of a cell that the table does not take: empty, or absent."""
    return sql.SQL("CASE WHEN {raw} -> 'absent' ? {c} THEN NULL ELSE '' END").format(
        raw=sql.Identifier(alias, "_raw"), c=sql.Literal(column)
    )


def comparable(kind: str) -> bool:
    """Whether equal values have equal texts; `1.0` and `1`, and all of json, must be cast first."""
    return sql_type(kind) not in (NUMERIC, JSON)


def remembered(conn: Connection, table: str) -> dict[str, str]:
    """Column → kind, as the table has them now."""
    rows = conn.execute(
        "SELECT column_name, type FROM supplyline.column_types WHERE table_name = %s", (table,)
    ).fetchall()
    return dict(rows)


def remembered_remarks(conn: Connection, table: str) -> dict[str, str]:
    """Column → what a person should know about its kind."""
    rows = conn.execute(
        "SELECT column_name, remark FROM supplyline.column_types WHERE table_name = %s", (table,)
    ).fetchall()
    return dict(rows)


def remember(
    conn: Connection, table: str, types: Mapping[str, str], remarks: Mapping[str, str] | None = None
) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO supplyline.column_types (table_name, column_name, type, remark)"
            " VALUES (%s, %s, %s, %s) ON CONFLICT (table_name, column_name)"
            " DO UPDATE SET type = excluded.type, remark = excluded.remark",
            [(table, column, kind, (remarks or {}).get(column, "")) for column, kind in
             types.items()],
        )  # fmt: skip
