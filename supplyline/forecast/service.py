"""Fill rates over many items: what levels would have reached, and what they are foreseen to reach.

Items count by the units they sell, but none for more than `MOST` of all: a fast, steady item
reaches any target without help, and if it alone met the target of all, the others would go short.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supplyline.forecast import survival
from supplyline.forecast.lead_demand import Law
from supplyline.forecast.series import Floats

MOST = 0.02
"""Largest share of one item in the fill rate of all; three items' share of fewer than 150."""


@dataclass(frozen=True, kw_only=True)
class Service:
    """`served`: (items, factors) and `wanted`: (items,), each in the item's own grain."""

    served: Floats
    wanted: Floats

    def fill(self, weight: Floats) -> Floats:
        """The fill rate of all items for each factor; `weight`: (items,) as from `weights`."""
        wanted = float((weight * self.wanted).sum())
        if not wanted > 0:
            return np.ones(self.served.shape[1])
        return np.asarray((weight[:, None] * self.served).sum(axis=0) / wanted, dtype=float)


def weights(sold: Floats, counts: Floats) -> Floats:
    """Weight of an item's grains in the fill rate: `counts` says how much of the item counts (its
    grain in units; 0: left out), `sold` its grains per period."""
    volume = sold * counts
    most = max(MOST, 3 / max(1, int((counts > 0).sum())))
    bound = float(volume.max(initial=0.0))
    for _ in range(60):  # the bound falls towards the one at which no share exceeds `most`
        bound = most * float(np.minimum(volume, bound).sum())
    if not bound > 0:
        return counts
    return np.asarray(counts * np.minimum(1.0, bound / np.maximum(volume, bound)), dtype=float)


def happened(future: Floats, levels: Floats, *, lead_time: int, review: int) -> Service:
    """What order-up-to with backorders would have served at each column of `levels`.

    Events in a period: arrivals, demand (what waits is served first), review. The first lead time
    is not counted, as the shelf begins full.
    """
    on_hand = levels.copy()
    waiting = np.zeros_like(levels)
    pipeline = [np.zeros_like(levels) for _ in range(lead_time + 1)]
    served = np.zeros_like(levels)
    for t in range(future.shape[1]):
        on_hand = on_hand + pipeline.pop(0)
        pipeline.append(np.zeros_like(levels))
        back = np.minimum(on_hand, waiting)
        on_hand, waiting = on_hand - back, waiting - back
        asked = future[:, t, None]
        now = np.minimum(on_hand, asked)
        on_hand, waiting = on_hand - now, waiting + asked - now
        if t >= lead_time:
            served += now
        if t % review == 0:
            position = on_hand - waiting + np.sum(pipeline, axis=0)
            pipeline[lead_time] = pipeline[lead_time] + np.maximum(0.0, levels - position)
    return Service(served=served, wanted=future[:, lead_time:].sum(axis=1))


def foreseen(law: Law, levels: Floats, *, lead_time: int, review: int) -> Service:
    """E[D_R] - ESC per item at each column of `levels` (see `leadtime`)."""
    share = lead_time / (lead_time + review)
    short = _short(law.mean, law.variance, levels)
    short = short - _short(law.mean * share, law.variance * share, levels)
    wanted = law.mean * (1 - share)
    return Service(served=wanted[:, None] - np.maximum(short, 0.0), wanted=wanted)


def _short(mean: Floats, variance: Floats, levels: Floats) -> Floats:
    """E[(D - S)+] in closed form: k P(D = k) of a negative binomial with size r is mean times the
    probability of k - 1 with size r + 1, and alike for the gamma."""
    mu = np.maximum(mean, 1e-9)[:, None]
    var = np.maximum(variance[:, None], mu * 1.001)
    p = mu / var
    size = mu * p / (1 - p)
    whole = np.ceil(levels)
    few = mu * survival.negative_binomial(whole - 2, size=size + 1, chance=p)
    few = few - levels * survival.negative_binomial(whole - 1, size=size, chance=p)
    shape, scale = mu**2 / var, var / mu
    many = mu * survival.gamma(levels, shape=shape + 1, scale=scale)
    many = many - levels * survival.gamma(levels, shape=shape, scale=scale)
    return np.asarray(np.where(mu > 300, many, few), dtype=float)
