"""Parquet, streamed by row group; values become text that gives them back exactly."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from datetime import date, datetime, time
from decimal import Decimal
from typing import Any

from supplyline.contracts import Layout
from supplyline.errors import UnreadableFile
from supplyline.ingest.plan import columns
from supplyline.ingest.records import Event, Record
from supplyline.ingest.source import Opened
from supplyline.ingest.storable import header

MAX_GROUP = 4 << 30


def _unreadable(error: Exception) -> UnreadableFile:
    return UnreadableFile(f"The Parquet file cannot be read: {str(error).rstrip('.')}.")


def read_parquet(opened: Opened) -> tuple[Layout, Callable[[], Iterator[Event]]]:
    """Raises UnreadableFile for a damaged or encrypted file."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(opened.stream)
    except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
        raise _unreadable(error) from error
    meta = file.metadata
    if any(meta.row_group(i).total_byte_size > MAX_GROUP for i in range(meta.num_row_groups)):
        raise UnreadableFile("A row group of the Parquet file unpacks to an unreasonable size.")
    names = tuple(header(name) for name in file.schema_arrow.names)
    layout = Layout(
        format="parquet",
        columns=columns(names, len(names)),
        compression=opened.compression,
        reasons=("its bytes begin with PAR1",),
    )

    def events() -> Iterator[Event]:
        number = 0
        try:
            for batch in file.iter_batches(batch_size=2_000):
                made = [[_text(v) for v in _values(column)] for column in _exact(batch).columns]
                for cells in zip(*made, strict=True):
                    number += 1
                    yield Record(number, list(cells))
        except (pa.ArrowInvalid, pa.ArrowNotImplementedError, OSError) as error:
            raise _unreadable(error) from error

    return layout, events


def _exact(batch: Any) -> Any:
    """Timestamps finer than Python's microseconds go through Arrow's own text."""
    import pyarrow as pa

    arrays = []
    for column in batch.columns:
        nanos = pa.types.is_timestamp(column.type) and column.type.unit == "ns"
        finer = (
            nanos
            or pa.types.is_duration(column.type)
            or (pa.types.is_time64(column.type) and column.type.unit == "ns")
        )
        arrays.append(column.cast(pa.string()) if finer else column)
    return pa.RecordBatch.from_arrays(arrays, names=[str(i) for i in range(len(arrays))])


def _values(column: Any) -> list[Any]:
    """Values of Python; one by one where a text is no UTF-8 or a day is beyond Python's years."""
    try:
        return list(column.to_pylist())
    except (UnicodeDecodeError, OverflowError, ValueError):
        return [_value(scalar) for scalar in column]


def _value(scalar: Any) -> Any:
    import pyarrow as pa

    try:
        return scalar.as_py()
    except UnicodeDecodeError:
        if not isinstance(scalar, pa.StringScalar | pa.LargeStringScalar):
            raise UnreadableFile("The Parquet file has nested texts that are no UTF-8.") from None
        return scalar.as_buffer().to_pybytes().decode("utf-8", "supplyline_keep")
    except (OverflowError, ValueError):
        return scalar.cast(pa.string()).as_py()


def _text(value: Any) -> str:
    for types, written in _WRITTEN:
        if isinstance(value, types):
            return written(value)
    return "" if value is None else str(value)


_WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (str, str),
    (bool, lambda v: "true" if v else "false"),
    (float, repr),
    (Decimal, lambda v: format(v, "f")),
    (datetime, lambda v: v.isoformat(sep=" ")),
    ((date, time), lambda v: v.isoformat()),
    (bytes, lambda v: base64.b64encode(v).decode("ascii")),
    ((dict, list), lambda v: json.dumps(v, ensure_ascii=False, default=_text)),
)
