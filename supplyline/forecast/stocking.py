"""Order-up-to levels for many items at once, tuned inside the history to reach the fill rate.

Promises: a level for every item that holds a value, from nothing but its history and that of the
others; higher targets never get less stock; the same goods in another unit get the same level; an
item that has long ceased to sell gets none. Too few items: the formula of `leadtime` per item.
Histories too short for a replay: what is expected alone.

Method: the level is the mean of demand over lead time plus review and a safety factor, common to
items of about the same volume (see `safety`), times its standard deviation, both as given by
`lead_demand.blended`. (A common tail of the fitted distribution would hold the fewest units if the
distribution were known: Silver, Pyke and Thomas 2017, ch. 6; on real spare parts its far tail is
not, and the common factor holds a tenth less at the same fill.) The factor is the mean of two: the
one whose expected fill rate is the target when demand is negative binomial (Syntetos, Lengu and
Babai 2013), and, counting three times as much, the one whose simulated fill rate in a replay of the
last part of the history, decided from what was known by then, was. Whole numbers stay whole,
rounded up. With prices: see `pricing`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import MappingProxyType

import numpy as np
import numpy.typing as npt

from supplyline.forecast import pricing, safety, service
from supplyline.forecast.classes import classify, gone
from supplyline.forecast.grain import Grain, grain_of
from supplyline.forecast.lead_demand import Law, blended, correction, demand_rates
from supplyline.forecast.leadtime import Level, levels_for
from supplyline.forecast.seasons import without_season
from supplyline.forecast.series import Floats, Series, without_negatives

Levels = dict[str, dict[float, float]]

ENOUGH_ITEMS = 30
SHORTEST = 12
"""Periods of history from which items tell of each other."""
DECISIONS = 4
"""How often levels are decided anew in the replay of the last part of the history."""


@dataclass(frozen=True)
class Shelf:
    """Items to be stocked, in their grains; `counted` says that demand is whole grains."""

    law: Law
    counted: npt.NDArray[np.bool_]

    @property
    def sd(self) -> Floats:
        return np.asarray(np.sqrt(self.law.variance), dtype=float)

    def of(self, part: slice) -> Shelf:
        return Shelf(self.law.of(part), self.counted[part])

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
    season: int = 1,
) -> tuple[Levels, dict[str, list[str]]]:
    """Item → target → S, and what is to be said per item. With a `season` of more than one period,
    S of items that have one is for the part of it that comes."""
    # In the order of their names, so that the order of a file changes nothing, not even rounding.
    clean = [without_negatives(s) for s in sorted(batch, key=lambda s: s.id) if s.values.size]
    notes = {s.id: [*s.notes] for s in [*batch, *clean] if s.notes or not s.values.size}
    alive = []
    for one in clean:
        pattern = classify(one.values)
        if pattern.name in ("new", "dead", "insufficient"):
            notes[one.id] = [*one.notes, pattern.why]
        if gone(one.values):
            notes[one.id].append("Nothing is stocked.")
        else:
            alive.append(one)
    levels: Levels = {s.id: dict.fromkeys(targets, 0.0) for s in clean}
    plain, ahead = without_season(alive, season=season, span=lead_time + review)
    pooled = pool_levels(plain, lead_time=lead_time, review=review, targets=targets, prices=prices)
    if pooled is None:
        found = _one_by_one(plain, lead_time=lead_time, review=review, targets=targets)
    else:
        found = {i: {t: v.amount for t, v in p.items()} for i, p in pooled.items()}
    for one in alive:
        if one.id in ahead:
            row, grain = found[one.id], grain_of(one.values)
            found[one.id] = {t: grain.whole(v * ahead[one.id]) for t, v in row.items()}
    return levels | found, notes


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
    values; None where fewer than ENOUGH_ITEMS have SHORTEST periods.

    With `own_targets` a target is tuned on the items that have it (where these are enough), so that
    it is met by them and not by others.
    """
    window = _window(alive, lead_time=lead_time, review=review)
    usable = [i for i, s in enumerate(alive) if _tells(s.values, window)]
    if len(usable) < ENOUGH_ITEMS:
        usable = []
    if sum(s.values.size >= SHORTEST and bool(s.values.any()) for s in alive) < ENOUGH_ITEMS:
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
    ratio = pricing.ratios([s.id for s in alive], prices)
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


