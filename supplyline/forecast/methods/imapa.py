"""IMAPA: the mean of the levels that a history smoothed at several temporal aggregations shows
(Petropoulos and Kourentzes 2015, "Forecast combinations for intermittent demand", JORS 66)."""

from __future__ import annotations

import numpy as np

from supplyline.forecast.methods.panel import Ints, Panel
from supplyline.forecast.series import Floats

MOST = 4
"""The longest buckets, in periods: up to 12, the combination was no better on spare parts."""
SMOOTH = 0.2
"""The smoothing constant of every aggregation; as with `level`, a growing mean at the start."""


def imapa(panel: Panel, sums: Floats) -> Floats:
    """Demand per period as foretold after each row, of shape (periods, series): the mean over
    buckets of 1, 2, ... periods, up to the mean interval between sales. `sums`: (periods + 1,
    series), what sold before each row."""
    seen = np.arange(1, panel.periods + 1)[:, None] - (panel.periods - panel.length)
    sold = panel.values != 0
    latest = np.maximum.accumulate(np.where(sold, seen, 0), axis=0)
    interval = np.rint(latest / np.maximum(np.cumsum(sold, axis=0), 1))
    longest = np.clip(interval, 1, np.clip(seen, 1, MOST))
    total = np.zeros(seen.shape)
    for size in range(1, MOST + 1):
        total += np.where(size <= longest, _smoothed(sums, np.maximum(seen, 0), size), 0.0)
    return np.asarray(total / longest, dtype=float)


def _smoothed(sums: Floats, seen: Ints, size: int) -> Floats:
    """The level after each row, from buckets that end there: it moves the one of `size` rows
    before, so that as many rows are reckoned at once."""
    periods = len(seen)
    came = sums[1:].copy()
    came[size - 1 :] -= sums[: max(0, periods - size + 1)]
    buckets = np.arange(periods + 1) // size
    rate = np.where(buckets > 0, np.maximum(SMOOTH, 1 / np.maximum(buckets, 1)), 0.0)
    step = rate[seen]
    level = step * came / size
    for t in range(size, periods, size):
        now = level[t : t + size]
        before = level[t - size : t - size + len(now)]
        now += (1 - step[t : t + size]) * before
    return np.asarray(level, dtype=float)
