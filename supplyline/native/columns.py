"""String arrays as the compiled functions take them."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import Structure, addressof, c_int64, c_void_p

import pyarrow as pa


class _Column(Structure):
    """`Column` in cells.h."""

    _fields_ = (
        ("data", c_void_p), ("size", c_int64), ("offsets", c_void_p), ("suspect", c_int64),
    )  # fmt: skip


class Columns:
    """Arrays of strings, none of them empty; they stay alive as long as this does."""

    def __init__(self, arrays: Sequence[pa.Array]) -> None:
        self._columns = (_Column * len(arrays))()
        self._buffers = []
        for column, array in zip(self._columns, arrays, strict=True):
            _, offsets, data = array.buffers()
            if array.type != pa.string() or offsets.size < 4 * (array.offset + len(array) + 1):
                raise ValueError("no array of strings, or one with too few offsets")
            column.offsets = offsets.address + 4 * array.offset
            column.data, column.size = (data.address, data.size) if data is not None else (None, 0)
            self._buffers.append((offsets, data))

    @property
    def address(self) -> int:
        return addressof(self._columns)
