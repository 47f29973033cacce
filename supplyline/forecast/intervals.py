"""Prediction intervals learned from the backtest's errors, pooled over items of one kind.

The scores are errors divided by the item's own scale (normalised split-conformal prediction:
Lei et al. 2018, "Distribution-free predictive inference for regression"). Lower and upper ends
are learned apart, since demand is skewed.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from supplyline.forecast.series import Floats

if TYPE_CHECKING:
    from supplyline.forecast.engine import Fit

ENOUGH = 60
"""Pooled scores per step below which the default factors are blended in."""
DEFAULT = {80: 1.6, 95: 2.6}
"""Half-widths in scales one step ahead, for batches without any backtest (a normal error whose
mean absolute difference is one scale: sd = scale / 1.128; widened for the estimate of the mean)."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """(pool, level) → lower and upper factors of shape (horizon,)."""

    factors: dict[tuple[str, int], tuple[Floats, Floats]]
    levels: tuple[int, ...]


def learn(fits: Sequence[Fit], *, horizon: int, levels: tuple[int, ...]) -> Table:
    factors: dict[tuple[str, int], tuple[Floats, Floats]] = {}
    growth = np.sqrt(1.0 + 0.1 * np.arange(horizon))
    for pool in {f.pool for f in fits}:
        scores = [f.errors / f.scale for f in fits if f.pool == pool and f.errors.size and f.scale]
        stacked = np.concatenate(scores) if scores else np.empty((0, horizon))
        for level in levels:
            default = DEFAULT[level] * growth
            lower, upper = _quantiles(stacked, level)
            trust = stacked.shape[0] / (stacked.shape[0] + ENOUGH / 4)
            factors[pool, level] = (
                -trust * lower + (1 - trust) * default,
                trust * upper + (1 - trust) * default,
            )
    return Table(factors=factors, levels=levels)


def _quantiles(scores: Floats, level: int) -> tuple[Floats, Floats]:
    """Conformal quantiles per step, from scores of the step and its neighbours."""
    count, horizon = scores.shape
    tail = (1 - level / 100) / 2
    lower, upper = np.zeros(horizon), np.zeros(horizon)
    if not count:
        return lower, upper
    for step in range(horizon):
        near = np.sort(scores[:, max(0, step - 1) : step + 2].ravel())
        k = near.size
        # The finite-sample correction of conformal prediction: rank ceil((k + 1)(1 - tail)).
        upper[step] = near[min(k - 1, int(np.ceil((k + 1) * (1 - tail))) - 1)]
        lower[step] = near[max(0, int(np.floor((k + 1) * tail)) - 1)]
    return lower, upper


def bands(
    found: Fit, table: Table, *, non_negative: bool
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Lower and upper ends per level, nested and around the mean."""
    lo, hi = {}, {}
    previous = (found.mean, found.mean)
    for level in sorted(table.levels):
        lower, upper = table.factors[found.pool, level]
        low = np.minimum(previous[0], found.mean - lower * found.scale)
        high = np.maximum(previous[1], found.mean + upper * found.scale)
        lo[level] = np.maximum(low, 0.0) if non_negative else low
        hi[level] = high
        previous = (lo[level], hi[level])
    return lo, hi


def coverage(found: Fit, table: Table) -> dict[int, float]:
    """Share of the backtest's actuals inside the bands."""
    if not found.errors.size:
        return {}
    out = {}
    for level in table.levels:
        lower, upper = table.factors[found.pool, level]
        inside = (found.errors >= -lower * found.scale) & (found.errors <= upper * found.scale)
        out[level] = float(inside.mean())
    return out
