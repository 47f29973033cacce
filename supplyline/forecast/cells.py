"""Text cells read as numbers and dates, for columns that were loaded as text.

Promises: one reading per column (a column is not day-first in one row and month-first in the
next); what cannot be read is None, to be counted, never guessed.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from datetime import date, datetime

_NUMBER = re.compile(r"[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?")
_CURRENCY = re.compile(r"[\s\u00a0€$£¥%']|EUR|USD|GBP")

PATTERNS = (
    "%Y-%m-%d", "%Y/%m/%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%m/%d/%y", "%d/%m/%y",
    "%d-%m-%Y", "%m-%d-%Y", "%Y%m%d", "%d-%b-%Y", "%d %b %Y", "%b %d, %Y", "%d-%b-%y", "%Y-%m",
)  # fmt: skip
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}.*$")


def numbers(texts: Iterable[str]) -> dict[str, float]:
    """Text → number for those that are numbers; decimal commas are told from the column."""
    cells = list(texts)
    comma = sum(bool(re.fullmatch(r"\D*\d+(?:\.\d{3})*,\d{1,2}\D*", c)) for c in cells)
    point = sum(bool(re.fullmatch(r"\D*\d[\d,]*\.\d+\D*", c)) for c in cells)
    decimal_comma = comma > point
    return {c: v for c in cells if (v := _number(c, decimal_comma=decimal_comma)) is not None}


def _number(text: str, *, decimal_comma: bool) -> float | None:
    bare = _CURRENCY.sub("", text)
    negative = bare.startswith("(") and bare.endswith(")")
    bare = bare.strip("()")
    if bare.endswith("-"):
        bare = "-" + bare[:-1]
    bare = bare.replace(".", "").replace(",", ".") if decimal_comma else bare.replace(",", "")
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
