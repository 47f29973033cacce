"""How much stock a target fill rate needs: demand over lead time plus review, and its tail.

Model: periodic review, order-up-to level S, backorders (Silver, Pyke and Thomas 2017, *Inventory
and Production Management in Supply Chains*, ch. 6-7). Every R periods the position is raised to
S; the order arrives L periods later. Units short per cycle are

    ESC(S) = E[(D_{L+R} - S)+] - E[(D_L - S)+]

and the fill rate is 1 - ESC / E[D_R]. Demand over a span is negative binomial where its variance
exceeds its mean (Syntetos, Lengu and Babai 2013), nearly Poisson where not, and gamma where the
quantities are large.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from supplyline.forecast import survival
from supplyline.forecast.grain import grain_of
from supplyline.forecast.series import Floats

STEPS = 64
"""Levels tried at a time."""


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


def _fill(lead: Span, both: Span, levels: Floats) -> Floats:
    """Fill rate at each level, in whole units: 1 - ESC / E[D_R]; none below the mean of the lead
    time, where ESC is not monotone."""
    short = survival.expected_short(
        np.array([both.mean, lead.mean]),
        np.array([both.variance, lead.variance]),
        levels[None, :],
        volume=np.full(2, both.mean),
    )
    fill = 1 - np.clip((short[0] - short[1]) / (both.mean - lead.mean), 0.0, 1.0)
    return np.asarray(np.where(levels < lead.mean, 0.0, np.maximum.accumulate(fill)), dtype=float)


def _least(lead: Span, both: Span, target: float) -> float:
    """The least whole level whose fill rate is the target, to a part in STEPS² of where demand
    ends: by steps, and by smaller ones in the last of these."""
    low, top = -1.0, float(np.ceil(both.mean + 12 * np.sqrt(both.variance) + 10))
    for _ in range(2):
        tried = np.unique(np.ceil(np.linspace(low, top, STEPS + 1)[1:]))
        reached = _fill(lead, both, tried) >= target
        if not reached.any():
            return top
        first = int(np.argmax(reached))
        low, top = (float(tried[first - 1]) if first else low), float(tried[first])
    return top


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
    sd = float(np.sqrt(both.variance))
    out = {}
    for target in targets:
        amount = grain.up(_least(lead, both, target))
        out[target] = Level(
            amount=amount,
            mean=both.mean * unit,
            sd=sd * unit,
            factor=(amount / unit - both.mean) / sd if sd > 0 else 0.0,
            fill=float(_fill(lead, both, np.array([amount / unit]))[0]),
        )
    return out


@dataclass(frozen=True, kw_only=True)
class Risk:
    """`chance`: P(demand until an order placed now arrives > position); `short`: units short in the
    mean; `mean` and `sd` of that demand."""

    chance: float = 0.0
    short: float = 0.0
    mean: float = 0.0
    sd: float = 0.0


def stockout(
    position: float, values: Floats, *, rate: float, lead_time: float, lead_time_sd: float
) -> Risk:
    """The risk of running out before an order placed now arrives."""
    if rate <= 0:
        return Risk()
    unit = grain_of(values).size
    span, _ = spans(
        values / unit, rate=rate / unit, lead_time=lead_time, review=0.0, lead_time_sd=lead_time_sd
    )
    levels = max(position, 0.0) / unit + np.array([[0.0, 1.0]])
    short = survival.expected_short(np.array([span.mean]), np.array([span.variance]), levels)[0]
    return Risk(
        chance=float(np.clip(short[0] - short[1], 0.0, 1.0)),
        short=float(short[0]) * unit,
        mean=span.mean * unit,
        sd=float(np.sqrt(span.variance)) * unit,
    )
