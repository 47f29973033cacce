"""One checksum for the same rows wherever they are: in a file, in MongoDB, in PostgreSQL.

Promises: equal rows (their cells' text, in any order, in whatever batches) give equal checksums; a
lost, doubled or changed row changes it. An absent cell, an empty cell and cells in excess are told
apart; the columns' names and the number of rows are part of it. It guards against accidents and
bugs; it is no defence against someone who forges both sides.

A row's text is its cells, in order of the columns' names, joined by U+001F. A row with an absent or
surplus cell, NUL or U+001F is irregular: its text begins with as many U+001F as there are columns,
which no regular row holds, then comes `<characters>:<text>` or `-` for every cell and
`+<characters>:<text>` for every extra cell. `load` builds the same text in SQL.

The text's UTF-8 is hashed to 128 bits as PostgreSQL's `hashtextextended` does it (Bob Jenkins'
lookup3; hash_bytes_extended in PostgreSQL's hashfn.c) with two seeds, so that PostgreSQL can sum
beside its data and arrays can be hashed at once here. Each half is summed modulo 2**64.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from supplyline.contracts import EXTRA

SEPARATOR = "\x1f"
SEEDS = (0x5355_504C_594C_494E, 0x1F83_D9AB_FB41_BD6B)
"""Seeds of the two halves; both fit PostgreSQL's bigint."""

_IRREGULAR = re.compile(f"[\0{SEPARATOR}]")
_MASK64 = (1 << 64) - 1
_MASK32 = 0xFFFF_FFFF
_INIT = (0x9E37_79B9 + 3_923_095) & _MASK32
_FEW = 4  # below this many rows, plain integers are faster than arrays

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]


@dataclass(frozen=True, kw_only=True)
class Checksum:
    """A running sum over rows. `text` is what is stored and compared."""

    columns: tuple[str, ...]
    rows: int = 0
    high: int = 0
    low: int = 0

    @classmethod
    def over(cls, columns: Iterable[str]) -> Checksum:
        return cls(columns=tuple(sorted(columns)))

    def plus(self, batch: pa.RecordBatch) -> Checksum:
        """Adds a batch as described in `contracts`; columns that it lacks count as absent."""
        texts = row_texts(batch, columns=self.columns)
        high, low = hash_texts(texts).sum(axis=1, dtype=np.uint64)
        return self.merged(rows=len(texts), high=int(high), low=int(low))

    def merged(self, *, rows: int, high: int, low: int) -> Checksum:
        """Adds sums that were computed elsewhere; they may be of any size and sign."""
        return Checksum(
            columns=self.columns,
            rows=self.rows + rows,
            high=(self.high + high) & _MASK64,
            low=(self.low + low) & _MASK64,
        )

    @property
    def text(self) -> str:
        names = hashlib.sha256("\0".join(self.columns).encode()).hexdigest()
        return f"{names[:8]}-{self.rows}-{self.high:016x}{self.low:016x}"


def row_text(cells: Sequence[str | None], extra: Sequence[str] | None = None) -> bytes:
    """One row's canonical text (see the module's docstring)."""
    there = [c for c in cells if c is not None]
    if not extra and len(there) == len(cells) > 0 and not any(map(_IRREGULAR.search, there)):
        return SEPARATOR.join(there).encode()
    parts = [f"{len(c)}:{c}" if c is not None else "-" for c in cells]
    parts += [f"+{len(c)}:{c}" for c in extra or ()]
    return (SEPARATOR * len(cells) + "".join(parts)).encode()


def irregular_rows(batch: pa.RecordBatch, *, columns: Sequence[str]) -> npt.NDArray[np.bool_]:
    """Which rows have an absent or surplus cell, NUL or U+001F."""
    found = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in columns:
        column = batch.column(name)
        if column.null_count:
            found |= column.is_null().to_numpy(zero_copy_only=False)
        for char in ("\0", SEPARATOR):
            found |= holding(column, char)
    if EXTRA in batch.schema.names:
        extra = batch.column(EXTRA)
        if extra.null_count < len(extra):
            found |= extra.is_valid().to_numpy(zero_copy_only=False)
    return found


