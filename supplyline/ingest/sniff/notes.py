"""What stands below a table and is no row of it: notes, sources, stamps.

Reasons: a note fills one cell where the rows fill more, or is cut by chance into another number of
cells than the table has, none of which is a value. And it reads as a note: it begins as notes
begin, is a sentence, or a blank line parts it from the table. In doubt it is a row.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from supplyline.ingest.records import Record
from supplyline.ingest.sniff.kinds import VALUES, kind

MAX_FOOTER_ROWS = 20
_BEGINS = re.compile(
    r"\W*(?:sources?|notes?|foot-?notes?|remarks?|quellen?|anmerkung|fu(?:ß|ss)note|stand|hinweis"
    r"|nota?s?|fuentes?|fonti?|fontes?|bron|k[aä]lla|copyright|generated|exported|created|downloaded"
    r"|printed|end of|last updated|updated|see|data (?:from|source)|legend|disclaimer)\b"
    r"|\s*(?:\*|†|‡|©|\(c\)|\(?[a-z0-9]{1,2}\)\s+\w|\[\d+\])",
    re.IGNORECASE,
)


def filled(cells: Sequence[str]) -> int:
    return sum(1 for c in cells if c.strip())


def parted(above: Record, below: Record) -> bool:
    """Whether a blank line lies between two rows that follow one another."""
    return below.line > above.line + 1 + sum(c.count("\n") for c in above.cells)


def footer_rows(tail: Sequence[Record], *, width: int, header: Sequence[str]) -> int:
    """How many of the file's last rows are notes below the table rather than rows of it."""
    if width < 2 or len(tail) < 2:
        return 0
    cut = _cut_by_chance(tail, width)
    if cut:
        return cut + _single_cells(tail[: len(tail) - cut], width=width, header=header)
    return _single_cells(tail, width=width, header=header)


def _single_cells(tail: Sequence[Record], *, width: int, header: Sequence[str]) -> int:
    """Rows at the end that fill only the first of at least three cells, from a note on."""
    if width < 3 or len(tail) < 2:
        return 0
    count = seen = 0
    for row in reversed(tail[-MAX_FOOTER_ROWS:]):
        only_first = filled(row.cells) == 0 or (filled(row.cells) == 1 and row.cells[0].strip())
        if not only_first or len(row.cells) == 1 == len(header):
            break
        seen += 1
        at = len(tail) - seen
        if filled(row.cells) == 0 or (at and _note_below(tail[at - 1], row)):
            count = seen
    rest = tail[: len(tail) - seen]
    alike = sum(1 for r in rest if filled(r.cells) <= 1)
    if count and (not rest or alike > 0.05 * len(rest)):
        return 0
    return count


def _note_below(above: Record, row: Record) -> bool:
    """Whether notes may begin with this row: it says so, is prose or a rule, or stands apart."""
    text = next((c.strip() for c in row.cells if c.strip()), "")
    if _BEGINS.match(text) or not any(c.isalnum() for c in text):
        return True
    prose = len(text) > 40 or len(text.split()) > 5
    return prose or ((parted(above, row) or not filled(above.cells)) and " " in text)


def _cut_by_chance(tail: Sequence[Record], width: int) -> int:
    """Rows at the end, from the first that is a note on, none of which can be one of the table."""
    first = max(1, len(tail) - MAX_FOOTER_ROWS)
    below = len(tail)
    while below > first and _no_row(tail[below - 1], width):
        below -= 1
    rows = tail[:below]
    if len(rows) < 3 or sum(len(r.cells) == width for r in rows) < 0.9 * len(rows):
        return 0  # the table's own rows are not alike either
    for at in range(below, len(tail)):
        if _note_below(tail[at - 1], tail[at]) and filled(tail[at].cells):
            return len(tail) - at
    return 0


def _no_row(row: Record, width: int) -> bool:
    """Cut into another number of cells than the table has, and not as a row that lacks some."""
    if len(row.cells) == width:
        return False
    if _BEGINS.match(row.cells[0]):
        return True
    return not any(kind(c) in VALUES for c in row.cells[1:] if c.strip())
