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

from supplyline import arrays
from supplyline.contracts import EXTRA
from supplyline.lookup3 import SEEDS, U64, hash_block, hash_bytes, hash_joined
from supplyline.packing import CHUNK, Part, lay_out, texts

__all__ = ["SEEDS", "SEPARATOR", "Checksum", "hash_bytes", "hash_texts", "row_text"]

SEPARATOR = "\x1f"

_IRREGULAR = re.compile(f"[\0{SEPARATOR}]")
Flags = npt.NDArray[np.bool_]
_MASK64 = (1 << 64) - 1


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

    @classmethod
    def of(cls, batches: Iterable[pa.RecordBatch], *, columns: Iterable[str]) -> Checksum:
        """The sum over all rows of these batches."""
        checksum = cls.over(columns)
        for batch in batches:
            checksum = checksum.plus(batch)
        return checksum

    def plus(self, batch: pa.RecordBatch) -> Checksum:
        """Adds a batch as described in `contracts`; columns that it lacks count as absent."""
        high, low = row_hashes(batch, columns=self.columns).sum(axis=1, dtype=np.uint64)
        return self.merged(rows=batch.num_rows, high=int(high), low=int(low))

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


def _incomplete(batch: pa.RecordBatch, columns: Sequence[str]) -> Flags:
    """Which rows have an absent or surplus cell."""
    found = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in columns:
        column = batch.column(name)
        if column.null_count:
            found |= ~arrays.valid(column)
    if EXTRA in batch.schema.names:
        extra = batch.column(EXTRA)
        if extra.null_count < len(extra):
            found |= arrays.valid(extra)
    return found


def _holding_marks(batch: pa.RecordBatch, columns: Sequence[str]) -> Flags:
    """Which rows have a cell that holds NUL or U+001F."""
    found = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in columns:
        column = batch.column(name)
        if _may_hold_control(column):
            for char in ("\0", SEPARATOR):
                found |= holding(column, char)
    return found


def _may_hold_control(column: pa.Array) -> bool:
    """Quick: whether a character below a space may be in the cells."""
    data = column.buffers()[2]
    if data is None or not len(data):
        return False
    return bool(np.frombuffer(data, dtype=np.uint8).min() < ord(" "))


def holding(column: pa.Array, char: str) -> Flags:
    """Which cells hold an ASCII character."""
    data = column.buffers()[2]
    if data is None or not _among(column, ord(char)):
        return np.zeros(len(column), dtype=np.bool_)  # the rule, and much faster
    return arrays.true(pc.match_substring(column, char))


def _among(column: pa.Array, octet: int) -> bool:
    """Whether the bytes of a string array hold one."""
    _, offsets, data = column.buffers()
    ends = np.frombuffer(offsets, dtype=np.int32)
    first, last = ends[column.offset], ends[column.offset + len(column)]
    return bool((np.frombuffer(data, dtype=np.uint8)[first:last] == octet).any())


def row_hashes(batch: pa.RecordBatch, *, columns: Sequence[str]) -> U64:
    """Hashes of every row's canonical text: shape (2, rows), one line for each seed."""
    names = set(batch.schema.names)
    if not batch.num_rows or not columns or not names.issuperset(columns):
        every = np.arange(batch.num_rows)
        return hash_texts(_irregular_texts(batch, every, columns))
    hashed = hash_joined([batch.column(name) for name in columns], separator=SEPARATOR)
    hashes, marked = hashed if hashed is not None else hash_laid_out(batch, columns=columns)
    irregular = np.flatnonzero(marked | _incomplete(batch, columns))
    if len(irregular):
        hashes[:, irregular] = hash_texts(_irregular_texts(batch, irregular, columns))
    return hashes


def hash_laid_out(batch: pa.RecordBatch, *, columns: Sequence[str]) -> tuple[U64, Flags]:
    """As `hash_joined`, with arrays alone."""
    parts: list[Part] = []
    for name in columns:
        parts += [SEPARATOR.encode(), texts(batch.column(name))]
    hashes = hash_block(lay_out(batch.num_rows, parts[1:], apart=CHUNK))
    return hashes, _holding_marks(batch, columns)


def _irregular_texts(
    batch: pa.RecordBatch, rows: npt.NDArray[np.int64], columns: Sequence[str]
) -> list[bytes]:
    part = batch.take(arrays.integers(rows)).to_pydict()
    nothing: list[Any] = [None] * len(rows)
    cells = [part.get(name, nothing) for name in columns]
    extras = part.get(EXTRA, nothing)
    each = zip(*cells, strict=True) if cells else [()] * len(rows)
    return [row_text(row, extra) for row, extra in zip(each, extras, strict=True)]


def hash_texts(given: Sequence[bytes]) -> U64:
    """Hashes of texts: shape (2, texts), one line for each seed."""
    if not given:
        return np.zeros((2, 0), dtype=np.uint64)
    return hash_block(lay_out(len(given), [texts(arrays.binaries(given))], apart=CHUNK))
