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

    The variance per period is the largest that sums over windows of up to this length show, so
    that clustered demand is seen, and so that a longer span never has the smaller one.
    """
    single = float(values.var(ddof=1)) if values.size > 1 else rate
    usual = max(single, _clustered(values, longest=int(np.ceil(lead_time + review))))
    varying = (rate * lead_time_sd) ** 2
    lead, both = (
        # The mean is itself estimated: its error adds to every period of the span alike.
        Span(
            mean=rate * p,
            variance=usual * p + single * p**2 / max(8.0, values.size / 2) + varying,
        )
        for p in (lead_time, lead_time + review)
    )
    return lead, both


def _clustered(values: Floats, *, longest: int) -> float:
    """Variance per period of sums over windows of 2 to `longest` periods, the largest."""
    sums = np.concatenate([[0.0], np.cumsum(values)])
    windows = range(2, min(longest, values.size // 4) + 1)
    return max((float((sums[w:] - sums[:-w]).var(ddof=1)) / w for w in windows), default=0.0)


def _grid(span: Span) -> Floats:
    """Levels to try: whole units of countable demand, GRID steps where it is more."""
    top = span.mean + 12 * np.sqrt(span.variance) + 10
    step = max(1.0, np.ceil(top / GRID)) if top > GRID else 1.0
    return np.arange(0, top + step, step)


def expected_short(span: Span, levels: Floats, *, like: Span | None = None) -> Floats:
    """E[(D - S)+] at each level, by summing the survival function above it.

    `like`: the span whose kind of distribution is taken; differences need the same for both.
    """
    if span.mean <= 0:
        return np.zeros_like(levels)
    kind = like or span
    step = levels[1] - levels[0] if levels.size > 1 else 1.0
    if step > 1 or kind.mean > GRID:
        shape = span.mean**2 / max(span.variance, 1e-9)
        above = survival.gamma(levels, shape=shape, scale=span.mean / shape)
    elif kind.variance > kind.mean * 1.01:
        p = span.mean / max(span.variance, span.mean * 1.001)
        above = survival.negative_binomial(levels, size=span.mean * p / (1 - p), chance=p)
    else:
        above = survival.poisson(levels, mean=span.mean)
    # E[(D-S)+] = sum_{k>=S} P(D > k): summed from the top of the grid down.
    tail = np.cumsum(above[::-1])[::-1] * step
    return np.asarray(tail, dtype=float)


def _fill(lead: Span, both: Span, levels: Floats) -> Floats:
    """Fill rate at each level, in whole units: 1 - ESC / E[D_R]."""
    esc = expected_short(both, levels) - expected_short(lead, levels, like=both)
    wanted = both.mean - lead.mean
    # ESC is not monotone at the very left; from its maximum on it falls.
    fill = np.maximum.accumulate(1 - np.clip(esc / wanted, 0.0, 1.0))
    fill[levels < lead.mean] = 0.0
    return fill


@dataclass(frozen=True, kw_only=True)
class Level:
    """An order-up-to level and what it was made of: `mean` and `sd` of demand over lead time plus
    review, the safety factor, and the fill rate expected for this item."""

    amount: float
    mean: float
    sd: float
    factor: float
    fill: float


def level_for(
    values: Floats,
    *,
    rate: float,
    lead_time: float,
    review: float,
    target: float,
    lead_time_sd: float = 0.0,
) -> Level:
    """The least order-up-to level that is expected to reach the target; none where nothing is
    expected to sell. `review` > 0 periods. The same goods in another unit get the same level."""
    return levels_for(
        values, rate=rate, lead_time=lead_time, review=review, targets=(target,),
        lead_time_sd=lead_time_sd,
    )[target]  # fmt: skip


def levels_for(
    values: Floats,
    *,
    rate: float,
    lead_time: float,
    review: float,
    targets: tuple[float, ...],
    lead_time_sd: float = 0.0,
) -> dict[float, Level]:
    """Target → level, as `level_for`."""
    if rate <= 0:
        nothing = Level(amount=0.0, mean=0.0, sd=0.0, factor=0.0, fill=0.0)
        return dict.fromkeys(targets, nothing)
    grain = grain_of(values)
    unit = grain.size
    lead, both = spans(
        values / unit, rate=rate / unit, lead_time=lead_time, review=review,
        lead_time_sd=lead_time_sd,
    )  # fmt: skip
    tried = _grid(both)
    fill = _fill(lead, both, tried)
    sd = float(np.sqrt(both.variance))
    out = {}
    for target in targets:
        reached = np.flatnonzero(fill >= target)
        at = int(reached[0]) if reached.size else tried.size - 1
        amount = grain.up(float(tried[at]))
        out[target] = Level(
            amount=amount,
            mean=both.mean * unit,
            sd=sd * unit,
            factor=(amount / unit - both.mean) / sd if sd > 0 else 0.0,
            fill=float(np.interp(amount / unit, tried, fill)),
        )
    return out


def stockout(
    position: float, values: Floats, *, rate: float, lead_time: float, lead_time_sd: float
) -> tuple[float, float]:
    """P(demand until an order placed now arrives > position), and the units short in the mean."""
    if rate <= 0:
        return 0.0, 0.0
    unit = grain_of(values).size
    span, _ = spans(
        values / unit, rate=rate / unit, lead_time=lead_time, review=0.0, lead_time_sd=lead_time_sd
    )
    step = max(1.0, span.mean / 200)
    levels = np.asarray(max(position, 0.0) / unit + np.arange(402) * step, dtype=float)
    short = expected_short(span, levels)
    return float(np.clip((short[0] - short[1]) / step, 0.0, 1.0)), float(short[0]) * unit
