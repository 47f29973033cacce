"""Order-up-to levels for many items at once, tuned inside the history to reach the fill rate.

Promises: a level for every item that holds a value, from nothing but its history and that of the
others; higher targets never get less stock; the same goods in another unit get the same level; an
item that has long ceased to sell gets none. Too few items: the formula of `leadtime` per item.

Method: the level is the mean of demand over lead time plus review and a safety factor, common to
items of about the same volume (see `safety`), times its standard deviation, both as foretold by
`lead_demand`. (A common tail of the fitted distribution would hold the fewest units if the
distribution were known: Silver, Pyke and Thomas 2017, ch. 6; on real spare parts its far tail is
not, and the common factor holds a tenth less at the same fill.) The factor is the mean of two: the
one whose expected fill rate is the target when demand is negative binomial (Syntetos, Lengu and
Babai 2013), and the one whose simulated fill rate on the last part of the history, decided before
it, was. Whole numbers stay whole, rounded up.

With prices the probability of running out moves in proportion to the price (equal marginal shortage
per money on the shelf) at the same expected fill rate of items of about the same volume, and no
price takes a factor below the one at which these would be DEAREST times as short.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from supplyline.forecast import safety, service
from supplyline.forecast.classes import classify
from supplyline.forecast.grain import Grain, grain_of
from supplyline.forecast.lead_demand import Law, demand_rates, foretold
from supplyline.forecast.leadtime import Level, levels_for
from supplyline.forecast.series import Floats, Series, without_negatives

Levels = dict[str, dict[float, float]]

ENOUGH_ITEMS = 30
GONE = 8.0
"""Usual gaps between demands without one after which an item of class dead is not stocked; of those
that are silent for half as long some begin again."""
PRICE_BOUNDS = (0.05, 8.0)
"""How far a price may move an item's probability of running out from the common one."""
TAIL_SCALE = 0.7
"""Standard deviations by which the tail of demand falls to 1/e: a heavier tail than the normal."""
DEAREST = 2.0
"""How many times as short as the target allows a price may leave items, so that dear ones are not
starved."""
MOVES = np.linspace(-2.5, 2.5, 41)
"""Moves of the factors tried to reach the same fill rate with prices."""


@dataclass(frozen=True)
class Shelf:
    """Items to be stocked, in their grains; `counted` says that demand is whole grains."""

    law: Law
    counted: npt.NDArray[np.bool_]

    @property
    def sd(self) -> Floats:
        return np.asarray(np.sqrt(self.law.variance), dtype=float)

    def levels(self, factor: Floats) -> Floats:
        """Mean plus safety factor times standard deviation, at least zero; `factor` and the levels
        are of shape (items, plans), or one row for all items."""
        found = self.law.mean[:, None] + factor * self.sd[:, None]
        rounded = np.where(self.counted[:, None], np.ceil(found - 1e-9), found)
        return np.asarray(np.where(found > 0, np.maximum(rounded, 0.0), 0.0), dtype=float)


def plan_levels(
    batch: Sequence[Series],
    *,
    lead_time: int,
    review: int,
    targets: tuple[float, ...],
    prices: Mapping[str, float],
) -> tuple[Levels, dict[str, list[str]]]:
    """Item → target → S, and what is to be said per item."""
    # In the order of their names, so that the order of a file changes nothing, not even rounding.
    clean = [without_negatives(s) for s in sorted(batch, key=lambda s: s.id) if s.values.size]
    notes = {s.id: [*s.notes] for s in [*batch, *clean] if s.notes or not s.values.size}
    alive = []
    for one in clean:
        pattern = classify(one.values)
        if pattern.name in ("new", "dead", "insufficient"):
            notes[one.id] = [*one.notes, pattern.why]
        if _gone(one.values):
            notes[one.id].append("Nothing is stocked.")
        else:
            alive.append(one)
    levels: Levels = {s.id: dict.fromkeys(targets, 0.0) for s in clean}
    pooled = pool_levels(alive, lead_time=lead_time, review=review, targets=targets, prices=prices)
    if pooled is None:
        found = _one_by_one(alive, lead_time=lead_time, review=review, targets=targets)
        return levels | found, notes
    return levels | {i: {t: v.amount for t, v in p.items()} for i, p in pooled.items()}, notes


def pool_levels(
    alive: Sequence[Series],
    *,
    lead_time: int,
    review: int,
    targets: tuple[float, ...],
    prices: Mapping[str, float],
    own_targets: Mapping[str, float] = MappingProxyType({}),
) -> dict[str, dict[float, Level]] | None:
    """Item → target → level for items that sell, in the order of their names and without negative
    values; None where too few histories are long enough.

    With `own_targets` a target is tuned on the items that have it (where these are enough), so that
    it is met by them and not by others.
    """
    window = _window(alive, lead_time=lead_time, review=review)
    usable = [i for i, s in enumerate(alive) if _tells(s.values, window)]
    if len(usable) < ENOUGH_ITEMS:
        return None
    grains = [grain_of(s.values) for s in alive]
    pool = Pool(
        grains=grains,
        histories=[s.values / g.size for s, g in zip(alive, grains, strict=True)],
        window=window,
        usable=usable,
        lead_time=lead_time,
        review=review,
    )
    shelf = pool.shelf()
    own = np.array([own_targets.get(s.id, np.nan) for s in alive])
    ratio = _price_ratios([s.id for s in alive], prices)
    factor = _factors(pool, shelf, targets, own, ratio)
    amount = shelf.levels(factor)
    short = pool.foreseen(shelf, factor)
    fill = 1 - short.short / np.maximum(short.wanted, 1e-9)[:, None]
    return {
        one.id: {
            t: Level(
                amount=grain.up(float(amount[i, k])),
                mean=float(shelf.law.mean[i] * grain.size),
                sd=float(shelf.sd[i] * grain.size),
                factor=float(factor[i, k]),
                fill=float(np.clip(fill[i, k], 0.0, 1.0)),
            )
            for k, t in enumerate(targets)
        }
        for i, (one, grain) in enumerate(zip(alive, pool.grains, strict=True))
    }


