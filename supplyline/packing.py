"""Columns of text laid out row by row in one block of bytes, without a Python object per cell.

The rows of a block are built part by part: a part that is as wide in every row (constants, numbers,
columns whose cells happen to be of one length) is written at once, a cell of any length in chunks.
A chunk's surplus runs into what follows, which is written later.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from supplyline.arrays import valid

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
CHUNK = 64
"""Bytes that are copied at once; every block ends with as many that are nobody's."""
_FEW = 8
"""Below this many rows, a copy for each is faster than one for all."""


@dataclass(frozen=True)
class Texts:
    """Cell `i` is `data[starts[i]:starts[i] + lengths[i]]`; `data` ends with CHUNK spare bytes."""

    data: Bytes
    starts: Ints
    lengths: Ints

    @property
    def width(self) -> int | None:
        """The length of every cell, if it is one."""
        first = int(self.lengths[0])
        return first if bool((self.lengths == first).all()) else None


Part = bytes | Bytes | Texts
"""The same bytes in every row; an array of shape (rows, width); a text for each row."""


@dataclass(frozen=True)
class Block:
    """Row `i` is `data[starts[i]:starts[i] + lengths[i]]`; `data` ends with CHUNK spare bytes."""

    data: Bytes
    starts: Ints
    lengths: Ints


def texts(column: pa.Array) -> Texts:
    """The cells of a string or binary array (also a large one); an absent cell is empty."""
    large = pa.types.is_large_string(column.type) or pa.types.is_large_binary(column.type)
    _, offset_buffer, data_buffer = column.buffers()
    rows = len(column)
    every = np.frombuffer(offset_buffer, dtype=np.int64 if large else np.int32)
    offsets: Ints = every[column.offset : column.offset + rows + 1].astype(np.int64)
    first, last = int(offsets[0]), int(offsets[-1])
    if data_buffer is not None and data_buffer.size >= last + CHUNK:
        data = np.frombuffer(data_buffer, dtype=np.uint8)[first : last + CHUNK]
    else:
        data = np.zeros(last - first + CHUNK, dtype=np.uint8)
        if last > first:
            data[: last - first] = np.frombuffer(data_buffer, dtype=np.uint8)[first:last]
    lengths: Ints = offsets[1:] - offsets[:-1]
    if column.null_count:  # what an absent cell's offsets span is not defined
        lengths[~valid(column)] = 0
    return Texts(data, offsets[:-1] - first, lengths)


def lay_out(rows: int, parts: Sequence[Part], *, apart: int = 0) -> Block:
    """Writes the parts one behind the other, for each of at least one row.

    Rows lie `apart` bytes from one another. Less than CHUNK is allowed only where the first part is
    at least CHUNK wide in every row: then that part is written last.
    """
    spans = _fused(rows, parts)
    if apart < CHUNK and (isinstance(spans[0], Texts) or spans[0].shape[1] < CHUNK):
        raise ValueError("rows this near to one another would be written over")
    lengths: Any = sum((p.lengths for p in spans if isinstance(p, Texts)), np.zeros(rows, np.int64))
    lengths += sum(p.shape[1] for p in spans if not isinstance(p, Texts))
    ends = np.cumsum(lengths + apart)
    starts = ends - lengths - apart
    block = np.empty(int(ends[-1]) + 2 * CHUNK, dtype=np.uint8)
    late = None
    at = starts.copy()
    for number, part in enumerate(spans):
        if isinstance(part, Texts):
            _copy(block, at, part)
            at += part.lengths
        else:
            if number == 0 and part.shape[1] >= CHUNK:
                late = part
            else:
                _put(block, at, part)
            at += part.shape[1]
    if late is not None:
        _put(block, starts, late)
    return Block(block[: int(ends[-1]) + CHUNK], starts, lengths)


def _fused(rows: int, parts: Sequence[Part]) -> list[Bytes | Texts]:
    """Neighbouring parts of fixed width become one array."""
    out: list[Bytes | Texts] = []
    run: list[bytes | Bytes] = []
    for part in parts:
        fixed = _fixed(part, rows)
        if isinstance(fixed, Texts):
            if run:
                out.append(_side_by_side(rows, run))
                run = []
            out.append(fixed)
        else:
            run.append(fixed)
    if run:
        out.append(_side_by_side(rows, run))
    return out


def _fixed(part: Part, rows: int) -> Part:
    """Texts of one length as an array, where they lie one behind the other."""
    if not isinstance(part, Texts):
        return part
    width = part.width
    if width is None:
        return part
    if width == 0:
        return b""
    if int(part.starts[-1] - part.starts[0]) != width * (rows - 1):
        return part
    begin = int(part.starts[0])
    return part.data[begin : begin + width * rows].reshape(rows, width)


def _side_by_side(rows: int, run: Sequence[bytes | Bytes]) -> Bytes:
    pattern = b"".join(p if isinstance(p, bytes) else bytes(p.shape[1]) for p in run)
    out = np.empty((rows, len(pattern)), dtype=np.uint8)
    out[:] = np.frombuffer(pattern, dtype=np.uint8)
    at = 0
    for part in run:
        width = len(part) if isinstance(part, bytes) else part.shape[1]
        if not isinstance(part, bytes):
            out[:, at : at + width] = part
        at += width
    return out


def windows(data: Bytes, width: int) -> npt.NDArray[np.void]:
    """`data` seen as overlapping pieces of `width` bytes, one beginning at every byte."""
    count = len(data) - width + 1
    return np.ndarray((count,), dtype=f"V{width}", buffer=data, strides=(1,))


def _put(block: Bytes, at: Ints, part: Bytes) -> None:
    width = part.shape[1]
    if width:
        windows(block, width)[at] = np.ascontiguousarray(part).view(f"V{width}").ravel()


def _copy(block: Bytes, at: Ints, part: Texts) -> None:
    """Copies texts in chunks; what a chunk has too much runs up to CHUNK bytes beyond."""
    longest = int(part.lengths.max())
    if longest == 0:
        return
    chunk = CHUNK if longest > 32 else 32 if longest > 16 else 16 if longest > 8 else 8
    source, target = windows(part.data, chunk), windows(block, chunk)
    target[at] = source[part.starts]
    done, more = chunk, np.flatnonzero(part.lengths > chunk)
    while len(more):
        if len(more) < _FEW:
            _copy_singly(block, at, part, more, done)
            return
        target[at[more] + done] = source[part.starts[more] + done]
        done += chunk
        more = more[part.lengths[more] > done]


def _copy_singly(block: Bytes, at: Ints, part: Texts, rows: Ints, done: int) -> None:
    for row in rows:
        start, size, to = int(part.starts[row]), int(part.lengths[row]), int(at[row])
        block[to + done : to + size] = part.data[start + done : start + size]
