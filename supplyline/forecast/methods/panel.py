"""Histories side by side: right-aligned columns, longest first, so that those that have begun are
always the first columns of an array and no masks are needed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast.series import Floats

Ints = npt.NDArray[np.int64]

CELLS = 16384
"""Series times parameter sets worked on at a time: arrays of this size stay in the cache."""


@dataclass(frozen=True, kw_only=True)
class Panel:
    """`values`: (periods, series), zero before a series begins; `length`: (series,), falling;
    `order`: column → position in the sequence it was made from."""

    values: Floats
    length: Ints
    order: Ints

    @property
    def periods(self) -> int:
        return int(self.values.shape[0])

    @property
    def count(self) -> int:
        return int(self.values.shape[1])

    def begun(self, t: int) -> int:
        """How many columns have begun at row `t`."""
        return int(np.searchsorted(-self.length, t - self.periods, side="right"))

    def phase(self, t: int, season: int) -> int:
        """The season's phase of row `t`, counted from the end: the row after the last is 0."""
        return (t - self.periods) % season

    def columns(self, first: int, last: int) -> Panel:
        """A panel of some columns, cut to the rows that these need."""
        length = self.length[first:last]
        rows = int(length.max())
        return Panel(
            values=self.values[self.periods - rows :, first:last],
            length=length,
            order=np.arange(last - first),
        )

    def with_values(self, values: Floats) -> Panel:
        return Panel(values=values, length=self.length, order=self.order)

    def mask(self) -> npt.NDArray[np.bool_]:
        """(periods, series): where a series has begun."""
        return np.arange(self.periods)[:, None] >= self.periods - self.length[None, :]

    def head(self, count: int) -> Floats:
        """(series, count): the first values of each series, NaN beyond its end."""
        row = (self.periods - self.length)[:, None] + np.arange(count)[None, :]
        inside = row < self.periods
        column = np.arange(self.count)[:, None]
        return np.where(inside, self.values[np.minimum(row, self.periods - 1), column], np.nan)

    def tail(self, count: int) -> Floats:
        """(series, count): the last values, oldest first; a shorter series repeats its first."""
        row = self.periods - count + np.arange(count)[None, :]
        row = np.maximum(row, (self.periods - self.length)[:, None])
        return self.values[row, np.arange(self.count)[:, None]]

    def restore(self, by_column: Floats) -> Floats:
        """Rows by column put back into the order of the sequence."""
        out = np.empty_like(by_column)
        out[self.order] = by_column
        return out


def panel_of(histories: Sequence[Floats]) -> Panel:
    """A panel of histories of at least one value each."""
    size = np.array([h.size for h in histories], dtype=np.int64)
    order = np.argsort(-size, kind="stable")
    rows = int(size.max())
    values = np.zeros((rows, size.size))
    for column, position in enumerate(order):
        values[rows - size[position] :, column] = histories[position]
    return Panel(values=values, length=size[order], order=order)


def down(values: Floats) -> Floats:
    """Sums over rows, row after row: numpy's own sum adds in another order for one column than
    for many, and a forecast must not depend on its neighbours, not even in the last digit."""
    total = np.zeros(values.shape[1:])
    for row in values:
        total += row
    return total


def scale_of(panel: Panel) -> Floats:
    """Mean absolute value per series, 1 where that is zero."""
    size = down(np.abs(panel.values)) / panel.length
    return np.where(size > 0, size, 1.0)