def holding(column: pa.Array, char: str) -> npt.NDArray[np.bool_]:
    """Which cells hold an ASCII character."""
    data = column.buffers()[2]
    if data is None or not (np.frombuffer(data, dtype=np.uint8) == ord(char)).any():
        return np.zeros(len(column), dtype=np.bool_)  # the rule, and much faster
    hit = pc.fill_null(pc.match_substring(column, char), False)
    mask: npt.NDArray[np.bool_] = hit.to_numpy(zero_copy_only=False)
    return mask


def row_texts(batch: pa.RecordBatch, *, columns: Sequence[str]) -> pa.Array:
    """Every row's canonical text as a large_binary array."""
    names = set(batch.schema.names)
    if not columns or not names.issuperset(columns):
        every = range(batch.num_rows)
        return pa.array(_irregular_texts(batch, every, columns), pa.large_binary())
    irregular = irregular_rows(batch, columns=columns)
    cells = [pc.fill_null(batch.column(name), "").cast(pa.large_binary()) for name in columns]
    joined = pc.binary_join_element_wise(*cells, pa.scalar(b"\x1f", pa.large_binary()))
    if not irregular.any():
        return joined
    texts = _irregular_texts(batch, np.flatnonzero(irregular), columns)
    return pc.replace_with_mask(joined, pa.array(irregular), pa.array(texts, pa.large_binary()))


def _irregular_texts(
    batch: pa.RecordBatch, rows: Sequence[int] | npt.NDArray[np.int64], columns: Sequence[str]
) -> list[bytes]:
    part = batch.take(pa.array(rows, pa.int64())).to_pydict()
    nothing: list[Any] = [None] * len(rows)
    cells = [part.get(name, nothing) for name in columns]
    extras = part.get(EXTRA, nothing)
    each = zip(*cells, strict=True) if cells else [()] * len(rows)
    return [row_text(row, extra) for row, extra in zip(each, extras, strict=True)]


def hash_texts(texts: pa.Array) -> U64:
    """Hashes of a large_binary array's values: shape (2, rows), one line for each seed."""
    rows = len(texts)
    if rows == 0:
        return np.zeros((2, 0), dtype=np.uint64)
    offsets = np.frombuffer(texts.buffers()[1], dtype=np.int64)[texts.offset :][: rows + 1]
    first, last = int(offsets[0]), int(offsets[-1])
    data = texts.buffers()[2]
    raw = memoryview(data)[first:last] if data is not None else memoryview(b"")
    padded = np.zeros(last - first + 16, dtype=np.uint8)
    padded[: last - first] = np.frombuffer(raw, dtype=np.uint8)
    return _lookup3(padded, offsets[:-1] - first, np.diff(offsets))


def hash_bytes(text: bytes, seed: int) -> int:
    """`hashtextextended(text, seed)` for one text, as an unsigned number."""
    a = b = c = (_INIT + len(text)) & _MASK32
    if seed:
        a, b, c = _mix((a + (seed >> 32)) & _MASK32, (b + seed) & _MASK32, c)
    blocks = len(text) // 12
    words = memoryview(text + b"\0" * (-len(text) % 4))[: blocks * 12].cast("I")
    for k in range(0, blocks * 3, 3):
        a, b, c = _mix(
            (a + words[k]) & _MASK32, (b + words[k + 1]) & _MASK32, (c + words[k + 2]) & _MASK32
        )
    tail = text[blocks * 12 :] + b"\0" * 12
    a = (a + int.from_bytes(tail[0:4], "little")) & _MASK32
    b = (b + int.from_bytes(tail[4:8], "little")) & _MASK32
    c = (c + (int.from_bytes(tail[8:11], "little") << 8)) & _MASK32
    for x, y, z, turn in _FINAL:
        state = {"a": a, "b": b, "c": c}
        value = state[x] ^ state[y]
        state[x] = (value - _turn(state[z], turn)) & _MASK32
        a, b, c = state["a"], state["b"], state["c"]
    return (b << 32) | c


