"""The level of slow movers: candidates weighed by how well each foretold the mean of the next
horizon, on the item's own past and, where that says little, on what similar items showed.

Candidates: single exponential smoothing with nine constants and a growing mean at the start (Brown
1959), Croston's method as corrected by Syntetos and Boylan (2005), TSB (Teunter, Syntetos and
Babai 2011) and IMAPA (Petropoulos and Kourentzes 2015). Slow items sell too rarely for one step
ahead to tell candidates apart, so what is scored is the mean over the horizon (as in temporal
aggregation, Nikolopoulos et al. 2011).
"""

from __future__ import annotations

import numpy as np

from supplyline.forecast.methods.imapa import imapa
from supplyline.forecast.methods.panel import Panel, down, scale_of
from supplyline.forecast.series import Floats

ALPHAS = np.array([0.0, 0.003, 0.006, 0.0125, 0.025, 0.05, 0.1, 0.2, 0.35])
CANDIDATES = (*(f"ses {a:g}" for a in ALPHAS), "sba", "tsb", "imapa")
SMOOTH = 0.1
"""The constant of SBA and TSB."""
SIMILAR = 200.0
"""How many horizons' evidence that of similar items counts for, at most. Four years of months have
few horizons of their own: which candidate suits the kind of item is told by the others."""

NOTHING = 1e-12
"""A mean squared error below this share of the squared mean counts as this share."""


def levels(panel: Panel, horizon: int) -> tuple[Floats, Floats]:
    """Levels of shape (series, candidates), and the evidence (series, candidates + 1): log of the
    mean squared error per candidate, and the number of horizons seen."""
    shape = (panel.count, len(CANDIDATES))
    ses = ALPHAS.size
    size, interval = np.zeros(panel.count), np.ones(panel.count)
    idle, chance = np.zeros(panel.count), np.zeros(panel.count)
    found, squares, count = np.zeros(shape), np.zeros(shape), np.zeros(panel.count)
    ahead = np.minimum(horizon, np.maximum(1, panel.length // 6))
    begin = np.minimum(12, panel.length // 3)
    sums = np.concatenate([np.zeros((1, panel.count)), np.cumsum(panel.values, axis=0)])
    column = np.arange(panel.count)
    aggregated = imapa(panel, sums)
    for t in range(panel.periods):
        k = panel.begun(t)
        age = t - (panel.periods - panel.length[:k])
        y = panel.values[t, :k]
        rate = 1.0 / (age + 1)
        found[:k, :ses] += np.maximum(ALPHAS, rate[:, None]) * (y[:, None] - found[:k, :ses])
        sold = y != 0
        first = sold & (size[:k] == 0)
        idle[:k] += 1
        step = np.where(first, 1.0, SMOOTH)
        size[:k] += np.where(sold, step * (y - size[:k]), 0.0)
        interval[:k] += np.where(sold, step * (idle[:k] - interval[:k]), 0.0)
        idle[:k][sold] = 0.0
        chance[:k] += np.maximum(SMOOTH, rate) * (sold - chance[:k])
        found[:k, ses] = (1 - SMOOTH / 2) * size[:k] / interval[:k]
        found[:k, ses + 1] = chance[:k] * size[:k]
        found[:k, ses + 2] = aggregated[t, :k]
        last = t + 1 + ahead[:k]
        scored = (age + 1 >= begin[:k]) & (last <= panel.periods)
        future = sums[np.minimum(last, panel.periods), column[:k]] - sums[t + 1, :k]
        miss = (future / ahead[:k])[:, None] - found[:k]
        squares[:k] += np.where(scored[:, None], miss * miss, 0.0)
        count[:k] += scored
    least = NOTHING * scale_of(panel)[:, None] ** 2
    log = np.log(np.maximum(squares / np.maximum(count, 1)[:, None], least))
    return found, np.column_stack([log, count / ahead])


def weights(evidence: Floats, prior: Floats) -> Floats:
    """(series, candidates), rows summing to one; `prior` as from `similar_items`.

    Candidates that foretold the same to the last bit share one's weight: on a short history the
    small constants all are its growing mean, which else would count once for each of them.
    """
    seen = evidence[:, :-1]
    support = -0.5 * (evidence[:, -1:] * seen + SIMILAR * prior)
    support -= np.log((seen[:, :, None] == seen[:, None, :]).sum(axis=2))
    weight = np.exp(support - support.max(axis=1, keepdims=True))
    return np.asarray(weight / weight.sum(axis=1, keepdims=True), dtype=float)


def similar_items(evidence: Floats) -> Floats:
    """Mean log squared error per candidate over many items, relative to the least, drawn to zero
    where they show little altogether; the items may come in any order."""
    rows = evidence[np.lexsort(evidence.T)]
    seen = down(rows[:, -1])
    if not seen > 0:
        return np.zeros(evidence.shape[1] - 1)
    mean = down(rows[:, :-1] * rows[:, -1:]) / seen
    return np.asarray((mean - mean.min()) * seen / (seen + SIMILAR), dtype=float)
