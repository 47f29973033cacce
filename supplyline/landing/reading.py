"""Documents as they come over the wire → rows in columns, without a Python object for each cell.

All documents of a wire batch are read at once, field by field, in the order in which `documents`
writes them; a field that is not where it should be is absent. A document that does not end where
its fields do (cells in excess, fields in another order, something written by another hand) is
decoded singly by `bson`.
"""

from __future__ import annotations

from collections.abc import Sequence
from struct import Struct
from typing import Any

import bson
import numpy as np
import numpy.typing as npt
import pyarrow as pa

from supplyline.arrays import integers
from supplyline.contracts import EXTRA, LINE, ROW

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TEXT, _LONG = b"\x02", b"\x12"
_SPARE = 128
"""Bytes behind the last document, so that whole words and chunks can be read at its end."""
_LONG_CELL = 1024
"""Cells of more bytes are copied one by one."""
_INT32 = Struct("<i").unpack_from


def to_batch(wire: bytes, *, columns: Sequence[str]) -> pa.RecordBatch:
    """One batch of a raw cursor (documents one after the other) in columns, see `contracts`.

    A field that holds no text counts as absent. Raises bson.errors.InvalidBSON.
    """
    documents = _Documents(wire)
    for name in ("_id", "_key", "_file"):
        documents.text(name)
    arrays = {name: documents.long(name) for name in (ROW, LINE)}
    arrays |= {name: documents.text(name).array() for name in columns}
    arrays[EXTRA] = pa.nulls(documents.count, pa.list_(pa.string()))
    odd = np.flatnonzero(documents.odd())
    if len(odd):
        found = documents.decoded(odd)
        order = np.arange(documents.count)
        order[odd] = documents.count + np.arange(len(odd))
        for name, array in arrays.items():
            cells = pa.array([_as(array.type, d.get(name)) for d in found], array.type)
            arrays[name] = pa.concat_arrays([array, cells]).take(integers(order))
    return pa.RecordBatch.from_pydict(arrays)


def _as(kind: pa.DataType, value: Any) -> Any:
    if kind == pa.string():
        return value if isinstance(value, str) else None
    return value


class _Documents:
    """The documents of a wire batch and, for each, where its next field begins."""

    def __init__(self, wire: bytes) -> None:
        starts, at, end, read = [], 0, len(wire), _INT32
        while 0 <= at < end:
            starts.append(at)
            at += read(wire, at)[0]
        self.count = len(starts)
        self._starts = np.array(starts, dtype=np.int64)
        self._ends = np.append(self._starts[1:], at)
        self._wire = wire + bytes(_SPARE)
        self._at = self._starts + 4
        self._last = len(wire)
        self._all = np.ones(self.count, dtype=np.bool_)

    def _here(self, form: str, at: Ints) -> npt.NDArray[Any]:
        """The number at each place."""
        width = np.dtype(form).itemsize
        every: npt.NDArray[Any] = np.ndarray(
            (len(self._wire) - width + 1,), dtype=form, buffer=self._wire, strides=(1,)
        )
        return every[at]

    def _at_field(self, kind: bytes, name: str) -> tuple[Flags, int]:
        """Which documents have the field next, and the bytes before its value."""
        head = kind + name.encode() + b"\0"
        if self._here(f"V{len(head)}", self._at).tobytes() == head * self.count:
            return self._all, len(head)
        found = np.ones(self.count, dtype=np.bool_)
        for first in range(0, len(head), 8):
            part = head[first : first + 8]
            word = self._here("<u8", self._at + first)
            if len(part) < 8:
                word &= np.uint64((1 << (8 * len(part))) - 1)
            found &= word == np.uint64(int.from_bytes(part, "little"))
        return found, len(head)

    def _move(self, found: Flags, by: Ints | int) -> None:
        self._at += by if found is self._all else np.where(found, by, 0)
        np.minimum(self._at, self._last, out=self._at)  # where lengths lie, `odd` will tell

    def long(self, name: str) -> pa.Array:
        found, head = self._at_field(_LONG, name)
        values = self._here("<i8", np.minimum(self._at + head, self._last))
        self._move(found, head + 8)
        array = integers(values)
        if found is self._all:
            return array
        buffers = [_bitmap(found), array.buffers()[1]]
        return pa.Array.from_buffers(pa.int64(), self.count, buffers)

    def text(self, name: str) -> _Cells:
        found, head = self._at_field(_TEXT, name)
        at = np.minimum(self._at + head, self._last)
        size = self._here("<i4", at).astype(np.int64)
        if found is not self._all:
            size[~found] = 1
        np.clip(size, 1, self._last - at + 1, out=size)
        self._move(found, size + (head + 4))
        return _Cells(self._wire, starts=at + 4, sizes=size - 1, found=found)

    def odd(self) -> Flags:
        """Documents that were not understood field by field."""
        odd: Flags = (self._at != self._ends - 1) | (self._here("u1", self._at) != 0)
        return odd

    def decoded(self, which: Ints) -> list[dict[str, Any]]:
        return [bson.decode(self._wire[self._starts[i] : self._ends[i]]) for i in which]


class _Cells:
    """Pieces of the wire batch that are the cells of one column."""

    def __init__(self, wire: bytes, *, starts: Ints, sizes: Ints, found: Flags) -> None:
        self._wire, self._starts, self._sizes, self._found = wire, starts, sizes, found

    def array(self) -> pa.Array:
        """A string array. Cells are copied in chunks of one width, the last chunks first: what a
        chunk has too much runs into the beginnings of the cells behind it, which come later.
        """
        rows = len(self._sizes)
        ends = np.cumsum(self._sizes)
        offsets = np.zeros(rows + 1, dtype=np.int32)
        offsets[1:] = ends
        chunk = self._chunk()
        data = np.empty(int(ends[-1] if rows else 0) + _SPARE, dtype=np.uint8)
        source, target = _windows(self._wire, chunk), _windows(data, chunk)
        to = offsets[:-1].astype(np.int64)
        long_cells = self._sizes > _LONG_CELL
        chunks = np.where(long_cells, 1, -(-self._sizes // chunk))
        for number in range(int(chunks.max(initial=1)) - 1, 0, -1):
            some = np.flatnonzero(chunks > number)
            target[to[some] + number * chunk] = source[self._starts[some] + number * chunk]
        target[to] = source[np.minimum(self._starts, len(source) - 1)]
        for i in np.flatnonzero(long_cells):
            cell = np.frombuffer(
                self._wire, np.uint8, count=int(self._sizes[i]), offset=int(self._starts[i])
            )
            data[to[i] : to[i] + len(cell)] = cell
        there = None if self._found.all() else _bitmap(self._found)
        return pa.StringArray.from_buffers(
            rows, pa.py_buffer(offsets), pa.py_buffer(data[: offsets[-1]]), there
        )

    def _chunk(self) -> int:
        longest = int(self._sizes.max(initial=0))
        return next((c for c in (8, 16, 32) if longest <= c), _SPARE)


def _bitmap(flags: Flags) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _windows(data: bytes | npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.void]:
    """`data` seen as overlapping pieces of `width` bytes, one beginning at every byte."""
    return np.ndarray((len(data) - width + 1,), dtype=f"V{width}", buffer=data, strides=(1,))
