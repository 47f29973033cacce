"""Demand over lead time plus review for many items: mean and variance as foretold today.

The mean is that of `methods.level`. The variance is what forecasts of similar items missed by: on
origins inside the history the squared error of the foretold sum, relative to the fitted variance,
is regressed, with a log link and a gamma error (McCullagh and Nelder 1989, ch. 8), on the mean and
on the item's own variance to mean ratio, the latter shrunk to what items of that mean usually show.
So the variance holds what a fitted one leaves out: the error of the mean, and demand that changes.
Stock is set by `blended`, between this variance and what the item itself has shown.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast.methods import level
from supplyline.forecast.methods.panel import Panel, down, panel_of
from supplyline.forecast.series import Floats

UNUSED = "imapa"
"""It forecasts lower: good for a forecast's error, but more is held at the same fill of parts."""
ORIGINS = 6
LEAST = 8
"""Periods of history before an origin."""
SHRINK = 8.0
"""Periods with demand at which an item's own dispersion counts as much as that of its likes."""
PULL = 0.05
"""Share of an item's weight with which every item pulls the regression to the fitted variance."""
ORDINARY = 0.95
"""Quantile of the regression's inputs above which items count as lying there."""
WIDEST = 25.0
"""How far the regression may move a variance from the fitted one."""
OWN = 0.5
"""Weight of the item's own variance in `blended`. On one half of the items of four public sets both
together hold less stock at the same fill than either alone, and so it was on the other half."""


@dataclass(frozen=True, kw_only=True)
class Law:
    """Demand over a span, each of shape (items,): `mean` in units, `variance` in units squared."""

    mean: Floats
    variance: Floats

    def of(self, part: slice) -> Law:
        return Law(mean=self.mean[part], variance=self.variance[part])


def demand_rates(histories: Sequence[Floats], *, periods: int) -> Floats:
    """Expected demand per period over the next `periods`, per history of at least one value."""
    if not histories:
        return np.empty(0)
    return _rates(panel_of(histories), periods)


def _rates(panel: Panel, periods: int) -> Floats:
    found, evidence = level.levels(panel, periods)
    kept = [n for n in range(found.shape[1]) if level.CANDIDATES[n] != UNUSED]
    found, evidence = found[:, kept], evidence[:, [*kept, -1]]
    weights = level.weights(evidence, level.similar_items(evidence))
    mean = panel.restore((weights * found).sum(axis=1))
    return np.asarray(np.maximum(mean, 0.0), dtype=float)


def fitted(histories: Sequence[Floats], *, periods: int) -> Law:
    """Mean and variance of demand over `periods` as the histories themselves show them."""
    panel = panel_of(histories)
    mean = _rates(panel, periods) * periods
    own = panel.restore(_own_variance(panel, periods))
    usual = panel.restore(down(panel.values) / panel.length) * periods
    # Demand that fell varies less than it did, in proportion.
    own = own * np.minimum(1.0, mean / np.maximum(usual, 1e-12))
    seen = panel.restore(down((panel.values != 0).astype(float)))
    good = (mean > 0) & (own > 0)
    variance = np.maximum(own, mean)
    if good.sum() >= 5:
        x, y = np.log(mean[good]), np.log(own[good] / mean[good])
        slope, base = np.polyfit(x, y, 1)
        trust = seen[good] / (seen[good] + SHRINK)
        shrunk = trust * y + (1 - trust) * (base + slope * x)
        variance[good] = np.maximum(mean[good] * np.exp(shrunk), mean[good])
    return Law(mean=mean, variance=variance)


def _own_variance(panel: Panel, periods: int) -> Floats:
    """Variance of sums over `periods` as they happened, so that clustered demand is seen, never
    below what independent periods would give; with the error of the mean, which adds to every
    period of a span alike."""
    n = panel.length.astype(float)
    single = _variance(panel.values, panel.mask())
    span = single * periods
    if 1 < periods <= panel.periods // 4:
        sums = np.concatenate([np.zeros((1, panel.count)), np.cumsum(panel.values, axis=0)])
        windows = sums[periods:] - sums[:-periods]
        happened = _variance(windows, panel.mask()[: len(windows)])
        span = np.where(n >= 4 * periods, np.maximum(span, happened), span)
    return np.asarray(span + single * periods**2 / np.maximum(8.0, n / 2), dtype=float)


