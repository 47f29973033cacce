"""Order-up-to levels of a run's items by the same code as `plan-series`: `stocking.plan_levels`.

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
from supplyline.forecast.pools import pool_of
from supplyline.forecast.series import Series
from supplyline.forecast.stocking import ENOUGH_ITEMS, plan_levels
from supplyline.forecast.terms import Facts, Terms, terms_of

POOL_ITEMS = 2000
"""Items of the run that are in every chunk's pool: neighbours by code are alike, and a pool of them
alone would say more of their kind than of demand."""
SEASONAL = ("seasonal", "long season")


@dataclass(frozen=True, kw_only=True)
class Stocked:
    """An item of a pool: its history and what is known of it."""

    series: Series
    facts: Facts


def pooled(
    own: Sequence[Stocked], others: Sequence[Stocked], *, terms: Terms, season: int
) -> dict[str, float]:
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
    out: dict[str, float] = {}
    for (lead, review), pool in groups.items():
        if len(pool) < ENOUGH_ITEMS:
            continue
        targets = tuple(sorted({terms_of(s.facts, terms).target for s in mine[lead, review]}))
        found, _ = plan_levels(
            [s.series for s in pool],
            lead_time=lead,
            review=review,
            targets=targets,
            prices={},
            own_targets={s.series.id: terms_of(s.facts, terms).target for s in pool},
        )
        for one in mine[lead, review]:
            levels = found.get(one.series.id)
            if levels is not None:
                out[one.series.id] = levels[terms_of(one.facts, terms).target]
    return out


def _whole_periods(facts: Facts, terms: Terms) -> tuple[int, int] | None:
    own = terms_of(facts, terms)
    lead, review = round(own.lead), round(own.review)
    if own.varying or review < 1 or abs(own.lead - lead) > 1e-6 or abs(own.review - review) > 1e-6:
        return None
    return lead, review


def _fits(one: Stocked, season: int) -> bool:
    values = np.maximum(one.series.values, 0.0)
    if not values.size or one.facts.status:
        return False
    pattern = classify(values)
    return pattern.name != "dead" and pool_of(values, pattern, season) not in SEASONAL
