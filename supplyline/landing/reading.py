"""Documents as they come over the wire → rows in columns, without a Python object for each cell.

All documents of a wire batch are read at once, field by field, in the order in which `documents`
writes them; a field that is not where it should be is absent. A document that does not end where
its fields do (cells in excess, fields in another order, something written by another hand) is
decoded singly by `bson`.

There are two ways that do the same: compiled (`compiled.read`), and with arrays (`read_arrays`).
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
from supplyline.landing import compiled
from supplyline.landing.cells import LIES, LONGEST, PASSED, Cells

Ints = npt.NDArray[np.int64]
Flags = npt.NDArray[np.bool_]

_TEXT, _LONG = b"\x02", b"\x12"
_SPARE = 128
"""Bytes behind the last document, so that whole words and chunks can be read at its end."""
_LONG_CELL = 1024
"""Cells of more bytes are copied one by one."""
_INT32 = Struct("<i").unpack_from
_SMALLEST = 5
"""Bytes of a document without fields."""


def to_batch(wire: bytes | memoryview, *, columns: Sequence[str]) -> pa.RecordBatch:
    """One batch of a cursor (a BSON array of documents) in columns, see `contracts`.

    A field that holds no text counts as absent. Raises bson.errors.InvalidBSON.
    """
    cells = compiled.read(wire, columns=columns)
    return completed(cells if cells is not None else read_arrays(wire, columns=columns))


def read_arrays(wire: bytes | memoryview, *, columns: Sequence[str]) -> Cells:
    """What `to_batch` reads field by field. Raises bson.errors.InvalidBSON."""
    documents = _Documents(wire)
    for name in PASSED:
        documents.text(name)
    arrays = {name: documents.long(name) for name in (ROW, LINE)}
    arrays |= {name: documents.text(name).array() for name in columns}
    odd = np.flatnonzero(documents.odd())
    return Cells(documents.count, arrays, odd, documents.encoded(odd))


def completed(cells: Cells) -> pa.RecordBatch:
    """The batch, with those documents that have to be decoded singly."""
    arrays = cells.arrays | {EXTRA: pa.nulls(cells.count, pa.list_(pa.string()))}
    if len(cells.odd):
        found = [bson.decode(document) for document in cells.documents]
        order = np.arange(cells.count)
        order[cells.odd] = cells.count + np.arange(len(found))
        for name, array in arrays.items():
            singly = pa.array([_as(array.type, d.get(name)) for d in found], array.type)
            arrays[name] = pa.concat_arrays([array, singly]).take(integers(order))
    return pa.RecordBatch.from_pydict(arrays)


def _as(kind: pa.DataType, value: Any) -> Any:
    if kind == pa.string():
        return value if isinstance(value, str) else None
    return value


def _places(wire: bytes | memoryview) -> tuple[list[int], list[int]]:
    """Where the documents of an array begin, and their sizes.

    Their names are numbers, so that only the numbers of digits count.
    """
    starts, sizes, read = [], [], _INT32
    at, last, before, more = 4, len(wire) - 1, 3, 10
    while at < last:
        at += before  # type, name, NUL
        size = read(wire, at)[0] if at + _SMALLEST <= last <= LONGEST else 0
        if size < _SMALLEST or at + size > last:
            raise bson.errors.InvalidBSON(LIES)
        starts.append(at)
        sizes.append(size)
        at += size
        if len(starts) == more:
            before, more = before + 1, more * 10
    return starts, sizes


class _Documents:
    """The documents of a batch and, for each, where its next field begins."""

    def __init__(self, wire: bytes | memoryview) -> None:
        starts, sizes = _places(wire)
        self.count = len(starts)
        self._starts = np.array(starts, dtype=np.int64)
        self._ends = self._starts + np.array(sizes, dtype=np.int64)
        self._wire = b"".join((wire, bytes(_SPARE)))
        self._at = self._starts + 4
        self._last = len(wire)
        self._all = np.ones(self.count, dtype=np.bool_)
        self._lies = np.zeros(self.count, dtype=np.bool_)

    def _here(self, form: str, at: Ints) -> npt.NDArray[Any]:
        """The number at each place."""
        width = np.dtype(form).itemsize
        every: npt.NDArray[Any] = np.ndarray(
            (len(self._wire) - width + 1,), dtype=form, buffer=self._wire, strides=(1,)
        )
        return every[at]

    def _at_field(self, kind: bytes, name: str, width: int) -> tuple[Flags, int, bytes, bool]:
        """Which documents have the field next, the bytes before its value, the first `width` bytes
        of every value (one behind the other), and whether these are the same in all documents.
        """
        head = kind + name.encode() + b"\0"
        size = len(head) + width
        block = self._here(f"V{size}", np.minimum(self._at, self._last)).tobytes()
        if block.startswith(head) and block == block[:size] * self.count:
            return self._all, len(head), block[len(head) : size] * self.count, True
        heads = _column(block, f"V{len(head)}", self.count, size)
        found = self._all
        if heads.tobytes() != head * self.count:
            found = np.ones(self.count, dtype=np.bool_)
            for first in range(0, len(head), 8):
                part = head[first : first + 8]
                word = self._here("<u8", self._at + first)
                if len(part) < 8:
                    word &= np.uint64((1 << (8 * len(part))) - 1)
                found &= word == np.uint64(int.from_bytes(part, "little"))
        values = _column(block, f"V{width}", self.count, size, offset=len(head)).tobytes()
        return found, len(head), values, False

    def _move(self, found: Flags, by: Ints | int) -> None:
        self._at += by if found is self._all else np.where(found, by, 0)
        np.minimum(self._at, self._last, out=self._at)  # where lengths lie, `odd` will tell

    def long(self, name: str) -> pa.Array:
        found, head, values, _ = self._at_field(_LONG, name, 8)
        self._move(found, head + 8)
        array = integers(np.frombuffer(values, dtype="<i8"))
        if found is self._all:
            return array
        buffers = [_bitmap(found), array.buffers()[1]]
        return pa.Array.from_buffers(pa.int64(), self.count, buffers)

    def text(self, name: str) -> _Texts:
        found, head, sizes, same = self._at_field(_TEXT, name, 4)
        starts = self._at + (head + 4)
        if same:
            width = int.from_bytes(sizes[:4], "little", signed=True)
            if 1 <= width <= _LONG_CELL and bool((starts + width < self._ends).all()):
                self._at = starts + width
                self._lies |= self._here("u1", self._at - 1) != 0
                return _Texts(self._wire, starts=starts, sizes=width - 1)
        np.minimum(starts, self._last + 4, out=starts)
        size = np.frombuffer(sizes, dtype="<i4").astype(np.int64)
        if found is not self._all:
            size[~found] = 1
        lies = (size < 1) | (starts + size >= self._ends)
        size[lies] = 1
        lies |= self._here("u1", starts + size - 1) != 0
        self._lies |= lies if found is self._all else lies & found
        self._move(found, size + (head + 4))
        there = None if found is self._all else found
        return _Texts(self._wire, starts=starts, sizes=size - 1, found=there)

    def odd(self) -> Flags:
        """Documents that were not understood field by field."""
        odd: Flags = (self._at != self._ends - 1) | (self._here("u1", self._at) != 0)
        return odd | self._lies

    def encoded(self, which: Ints) -> list[bytes]:
        return [self._wire[self._starts[i] : self._ends[i]] for i in which]


class _Texts:
    """Pieces of the wire batch that are the cells of one column; `sizes`: one, or one for each."""

    def __init__(
        self, wire: bytes, *, starts: Ints, sizes: Ints | int, found: Flags | None = None
    ) -> None:
        self._wire, self._starts, self._sizes, self._found = wire, starts, sizes, found

    def array(self) -> pa.Array:
        """A string array."""
        if isinstance(self._sizes, int):
            return self._of_one_width(self._sizes)
        rows = len(self._sizes)
        ends = np.cumsum(self._sizes)
        offsets = np.zeros(rows + 1, dtype=np.int32)
        offsets[1:] = ends
        data = self._joined(self._sizes, offsets[:-1].astype(np.int64), int(ends[-1:].sum()))
        there = None if self._found is None or self._found.all() else _bitmap(self._found)
        return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data), there)

    def _of_one_width(self, width: int) -> pa.Array:
        rows = len(self._starts)
        offsets = (
            np.arange(0, (rows + 1) * width, width, dtype=np.int32)
            if width
            else np.zeros(rows + 1, dtype=np.int32)
        )
        data = _windows(self._wire, width)[self._starts].tobytes() if width else b""
        return pa.StringArray.from_buffers(rows, pa.py_buffer(offsets), pa.py_buffer(data))

    def _joined(self, sizes: Ints, to: Ints, total: int) -> npt.NDArray[np.uint8]:
        """The cells' bytes, one behind the other.

        They are copied in chunks of one width, the last chunks first: what a chunk has too much
        runs into the beginnings of the cells behind it, which come later.
        """
        longest = int(sizes.max(initial=0))
        chunk = next((c for c in (8, 16, 32) if longest <= c), _SPARE)
        data = np.empty(total + _SPARE, dtype=np.uint8)
        source, target = _windows(self._wire, chunk), _windows(data, chunk)
        if longest > chunk:
            chunks = np.where(sizes > _LONG_CELL, 1, -(-sizes // chunk))
            for number in range(int(chunks.max()) - 1, 0, -1):
                some = np.flatnonzero(chunks > number)
                target[to[some] + number * chunk] = source[self._starts[some] + number * chunk]
        target[to] = source[np.minimum(self._starts, len(source) - 1)]
        for i in np.flatnonzero(sizes > _LONG_CELL) if longest > _LONG_CELL else ():
            cell = np.frombuffer(
                self._wire, np.uint8, count=int(sizes[i]), offset=int(self._starts[i])
            )
            data[to[i] : to[i] + len(cell)] = cell
        return data[:total]


def _column(
    block: bytes, form: str, rows: int, stride: int, *, offset: int = 0
) -> npt.NDArray[np.void]:
    """The pieces of one width that lie `stride` bytes apart."""
    if not rows:
        return np.empty(0, dtype=form)
    return np.ndarray((rows,), dtype=form, buffer=block, offset=offset, strides=(stride,))


def _bitmap(flags: Flags) -> pa.Buffer:
    return pa.py_buffer(np.packbits(flags, bitorder="little"))


def _windows(data: bytes | npt.NDArray[np.uint8], width: int) -> npt.NDArray[np.void]:
    """`data` seen as overlapping pieces of `width` bytes, one beginning at every byte."""
    return np.ndarray((len(data) - width + 1,), dtype=f"V{width}", buffer=data, strides=(1,))
