"""Delimited text in columns where that is beyond doubt, the careful way everywhere else.

A segment that cannot be taken in columns is cut in halves, so that a broken row costs its
neighbours little; what stays in doubt is read by `DelimitedRows`, which hands back at the next
segment's beginning, if a row begins there.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import numpy as np

from supplyline.ingest.readers.blocks import BLOCK, Segment
from supplyline.ingest.readers.columnar import Chunk, ColumnarRows
from supplyline.ingest.readers.delimited import DelimitedRows, Numbered
from supplyline.ingest.readers.lines import lines
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Event
from supplyline.ingest.tables import FirstTable
from supplyline.packing import texts

if TYPE_CHECKING:
    import pyarrow as pa

SMALLEST = 1 << 14
"""Bytes below which a segment in doubt is not cut any further."""


@dataclass
class MixedRows:
    """Reads segments. `errors`: how their bytes are decoded (see `blocks.error_handler`)."""

    tokens: Tokenizer
    width: int
    table: FirstTable
    line_end: str
    errors: str
    smallest: int = SMALLEST
    _queue: list[Segment] = field(init=False, default_factory=list)
    """Segments to be read next, the next one last."""

    def read(self, source: Iterator[Segment], *, line: int) -> Iterator[Chunk | Event]:
        """Rows in order, in columns or one by one; `line`: the physical line of the first."""
        fast = ColumnarRows(self.tokens, self.width)
        self._source, self._queue = source, []
        floor = self.smallest
        while (segment := self._next()) is not None:
            if not segment.data:
                continue
            chunk = None
            if not self.table.other:
                chunk = fast.read(segment.data, line=line, last=segment.last)
            if chunk is not None and not self._another_table(chunk):
                floor = max(floor // 2, self.smallest)
                line += chunk.line_count
                self._put_back(segment, chunk.used)
                yield chunk
            elif len(segment.data) > floor and (at := _middle(segment.data)):
                self._queue += [
                    Segment(segment.data[at:], segment.last),
                    Segment(segment.data[:at], last=False),
                ]
            else:
                # The more is in doubt, the less often it is tried.
                floor = min(floor * 2, BLOCK)
                careful = _Lines(self, segment, line)
                rows = DelimitedRows(self.tokens, width=self.width, stop=careful.at_boundary)
                yield from self.table.of(rows.read(careful))
                line = careful.line

    def _next(self) -> Segment | None:
        return self._queue.pop() if self._queue else next(self._source, None)

    def take(self) -> Segment | None:
        """A further segment for a row that does not end in the one at hand."""
        return self._next()

    def _put_back(self, segment: Segment, used: int) -> None:
        """What a chunk has left of a segment goes before the next one."""
        rest = segment.data[used:]
        if not rest:
            return
        after = None if segment.last else self._next()
        if after is None:
            self._queue.append(Segment(rest, segment.last))
        elif len(rest) > 2 * BLOCK:
            self._queue += [after, Segment(rest, last=False)]
        else:
            self._queue.append(Segment(rest + after.data, after.last))

    def _another_table(self, chunk: Chunk) -> bool:
        """Whether a row may be this table's header again, or another table's."""
        if not self.table.watching:
            return False
        found = {n for c in chunk.columns[:2] for n in _holding(c, self.table.known)}
        return any(self.table.verdict([c[row].as_py() for c in chunk.columns]) for row in found)


def _holding(column: pa.Array, known: set[str]) -> list[int]:
    """Rows whose cell is, stripped, one of `known`. What cannot be is told by its first byte."""
    cells = texts(column)
    may_begin = np.zeros(256, dtype=np.bool_)
    may_begin[:33] = may_begin[128:] = True  # spaces of all kinds
    may_begin[[name.encode()[0] for name in known]] = True
    rows = np.flatnonzero(may_begin[cells.data[cells.starts]] & (cells.lengths > 0))
    if len(rows) == 0:
        return []
    # Of those that begin and end with no space, only such as are as long as a name.
    first = cells.data[cells.starts[rows]]
    last = cells.data[cells.starts[rows] + cells.lengths[rows] - 1]
    sizes = [len(name.encode()) for name in known]
    plain = (first > 32) & (first < 128) & (last > 32) & (last < 128)
    rows = rows[~plain | np.isin(cells.lengths[rows], sizes)]
    return [int(r) for r in rows if column[int(r)].as_py().strip() in known]


def _middle(data: bytes) -> int:
    """Behind the line end nearest before the middle, or after it; 0 if there is none within."""
    at = data.rfind(b"\n", 0, len(data) // 2) + 1
    return at or (data.find(b"\n", len(data) // 2) + 1) % len(data)


class _Lines:
    """The numbered lines of a segment, and of those behind it while a row goes on."""

    def __init__(self, rows: MixedRows, segment: Segment, line: int) -> None:
        self._rows, self._at_hand = rows, segment
        self.line = line
        self._started = False
        self._ahead = 0
        """Line ends that were handed to be cut into lines and have not come out."""
        self._pairs = lines(self._pieces(), line_end=rows.line_end)

    def _pieces(self) -> Iterator[str]:
        decoder = codecs.getincrementaldecoder("utf-8")(self._rows.errors)
        segment: Segment | None = self._at_hand
        while segment is not None:
            self._at_hand, self._started = segment, True
            self._ahead += segment.data.count(b"\n")
            yield decoder.decode(segment.data, segment.last)
            segment = None if segment.last else self._rows.take()

    def __iter__(self) -> Iterator[Numbered]:
        return self

    def __next__(self) -> Numbered:
        text, end = next(self._pairs)
        number = self.line
        if end:
            self._ahead -= 1
            self.line += 1
        return number, text, end

    def at_boundary(self) -> bool:
        """Whether a segment has just come to its end, and a line with it; never at first."""
        return self._started and self._ahead == 0 and self._at_hand.data.endswith(b"\n")