def _tells(values: Floats, window: int) -> bool:
    """Whether a history is long enough to decide before the window and look what came."""
    past = values[:-window] if window else values[:0]
    return bool(past.size >= 8 and past.any())


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What happened to items in `future` (items, periods), in their grains; the next of `shelves`
    is decided upon `every` so many periods."""

    shelves: list[Shelf]
    every: int
    future: Floats
    lead_time: int
    review: int

    def happened(self, factor: Floats) -> service.Service:
        """What safety factors (items, plans) would have done."""

        def some(part: slice) -> service.Service:
            shelves = [shelf.of(part) for shelf in self.shelves]
            return service.happened(
                shelves[0].law,
                self.future[part],
                [shelf.levels(factor[part]) for shelf in shelves],
                every=self.every,
                lead_time=self.lead_time,
                review=self.review,
            )

        return service.in_parts(len(self.future), some)


@dataclass(frozen=True, kw_only=True)
class Pool:
    """Items set together: `histories` in grains, `window`: periods kept back for tuning, `usable`:
    positions of those with enough history before it, none where these are too few."""

    grains: list[Grain]
    histories: list[Floats]
    window: int
    usable: list[int]
    lead_time: int
    review: int

    def shelf(self) -> Shelf:
        """All items as they stand now."""
        law = blended(self.histories, periods=self.lead_time + self.review)
        return Shelf(law, np.array([g.counted for g in self.grains]))

    def replay(self) -> Replay:
        """The window as it would have gone, decided at its begin and DECISIONS times in it from the
        history up to then."""
        histories = [self.histories[i] for i in self.usable]
        periods = self.lead_time + self.review
        begin = correction([h[: -self.window] for h in histories], periods=periods)
        every = max(self.review, -(-self.window // DECISIONS))
        cuts = [self.window - t for t in range(0, self.window, every)]
        laws = [blended([h[:-c] for h in histories], periods=periods, learned=begin) for c in cuts]
        counted = np.array([self.grains[i].counted for i in self.usable])
        return Replay(
            shelves=[Shelf(law, counted) for law in laws],
            every=every,
            future=np.stack([h[-self.window :] for h in histories]),
            lead_time=self.lead_time,
            review=self.review,
        )

    def foreseen(self, shelf: Shelf, factor: Floats) -> service.Service:
        """What safety factors (items, plans) are expected to do."""

        def some(part: slice) -> service.Service:
            mine = shelf.of(part)
            return service.foreseen(
                mine.law, mine.levels(factor[part]), lead_time=self.lead_time, review=self.review
            )

        return service.in_parts(len(factor), some)


def _factors(
    pool: Pool, shelf: Shelf, targets: tuple[float, ...], own: Floats, ratio: Floats
) -> Floats:
    """(items, targets): safety factors, each target's from the items that have it."""
    replay = pool.replay() if pool.usable else None

    def happened(tried: Floats) -> service.Service:
        return replay.happened(tried[pool.usable]) if replay else service.nothing(tried.shape[1])

    every = np.broadcast_to(safety.FACTORS, (own.size, safety.FACTORS.size))
    now, before = pool.foreseen(shelf, every), happened(every)
    out: list[Floats] = []
    for target in sorted(targets):
        mine = np.isnan(own) | (own == target)
        if mine.sum() < ENOUGH_ITEMS:
            mine = np.ones(own.size, dtype=bool)
        foreseen, was = now.of(mine), before.of(mine[pool.usable])
        knots = safety.knots_of(foreseen)
        aims = (target, pricing.scant(target))
        found = safety.factors(aims, foreseen=foreseen, happened=was)
        factor, least = safety.between(knots, found, now.volume).T
        if (ratio != 1).any():
            factor = pricing.priced(
                factor,
                least,
                ratio=ratio,
                value=ratio * shelf.law.mean * np.array([g.size for g in pool.grains]),
                foreseen=lambda tried: pool.foreseen(shelf, tried),
                happened=happened,
                usable=pool.usable,
            )
        out.append(factor)
    rising = np.maximum.accumulate(np.column_stack(out), axis=1)
    return np.asarray(rising[:, np.argsort(np.argsort(targets))], dtype=float)


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
