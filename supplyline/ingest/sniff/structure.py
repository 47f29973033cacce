"""Where the table lies in the rows of a file: preamble, header (of one or more rows), footer.

Reasons, not names: the table's width is that of most rows; what stands before the first row that
fills most of it is preamble; a header row is text where the columns below hold values (footers: see
`notes`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from supplyline.ingest.records import Record
from supplyline.ingest.sniff.header import (
    begins_with_header,
    continues_header,
    is_header,
    join_header,
    names_groups,
    usual_width,
)
from supplyline.ingest.sniff.kinds import VALUES, kind, value_columns
from supplyline.ingest.sniff.notes import filled, footer_rows, is_rule, parted

__all__ = ["Structure", "detect", "filled", "footer_rows", "of", "usual_width", "with_header"]

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


def of(rows: Sequence[Record], *, header_row: int | None) -> Structure | None:
    """With the header in the given line (0: none; None: found out); None for a line behind all."""
    if header_row is None:
        return detect(rows)
    if header_row == 0:
        return Structure(
            header=0,
            header_rows=0,
            data=0,
            width=usual_width(rows),
            names=(),
            reasons=("no header, as given",),
        )
    at = next((i for i, row in enumerate(rows) if row.line >= header_row), None)
    return None if at is None else with_header(rows, at)


def with_header(rows: Sequence[Record], at: int) -> Structure:
    """The table whose header is the row at index `at`, as somebody said."""
    return Structure(
        header=at,
        header_rows=1,
        data=at + 1,
        width=usual_width(rows),
        names=tuple(rows[at].cells),
        reasons=("header row as given",),
    )


def detect(rows: Sequence[Record]) -> Structure:
    """`rows`: the first rows of the file, at least one."""
    width = usual_width(rows)
    start, reasons = _table_start(rows, width)
    if start:
        reasons = (*reasons, f"{start} row(s) before the table fill too few of its {width} columns")
    # A header that comes again further down says nothing about the columns below.
    body = [r for r in rows[start + 1 :] if r.cells != rows[start].cells]
    # The first rows may be further header rows, so they do not speak for the columns either.
    values = value_columns(body[min(MAX_HEADER_ROWS - 1, len(body) // 2) :], width)
    if not is_header(rows[start].cells, body, values):
        return Structure(
            header=start,
            header_rows=0,
            data=start,
            width=width,
            names=(),
            reasons=(*reasons, "the first row holds values like the rows below"),
        )
    count = 1 + (len(body) > 1 and names_groups(rows[start], rows[start + 1]))
    while (
        count < MAX_HEADER_ROWS
        and start + count < len(rows) - 1
        and continues_header(rows[start], rows[start + count], values)
        and (len(body) >= ROWS_TO_JUDGE_BY or not all(rows[start + count].cells))
    ):
        count += 1
    names = join_header([r.cells for r in rows[start : start + count]])
    ruled = start + count < len(rows) and is_rule(rows[start + count].cells)
    reasons = (
        *reasons,
        "the header is text above columns of values"
        if values
        else "the first full row is taken as the header",
    )
    if count > 1:
        reasons = (*reasons, f"{count} header rows are joined")
    if ruled:
        reasons = (*reasons, "a drawn line parts the header from the rows")
    return Structure(
        header=start,
        header_rows=count,
        data=start + count + ruled,
        width=width,
        names=names,
        reasons=reasons,
    )


def _table_start(rows: Sequence[Record], width: int) -> tuple[int, tuple[str, ...]]:
    if width <= 1:
        return 0, ()
    body = [filled(r.cells) for r in rows if len(r.cells) == width] or [width]
    usual = sorted(body)[len(body) // 2]
    need = max(2, -(-usual // 2)) if usual > 1 else 1
    begin = max(
        _below_a_gap(rows, usual), _below_short_rows(rows, width), _below_pairs(rows, width)
    )
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
        if end - begin >= 3 and begins_with_header(rows[begin:end]):
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
    return at if begins_with_header(rows[at:]) else 0


def _below_pairs(rows: Sequence[Record], width: int) -> int:
    """The first row of values, where names with their values stand right above it and no gap
    parts them: in the first two columns texts turn into values at the same row; else 0."""
    if width != 2:
        return 0
    pairs = [[kind(c) in VALUES for c in r.cells] for r in rows]
    at = next((i for i, p in enumerate(pairs) if p == [True, True]), 0)
    if not 3 <= at <= MAX_PREAMBLE_ROWS or len(rows) - at < max(8, at):
        return 0
    named = not any(p[0] for p in pairs[:at]) and sum(p[-1] for p in pairs[:at]) * 2 < at
    alike = sum(p == [True, True] for p in pairs[at:])
    told = [r.cells[-1].strip() for r in rows[:at] if filled(r.cells) > 1]
    named = (
        named
        and len(set(told)) * 3 > 2 * len(told)
        and any(" " in t or kind(t) == "date" for t in told)
    )
    if not named or alike < 0.9 * (len(rows) - at):
        return 0
    above = rows[at - 1].cells
    return at - (filled(above) == 2 and len(" ".join(above).split()) <= 6)


def _title_like(row: Record, following: Sequence[Record], usual: int) -> bool:
    """A comment or a title of several cells, far narrower than all that follows."""
    if row.cells[0].lstrip().startswith("#") and (
        len(row.cells) < usual
        or (len(following) > 1 and not _comment(following[0]) and begins_with_header(following))
    ):
        return True
    return (
        bool(following)
        and filled(row.cells) * 2 <= usual
        and all(filled(f.cells) >= max(3, 2 * filled(row.cells)) for f in following)
    )


def _comment(row: Record) -> bool:
    return row.cells[0].lstrip().startswith("#")


def _over(rows: Sequence[Record], at: int, usual: int) -> int:
    """Where the table begins: one row higher if that names groups of columns, or is a header."""
    if not at:
        return 0
    first, above = rows[at].cells, rows[at - 1]
    values = [kind(c) in VALUES for c in first if c.strip()]
    if values and sum(values) * 2 > len(values):
        # The row is data already; a header that fills less may stand right above it.
        fits = len(above.cells) == len(first) and filled(above.cells) >= 2
        return at - (
            fits
            and filled(above.cells) * 3 >= usual
            and not any(kind(c) in VALUES for c in above.cells)
        )
    return at - names_groups(above, rows[at])
