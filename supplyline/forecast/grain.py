"""The quantity that an item's demand comes in: 1 for pieces, 12 for dozens, 0.001 for grams in kg.

Counting in grains makes plans the same in whatever unit a history is written.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from supplyline.forecast.series import Floats

DIGITS = 6
"""Decimals looked at."""
FEW = 4
"""With fewer demands a common divisor may be chance, unless it is 10, 100 or the like."""
FINE = 1000.0
"""Grains in a mean demand of an item that is not counted."""


@dataclass(frozen=True, kw_only=True)
class Grain:
    """`size` in units; `counted`: all demand is a whole number of grains."""

    size: float
    counted: bool

    def whole(self, amount: float) -> float:
        """An amount in units, rounded up to whole grains where demand is counted."""
        grains = amount / self.size
        return self.up(math.ceil(grains - 1e-9)) if self.counted else amount

    def up(self, level: float) -> float:
        """A level in grains as units."""
        return float(f"{level * self.size:.12g}")


def grain_of(values: Floats) -> Grain:
    """The grain of one history; one unit where there was no demand."""
    demand = np.abs(values[values != 0])
    if not demand.size:
        return Grain(size=1.0, counted=True)
    for digits in range(DIGITS + 1):
        grid = demand * 10.0**digits
        whole = np.round(grid)
        if whole.max() < 2**53 and (np.abs(grid - whole) <= 1e-9 * np.maximum(grid, 1)).all():
            if whole.min() < 1:
                break
            common = int(np.gcd.reduce(whole.astype(np.int64)))
            if demand.size < FEW:
                common = 10 ** (len(str(common)) - len(str(common).rstrip("0")))
            return Grain(size=common / 10.0**digits, counted=True)
    return Grain(size=float(demand.mean()) / FINE, counted=False)
