"""PostgreSQL's `hashtextextended` for many texts at once (Bob Jenkins' lookup3, two seeds).

After hash_bytes_extended in PostgreSQL's hashfn.c (little-endian machines).
"""

from __future__ import annotations

from collections.abc import Sequence
from ctypes import c_int64, c_void_p

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from supplyline import native
from supplyline.native.columns import Columns
from supplyline.packing import Block, windows

SEEDS = (0x5355_504C_594C_494E, 0x1F83_D9AB_FB41_BD6B)
"""Seeds of the two halves; both fit PostgreSQL's bigint."""

_MASK32 = 0xFFFF_FFFF
_INIT = (0x9E37_79B9 + 3_923_095) & _MASK32
_FEW = 4  # below this many rows, plain integers are faster than arrays
_AT_ONCE = 4
"""Blocks of 12 bytes that are fetched together."""

_NO_MEMORY = 2

U32 = npt.NDArray[np.uint32]
U64 = npt.NDArray[np.uint64]

_FINAL = (
    ("c", "b", "b", 14),
    ("a", "c", "c", 11),
    ("b", "a", "a", 25),
    ("c", "b", "b", 16),
    ("a", "c", "c", 4),
    ("b", "a", "a", 14),
    ("c", "b", "b", 24),
)


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


def hash_block(block: Block) -> U64:
    """Hashes of a block's rows: shape (2, rows), one line for each seed."""
    call = native.function(
        "supplyline_hash_rows",
        c_void_p, c_int64, c_void_p, c_void_p, c_int64, c_void_p, c_void_p,
    )  # fmt: skip
    if call is None:
        return hash_arrays(block)
    data = np.ascontiguousarray(block.data)
    starts, lengths = (
        np.ascontiguousarray(a, dtype=np.int64) for a in (block.starts, block.lengths)
    )
    seeds = np.array(SEEDS, dtype=np.uint64)
    out: U64 = np.empty((2, len(lengths)), dtype=np.uint64)
    if call(
        data.ctypes.data, data.size, starts.ctypes.data, lengths.ctypes.data, len(lengths),
        seeds.ctypes.data, out.ctypes.data,
    ):  # fmt: skip
        raise ValueError("rows beyond the end of their block")
    return out


def hash_joined(
    columns: Sequence[pa.Array], *, separator: str
) -> tuple[U64, npt.NDArray[np.bool_]] | None:
    """Hashes of rows whose text is their cells with an ASCII character between them: shape
    (2, rows). And which rows have a cell that holds NUL or the separator.

    `columns`: at least one, all equally long; what counts for an absent cell is not defined.
    None where nothing is compiled, or for arrays of another type than string.
    """
    call = native.function(
        "supplyline_hash_columns",
        c_void_p, c_int64, c_int64, c_int64, c_void_p, c_void_p, c_void_p,
    )  # fmt: skip
    if call is None or any(column.type != pa.string() for column in columns):
        return None
    rows = len(columns[0])
    given = Columns(columns)
    seeds = np.array(SEEDS, dtype=np.uint64)
    out: U64 = np.empty((2, rows), dtype=np.uint64)
    odd = np.empty(rows, dtype=np.bool_)
    failed = call(
        given.address, len(columns), rows, ord(separator), seeds.ctypes.data, out.ctypes.data,
        odd.ctypes.data,
    )  # fmt: skip
    if failed == _NO_MEMORY:
        raise MemoryError
    if failed:
        raise ValueError("cells beyond the end of their column")
    return out, odd


def hash_arrays(block: Block) -> U64:
    """As `hash_block`, with arrays alone.

    The longest come first, so that those still at work are a prefix of all.
    """
    rows = len(block.lengths)
    order = np.argsort(-(block.lengths // 12), kind="stable")
    at, size = block.starts[order], block.lengths[order]
    blocks = size // 12
    state = np.empty((3, 2, rows), dtype=np.uint32)
    state[:] = (size + _INIT).astype(np.uint32)
    for half, seed in enumerate(SEEDS):
        state[0, half] += np.uint32(seed >> 32)
        state[1, half] += np.uint32(seed & _MASK32)
    spare = np.empty((2, 2, rows), dtype=np.uint32)
    _mix_arrays(state, spare)
    pieces = windows(block.data, 12 * _AT_ONCE)
    active = np.searchsorted(-blocks, -np.arange(1, int(blocks[0]) + 1), side="right")
    long_rows = 0
    for k, n in enumerate(active):
        if n < _FEW and k > 64:
            long_rows = int(n)  # the few longest are done one by one below
            break
        if k % _AT_ONCE == 0:
            words = pieces[at[:n] + 12 * k].view(np.uint32).reshape(n, 3 * _AT_ONCE).T.copy()
        now, first = state[:, :, :n], 3 * (k % _AT_ONCE)
        for part in range(3):
            now[part] += words[first + part, :n]
        _mix_arrays(now, spare[:, :, :n])
    _add_tail(state, pieces[at + 12 * blocks].view(np.uint32).reshape(rows, -1), size % 12)
    _finish_arrays(state, spare)
    hashes: U64 = (state[1].astype(np.uint64) << np.uint64(32)) | state[2]
    for i in range(long_rows):
        text = block.data[at[i] : at[i] + size[i]].tobytes()
        hashes[:, i] = [hash_bytes(text, seed) for seed in SEEDS]
    out: U64 = np.empty_like(hashes)
    out[:, order] = hashes
    return out


_TAIL_MASKS = np.array(
    [[(1 << (8 * min(max(n - 4 * w, 0), 4))) - 1 for n in range(12)] for w in range(3)],
    dtype=np.uint32,
)


def _add_tail(state: U32, words: U32, rest: npt.NDArray[np.int64]) -> None:
    """`words`: those at the last, unfinished 12 bytes of every row; `rest`: how many count."""
    state[0] += words[:, 0] & _TAIL_MASKS[0][rest]
    state[1] += words[:, 1] & _TAIL_MASKS[1][rest]
    # hash_bytes keeps the lowest byte of c for the length
    state[2] += (words[:, 2] & _TAIL_MASKS[2][rest]) << np.uint32(8)


def _turned(x: U32, by: int, spare: U32) -> U32:
    """`x` turned left, in `spare[0]`."""
    np.left_shift(x, np.uint32(by), out=spare[0])
    np.right_shift(x, np.uint32(32 - by), out=spare[1])
    turned: U32 = np.bitwise_or(spare[0], spare[1], out=spare[0])
    return turned


def _mix_arrays(state: U32, spare: U32) -> None:
    a, b, c = state
    for one, two, three in ((4, 6, 8), (16, 19, 4)):
        a -= c
        a ^= _turned(c, one, spare)
        c += b
        b -= a
        b ^= _turned(a, two, spare)
        a += c
        c -= b
        c ^= _turned(b, three, spare)
        b += a


def _finish_arrays(state: U32, spare: U32) -> None:
    named = dict(zip("abc", state, strict=True))
    for x, y, z, turn in _FINAL:
        target = named[x]
        target ^= named[y]
        target -= _turned(named[z], turn, spare)
