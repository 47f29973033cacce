"""Wire batches read by `native/decode.c`."""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import Structure, addressof, c_char_p, c_int64, c_uint64, c_void_p

import bson
import numpy as np
import pyarrow as pa

from supplyline import native
from supplyline.contracts import LINE, ROW
from supplyline.landing.cells import LIES, PASSED, Cells

_TEXT, _LONG = b"\x02", b"\x12"
_APART = 64
"""Bytes between the pieces of a buffer and behind the last one, which are nobody's; as many as
`packing` copies at once."""


class _Field(Structure):
    """`Field` in decode.c."""

    _fields_ = (
        ("head", c_char_p), ("head_size", c_int64), ("longs", c_void_p), ("starts", c_void_p),
        ("offsets", c_void_p), ("data", c_void_p), ("room", c_int64), ("valid", c_void_p),
        ("absent", c_int64), ("first", c_uint64), ("last", c_uint64), ("mask", c_uint64),
    )  # fmt: skip


def read(wire: bytes | memoryview, *, columns: Sequence[str]) -> Cells | None:
    """As `reading.read_arrays`; None where nothing is compiled. Raises bson.errors.InvalidBSON."""
    count = native.function("supplyline_count_documents", c_void_p, c_int64)
    find = native.function(
        "supplyline_find_cells",
        c_void_p, c_int64, c_void_p, c_int64, c_int64, c_void_p, c_void_p,
    )  # fmt: skip
    copy = native.function("supplyline_copy_cells", c_void_p, c_int64, c_void_p, c_int64, c_int64)
    if count is None or find is None or copy is None:
        return None
    source = pa.py_buffer(wire)
    rows = count(source.address, source.size)
    if rows < 0:
        raise bson.errors.InvalidBSON(LIES)
    targets = _Targets(columns, rows)
    fields = targets.fields
    given = (source.address, source.size, addressof(fields), len(fields), rows)
    places = np.empty((2, rows), dtype=np.int32)
    flags = np.empty(rows, dtype=np.uint8)
    if find(*given, places.ctypes.data, flags.ctypes.data) < 0:
        raise bson.errors.InvalidBSON(LIES)
    targets.make_room()
    if copy(*given):
        raise ValueError("cells beyond the end of their batch")
    odd = np.flatnonzero(flags)
    documents = [bytes(source[begin:end]) for begin, end in places[:, odd].T.tolist()]
    return Cells(rows, targets.arrays(), odd, documents)


class _Targets:
    """The fields of every document, in order, and the memory that they are read into."""

    def __init__(self, columns: Sequence[str], rows: int) -> None:
        names = [(_TEXT, n) for n in PASSED] + [(_LONG, n) for n in (ROW, LINE)]
        names += [(_TEXT, n) for n in columns]
        self.fields = (_Field * len(names))()
        for field, (kind, name) in zip(self.fields, names, strict=True):
            head = b"".join((kind, name.encode(), b"\0"))
            field.head, field.head_size = head, len(head)
        kept = list(self.fields)[len(PASSED) :]
        self._rows, self._columns = rows, columns
        self._numbers, self._texts = kept[:2], kept[2:]
        self._bits = _pieces([(rows + 7) // 8] * len(kept))
        self._longs = _pieces([8 * rows] * len(self._numbers))
        self._offsets = _pieces([4 * (rows + 1)] * len(columns))
        self._starts = np.empty((len(columns), rows), dtype=np.int32)
        self._data: list[pa.Buffer] = []
        for field, bits in zip(kept, self._bits, strict=True):
            field.valid = bits.address
        for field, values in zip(self._numbers, self._longs, strict=True):
            field.longs = values.address
        for field, offsets, starts in zip(self._texts, self._offsets, self._starts, strict=True):
            field.offsets, field.starts = offsets.address, starts.ctypes.data

    def make_room(self) -> None:
        """For the texts, whose lengths are known now."""
        ends = [np.frombuffer(o, dtype=np.int32)[self._rows] for o in self._offsets]
        self._data = _pieces([int(end) + _APART for end in ends])
        for field, data in zip(self._texts, self._data, strict=True):
            field.data, field.room = data.address, data.size

    def arrays(self) -> dict[str, pa.Array]:
        there = [
            bits if field.absent else None
            for field, bits in zip((*self._numbers, *self._texts), self._bits, strict=True)
        ]
        out = {}
        for name, bits, longs in zip((ROW, LINE), there, self._longs, strict=False):
            out[name] = pa.Array.from_buffers(pa.int64(), self._rows, [bits, longs])
        texts = zip(self._columns, there[2:], self._offsets, self._data, strict=True)
        for name, bits, offsets, data in texts:
            out[name] = pa.Array.from_buffers(pa.string(), self._rows, [bits, offsets, data])
        return out


def _pieces(sizes: Sequence[int]) -> list[pa.Buffer]:
    """Writable memory, which is asked for at once."""
    room = [-(-size // _APART) * _APART for size in sizes]
    whole = pa.allocate_buffer(sum(room))
    ends = np.cumsum(room).tolist()
    return [
        whole.slice(end - space, size) for end, space, size in zip(ends, room, sizes, strict=True)
    ]
