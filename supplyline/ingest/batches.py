"""Events become `RowBatch`es: columns of text, bounded by rows and by bytes."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from supplyline.contracts import EXTRA, LINE, ROW, Layout, QuarantinedRow, RowBatch
from supplyline.ingest.records import Event, Record, Refused

if TYPE_CHECKING:
    import pyarrow as pa


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
    events: Iterator[tuple[int, Event]], *, layout: Layout, max_rows: int, max_bytes: int
) -> Iterator[RowBatch]:
    """`events` numbered from 1. At least one row a batch, else at most `max_rows`, `max_bytes`."""
    shape = schema(layout)
    rows: list[tuple[int, Record]] = []
    aside: list[QuarantinedRow] = []
    size = 0
    for number, event in events:
        if isinstance(event, Refused):
            aside.append(quarantined(event, row=number, layout=layout))
            size += len(event.raw)
        else:
            rows.append((number, event))
            size += sum(map(len, event.cells)) + 16
        if len(rows) + len(aside) >= max_rows or size >= max_bytes:
            yield _batch(rows, aside, shape, len(layout.columns))
            rows, aside, size = [], [], 0
    if rows or aside:
        yield _batch(rows, aside, shape, len(layout.columns))


def _batch(
    rows: list[tuple[int, Record]], aside: list[QuarantinedRow], shape: pa.Schema, width: int
) -> RowBatch:
    import pyarrow as pa

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
    arrays = [
        pa.array([n for n, _ in rows], pa.int64()),
        pa.array([r.line for _, r in rows], pa.int64()),
        *(pa.array(column, pa.string()) for column in turned),
        pa.array(extra, pa.list_(pa.string())),
    ]
    return RowBatch(data=pa.RecordBatch.from_arrays(arrays, schema=shape), quarantined=tuple(aside))
