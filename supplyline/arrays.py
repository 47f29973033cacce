"""Arrow arrays from and to NumPy and lists by their buffers.

pyarrow's own `pa.array` and `to_numpy` import pandas: half a second of CPU and 50 MB in each
process, for nothing that is needed where rows are only moved.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa

Ints = npt.NDArray[np.int64]
Mask = npt.NDArray[np.bool_]


def integers(values: Ints | Sequence[int]) -> pa.Array:
    """An int64 array without nulls."""
    data = np.ascontiguousarray(values, dtype=np.int64)
    return pa.Array.from_buffers(pa.int64(), len(data), [None, pa.py_buffer(data)])


def numbers(column: pa.Array) -> Ints:
    """An int64 array without nulls as NumPy's; nothing is copied."""
    every = np.frombuffer(column.buffers()[1] or b"", dtype=np.int64)
    return every[column.offset : column.offset + len(column)]


def text_bytes(column: pa.Array) -> int:
    """The bytes of a string array's text."""
    if not len(column):
        return 0
    ends = np.frombuffer(column.buffers()[1], dtype=np.int32)
    return int(ends[column.offset + len(column)]) - int(ends[column.offset])


def complete(column: pa.Array) -> bool:
    """Whether every cell of a string array is there and not empty."""
    if column.null_count or not len(column):
        return not column.null_count
    ends = np.frombuffer(column.buffers()[1], dtype=np.int32)
    here = ends[column.offset : column.offset + len(column) + 1]
    return bool((here[1:] > here[:-1]).all())


def valid(column: pa.Array) -> Mask:
    """Which values are not null."""
    if not column.null_count:
        return np.ones(len(column), dtype=np.bool_)
    return _bits(column.buffers()[0], column.offset, len(column))


def true(column: pa.Array) -> Mask:
    """Which values of a bool array are true; null is not."""
    return _bits(column.buffers()[1], column.offset, len(column)) & valid(column)


def _bits(buffer: pa.Buffer, offset: int, count: int) -> Mask:
    octets = np.frombuffer(buffer, dtype=np.uint8)[: (offset + count + 7) // 8]
    return np.unpackbits(octets, bitorder="little")[offset : offset + count].astype(np.bool_)


def strings(values: Sequence[str | None]) -> pa.Array:
    """A string array; for more text than 2 GiB, pyarrow raises."""
    return _texts([None if v is None else v.encode() for v in values], pa.string())


def binaries(values: Sequence[bytes]) -> pa.Array:
    """A large_binary array."""
    return _texts(values, pa.large_binary())


def _texts(values: Sequence[bytes | None], kind: pa.DataType) -> pa.Array:
    width = np.int64 if kind == pa.large_binary() else np.int32
    sizes = np.fromiter((len(v) if v else 0 for v in values), dtype=np.int64, count=len(values))
    offsets = np.concatenate((np.zeros(1, np.int64), np.cumsum(sizes)))
    if width is np.int32 and int(offsets[-1]) > np.iinfo(np.int32).max:
        raise OverflowError("more than 2 GiB of text in one array")
    there = None
    if None in values:
        mask = np.fromiter((v is not None for v in values), dtype=np.bool_, count=len(values))
        there = pa.py_buffer(np.packbits(mask, bitorder="little"))
    data = pa.py_buffer(b"".join(v for v in values if v))
    buffers = [there, pa.py_buffer(offsets.astype(width)), data]
    return pa.Array.from_buffers(kind, len(values), buffers)


def lists(values: Sequence[Sequence[str] | None]) -> pa.Array:
    """A list<string> array."""
    kind = pa.list_(pa.string())
    if all(v is None for v in values):
        return pa.nulls(len(values), kind)
    cells = strings([c for v in values if v for c in v])
    sizes = np.fromiter((len(v) if v else 0 for v in values), dtype=np.int32, count=len(values))
    offsets = np.concatenate((np.zeros(1, np.int32), np.cumsum(sizes, dtype=np.int32)))
    mask = np.fromiter((v is not None for v in values), dtype=np.bool_, count=len(values))
    there = pa.py_buffer(np.packbits(mask, bitorder="little"))
    return pa.Array.from_buffers(
        kind, len(values), [there, pa.py_buffer(offsets)], children=[cells]
    )


EMPTY = strings([""])[0]
"""The scalar '' to compare with; pyarrow imports pandas to make one of a Python string."""
