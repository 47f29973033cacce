"""How much stock a target fill rate needs: demand over lead time plus review, and its tail.

Model: periodic review, order-up-to level S, backorders (Silver, Pyke and Thomas 2017, *Inventory
and Production Management in Supply Chains*, ch. 6-7). Every R periods the position is raised to
S; the order arrives L periods later. Units short per cycle are

    ESC(S) = E[(D_{L+R} - S)+] - E[(D_L - S)+]

and the fill rate is 1 - ESC / E[D_R]. Demand over a span is negative binomial where its variance
exceeds its mean (Syntetos, Lengu and Babai 2013), Poisson where not, and gamma where the
quantities are large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supplyline.forecast import survival
from supplyline.forecast.grain import grain_of
from supplyline.forecast.series import Floats

GRID = 512


@dataclass(frozen=True, kw_only=True)
class Span:
    """Demand over a number of periods: mean and variance, in units and units squared."""

    mean: float
    variance: float


def spans(
    values: Floats, *, rate: float, lead_time: float, review: float, lead_time_sd: float = 0.0
) -> tuple[Span, Span]:
    """Demand over `lead_time` and over `lead_time + review` periods, from a history.

    `lead_time_sd`: standard deviation of the lead time in periods; rate² sd² is added to both.

    The variance is that of sums over windows of this length as they happened, so that clustered
    demand is seen, never below what independent periods would give.
    """
    single = float(values.var(ddof=1)) if values.size > 1 else rate
    varying = (rate * lead_time_sd) ** 2
    found = [_span(values, single, rate=rate, periods=p) for p in (lead_time, lead_time + review)]
    lead, both = (Span(mean=s.mean, variance=s.variance + varying) for s in found)
    return lead, both


def _span(values: Floats, single: float, *, rate: float, periods: float) -> Span:
    variance = single * periods
    whole = int(np.ceil(periods))
    if whole > 1 and values.size >= 4 * whole:
        sums = np.convolve(values, np.ones(whole), mode="valid")
        variance = max(variance, float(sums.var(ddof=1)) * periods / whole)
    # The mean is itself estimated: its error adds to every period of the span alike.
    estimated = single * periods**2 / max(8.0, values.size / 2)
    return Span(mean=rate * periods, variance=variance + estimated)


def _grid(span: Span) -> tuple[Floats, float]:
    """Levels to try, and their step (1 for countable demand)."""
    top = span.mean + 12 * np.sqrt(span.variance) + 10
    step = max(1.0, np.ceil(top / GRID)) if top > GRID else 1.0
    return np.arange(0, top + step, step), float(step)


def expected_short(span: Span, levels: Floats) -> Floats:
    """E[(D - S)+] at each level, by summing the survival function above it."""
    if span.mean <= 0:
        return np.zeros_like(levels)
    step = levels[1] - levels[0] if levels.size > 1 else 1.0
    if step > 1 or span.mean > GRID:
        shape = span.mean**2 / max(span.variance, 1e-9)
        above = survival.gamma(levels, shape=shape, scale=span.mean / shape)
    elif span.variance > span.mean * 1.01:
        p = span.mean / span.variance
        above = survival.negative_binomial(levels, size=span.mean * p / (1 - p), chance=p)
    else:
        above = survival.poisson(levels, mean=span.mean)
    # E[(D-S)+] = sum_{k>=S} P(D > k): summed from the top of the grid down.
    tail = np.cumsum(above[::-1])[::-1] * step
    return np.asarray(tail, dtype=float)


def order_up_to(
    values: Floats,
    *,
    rate: float,
    lead_time: float,
    review: float,
    targets: tuple[float, ...],
    lead_time_sd: float = 0.0,
) -> dict[float, float]:
    """Target fill rate → order-up-to level S in units (0 where nothing is expected to sell)."""
    if rate <= 0:
        return dict.fromkeys(targets, 0.0)
    grain = grain_of(values)
    values, rate = values / grain.size, rate / grain.size
    short_lead, both = spans(
        values, rate=rate, lead_time=lead_time, review=review, lead_time_sd=lead_time_sd
    )
    levels, _ = _grid(both)
    esc = np.maximum(expected_short(both, levels) - expected_short(short_lead, levels), 0.0)
    # ESC is not monotone at the very left; from its maximum on it falls.
    fill = np.maximum.accumulate(1 - np.minimum(esc / (rate * review), 1.0))
    fill[levels < short_lead.mean] = np.minimum(fill[levels < short_lead.mean], 0.0)
    out = {}
    for target in targets:
        reached = np.flatnonzero(fill >= target)
        out[target] = grain.up(float(levels[reached[0]] if reached.size else levels[-1]))
    return out
