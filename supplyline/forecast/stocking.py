"""Order-up-to levels for many items at once, tuned inside the history to reach the fill rate.

Promises: a level for every item that holds a value, from nothing but its history and that of the
others; higher targets never get less stock.

Method: the level is the mean of demand over lead time plus review and a safety factor, common to
all items, times its standard deviation, both as foretold by `lead_demand`. (A common tail of the
fitted distribution would hold the fewest units if the distribution were known: Silver, Pyke and
Thomas 2017, ch. 6; on real spare parts its far tail is not, and the common factor holds a tenth
less at the same fill.) The factor is the mean of two: the one whose expected fill rate is the
target when demand is negative binomial (Syntetos, Lengu and Babai 2013), and the one whose
simulated fill rate on the last part of the history, decided before it, was. With prices the
probability of running out is in proportion to the price (equal marginal shortage per money on the
shelf), within bounds, so that dear items are not starved. Whole numbers stay whole, rounded up.
Too few items: the formula of `leadtime` per item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast import survival
from supplyline.forecast.classes import classify
from supplyline.forecast.lead_demand import Law, demand_rates, foretold
from supplyline.forecast.leadtime import order_up_to
from supplyline.forecast.series import Floats, Series, without_negatives

Levels = dict[str, dict[float, float]]

ENOUGH_ITEMS = 30
FACTORS = np.linspace(-1.0, 12.0, 53)
"""Safety factors tried."""
MOVE = 1.0
"""How far what happened may move the factor from what the model says."""
PRICE_BOUNDS = (0.05, 8.0)
"""How far a price may move an item's probability of running out from the common one."""
TAIL_SCALE = 0.7
"""Standard deviations by which the tail of demand falls to 1/e: a heavier tail than the normal."""
LEAST_FACTOR = -0.5
"""The safety factor below which no price puts an item, so that dear items are not starved."""


@dataclass(frozen=True)
class Shelf:
    """Items to be stocked: `weight` multiplies the probability of running out, `whole` says that
    they are counted in whole units."""

    law: Law
    weight: Floats
    whole: npt.NDArray[np.bool_]

    def levels(self, factor: Floats) -> Floats:
        """(items, factors): mean plus safety factor times standard deviation, at least zero."""
        least = np.minimum(factor, LEAST_FACTOR)[None, :]
        own = np.maximum(factor[None, :] - TAIL_SCALE * np.log(self.weight)[:, None], least)
        wide = np.sqrt(np.maximum(self.law.variance, self.law.mean))[:, None]
        found = np.maximum(self.law.mean[:, None] + own * wide, 0.0)
        rounded = np.where(self.whole[:, None], np.ceil(found - 1e-9), found)
        return np.asarray(rounded, dtype=float)


def plan_levels(
    batch: Sequence[Series],
    *,
    lead_time: int,
    review: int,
    targets: tuple[float, ...],
    prices: Mapping[str, float],
) -> tuple[Levels, dict[str, list[str]]]:
    """Item → target → S, and what is to be said per item."""
    notes: dict[str, list[str]] = {}
    # In the order of their names, so that the order of a file changes nothing, not even rounding.
    clean = [without_negatives(s) for s in sorted(batch, key=lambda s: s.id) if s.values.size]
    for one in clean:
        said = list(one.notes)
        pattern = classify(one.values)
        if pattern.name in ("new", "dead", "insufficient"):
            said.append(pattern.why)
        if said:
            notes[one.id] = said
    for one in batch:
        if not one.values.size:
            notes[one.id] = [*one.notes]
    window = _window(clean, lead_time=lead_time, review=review)
    past = [s.values[:-window] for s in clean] if window else []
    usable = [i for i, p in enumerate(past) if p.size >= 8 and p.any()]
    histories = [s.values for s in clean]
    if len(usable) < ENOUGH_ITEMS:
        return _one_by_one(clean, lead_time=lead_time, review=review, targets=targets), notes
    weight = _price_weights([s.id for s in clean], prices)
    whole = np.array([not (h % 1).any() for h in histories])
    span = lead_time + review
    before = Shelf(foretold([past[i] for i in usable], periods=span), weight[usable], whole[usable])
    future = np.stack([histories[i][-window:] for i in usable])
    happened = _fills(future, before.levels(FACTORS), lead_time=lead_time, review=review)
    now = Shelf(foretold(histories, periods=span), weight, whole)
    foreseen = _expected_fills(now, lead_time=lead_time, review=review)
    final = now.levels(_factors(targets, foreseen=foreseen, happened=happened))
    levels = {
        s.id: {t: float(v) for t, v in zip(targets, row, strict=True)}
        for s, row in zip(clean, final, strict=True)
    }
    return levels, notes


