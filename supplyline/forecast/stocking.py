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
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from supplyline.forecast import service
from supplyline.forecast.classes import classify
from supplyline.forecast.grain import Grain, grain_of
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
    """Items to be stocked, in their grains: `weight` multiplies the probability of running out,
    `counted` says that demand is a whole number of grains."""

    law: Law
    weight: Floats
    counted: npt.NDArray[np.bool_]

    def levels(self, factor: Floats) -> Floats:
        """(items, factors): mean plus safety factor times standard deviation, at least zero."""
        least = np.minimum(factor, LEAST_FACTOR)[None, :]
        own = np.maximum(factor[None, :] - TAIL_SCALE * np.log(self.weight)[:, None], least)
        wide = np.sqrt(np.maximum(self.law.variance, self.law.mean))[:, None]
        found = np.maximum(self.law.mean[:, None] + own * wide, 0.0)
        rounded = np.where(self.counted[:, None], np.ceil(found - 1e-9), found)
        return np.asarray(rounded, dtype=float)


def plan_levels(
    batch: Sequence[Series],
    *,
    lead_time: int,
    review: int,
    targets: tuple[float, ...],
    prices: Mapping[str, float],
    own_targets: Mapping[str, float] = MappingProxyType({}),
) -> tuple[Levels, dict[str, list[str]]]:
    """Item → target → S, and what is to be said per item.

    With `own_targets` a target is tuned on the items that have it (where these are enough), so that
    it is met by them and not by others that sell more.
    """
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
    if len(usable) < ENOUGH_ITEMS:
        return _one_by_one(clean, lead_time=lead_time, review=review, targets=targets), notes
    pool = _pool(clean, window=window, usable=usable, prices=prices)
    wanted = [own_targets.get(s.id) for s in clean]
    factors = _factors(pool, targets, wanted, lead_time=lead_time, review=review)
    final = pool.shelf(pool.histories, lead_time + review).levels(factors)
    levels = {
        s.id: {t: grain.up(v) for t, v in zip(targets, row, strict=True)}
        for s, grain, row in zip(clean, pool.grains, final, strict=True)
    }
    return levels, notes


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Items set together: `histories` in grains, `window`: periods kept back for tuning, `usable`:
    positions of those with enough history before it, `weight` as in `Shelf`."""

    histories: list[Floats]
    grains: list[Grain]
    weight: Floats
    window: int
    usable: list[int]

    def shelf(self, histories: list[Floats], span: int, part: list[int] | None = None) -> Shelf:
        """The items (or a part of them) after these histories."""
        at = range(len(histories)) if part is None else part
        counted = np.array([self.grains[i].counted for i in at])
        return Shelf(foretold(histories, periods=span), self.weight[list(at)], counted)


def _pool(
    clean: Sequence[Series], *, window: int, usable: list[int], prices: Mapping[str, float]
) -> Pool:
    grains = [grain_of(s.values) for s in clean]
    return Pool(
        histories=[s.values / g.size for s, g in zip(clean, grains, strict=True)],
        grains=grains,
        weight=_price_weights([s.id for s in clean], prices),
        window=window,
        usable=usable,
    )


def _factors(
    pool: Pool,
    targets: tuple[float, ...],
    wanted: Sequence[float | None],
    *,
    lead_time: int,
    review: int,
) -> Floats:
    """The safety factor per target: from the fill rates that FACTORS are foreseen to reach now and
    those that they reached before, both of the items that have this target."""
    span = lead_time + review
    past = [pool.histories[i][: -pool.window] for i in pool.usable]
    future = np.stack([pool.histories[i][-pool.window :] for i in pool.usable])
    before = pool.shelf(past, span, pool.usable)
    now = pool.shelf(pool.histories, span)
    was = service.happened(future, before.levels(FACTORS), lead_time=lead_time, review=review)
    will = service.foreseen(now.law, now.levels(FACTORS), lead_time=lead_time, review=review)
    size = np.array([g.size for g in pool.grains])
    sold = np.maximum(before.law.mean / span, future.mean(axis=1))
    out = []
    for target in targets:
        mine = np.array([w is None or w == target for w in wanted])
        counts = np.where(mine, size, 0.0) if mine.sum() >= ENOUGH_ITEMS else size
        fact = was.fill(service.weights(sold, counts[pool.usable]))
        model = will.fill(service.weights(now.law.mean / span, counts))
        out.append(_factor(target, foreseen=model, happened=fact))
    return np.asarray(np.maximum.accumulate(out) if not any(wanted) else out, dtype=float)


def _factor(target: float, *, foreseen: Floats, happened: Floats) -> float:
    """Both fill rates rise with the factor."""
    model = np.interp(target, np.maximum.accumulate(foreseen), FACTORS)
    fact = np.interp(target, np.maximum.accumulate(happened), FACTORS)
    return float(model + np.clip((fact - model) / 2, -MOVE, MOVE))


def _one_by_one(
    clean: Sequence[Series], *, lead_time: int, review: int, targets: tuple[float, ...]
) -> Levels:
    out: Levels = {}
    rates = demand_rates([s.values for s in clean], periods=lead_time + review)
    for one, expected in zip(clean, rates, strict=True):
        rate = 0.0 if classify(one.values).name == "dead" else float(expected)
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
