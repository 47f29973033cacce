"""The few cells that keep a column from being a number, a date or another kind: which, and where.

Asked only of columns that no kind fits throughout. Promises: exact as long as they are few; as soon
as they are many, nothing is asked any more.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from supplyline import arrays
from supplyline.contracts import LINE, ROW
from supplyline.load.kinds import fits, kinds_of
from supplyline.load.vectors import proves

FEW = 5
"""Cells up to which they are counted."""
_SHOWN, _KINDS, _LONGEST = 3, 3, 40
_SHARE = 50
"""A new column is said to be nearly of a kind if at most one value in so many is not."""


@dataclass
class _Misfits:
    """The cells of a column that a kind does not take; after FEW nobody counts."""

    kind: str
    count: int = 0
    shown: list[str] = field(default_factory=list)

    @property
    def many(self) -> bool:
        return self.count > FEW

    def look(self, cells: pa.Array, batch: pa.RecordBatch) -> None:
        """`cells`: the column's, as they are in the batch; empty and absent ones fit."""
        if self.many:
            return
        there = pc.not_equal(cells, arrays.EMPTY)
        if proves(self.kind, cells.filter(there)):
            return
        odd = np.flatnonzero(arrays.true(there) & ~arrays.true(fits(self.kind, cells)))
        self.count += len(odd)
        for at in odd[: _SHOWN - len(self.shown)].tolist():
            text = cells[at].as_py()
            cut = text if len(text) <= _LONGEST else f"{text[:_LONGEST]}..."
            self.shown.append(f"{cut!r}{_place(batch, at)}")


@dataclass(frozen=True, kw_only=True)
class Said:
    """The kind that a column nearly is, and `2 of 5,000 values of a.csv are no `bigint`: ...`."""

    kind: str
    text: str


class Strays:
    """Of one column: the kinds that nearly all of its values fit."""

    def __init__(self, kinds: Sequence[str], values: pa.Array, *, known: str = "") -> None:
        """`kinds`: those that every value before these ones fits; [] where these are the first.
        `known`: the kind that the table has for the column, '' for none."""
        offered = [*kinds] or list(
            dict.fromkeys(
                k
                for at in {0: None, len(values) // 2: None, len(values) - 1: None}
                for k in kinds_of(values[at].as_py())
            )
        )
        if known and not kinds and known not in offered:
            offered.insert(0, known)
        self.known = known
        self._found = [_Misfits(kind) for kind in offered]
        self._begun = False

    @property
    def asked(self) -> bool:
        """Whether further cells are of interest."""
        return not self._begun or any(not m.many for m in self._found)

    def look(self, cells: pa.Array, batch: pa.RecordBatch) -> None:
        for misfits in self._found:
            misfits.look(cells, batch)
        if not self._begun:  # from here on the best only
            ranked = sorted(self._found, key=lambda m: m.count)
            kept = [m for m in ranked[:_KINDS] if not m.many]
            self._found = kept or (ranked[:1] if self.known else [])
            self._begun = True

    def said(self, *, values: int, source: str) -> Said | None:
        """None when they are many of these values, unless the table knows the column's kind."""
        best = min(self._found, key=lambda m: m.count, default=None)
        if best is None or not best.count:
            return None
        if not self.known and (best.many or best.count * _SHARE > values):
            return None
        which = ", ".join(best.shown) + (", ..." if best.count > len(best.shown) else "")
        count = f"more than {FEW}" if best.many else f"{best.count} of {values:,}"
        verb = "is" if best.count == 1 else "are"
        text = f"{count} values of {source} {verb} no `{best.kind}`: {which}"
        return Said(kind=best.kind, text=text)


def _place(batch: pa.RecordBatch, at: int) -> str:
    names = batch.schema.names
    if ROW not in names:
        return ""
    line = f" (line {batch.column(LINE)[at].as_py()})" if LINE in names else ""
    return f" in row {batch.column(ROW)[at].as_py()}{line}"