def _variance(values: Floats, seen: npt.NDArray[np.bool_]) -> Floats:
    count = np.maximum(down(seen.astype(float)), 1.0)
    mean = down(np.where(seen, values, 0.0)) / count
    apart = np.where(seen, values - mean, 0.0)
    return np.asarray(down(apart * apart) / np.maximum(count - 1, 1.0), dtype=float)


@dataclass(frozen=True, kw_only=True)
class Correction:
    """What makes of a fitted variance the one that forecasts turned out to have; `weights` of the
    regression's features, which are cut at `bounds`, both of shape (3,)."""

    weights: Floats
    bounds: Floats

    def of(self, law: Law) -> Law:
        known = law.mean > 0
        usual = _features(Law(mean=law.mean[known], variance=law.variance[known]))
        moved = np.clip(_within(usual, self.bounds) @ self.weights, -np.log(WIDEST), np.log(WIDEST))
        variance = law.variance.copy()
        variance[known] *= np.exp(moved)
        return Law(mean=law.mean, variance=np.maximum(variance, law.mean))


def correction(histories: Sequence[Floats], *, periods: int) -> Correction:
    """Learned from what forecasts inside the histories missed by; none where these tell too
    little."""
    past, came = _backtest(histories, periods)
    if came.size < 30:
        return Correction(weights=np.zeros(3), bounds=np.full(3, np.inf))
    bounds = np.quantile(_features(past), ORDINARY, axis=0)
    return Correction(weights=_regression(past, came, bounds), bounds=bounds)


def foretold(
    histories: Sequence[Floats], *, periods: int, learned: Correction | None = None
) -> Law:
    """`fitted`, with the variance that forecasts of such items turned out to have, as `learned`,
    else from these histories."""
    learned = learned or correction(histories, periods=periods)
    return learned.of(fitted(histories, periods=periods))


def blended(histories: Sequence[Floats], *, periods: int, learned: Correction | None = None) -> Law:
    """`foretold`, its variance combined with the item's own: the variance of its values times
    `periods`, as independent periods would have it. What is pooled errs for an item unlike its
    likes, what is its own for one that has shown little; a mean of both (here of their logarithms)
    errs less than either where their errors differ (Bates and Granger 1969)."""
    law = foretold(histories, periods=periods, learned=learned)
    own = np.array([h.var(ddof=1) * periods if h.size >= LEAST else np.nan for h in histories])
    own = np.maximum(np.where(np.isnan(own), law.variance, own), law.mean)
    return Law(mean=law.mean, variance=law.variance ** (1 - OWN) * own**OWN)


def _backtest(histories: Sequence[Floats], periods: int) -> tuple[Law, Floats]:
    """Laws foretold at origins a span apart, and the demand that came over the span."""
    means, variances, sums = [], [], []
    for k in range(1, ORIGINS + 1):
        back = k * periods
        past = [h[:-back] for h in histories if h.size - back >= max(LEAST, 0.35 * h.size)]
        after = [h for h in histories if h.size - back >= max(LEAST, 0.35 * h.size)]
        if len(past) < 30:
            break
        law = fitted(past, periods=periods)
        came = np.array([h[h.size - back : h.size - back + periods].sum() for h in after])
        known = law.mean > 0
        means.append(law.mean[known])
        variances.append(law.variance[known])
        sums.append(came[known])
    if not sums:
        return Law(mean=np.empty(0), variance=np.empty(0)), np.empty(0)
    return Law(mean=np.concatenate(means), variance=np.concatenate(variances)), np.concatenate(sums)


def _features(law: Law) -> Floats:
    ratio = np.log(law.variance / law.mean)
    return np.column_stack([np.ones(law.mean.size), np.log(law.mean), ratio])


def _within(features: Floats, bounds: Floats) -> Floats:
    """Features no larger than those of ordinary items, so that no extreme one has a say over the
    others."""
    return np.asarray(np.minimum(features, bounds), dtype=float)


def _regression(past: Law, came: Floats, bounds: Floats) -> Floats:
    """Gamma regression of squared errors over the fitted variance by Fisher scoring, drawn to zero:
    the fitted variance itself. An error counts at most fifty times what was expected."""
    x = _within(_features(past), bounds)
    squared = ((came - past.mean) ** 2 + 1e-6) / past.variance
    pull = PULL * came.size * np.eye(3)
    weights = np.zeros(3)
    for _ in range(30):
        expected = np.exp(np.clip(x @ weights, -30.0, 30.0))
        working = x @ weights + np.minimum(squared, 50 * expected) / expected - 1
        weights = np.linalg.solve(x.T @ x + pull, x.T @ working)
    return np.asarray(weights, dtype=float)
