"""A plan with its overrides: what they change, and what is said of it.

Demand of an override is spread evenly over its days: of a period that lies half in them, the other
half stays the model's. The interval moves along with the mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import numpy as np

from supplyline.forecast.overrides import DEMAND, FILL_RATE, Override, as_json
from supplyline.forecast.terms import Facts, Terms

if TYPE_CHECKING:
    from supplyline.forecast.engine import Forecast

UNSOLD = "no_history"
"""Status of items whose only forecast is an override."""


@dataclass(frozen=True, kw_only=True)
class Used:
    """What a plan is made from, after its overrides. `demand`: override ids, the model's mean and
    the one used, by the first day of the period; `said`: for the plan's explanation."""

    forecast: Forecast | None
    facts: Facts
    terms: Terms
    demand: dict[date, tuple[tuple[int, ...], float, float]]
    said: list[dict[str, Any]]


def apply(
    given: Sequence[Override],
    *,
    forecast: Forecast | None,
    facts: Facts,
    terms: Terms,
    starts: Sequence[date],
) -> Used:
    """`starts`: first days of the periods ahead, and of the one after the last."""
    demand: dict[date, tuple[tuple[int, ...], float, float]] = {}
    said = []
    for one in given:
        if one.kind == DEMAND:
            continue
        if not one.covers(terms.day):
            continue
        model = (
            terms.fill_rate.get(facts.abc, 0.95) if one.kind == FILL_RATE else facts.lead_time_days
        )
        said.append({**_short(one), "model": model, "used": one.value})
        if one.kind == FILL_RATE:
            terms = replace(terms, fill_rate={**terms.fill_rate, facts.abc: one.value})
        else:
            facts = replace(facts, lead_time_days=one.value)
    wanted = [o for o in given if o.kind == DEMAND]
    if forecast is None and facts.status == UNSOLD and wanted:
        forecast = _nothing(wanted[0].item, periods=len(starts) - 1)
        facts = replace(facts, status="", why="")
    if forecast is not None and wanted:
        forecast, demand = _with_demand(forecast, wanted, starts)
        for one in wanted:
            touched = {p: v for p, v in demand.items() if one.id in v[0]}
            if touched:
                model_units = sum(v[1] for v in touched.values())
                used_units = sum(v[2] for v in touched.values())
                said.append({**_short(one), "model": model_units, "used": used_units})
    return Used(forecast=forecast, facts=facts, terms=terms, demand=demand, said=said)


def _nothing(item: str, *, periods: int) -> Forecast:
    """What the model says of an item that never sold, for overrides to speak against."""
    from supplyline.forecast.classes import Pattern
    from supplyline.forecast.engine import LEVELS, Forecast

    nothing = np.zeros(periods)
    return Forecast(
        id=item,
        pattern=Pattern(
            name="insufficient", adi=float("inf"), cv2=0.0, idle=0,
            why="It never sold; an override expects demand.",
        ),
        model="override",
        mean=nothing,
        lo=dict.fromkeys(LEVELS, nothing),
        hi=dict.fromkeys(LEVELS, nothing),
    )  # fmt: skip


def _short(one: Override) -> dict[str, Any]:
    known = as_json(one)
    return {k: known[k] for k in ("id", "kind", "value", "from_day", "to_day", "reason", "set_by")}


def _with_demand(
    forecast: Forecast, wanted: Sequence[Override], starts: Sequence[date]
) -> tuple[Forecast, dict[date, tuple[tuple[int, ...], float, float]]]:
    """The forecast with the days of overrides replaced; its interval moves along."""
    mean = forecast.mean.copy()
    demand: dict[date, tuple[tuple[int, ...], float, float]] = {}
    for step, (start, following) in enumerate(pairwise(starts)):
        if step >= mean.size:
            break
        days = (following - start).days
        daily = np.full(days, mean[step] / days)
        ids: list[int] = []
        for one in wanted:
            if one.from_day is None or one.to_day is None:
                continue
            a, b = max(one.from_day, start), min(one.to_day, following - timedelta(days=1))
            if a <= b:
                spread = (one.to_day - one.from_day).days + 1
                daily[(a - start).days : (b - start).days + 1] = one.value / spread
                ids.append(one.id)
        if ids:
            demand[start] = (tuple(ids), float(mean[step]), float(daily.sum()))
            mean[step] = daily.sum()
    moved = mean - forecast.mean
    pattern = forecast.pattern
    if pattern.name == "dead" and mean.any():
        pattern = replace(
            pattern, name="insufficient", why=f"{pattern.why} An override expects demand."
        )
    changed = replace(
        forecast,
        pattern=pattern,
        mean=mean,
        lo={k: np.maximum(v + moved, np.minimum(v, 0.0)) for k, v in forecast.lo.items()},
        hi={k: v + moved for k, v in forecast.hi.items()},
    )
    return changed, demand
