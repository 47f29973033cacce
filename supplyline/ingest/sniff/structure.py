"""Where the table lies in the rows of a file: preamble, header (of one or more rows), footer.

Reasons, not names: the table's width is that of most rows; what stands before the first row that
fills most of it is preamble; a header row is text where the columns below hold values; what stands
after the last full row and fills at most one or two cells is footer.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from supplyline.ingest.records import Record
from supplyline.ingest.sniff.kinds import TYPED, VALUES, kind
from supplyline.ingest.sniff.notes import filled, footer_rows, parted

__all__ = ["Structure", "detect", "filled", "footer_rows", "join_header", "usual_width"]

MAX_HEADER_ROWS = 4
MAX_PREAMBLE_ROWS = 60


@dataclass(frozen=True, kw_only=True)
class Structure:
    """`header`: index of the first header row in the sample's rows (the first data row if there is
    none), `header_rows`: how many, `data`: index of the first data row, `width`: usual number of
    cells, `names`: the header's texts, `reasons`."""

    header: int
    header_rows: int
    data: int
    width: int
    names: tuple[str, ...]
    reasons: tuple[str, ...]


ROWS_TO_JUDGE_BY = 6
"""Fewer rows cannot tell a second header row from data with a wrong value, unless it has gaps."""


def detect(rows: Sequence[Record]) -> Structure:
    """`rows`: the first rows of the file, at least one."""
    width = usual_width(rows)
    start, reasons = _table_start(rows, width)
    if start:
        reasons = (*reasons, f"{start} row(s) before the table fill too few of its {width} columns")
    # A header that comes again further down says nothing about the columns below.
    body = [r for r in rows[start + 1 :] if r.cells != rows[start].cells]
    # The first rows may be further header rows, so they do not speak for the columns either.
    values = _value_columns(body[min(MAX_HEADER_ROWS - 1, len(body) // 2) :], width)
    if not _is_header(rows[start].cells, body, values):
        return Structure(
            header=start,
            header_rows=0,
            data=start,
            width=width,
            names=(),
            reasons=(*reasons, "the first row holds values like the rows below"),
        )
    count = 1
    while (
        count < MAX_HEADER_ROWS
        and start + count < len(rows) - 1
        and _continues_header(rows[start], rows[start + count], values)
        and (len(body) >= ROWS_TO_JUDGE_BY or not all(rows[start + count].cells))
    ):
        count += 1
    names = join_header([r.cells for r in rows[start : start + count]])
    reasons = (
        *reasons,
        "the header is text above columns of values"
        if values
        else "the first full row is taken as the header",
    )
    if count > 1:
        reasons = (*reasons, f"{count} header rows are joined")
    return Structure(
        header=start,
        header_rows=count,
        data=start + count,
        width=width,
        names=names,
        reasons=reasons,
    )


def usual_width(rows: Sequence[Record]) -> int:
    """The commonest number of cells, rows that fill one cell or none counting little."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts[len(row.cells)] += 4 if filled(row.cells) > 1 else 1
    best = max(counts.values())
    return max(w for w, k in counts.items() if k == best)


def _table_start(rows: Sequence[Record], width: int) -> tuple[int, tuple[str, ...]]:
    if width <= 1:
        return 0, ()
    body = [filled(r.cells) for r in rows if len(r.cells) == width] or [width]
    usual = sorted(body)[len(body) // 2]
    need = max(2, -(-usual // 2)) if usual > 1 else 1
    begin = max(_below_a_gap(rows, usual), _below_short_rows(rows, width))
    for at, row in enumerate(rows[begin : MAX_PREAMBLE_ROWS + 1], start=begin):
        full = filled(row.cells)
        if full >= need and (len(row.cells) >= need):
            if _title_like(row, rows[at + 1 : at + 4], usual):
                continue
            return _over(rows, at, usual), ()
    return 0, ()


def _below_a_gap(rows: Sequence[Record], usual: int) -> int:
    """The first row of the table where blank lines part it from what stands before; else 0.

    What stands before may be cut into as many cells as the table has; but it is a few rows, or
    pairs of a name and a value, and the table begins with a header of its own.
    """
    begins = [i for i in range(1, len(rows)) if _apart(rows, i)]
    if not begins or len(begins) > 0.2 * len(rows) + 4:
        return 0
    start = 0
    for begin in (b for b in begins if b <= MAX_PREAMBLE_ROWS):
        before = [r for r in rows[start:begin] if filled(r.cells)]
        pairs = usual > 2 and all(filled(r.cells) <= 2 for r in before)
        if len(before) > 2 and not pairs:
            return start
        end = next((b for b in begins if b > begin), len(rows))
        if end - begin >= 3 and _begins_with_header(rows[begin:end]):
            return begin
        if end - begin >= 3:
            return start
        start = begin if pairs else start
    return 0


def _apart(rows: Sequence[Record], at: int) -> bool:
    return filled(rows[at].cells) > 0 and (
        parted(rows[at - 1], rows[at]) or filled(rows[at - 1].cells) == 0
    )


def _below_short_rows(rows: Sequence[Record], width: int) -> int:
    """The first row of full width, if it is a header and all before it are shorter; else 0."""
    at = next((i for i, r in enumerate(rows) if len(r.cells) == width), 0)
    if not 0 < at <= MAX_PREAMBLE_ROWS or len(rows) - at < 3:
        return 0
    alike = sum(len(r.cells) == width for r in rows[at:])
    if alike < 0.9 * (len(rows) - at):
        return 0
    return at if _begins_with_header(rows[at:]) else 0


def _begins_with_header(rows: Sequence[Record]) -> bool:
    """Whether the first row is text above columns of values, and fills most of its cells."""
    first, width = rows[0].cells, usual_width(rows)
    if len(first) != width or filled(first) * 2 <= width or filled(first) < 2:
        return False
    values = _value_columns(rows[1:], width)
    return bool(values) and not any(
        kind(first[i]) in VALUES and not _year(first[i].strip()) for i in values
    )


def _title_like(row: Record, following: Sequence[Record], usual: int) -> bool:
    """A comment or a title of several cells, far narrower than all that follows."""
    if row.cells[0].lstrip().startswith("#") and len(row.cells) < usual:
        return True
    return (
        bool(following)
        and filled(row.cells) * 2 <= usual
        and all(filled(f.cells) >= max(3, 2 * filled(row.cells)) for f in following)
    )


def _over(rows: Sequence[Record], at: int, usual: int) -> int:
    """Rows that name groups of columns belong to no preamble; kept simple: the full row counts."""
    first = rows[at].cells
    values = [kind(c) in VALUES for c in first if c.strip()]
    if at and values and sum(values) * 2 > len(values):
        # The row is data already; a header that fills less may stand right above it.
        above = rows[at - 1].cells
        if (
            len(above) == len(first)
            and filled(above) >= 2
            and filled(above) * 3 >= usual
            and not any(kind(c) in VALUES for c in above)
        ):
            return at - 1
    return at


def _value_columns(body: Sequence[Record], width: int) -> frozenset[int]:
    """Columns whose filled cells are (nearly) all numbers, dates and the like."""
    found = set()
    for column in range(width):
        cells = [r.cells[column] for r in body if len(r.cells) > column and r.cells[column].strip()]
        if cells and sum(kind(c) in VALUES for c in cells) >= 0.8 * len(cells):
            found.add(column)
    return frozenset(found)


def _is_header(first: Sequence[str], body: Sequence[Record], values: frozenset[int]) -> bool:
    texts = [c.strip() for c in first]
    full = [c for c in texts if c]
    if not body:
        return not any(kind(c) in TYPED for c in full)
    held = [i for i in values if i < len(texts) and texts[i]]
    if held:
        as_value = sum(kind(texts[i]) in VALUES and not _year(texts[i]) for i in held)
        return as_value * 2 < len(held) or (as_value == 0)
    if any(kind(c) in VALUES - {"number"} for c in full):
        return False
    seen = sum(
        any(len(r.cells) > i and r.cells[i].strip() == c for r in body[:200])
        for i, c in enumerate(texts)
        if c
    )
    return len(set(full)) >= 0.6 * len(full) and seen * 2 <= len(full)


def _year(text: str) -> bool:
    return len(text) == 4 and text.isdigit() and "1900" <= text <= "2100"


def _continues_header(first: Record, row: Record, values: frozenset[int]) -> bool:
    """A further header row: the same names again, or text in every column of values."""
    cells = [c.strip() for c in row.cells]
    if cells == [c.strip() for c in first.cells]:
        return True
    if len(values) < 2 or len(cells) != len(first.cells):
        return False
    held = [i for i in values if i < len(cells)]
    if any(kind(c) in VALUES or kind(c) == "missing" for c in cells if c):
        return False
    texts = sum(1 for i in held if cells[i])
    return texts * 2 > len(held) and texts >= 2


def join_header(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """One text per column; several header rows are joined by a space, top to bottom."""
    if len(rows) == 1:
        return tuple(rows[0])
    width = max(len(r) for r in rows)
    return tuple(" ".join(r[i] for r in rows if i < len(r) and r[i].strip()) for i in range(width))
