"""Text cells read as numbers and dates, for columns that were loaded as text.

Promises: one reading per column (a column is not day-first in one row and month-first in the
next); what cannot be read is None, to be counted, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import date

from supplyline.forecast.calendars import EPOCH
from supplyline.forecast.period_texts import read_days

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_GROUPS = {mark: rf"\d{{1,3}}(?:\{mark}\d{{2,3}})*\{mark}\d{{3}}" for mark in ",."}
"""Thousands, also as in India (12,34,567)."""
_CURRENCY = re.compile(r"[\s\u00a0€$£¥%']|EUR|USD|GBP")

_TIME = re.compile(r"[T ]\d{1,2}:\d{2}.*$")

Numbers = Mapping[str, float]


@dataclass(frozen=True, kw_only=True)
class Readings:
    """How columns are read. `whole`: field → text → value for columns of text, which are read in
    one way whatever block a cell comes in; `notes`: what is to be said of that."""

    whole: Mapping[str, Numbers] = field(default_factory=dict)
    notes: tuple[str, ...] = ()

    def of(self, name: str, texts: Iterable[str]) -> Numbers:
        """Text → number, or for the field `date` days since 1970-01-01."""
        if name in self.whole:
            return self.whole[name]
        return days(texts)[0] if name == "date" else numbers(texts)


def readings(columns: Mapping[str, Iterable[str]], *, mark: str = "") -> Readings:
    """Field → all its distinct texts → how they are read; `mark`: see `numbers`."""
    whole: dict[str, Numbers] = {}
    notes: tuple[str, ...] = ()
    for name, texts in columns.items():
        if name == "date":
            whole[name], notes = days(texts)
        else:
            whole[name] = numbers(texts, mark=mark)
    return Readings(whole=whole, notes=notes)


def numbers(texts: Iterable[str], *, mark: str = "") -> dict[str, float]:
    """Text → number for those that are numbers; decimal commas are told from the column: `0,5`,
    `12,25` and `1.234,5` have one, `1,234` beside no such cell is one thousand and more, unless
    other columns have the decimal `mark` `,`."""
    cells = {c: _CURRENCY.sub("", c) for c in texts}
    comma = sum(_decimal(bare, ",", thousands=".") for bare in cells.values())
    point = sum(_decimal(bare, ".", thousands=",") for bare in cells.values())
    if comma == point == 0:
        comma = mark == ","
    mark, thousands = (",", ".") if comma > point else (".", ",")
    read = ((c, _number(bare, mark, thousands=thousands)) for c, bare in cells.items())
    return {c: v for c, v in read if v is not None}


def _decimal(bare: str, mark: str, *, thousands: str) -> bool:
    """Whether a cell can only be meant with this decimal mark: digits behind it that are no group
    of three, or groups marked by the other sign."""
    whole, found, rest = bare.strip("()+-").partition(mark)
    if not found:
        return bool(whole.count(thousands) > 1 and re.fullmatch(_GROUPS[thousands], whole))
    if not rest.isdecimal():
        return False
    alone = re.fullmatch(r"\d*", whole) and (
        len(rest) != 3 or not 0 < len(whole) < 4 or whole == "0"
    )
    return bool(alone or re.fullmatch(_GROUPS[thousands], whole))


def _number(bare: str, mark: str, *, thousands: str) -> float | None:
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare.strip("()")
    if bare.endswith("-"):
        bare = "-" + bare[:-1]
    if thousands in bare:
        if not re.fullmatch(rf"[-+]?{_GROUPS[thousands]}(?:\{mark}\d*)?", bare):
            return None
        bare = bare.replace(thousands, "")
    bare = bare.replace(mark, ".")
    if not _NUMBER.fullmatch(bare):
        return None
    value = float(bare)
    if abs(value) > 1e15:
        return None
    return -value if negative else value


def days(texts: Iterable[str]) -> tuple[Numbers, tuple[str, ...]]:
    """Text → days since 1970-01-01, and what is to be said: times of day are cut off, dates read as
    `period_texts` reads them. Years lie between 1900 and 2200."""
    bare = {c: _TIME.sub("", c.strip()) for c in texts}
    read, notes = read_days(sorted(set(bare.values())))
    low, high = ((date(y, 1, 1) - EPOCH).days for y in (1900, 2201))
    return {
        c: float(d) for c, b in bare.items() if low <= (d := read.get(b, low - 1)) < high
    }, notes
