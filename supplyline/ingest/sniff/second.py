"""A further table below the first: a header of its own under a blank line, and rows that fit it.

Reasons: every cell of the header is text, none comes twice; the rows below it, up to the next blank
line, fill no other cells and hold values where it has text; and the first table's rows are wider
or narrower, or hold values where the new header has text. In doubt they are rows of the first.
"""

from __future__ import annotations

from collections.abc import Sequence

from supplyline.ingest.records import Record
from supplyline.ingest.sniff.kinds import TYPED, VALUES, kind, value_columns
from supplyline.ingest.sniff.notes import filled, parted

MIN_ROWS = 2


def second_table(rows: Sequence[Record], names: Sequence[str]) -> int:
    """The index of the row with which the second table begins, 0 if there is none. `rows`: those
    of the first table and all that follows; `names`: the first table's header."""
    own = _texts(names)
    begins = [i for i in range(1, len(rows)) if _apart(rows[i - 1], rows[i])]
    if not own or len(begins) > 0.1 * len(rows) + 4:
        return 0
    for at, begin in enumerate(begins):
        ends = [*begins[at + 1 :], len(rows)]
        header = _texts(rows[begin].cells)
        if not _is_header(header) or not _fits(header, rows[begin + 1 : ends[0]]):
            continue
        # What follows the second table may be a third, but not the first one going on.
        after = [rows[i] for i in ends[:-1]]
        if _other_shape(header, rows[:begin], own) and not any(_goes_on(r, own) for r in after):
            return begin
    return 0


def _texts(cells: Sequence[str]) -> list[str]:
    """The cells without the empty ones at the end."""
    texts = [c.strip() for c in cells]
    while texts and not texts[-1]:
        texts.pop()
    return texts


def _apart(above: Record, row: Record) -> bool:
    return filled(row.cells) > 0 and (parted(above, row) or not filled(above.cells))


def _is_header(texts: Sequence[str]) -> bool:
    named = len(texts) > 1 and all(texts) and len(set(texts)) == len(texts)
    return named and not any(kind(t) in TYPED or kind(t) == "missing" for t in texts)


def _fits(header: Sequence[str], rows: Sequence[Record]) -> bool:
    body = [r for r in rows if filled(r.cells)]
    if len(body) < MIN_ROWS or any(len(_texts(r.cells)) > len(header) for r in body):
        return False
    return bool(value_columns(body, len(header)))


def _other_shape(header: Sequence[str], first: Sequence[Record], own: Sequence[str]) -> bool:
    widths = [len(_texts(r.cells)) for r in first if filled(r.cells)]
    if len(header) != len(own):
        other = sum((w > len(header)) == (len(own) > len(header)) for w in widths)
        return other >= 0.8 * len(widths)
    values = value_columns(first, len(own))
    return len(values) > 0 and list(header) != list(own)


def _goes_on(row: Record, own: Sequence[str]) -> bool:
    """Whether the first table goes on with this row: its header again, or a row of values."""
    texts = _texts(row.cells)
    return texts == own or (len(texts) == len(own) and any(kind(t) in VALUES for t in texts))
