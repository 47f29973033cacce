"""Order-up-to levels for many items at once.

Promises: a level for every item that holds a value, from nothing but its history and that of the
others; higher targets never get less stock.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from supplyline.forecast.classes import classify
from supplyline.forecast.leadtime import order_up_to
from supplyline.forecast.models import CANDIDATES
from supplyline.forecast.series import Floats, Series, without_negatives

Levels = dict[str, dict[float, float]]


def demand_rate(values: Floats) -> float:
    """Expected demand per period: the mean of SBA, TSB and exponential smoothing."""
    found = [
        max(0.0, float(f[0]))
        for name in ("sba", "tsb", "ses")
        if (f := CANDIDATES[name](values, 1, 1)) is not None
    ]
    return sum(found) / len(found) if found else float(values.mean())


def plan_levels(
    batch: Sequence[Series],
    *,
    lead_time: int,
    review: int,
    targets: tuple[float, ...],
    prices: Mapping[str, float],  # noqa: ARG001 - weighed by the price-aware allocation only
) -> tuple[Levels, dict[str, list[str]]]:
    """Item → target → S, and what is to be said per item."""
    levels: Levels = {}
    notes: dict[str, list[str]] = {}
    for one in batch:
        clean = without_negatives(one)
        said = list(clean.notes)
        if clean.values.size:
            pattern = classify(clean.values)
            if pattern.name in ("new", "dead", "insufficient"):
                said.append(pattern.why)
            rate = 0.0 if pattern.name == "dead" else demand_rate(clean.values)
            levels[one.id] = order_up_to(
                clean.values, rate=rate, lead_time=lead_time, review=review, targets=targets
            )
        if said:
            notes[one.id] = said
    return levels, notes