_FINAL = (
    ("c", "b", "b", 14),
    ("a", "c", "c", 11),
    ("b", "a", "a", 25),
    ("c", "b", "b", 16),
    ("a", "c", "c", 4),
    ("b", "a", "a", 14),
    ("c", "b", "b", 24),
)


def _turn(value: int, by: int) -> int:
    return ((value << by) | (value >> (32 - by))) & _MASK32


def _mix(a: int, b: int, c: int) -> tuple[int, int, int]:
    for turns in ((4, 6, 8), (16, 19, 4)):
        a = ((a - c) & _MASK32) ^ _turn(c, turns[0])
        c = (c + b) & _MASK32
        b = ((b - a) & _MASK32) ^ _turn(a, turns[1])
        a = (a + c) & _MASK32
        c = ((c - b) & _MASK32) ^ _turn(b, turns[2])
        b = (b + a) & _MASK32
    return a, b, c


def _lookup3(
    padded: npt.NDArray[np.uint8], starts: npt.NDArray[np.int64], lengths: npt.NDArray[np.int64]
) -> U64:
    """hash_bytes over many texts at once, longest first, so that those at work are a prefix."""
    words: U32 = np.ndarray((len(padded) - 3,), dtype="<u4", buffer=padded, strides=(1,))
    order = np.argsort(-(lengths // 12), kind="stable")
    at, size = starts[order], lengths[order]
    blocks = size // 12
    state = np.empty((3, 2, len(at)), dtype=np.uint32)
    state[:] = (size + _INIT).astype(np.uint32)
    for half, seed in enumerate(SEEDS):
        state[0, half] += np.uint32(seed >> 32)
        state[1, half] += np.uint32(seed & _MASK32)
    _mix_arrays(state[0], state[1], state[2])
    active = np.searchsorted(-blocks, -np.arange(1, int(blocks[0]) + 1), side="right")
    long_rows = 0
    for k, n in enumerate(active):
        if n < _FEW and k > 64:
            long_rows = int(n)  # the few longest are done one by one below
            break
        where = at[:n] + 12 * k
        a, b, c = state[0, :, :n], state[1, :, :n], state[2, :, :n]
        a += words[where]
        b += words[where + 4]
        c += words[where + 8]
        _mix_arrays(a, b, c)
    _add_tail(state, words, at + 12 * blocks, (size % 12))
    _finish_arrays(state[0], state[1], state[2])
    hashes: U64 = (state[1].astype(np.uint64) << np.uint64(32)) | state[2]
    for i in range(long_rows):
        text = padded[at[i] : at[i] + size[i]].tobytes()
        hashes[:, i] = [hash_bytes(text, seed) for seed in SEEDS]
    out: U64 = np.empty_like(hashes)
    out[:, order] = hashes
    return out


_TAIL_MASKS = np.array(
    [[(1 << (8 * min(max(n - 4 * w, 0), 4))) - 1 for n in range(12)] for w in range(3)],
    dtype=np.uint32,
)


def _add_tail(
    state: U32, words: U32, at: npt.NDArray[np.int64], rest: npt.NDArray[np.int64]
) -> None:
    state[0] += words[at] & _TAIL_MASKS[0][rest]
    state[1] += words[at + 4] & _TAIL_MASKS[1][rest]
    # hash_bytes keeps the lowest byte of c for the length
    state[2] += (words[at + 8] & _TAIL_MASKS[2][rest]) << np.uint32(8)


def _rot(x: U32, by: int) -> U32:
    return (x << np.uint32(by)) | (x >> np.uint32(32 - by))


def _mix_arrays(a: U32, b: U32, c: U32) -> None:
    for one, two, three in ((4, 6, 8), (16, 19, 4)):
        a -= c
        a ^= _rot(c, one)
        c += b
        b -= a
        b ^= _rot(a, two)
        a += c
        c -= b
        c ^= _rot(b, three)
        b += a


def _finish_arrays(a: U32, b: U32, c: U32) -> None:
    named = {"a": a, "b": b, "c": c}
    for x, y, z, turn in _FINAL:
        target = named[x]
        target ^= named[y]
        target -= _rot(named[z], turn)
