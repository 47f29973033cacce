"""One checksum for the same rows wherever they are: in a file, in MongoDB, in PostgreSQL.

Order-free and mergeable: per row the MD5 of its cells, summed modulo 2**64 in two halves. It finds
lost, added and changed rows; it is no defence against someone who forges both sides.

A row's text is, for every column in order of the column's name, `<characters>:<text>` or `-` for
an absent cell, then `+<characters>:<text>` for every extra cell. `load` builds the same text in
SQL, so that PostgreSQL can sum it itself.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from supplyline.contracts import EXTRA, LINE, ROW

if TYPE_CHECKING:
    import pyarrow as pa

_MOD = 1 << 64


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
        names = set(batch.schema.names) - {ROW, LINE, EXTRA}
        nothing: Sequence[str | None] = [None] * batch.num_rows
        cells = [
            batch.column(name).to_pylist() if name in names else nothing for name in self.columns
        ]
        extra = (
            batch.column(EXTRA).to_pylist()
            if EXTRA in batch.schema.names
            else [None] * batch.num_rows
        )
        high = low = 0
        rows = zip(*cells, strict=True) if cells else (() for _ in range(batch.num_rows))
        for row, more in zip(rows, extra, strict=True):
            text = "".join([f"{len(c)}:{c}" if c is not None else "-" for c in row])
            if more:
                text += "".join([f"+{len(c)}:{c}" for c in more])
            digest = hashlib.md5(text.encode(), usedforsecurity=False).digest()
            high += int.from_bytes(digest[:8], "big")
            low += int.from_bytes(digest[8:], "big")
        return self.merged(rows=batch.num_rows, high=high, low=low)

    def merged(self, *, rows: int, high: int, low: int) -> Checksum:
        return Checksum(
            columns=self.columns,
            rows=self.rows + rows,
            high=(self.high + high) % _MOD,
            low=(self.low + low) % _MOD,
        )

    @property
    def text(self) -> str:
        names = hashlib.md5("\0".join(self.columns).encode(), usedforsecurity=False).hexdigest()
        return f"{names[:8]}-{self.rows}-{self.high:016x}{self.low:016x}"
