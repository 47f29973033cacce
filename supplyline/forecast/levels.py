"""Order-up-to levels of a run's items by the same code as `plan-series`: `stocking.pool_levels`.

Promises: where lead time and review are whole periods and do not vary, an item's level is what
`plan-series` gives for the histories of its pool. The pool is the items of its chunk and POOL_ITEMS
of the run, drawn in a fixed order, that have the same lead time and review.

Left to the formula of `leadtime` per item: seasonal items, whose level must follow the forecast;
lead times that vary or are no whole periods (14 days of monthly history); pools below ENOUGH_ITEMS.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supplyline.forecast.classes import classify
from supplyline.forecast.leadtime import Level
from supplyline.forecast.pools import pool_of, season_in
from supplyline.forecast.series import Series, without_negatives
from supplyline.forecast.stocking import ENOUGH_ITEMS, pool_levels
from supplyline.forecast.terms import Facts, Terms, terms_of

POOL_ITEMS = 2000
"""Items of the run that are in every chunk's pool: neighbours by code are alike, and a pool of them
alone would say more of their kind than of demand."""


@dataclass(frozen=True, kw_only=True)
class Stocked:
    """An item of a pool: its history and what is known of it."""

    series: Series
    facts: Facts


def pooled(
    own: Sequence[Stocked], others: Sequence[Stocked], *, terms: Terms, season: int
) -> dict[str, Level]:
    """Item → level in units at its own target fill rate, for those of `own` that have a pool."""
    groups: dict[tuple[int, int], list[Stocked]] = defaultdict(list)
    mine: dict[tuple[int, int], list[Stocked]] = defaultdict(list)
    for one in own:
        whole = _whole_periods(one.facts, terms)
        if whole is not None and _fits(one, season):
            mine[whole].append(one)
            groups[whole].append(one)
    for one in others:
        whole = _whole_periods(one.facts, terms)
        if whole in mine and _fits(one, season):
            groups[whole].append(one)
    out: dict[str, Level] = {}
    for (lead, review), pool in groups.items():
        if len(pool) < ENOUGH_ITEMS:
            continue
        targets = tuple(sorted({terms_of(s.facts, terms).target for s in mine[lead, review]}))
        alive = sorted((without_negatives(s.series) for s in pool), key=lambda s: s.id)
        found = pool_levels(
            alive,
            lead_time=lead,
            review=review,
            targets=targets,
            prices={},
            own_targets={s.series.id: terms_of(s.facts, terms).target for s in pool},
        )
        if found is None:
            continue
        for one in mine[lead, review]:
            out[one.series.id] = found[one.series.id][terms_of(one.facts, terms).target]
    return out


def _whole_periods(facts: Facts, terms: Terms) -> tuple[int, int] | None:
    own = terms_of(facts, terms)
    # A shorter review has the level of one period as its bound (see `policy`).
    lead, periods = round(own.lead), max(own.review, 1.0)
    review = round(periods)
    if own.varying or abs(own.lead - lead) > 1e-6 or abs(periods - review) > 1e-6:
        return None
    return lead, review


def _fits(one: Stocked, season: int) -> bool:
    values = np.maximum(one.series.values, 0.0)
    if not values.size or one.facts.status:
        return False
    pattern = classify(values)
    return pattern.name != "dead" and season_in(pool_of(values, pattern, season), season) == 1
