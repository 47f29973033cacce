"""What kind of value a cell's text looks like; the evidence on which dialects are weighed."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from supplyline.ingest.records import Record

_MONTH = (
    r"(?:jan|feb|f\u00e9v|mar|m\u00e4r|apr|avr|abr|may|mai|mag|maj|giu|jun|jui|jul|lug|aug|ao\u00fb|ago"
    r"|sep|set|oct|okt|ott|out|nov|dec|dez|d\u00e9c|dic|ene|gen)[a-z\u00e4\u00e9\u00fb]{0,7}"
)
"""A month's name in one of the larger European languages, or its beginning."""

_PATTERNS: tuple[tuple[str, re.Pattern[str]], ...] = tuple(
    (kind, re.compile(pattern, re.IGNORECASE))
    for kind, pattern in (
        (
            "number",
            r"[+\-(]?\s?(?:\d+|\d{1,3}(?:[ ,.'\u00a0\u202f]\d{3})+)?(?:[.,]\d+)?\)?"
            r"(?<=[\d)])(?:e[+\-]?\d+)?\s?[%\u2030+\-]?",
        ),
        (
            "date",
            r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}|\d{4}[-/]\d{2}"
            rf"|\d{{4}}[ -]?Q[1-4]|Q[1-4][ -/]?\d{{4}}|\d{{4}} {_MONTH}"
            rf"|\d{{1,2}}\.?[ -]?{_MONTH}\.?[ ,-]*\d{{2,4}}"
            rf"|{_MONTH}\.?[ -]\d{{1,2}},? \d{{4}}|{_MONTH}\.?[-' ]\d{{2,4}}",
        ),
        ("time", r"\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?(?:\s?[ap]\.?m\.?)?"),
        (
            "datetime",
            r"\d{1,4}[-/.]\d{1,2}[-/.]\d{1,4}[ T]+\d{1,2}:\d{2}(?::\d{2}(?:[.,]\d+)?)?"
            r"(?:\s?[ap]m)?(?:\s?(?:Z|UTC|[+\-]\d{2}:?\d{2}))?",
        ),
        (
            "money",
            r"[-(]?(?:[$\u20ac\u00a3\u00a5]|USD|EUR|GBP|CHF|R\$)\s?-?\d[\d.,' ]*\)?"
            r"|-?\d[\d.,' ]*\s?(?:[$\u20ac\u00a3\u00a5]|USD|EUR|GBP|CHF)",
        ),
        ("url", r"(?:https?|ftp)://\S+|www\.\S+|[\w.+-]+@[\w-]+\.[\w.-]+"),
        ("missing", r"n/?a|nan|null|none|nil|-+|\.+|\?+|#n/a|tbd"),
        ("bool", r"true|false|yes|no"),
        ("code", r"(?=.*\d)[\w]+(?:[-./_:#][\w]+)*"),
        ("word", r"[^\W\d_]+(?:[-'\u2019._&/ ][^\W\d_]+)?\.?"),
    )
)
_WEIGHT = {"empty": 0.75, "missing": 0.9, "word": 0.9, "code": 0.9, "text": 0.7, "odd": 0.1}
_STRUCTURE = re.compile(r"[|\t;]|,\S|\"")
_SEAM = re.compile(r"[,;|\t] ?[\"][^\s,;|]|[^\s,;|][\"] ?[,;|\t]")
"""Where two cells were once sewn together: a quote beside a delimiter."""
TYPED = frozenset({"number", "date", "time", "datetime", "money", "bool", "url"})
VALUES = frozenset({"number", "date", "time", "datetime", "money"})


@lru_cache(maxsize=1 << 16)
def kind(cell: str) -> str:
    """`number`, `date`, `time`, `datetime`, `money`, `url`, `missing`, `bool`, `code`, `word`,
    `empty`, `text` (prose), or `odd` (looks like several cells, or wears quotes)."""
    text = cell.strip()
    if not text:
        return "empty"
    if len(text) < 80:
        for name, pattern in _PATTERNS:
            if pattern.fullmatch(text):
                return name
    if _SEAM.search(text):
        return "odd"
    if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'`~":
        return "odd"
    return "odd" if _STRUCTURE.search(text) and " " not in text else "text"


def weight(cell: str) -> float:
    """How much a cell speaks for the dialect that cut it out, from 0 to 1."""
    return _WEIGHT.get(kind(cell), 1.0)


def value_columns(body: Sequence[Record], width: int) -> frozenset[int]:
    """Columns whose filled cells are (nearly) all numbers, dates and the like."""
    found = set()
    for column in range(width):
        cells = [r.cells[column] for r in body if len(r.cells) > column and r.cells[column].strip()]
        if cells and sum(kind(c) in VALUES for c in cells) >= 0.8 * len(cells):
            found.add(column)
    return frozenset(found)
