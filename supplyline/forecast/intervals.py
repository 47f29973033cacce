"""Prediction intervals learned from the backtest's errors, pooled over items of one kind.

The scores are errors divided by the item's own spread at the time (normalised split-conformal
prediction: Lei et al. 2018, "Distribution-free predictive inference for regression"). Lower and
upper ends are learned apart, since demand is skewed; where the lower end stops at zero and so
misses less often than its share, the upper end takes the rest, so that the interval as a whole
covers what it says. Slow movers sell nothing in a quarter of all periods or more, so that the
lower end of their intervals is zero.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from supplyline.forecast.series import Floats

if TYPE_CHECKING:
    from supplyline.forecast.backtest import Fit

ENOUGH = 200
"""Pooled scores per step from which the default factors no longer count."""
DEFAULT = {
    "slow": {80: (0.9, 0.6), 95: (1.6, 2.6)},
    "regular": {80: (1.2, 1.5), 95: (1.9, 2.9)},
    "young": {80: (1.5, 1.6), 95: (2.7, 3.3)},
    "": {80: (0.85, 0.95), 95: (1.55, 1.9)},
}
"""Lower and upper ends in spreads one step ahead by pool, for batches with few backtests: what the
benchmarks' series show, others than slow ones a little widened. (Spare parts' upper ends are 0 to
1.0 spreads at 80 %, the fewer periods have demand the lower, and 1.9 to 2.9 at 95 %.)"""
GROWTH = {"slow": 0.0, "regular": 0.07, "young": 0.35, "": 0.15}
"""Growth of the default's squared width per step."""


@dataclass(frozen=True, kw_only=True)
class Table:
    """(pool, level) → lower and upper factors of shape (horizon,), both above the mean where
    positive."""

    factors: dict[tuple[str, int], tuple[Floats, Floats]]
    levels: tuple[int, ...]
    horizon: int

    def ends(self, pool: str, level: int) -> tuple[Floats, Floats]:
        """The factors of a pool; the default's where it was not among those learned from."""
        return self.factors.get((pool, level)) or _default(pool, level, self.horizon)


def _default(pool: str, level: int, horizon: int) -> tuple[Floats, Floats]:
    lower, upper = DEFAULT.get(pool, DEFAULT[""])[level]
    growth = GROWTH.get(pool, GROWTH[""])
    width = np.sqrt(1.0 + growth * np.arange(horizon))
    return -lower * width, upper * width


def learn(fits: Sequence[Fit], *, horizon: int, levels: tuple[int, ...]) -> Table:
    """Factors per pool and level; the fits may come in any order."""
    factors: dict[tuple[str, int], tuple[Floats, Floats]] = {}
    for pool in sorted({f.pool for f in fits}):
        known = [f for f in fits if f.pool == pool and f.errors.size]
        if not known:
            continue
        scores = np.concatenate([f.errors / f.past_spreads[:, None] for f in known])
        # The score at which the lower end reaches zero; at infinity it is always there.
        zero = np.concatenate([_zero(f) for f in known])
        for level in levels:
            factors[pool, level] = _ends(pool, scores, zero, level)
    return Table(factors=factors, levels=levels, horizon=horizon)


def _zero(fit: Fit) -> Floats:
    shape = fit.past_means.shape
    if not fit.non_negative:
        return np.full(shape, -np.inf)
    if fit.pool == "slow":
        return np.full(shape, np.inf)
    return np.asarray(-fit.past_means / fit.past_spreads[:, None], dtype=float)


def _ends(pool: str, scores: Floats, zero: Floats, level: int) -> tuple[Floats, Floats]:
    """Conformal quantiles per step, from scores of the step and its neighbours."""
    horizon = scores.shape[1]
    lower, upper = _default(pool, level, horizon)
    share = 1 - level / 100
    for step in range(horizon):
        part = slice(max(0, step - 1), step + 2)
        near, floor = scores[:, part].ravel(), zero[:, part].ravel()
        known = np.isfinite(near)
        near, floor = near[known], floor[known]
        if not near.size:
            continue
        ordered = np.sort(near)
        k = near.size
        trust = min(1.0, k / ENOUGH)
        # The finite-sample correction of conformal prediction: rank ceil((k + 1)(1 - tail)).
        low = ordered[max(0, int(np.floor((k + 1) * share / 2)) - 1)]
        low = trust * low + (1 - trust) * lower[step]
        missed = float(((near < np.maximum(low, floor) - 1e-9) & (floor < np.inf)).mean())
        tail = share - min(missed, share / 2)
        high = ordered[min(k - 1, int(np.ceil((k + 1) * (1 - tail))) - 1)]
        lower[step] = low
        upper[step] = trust * high + (1 - trust) * upper[step]
    return lower, upper


def bands(
    found: Fit, table: Table, *, non_negative: bool
) -> tuple[dict[int, Floats], dict[int, Floats]]:
    """Lower and upper ends per level, nested and around the mean."""
    lo, hi = {}, {}
    previous = (found.mean, found.mean)
    for level in sorted(table.levels):
        lower, upper = table.ends(found.pool, level)
        low = np.minimum(previous[0], found.mean + lower * found.spread)
        high = np.maximum(previous[1], found.mean + upper * found.spread)
        lo[level] = _floored(low, slow=found.pool == "slow") if non_negative else low
        hi[level] = high
        previous = (lo[level], hi[level])
    return lo, hi


def _floored(low: Floats, *, slow: bool) -> Floats:
    return np.zeros_like(low) if slow else np.maximum(low, 0.0)


def coverage(found: Fit, table: Table) -> dict[int, float]:
    """Share of the backtest's actuals inside the bands."""
    known = np.isfinite(found.errors / found.past_spreads[:, None])
    if not known.any():
        return {}
    out = {}
    for level in table.levels:
        lower, upper = table.ends(found.pool, level)
        low = found.past_means + lower * found.past_spreads[:, None]
        high = np.maximum(found.past_means, found.past_means + upper * found.past_spreads[:, None])
        if found.non_negative:
            low = _floored(low, slow=found.pool == "slow")
        actual = found.past_means + found.errors
        inside = (actual >= low - 1e-9) & (actual <= high + 1e-9)
        out[level] = float(inside[known].mean())
    return out
