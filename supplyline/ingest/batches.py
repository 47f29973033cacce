"""Rows become `RowBatch`es: columns of text, bounded by rows and by bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

import numpy as np

from supplyline.contracts import EXTRA, LINE, ROW, Layout, QuarantinedRow, RowBatch
from supplyline.ingest.readers.columnar import Chunk
from supplyline.ingest.readers.lines import MAX_LINE
from supplyline.ingest.records import Event, Record, Refused

if TYPE_CHECKING:
    import pyarrow as pa

_CELL_BYTES = 8
"""What a cell weighs beside its text."""


def schema(layout: Layout) -> pa.Schema:
    """`_row`, `_line`, one string field per column, `_extra`."""
    import pyarrow as pa

    return pa.schema(
        [
            pa.field(ROW, pa.int64(), nullable=False),
            pa.field(LINE, pa.int64(), nullable=False),
            *(pa.field(c.name, pa.string()) for c in layout.columns),
            pa.field(EXTRA, pa.list_(pa.string())),
        ]
    )


def quarantined(event: Refused, *, row: int, layout: Layout) -> QuarantinedRow:
    column = None
    if event.column is not None and 0 < event.column <= len(layout.columns):
        column = layout.columns[event.column - 1].name
    return QuarantinedRow(
        row=row, line=event.line, column=column, code=event.code, reason=event.reason, raw=event.raw
    )


def build(
    pieces: Iterator[Chunk | Event], *, layout: Layout, max_rows: int, max_bytes: int
) -> Iterator[RowBatch]:
    """Numbers the rows from 1. At least one row a batch, else at most `max_rows`, `max_bytes`."""
    batch = _Collected(layout)
    number = 0
    for piece in pieces:
        if isinstance(piece, Chunk):
            if batch.rows > max_rows // 4:  # a smaller batch costs less than putting two together
                yield batch.take()
            whole = _from_chunk(piece, number + 1, batch.schema)
            number += whole.num_rows
            weight = _weight(whole) / whole.num_rows
            while whole.num_rows:
                room = min(max_rows - batch.rows, int((max_bytes - batch.size) / weight))
                part = whole.slice(0, max(room, 1))
                whole = whole.slice(part.num_rows)
                batch.add_columns(part, size=int(part.num_rows * weight))
                if whole.num_rows or batch.rows >= max_rows or batch.size >= max_bytes:
                    yield batch.take()
            continue
        number += 1
        batch.add(number, piece)
        if batch.rows >= max_rows or batch.size >= max_bytes:
            yield batch.take()
    if batch.rows:
        yield batch.take()


class _Collected:
    """What the next batch will hold."""

    def __init__(self, layout: Layout) -> None:
        self.layout, self.schema = layout, schema(layout)
        self.rows = self.size = 0
        self._parts: list[pa.RecordBatch] = []
        self._records: list[tuple[int, Record]] = []
        self._aside: list[QuarantinedRow] = []

    def add(self, number: int, event: Event) -> None:
        self.rows += 1
        if isinstance(event, Record) and sum(map(len, event.cells)) > MAX_LINE:
            event = _too_long(event, self.layout)
        if isinstance(event, Refused):
            self._aside.append(quarantined(event, row=number, layout=self.layout))
            self.size += len(event.raw)
        else:
            self._records.append((number, event))
            self.size += sum(map(len, event.cells)) + 16 + _CELL_BYTES * len(event.cells)

    def add_columns(self, part: pa.RecordBatch, *, size: int) -> None:
        self._settle()
        self._parts.append(part)
        self.rows += part.num_rows
        self.size += size

    def _settle(self) -> None:
        if self._records:
            self._parts.append(_from_records(self._records, self.schema))
            self._records = []

    def take(self) -> RowBatch:
        import pyarrow as pa

        self._settle()
        if len(self._parts) == 1:
            data = self._parts[0]
        elif self._parts:
            data = pa.concat_batches(self._parts)
        else:
            data = _from_records([], self.schema)
        out = RowBatch(data=data, quarantined=tuple(self._aside))
        self._parts, self._aside, self.rows, self.size = [], [], 0, 0
        return out


def _too_long(record: Record, layout: Layout) -> Refused:
    """A row that no document can hold; what is set aside of it must fit into one, too."""
    from supplyline.ingest import checks

    reason = f"The row has more than {MAX_LINE} characters; these are the first of them."
    raw = checks.raw_of(record.cells, delimiter=checks.raw_delimiter(layout))
    return Refused(record.line, "row_too_long", reason, raw[:MAX_LINE])


def _weight(batch: pa.RecordBatch) -> int:
    """About the bytes of its text, and of its cells."""
    from supplyline.arrays import text_bytes

    cells = batch.columns[2:-1]
    fixed = int(batch.num_rows) * (16 + _CELL_BYTES * len(cells))
    return fixed + sum(map(text_bytes, cells))


def _from_chunk(chunk: Chunk, first: int, shape: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    from supplyline import arrays

    rows = len(chunk.lines)
    absent = len(shape) - 3 - len(chunk.columns)
    columns = [
        arrays.integers(np.arange(first, first + rows, dtype=np.int64)),
        arrays.integers(chunk.lines),
        *chunk.columns,
        *(pa.nulls(rows, pa.string()) for _ in range(absent)),
        pa.nulls(rows, pa.list_(pa.string())),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=shape)


def _from_records(rows: list[tuple[int, Record]], shape: pa.Schema) -> pa.RecordBatch:
    import pyarrow as pa

    from supplyline import arrays

    width = len(shape) - 3
    padded: list[list[str | None]] = []
    extra: list[list[str] | None] = []
    for _, record in rows:
        cells = record.cells
        short = width - len(cells)
        if short == 0:
            padded.append(list(cells))
            extra.append(None)
        elif short > 0:
            padded.append([*cells, *([None] * short)])
            extra.append(None)
        else:
            padded.append(list(cells[:width]))
            extra.append(cells[width:])
    turned = list(zip(*padded, strict=True)) if padded else [()] * width
    columns = [
        arrays.integers([n for n, _ in rows]),
        arrays.integers([r.line for _, r in rows]),
        *(arrays.strings(column) for column in turned),
        arrays.lists(extra),
    ]
    return pa.RecordBatch.from_arrays(columns, schema=shape)