def _factors(targets: tuple[float, ...], *, foreseen: Floats, happened: Floats) -> Floats:
    """The safety factor per target, from the fill rates that FACTORS are foreseen to reach now and
    those that they reached before; both rise with the factor."""
    model = np.interp(targets, np.maximum.accumulate(foreseen), FACTORS)
    fact = np.interp(targets, np.maximum.accumulate(happened), FACTORS)
    return np.asarray(model + np.clip((fact - model) / 2, -MOVE, MOVE), dtype=float)


def _one_by_one(
    clean: Sequence[Series], *, lead_time: int, review: int, targets: tuple[float, ...]
) -> Levels:
    out: Levels = {}
    rates = demand_rates([s.values for s in clean], periods=lead_time + review)
    for one, expected in zip(clean, rates, strict=True):
        dead = classify(one.values).name == "dead"
        rate = 0.0 if dead else float(expected)
        out[one.id] = order_up_to(
            one.values, rate=rate, lead_time=lead_time, review=review, targets=targets
        )
    return out


def _window(clean: Sequence[Series], *, lead_time: int, review: int) -> int:
    """Periods kept back for tuning: a third of the usual history, 0 when that is too short."""
    if not clean:
        return 0
    usual = int(np.median([s.values.size for s in clean]))
    window = min(usual // 3, max(16, 5 * (lead_time + review)))
    return window if window >= lead_time + review + 2 else 0


def _price_weights(items: Sequence[str], prices: Mapping[str, float]) -> Floats:
    """Factor on the tail probability per item: its price over the median price, bounded."""
    price = np.array([prices.get(i, np.nan) for i in items], dtype=float)
    known = np.isfinite(price)
    if not known.any():
        return np.ones(len(items))
    ratio = np.where(known, price / np.median(price[known]), 1.0)
    return np.asarray(np.clip(ratio, *PRICE_BOUNDS), dtype=float)


def _fills(future: Floats, levels: Floats, *, lead_time: int, review: int) -> Floats:
    """Volume fill rate over all items for each column of `levels`, by order-up-to with backorders.

    Events in a period: arrivals, demand (what waits is served first), review. The first lead time
    is not counted, as the shelf begins full.
    """
    on_hand = levels.copy()
    waiting = np.zeros_like(levels)
    pipeline = [np.zeros_like(levels) for _ in range(lead_time + 1)]
    served, wanted = np.zeros(levels.shape[1]), 0.0
    for t in range(future.shape[1]):
        on_hand = on_hand + pipeline.pop(0)
        pipeline.append(np.zeros_like(levels))
        back = np.minimum(on_hand, waiting)
        on_hand, waiting = on_hand - back, waiting - back
        asked = future[:, t, None]
        now = np.minimum(on_hand, asked)
        on_hand, waiting = on_hand - now, waiting + asked - now
        if t >= lead_time:
            served += now.sum(axis=0)
            wanted += float(asked.sum())
        if t % review == 0:
            position = on_hand - waiting + np.sum(pipeline, axis=0)
            pipeline[lead_time] = pipeline[lead_time] + np.maximum(0.0, levels - position)
    return np.asarray(served / wanted if wanted else np.ones(levels.shape[1]), dtype=float)


def _expected_fills(shelf: Shelf, *, lead_time: int, review: int) -> Floats:
    """1 - ESC / E[D_R] over all items for each of FACTORS (see `leadtime`)."""
    mean, variance, levels = shelf.law.mean, shelf.law.variance, shelf.levels(FACTORS)
    share = lead_time / (lead_time + review)
    short = _short(mean, variance, levels) - _short(mean * share, variance * share, levels)
    wanted = float(mean.sum()) * (1 - share)
    total = np.asarray(np.maximum(short, 0.0).sum(axis=0), dtype=float)
    return 1 - total / wanted if wanted else np.ones(levels.shape[1])


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