def _gone(values: Floats) -> bool:
    """Whether an item of class dead was silent for so long that it is not stocked at all."""
    pattern = classify(values)
    if pattern.name != "dead":
        return False
    sold = np.flatnonzero(values)
    return sold.size == 0 or pattern.idle >= GONE * (sold[-1] + 1) / sold.size


def _tells(values: Floats, window: int) -> bool:
    """Whether a history is long enough to decide before the window and look what came."""
    past = values[:-window] if window else values[:0]
    return bool(past.size >= 8 and past.any())


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Items set together: `histories` in grains, `window`: periods kept back for tuning, `usable`:
    positions of those with enough history before it."""

    grains: list[Grain]
    histories: list[Floats]
    window: int
    usable: list[int]
    lead_time: int
    review: int

    def shelf(self) -> Shelf:
        """All items as they stand now."""
        law = foretold(self.histories, periods=self.lead_time + self.review)
        return Shelf(law, np.array([g.counted for g in self.grains]))

    def happened(self) -> service.Service:
        """What each of FACTORS, decided before the window, would have done in it."""
        past = [self.histories[i][: -self.window] for i in self.usable]
        future = np.stack([self.histories[i][-self.window :] for i in self.usable])
        law = foretold(past, periods=self.lead_time + self.review)
        shelf = Shelf(law, np.array([self.grains[i].counted for i in self.usable]))
        levels = shelf.levels(safety.FACTORS[None, :])
        return service.happened(law, future, levels, lead_time=self.lead_time, review=self.review)

    def foreseen(self, shelf: Shelf, factor: Floats) -> service.Service:
        return service.foreseen(
            shelf.law, shelf.levels(factor), lead_time=self.lead_time, review=self.review
        )


def _factors(
    pool: Pool, shelf: Shelf, targets: tuple[float, ...], own: Floats, ratio: Floats
) -> Floats:
    """(items, targets): safety factors, each target's from the items that have it."""
    now, before = pool.foreseen(shelf, safety.FACTORS[None, :]), pool.happened()
    out = []
    for target in targets:
        mine = np.isnan(own) | (own == target)
        if mine.sum() < ENOUGH_ITEMS:
            mine = np.ones(own.size, dtype=bool)
        foreseen, was = now.of(mine), before.of(mine[pool.usable])
        knots = safety.knots_of(foreseen)
        scant = max(0.0, 1 - DEAREST * (1 - target))
        found = safety.factors((target, scant), foreseen=foreseen, happened=was)
        factor, least = safety.between(knots, found, now.volume).T
        if (ratio != 1).any():
            factor = _priced(pool, shelf, factor[:, None], least[:, None], ratio)
        out.append(factor)
    return np.column_stack(out)


def _priced(pool: Pool, shelf: Shelf, factor: Floats, least: Floats, ratio: Floats) -> Floats:
    """Factors by price, (items,), at the expected fill rate of `factor`, none below `least`."""
    shift = TAIL_SCALE * np.log(ratio)[:, None]
    plain = pool.foreseen(shelf, factor)
    knots = safety.knots_of(plain)
    aims = safety.near(plain, knots)[0][:, 0]
    tried = np.maximum(factor + MOVES[None, :] - shift, least)
    fill = np.maximum.accumulate(safety.near(pool.foreseen(shelf, tried), knots)[0], axis=1)
    move = np.array([np.interp(a, row, MOVES) for a, row in zip(aims, fill, strict=True)])
    moved = factor + safety.between(knots, move[:, None], plain.volume) - shift
    return np.asarray(np.maximum(moved, least)[:, 0], dtype=float)


def _one_by_one(
    clean: Sequence[Series], *, lead_time: int, review: int, targets: tuple[float, ...]
) -> Levels:
    rates = demand_rates([s.values for s in clean], periods=lead_time + review)
    out: Levels = {}
    for one, expected in zip(clean, rates, strict=True):
        rate = 0.0 if classify(one.values).name == "dead" else float(expected)
        found = levels_for(
            one.values, rate=rate, lead_time=lead_time, review=review, targets=targets
        )
        out[one.id] = {t: v.amount for t, v in found.items()}
    return out


def _window(clean: Sequence[Series], *, lead_time: int, review: int) -> int:
    """Periods kept back for tuning: a third of the usual history, 0 when that is too short."""
    if not clean:
        return 0
    usual = int(np.median([s.values.size for s in clean]))
    window = min(usual // 3, max(16, 5 * (lead_time + review)))
    return window if window >= lead_time + review + 2 else 0


def _price_ratios(items: Sequence[str], prices: Mapping[str, float]) -> Floats:
    """Price over the median price, bounded; 1 where no price is known."""
    price = np.array([prices.get(i, np.nan) for i in items], dtype=float)
    known = np.isfinite(price)
    if not known.any():
        return np.ones(len(items))
    ratio = np.where(known, price / np.median(price[known]), 1.0)
    return np.asarray(np.clip(ratio, *PRICE_BOUNDS), dtype=float)
