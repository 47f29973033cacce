"""What stands below a table and is no row of it: notes, sources, stamps.

Reasons: a note fills one cell where the rows fill more, or is cut by chance into another number of
cells than the table has, none of which is a value. And it reads as a note, other than the cells of
the first column do: it begins with a label of notes, is a longer sentence than any of them, or a
blank line parts it from the table. In doubt it is a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass

from supplyline.ingest.records import Record
from supplyline.ingest.sniff.kinds import VALUES, kind, value_columns

MAX_FOOTER_ROWS = 20
_RULE = re.compile(r"[-=_+*~#.:─━═|]+")
_BEGINS = re.compile(
    r"\W*(?:"
    # a label, and what shows that it is one
    r"(?:data )?(?:sources?|notes?|foot-?notes?|remarks?|quellen?|anmerkung(?:en)?|fu(?:ß|ss)noten?"
    r"|stand|hinweise?|nota?s?|fuentes?|fonti?|fontes?|bron(?:nen)?|k[aä]lla|kilder?|l[aä]hde|zdroj"
    r"|źródło|источник|base|disclaimer|legende?|updated)\s*(?:[:.\uff1a]|\d|$)"
    r"|(?:generated|exported|created|downloaded|printed|produced|erstellt|gedruckt)"
    r" (?:on|at|by|from|with|am|von)\b"
    r"|(?:stand|état|situation) (?:vom|au|am|vom|\d)"
    r"|copyright\b|last updated?\b|end of (?:report|file|data|table|list|export)\b"
    r"|see (?:also|notes?|https?)\b|data (?:from|source)\b"
    r"|注|資料|资料|数据来源|出典|자료|출처"
    r"|\d+ (?:rows?|records?|lines?|zeilen|datens[aä]tze|lignes|filas|registros|righe)\b"
    r")|\s*(?:[*†‡©]|\(c\)|\(?[a-z0-9]{1,2}\)\s+\w|\[\d+\])",
    re.IGNORECASE,
)


def filled(cells: Sequence[str]) -> int:
    return sum(1 for c in cells if c.strip())


def parted(above: Record, below: Record) -> bool:
    """Whether a blank line lies between two rows that follow one another."""
    return below.line > above.line + 1 + sum(c.count("\n") for c in above.cells)


def is_rule(cells: Sequence[str]) -> bool:
    """A line that is drawn: dashes, equal signs and the like in every cell that is filled."""
    full = [c.strip() for c in cells if c.strip()]
    return bool(full) and all(_RULE.fullmatch(c) for c in full) and len("".join(full)) > 2


@dataclass(frozen=True)
class _Column:
    """What the cells of the table's first column look like; a note looks unlike them."""

    length: int
    words: int
    first: frozenset[str]
    labels: bool

    @classmethod
    def of(cls, rows: Sequence[Record]) -> _Column:
        texts = [c for r in rows if r.cells and (c := r.cells[0].strip())]
        return cls(
            length=max(map(len, texts), default=0),
            words=max((len(t.split()) for t in texts), default=0),
            first=frozenset(t.split()[0].casefold() for t in texts),
            labels=any(_BEGINS.match(t) for t in texts),
        )

    def note(self, text: str, *, apart: bool) -> bool:
        """Whether notes may begin with `text`: it says so, is prose or a rule, or stands apart."""
        if is_rule([text]) or self.labelled(text):
            return True
        prose = len(text) > 40 or len(text.split()) > 5
        if prose and len(text) > 1.5 * self.length and len(text.split()) > self.words + 2:
            return True
        return apart and " " in text and text.split(maxsplit=1)[0].casefold() not in self.first

    def labelled(self, text: str) -> bool:
        return bool(_BEGINS.match(text)) and not self.labels


def footer_rows(tail: Sequence[Record], *, width: int, header: Sequence[str]) -> int:
    """How many of the file's last rows are notes below the table rather than rows of it."""
    if width < 2 or len(tail) < 2:
        return 0
    cut = _cut_by_chance(tail, width)
    if cut:
        return cut + _single_cells(tail[: len(tail) - cut], width=width, header=header)
    return _single_cells(tail, width=width, header=header)


def _single_cells(tail: Sequence[Record], *, width: int, header: Sequence[str]) -> int:
    """Rows at the end that fill only the first cell, from a note on. In a table of two columns
    only a label tells a note from a row that lacks its value."""
    if len(tail) < 2:
        return 0
    seen = 0
    for row in reversed(tail[-MAX_FOOTER_ROWS:]):
        only_first = filled(row.cells) == 0 or (filled(row.cells) == 1 and row.cells[0].strip())
        if not only_first or len(row.cells) == 1 == len(header):
            break
        seen += 1
    rest = tail[: len(tail) - seen]
    column = _Column.of(rest)
    count = next((n for n in range(seen, 0, -1) if _notes_from(tail, n, column, width)), 0)
    alike = sum(1 for r in rest if filled(r.cells) == 1)
    if count and (not rest or alike > 0.05 * len(rest)):
        return 0
    return count


def _notes_from(tail: Sequence[Record], count: int, column: _Column, width: int) -> bool:
    row = tail[len(tail) - count]
    text = row.cells[0].strip()
    if not text:
        return width > 2
    if width == 2:
        return is_rule([text]) or column.labelled(text)
    above = tail[len(tail) - count - 1] if count < len(tail) else None
    return column.note(text, apart=above is not None and _stands_apart(above, row))


def _stands_apart(above: Record, row: Record) -> bool:
    return parted(above, row) or not filled(above.cells)


def _cut_by_chance(tail: Sequence[Record], width: int) -> int:
    """Rows at the end, from the first that is a note on, none of which can be one of the table."""
    first = max(1, len(tail) - MAX_FOOTER_ROWS)
    values = value_columns(tail[: max(first, 2 * len(tail) // 3)], width)
    below = len(tail)
    while below > first and _no_row(tail[below - 1], width, values):
        below -= 1
    rows = tail[:below]
    if len(rows) < 3 or sum(len(r.cells) == width for r in rows) < 0.9 * len(rows):
        return 0  # the table's own rows are not alike either
    column = _Column.of(rows)
    for at in range(below, len(tail)):
        text = next((c.strip() for c in tail[at].cells if c.strip()), "")
        if text and column.note(text, apart=_stands_apart(tail[at - 1], tail[at])):
            return len(tail) - at
    return 0


def _no_row(row: Record, width: int, values: frozenset[int]) -> bool:
    """Cut into another number of cells than the table has, and not as a row that lacks some; or a
    sentence whose parts stand where the table has values."""
    if len(row.cells) == width:
        words = " ".join(row.cells).split()
        parts = [kind(row.cells[i]) for i in values]
        return len(words) > 7 and bool(parts) and set(parts) <= {"text", "word"}
    if _BEGINS.match(row.cells[0]):
        return True
    return not any(kind(c) in VALUES for c in row.cells[1:] if c.strip())
