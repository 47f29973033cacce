"""Text cells read as numbers and dates, for columns that were loaded as text.

Promises: one reading per column (a column is not day-first in one row and month-first in the
next); what cannot be read is None, to be counted, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

from supplyline.forecast.calendars import DAYS_WRITTEN

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_GROUPS = {mark: rf"\d{{1,3}}(?:\{mark}\d{{2,3}})*\{mark}\d{{3}}" for mark in ",."}
"""Thousands, also as in India (12,34,567)."""
_CURRENCY = re.compile(r"[\s\u00a0€$£¥%']|EUR|USD|GBP")

PATTERNS = (*DAYS_WRITTEN, "%Y%m%d", "%Y-%m")
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}.*$")


def numbers(texts: Iterable[str]) -> dict[str, float]:
    """Text → number for those that are numbers; decimal commas are told from the column: `0,5`,
    `12,25` and `1.234,5` have one, `1,234` beside no such cell is one thousand and more."""
    cells = {c: _CURRENCY.sub("", c) for c in texts}
    comma = sum(_decimal(bare, ",", thousands=".") for bare in cells.values())
    point = sum(_decimal(bare, ".", thousands=",") for bare in cells.values())
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


def dates(texts: Iterable[str]) -> dict[str, date]:
    """Text → day, by the one pattern that reads most cells (times of day are cut off)."""
    days = {c: _TIME.sub("", c.strip()) for c in texts}
    best: dict[str, date] = {}
    for pattern in PATTERNS:
        read = {c: d for c, bare in days.items() if (d := _date(bare, pattern)) is not None}
        if len(read) > len(best):
            best = read
        if len(best) == len(days):
            break
    return best


def _date(text: str, pattern: str) -> date | None:
    try:
        found = datetime.strptime(text, pattern).date()  # noqa: DTZ007 - a day without a time
    except ValueError:
        return None
    return found if 1900 <= found.year <= 2200 else None
