"""The header of a table: text above columns of values, of one row or several."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

from supplyline.ingest.records import Record
from supplyline.ingest.sniff.kinds import TYPED, VALUES, kind, value_columns
from supplyline.ingest.sniff.notes import filled, is_rule, parted

_MOMENTS = frozenset({"date", "time", "datetime"})
_DIGITS = re.compile(r"\d+")


def usual_width(rows: Sequence[Record]) -> int:
    """The commonest number of cells; rows that fill one cell or none, or that are prose cut at its
    commas, count little."""
    counts: Counter[int] = Counter()
    for row in rows:
        counts[len(row.cells)] += 1 if filled(row.cells) <= 1 or _prose(row.cells) else 4
    best = max(counts.values())
    return max(w for w, k in counts.items() if k == best)


def _prose(cells: Sequence[str]) -> bool:
    """A sentence that was cut: many words for its cells, and no value."""
    return len(" ".join(cells).split()) > 5 * len(cells) and not any(
        kind(c) in TYPED for c in cells
    )


def begins_with_header(rows: Sequence[Record]) -> bool:
    """Whether the first row is text above columns of values, and fills most of its cells."""
    first, width = rows[0].cells, usual_width(rows)
    if len(first) != width or filled(first) * 2 <= width or filled(first) < 2:
        return False
    values = value_columns(rows[1:], width)
    return bool(values) and not any(
        kind(first[i]) in VALUES and not _year(first[i].strip()) for i in values
    )


def names_groups(above: Record, header: Record) -> bool:
    """Whether a row names groups of the columns that the header right below it names one by one:
    it fills some of the same cells, with gaps between them."""
    cells = [c.strip() for c in above.cells]
    if len(cells) != len(header.cells) or parted(above, header):
        return False
    full = [i for i, c in enumerate(cells) if c]
    if len(full) < 2 or full == list(range(len(full))):
        return False  # a title, or a name and its value
    if any(c.endswith((":", "=")) or (kind(c) in VALUES and not _year(c)) for c in cells):
        return False
    below = [c.strip() for c in header.cells]
    if is_rule(below):
        return False
    if not all(below[i] for i in full) or any(kind(c) in TYPED and not _year(c) for c in below):
        return False
    return _repeats(below) or not cells[0] or all(_year(cells[i]) for i in full)


def _repeats(names: Sequence[str]) -> bool:
    full = [n for n in names if n]
    return len(set(full)) < len(full)


def is_header(first: Sequence[str], body: Sequence[Record], values: frozenset[int]) -> bool:
    texts = [c.strip() for c in first]
    full = [c for c in texts if c]
    if not body:
        return not any(kind(c) in TYPED for c in full)
    held = [i for i in values if i < len(texts) and texts[i]]
    if held:
        as_value = sum(_value_like(texts[i], body, i) for i in held)
        only_values = all(kind(c) in VALUES for c in full)
        return as_value == 0 or (as_value * 2 < len(held) and not only_values)
    if any(kind(c) in VALUES - {"number"} or kind(c) == "url" for c in full):
        return False
    if any(_shaped_alike(c, body, i) for i, c in enumerate(texts)):
        return False
    seen = sum(
        any(len(r.cells) > i and r.cells[i].strip() == c for r in body[:200])
        for i, c in enumerate(texts)
        if c
    )
    return len(set(full)) >= 0.6 * len(full) and seen * 2 <= len(full)


def _value_like(text: str, body: Sequence[Record], column: int) -> bool:
    """Whether a cell may be a value of its column: years and days name columns of numbers."""
    if kind(text) not in VALUES or _year(text):
        return False
    if kind(text) not in _MOMENTS:
        return True
    below = [kind(r.cells[column]) for r in body[:200] if len(r.cells) > column]
    return any(k in _MOMENTS for k in below)


def _shaped_alike(text: str, body: Sequence[Record], column: int) -> bool:
    """Whether a cell is written like those of its column, and with digits: `A-17`, `10.0.0.1`."""
    if not any(c.isdigit() for c in text) or text.isdigit():
        return False
    cells = [r.cells[column].strip() for r in body[:200] if len(r.cells) > column]
    full = [_shape(c) for c in cells if c]
    return len(full) > 2 and full.count(_shape(text)) >= 0.8 * len(full)


def _shape(text: str) -> str:
    return _DIGITS.sub("0", text)


def _year(text: str) -> bool:
    return len(text) == 4 and text.isdigit() and "1900" <= text <= "2100"


def continues_header(first: Record, row: Record, values: frozenset[int]) -> bool:
    """A further header row: the same names again, or text in every column of values."""
    cells = [c.strip() for c in row.cells]
    if cells == [c.strip() for c in first.cells]:
        return True
    if len(values) < 2 or len(cells) != len(first.cells) or is_rule(cells):
        return False
    if _fills_gaps(first.cells, cells, values):
        return True
    held = [i for i in values if i < len(cells)]
    if any(kind(c) in VALUES or kind(c) == "missing" for c in cells if c):
        return False
    texts = sum(1 for i in held if cells[i])
    return texts * 2 > len(held) and texts >= 2


def _fills_gaps(first: Sequence[str], cells: Sequence[str], values: frozenset[int]) -> bool:
    """Whether texts or years above columns of values stand below the gaps of the first row, which
    begin behind the name of a group."""
    full = [i for i, c in enumerate(cells) if c]
    gaps = {i for i, c in enumerate(first) if not c.strip()}
    if len(full) < 2 or not gaps or cells[0] or not gaps <= set(full) <= values:
        return False
    return all(_year(cells[i]) or kind(cells[i]) not in VALUES | {"missing"} for i in full)


def join_header(rows: Sequence[Sequence[str]]) -> tuple[str, ...]:
    """One text per column; several header rows are joined by a space, top to bottom. The name of a
    group stands above its first column: it goes to the others too where their names repeat."""
    if len(rows) == 1:
        return tuple(rows[0])
    width = max(len(r) for r in rows)
    upper = [_spread(r, under) for r, under in pairwise(rows)]
    joined = [*upper, rows[-1]]
    return tuple(
        " ".join(r[i] for r in joined if i < len(r) and r[i].strip()) for i in range(width)
    )


def _spread(groups: Sequence[str], names: Sequence[str]) -> list[str]:
    """The row with each group's name above all of the group's columns, if their names repeat."""
    filling, group = [], ""
    repeated = _repeats([n.strip() for n in names])
    for i, cell in enumerate(groups):
        named = i < len(names) and bool(names[i].strip())
        group = cell if cell.strip() else group if repeated and named else ""
        filling.append(group)
    return filling
