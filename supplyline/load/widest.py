"""The widest row of a file, so that it can be named where PostgreSQL takes no row as wide.

A row must fit into one page, whatever its texts are: long ones are moved elsewhere and leave 18
bytes (https://www.postgresql.org/docs/current/storage-toast.html). Only files of so many columns
that this could fail are looked at.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from supplyline.contracts import LINE, ROW

_MOVED = 24
"""Bytes from which on a text is moved out of its row if the row does not fit."""
_PAGE = 8_160
NARROW = _PAGE // (_MOVED + 1)
"""Columns up to which every row fits."""


class Widest:
    """The widest row of the batches that were watched; `row` is 0 when none was looked at."""

    def __init__(self, columns: Sequence[str]) -> None:
        self.columns = tuple(columns)
        self.row, self.line, self.cells, self._bytes = 0, 0, 0, -1

    def watched(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        if len(self.columns) <= NARROW:
            return batches
        return self._watched(batches)

    def _watched(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            self._look(batch)
            yield batch

    def _look(self, batch: pa.RecordBatch) -> None:
        if not batch.num_rows:
            return
        total = np.zeros(batch.num_rows, dtype=np.int64)
        filled = np.zeros(batch.num_rows, dtype=np.int64)
        for column in self.columns:
            sizes = _sizes(batch.column(column))
            total += np.minimum(sizes + 1, _MOVED)
            filled += sizes > 0
        at = int(total.argmax())
        if int(total[at]) > self._bytes:
            self._bytes, self.cells = int(total[at]), int(filled[at])
            self.row = int(batch.column(ROW)[at].as_py())
            self.line = int(batch.column(LINE)[at].as_py())

    @property
    def said(self) -> str:
        """`, the widest being row 3 (line 4) with 1,100 values`; '' when none was looked at."""
        if not self.row:
            return ""
        return f", the widest being row {self.row} (line {self.line}) with {self.cells:,} values"


def _sizes(cells: pa.Array) -> npt.NDArray[np.int64]:
    """The bytes of each text; 0 where there is none."""
    ends = np.frombuffer(cells.buffers()[1], dtype=np.int32)
    here = ends[cells.offset : cells.offset + len(cells) + 1].astype(np.int64)
    return here[1:] - here[:-1]
