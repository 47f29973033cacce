"""Every item that sales or tables with facts know: its history, its facts, or why it has none."""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

import numpy as np

from supplyline.forecast import cells, demand
from supplyline.forecast.options import ForecastSettings
from supplyline.forecast.policy import Facts, abc
from supplyline.forecast.series import Floats

NUMBERS = (
    "unit_cost", "unit_price", "lead_time_days", "min_order_qty", "pack_size", "on_hand",
    "on_order",
)  # fmt: skip
"""Fields of `Facts` that are read as numbers."""
NOTHING: Floats = np.empty(0)


@dataclass(frozen=True, kw_only=True)
class Item:
    """`demand`: units per period from `first_period` on, oldest first; empty without sales."""

    item: str
    first_period: date | None
    demand: Floats
    facts: Facts


def collect(
    lines: demand.Lines,
    sold: demand.Lines,
    *,
    bucket: demand.Bucket,
    facts: dict[str, dict[str, str]],
    chosen: ForecastSettings,
) -> tuple[list[Item], list[str]]:
    """All items by code, and the codes among them that are no product."""
    numbers = _numeric(facts)
    found = {d.item: d for d in demand.by_item(sold, bucket)}
    names = {item: lines.names.get(code, "") for code, item in enumerate(lines.items)}
    fees = _fees(names, facts, chosen)
    values = {i: d.revenue or float(d.values.sum()) for i, d in found.items() if i not in fees}
    grades = abc(values)
    out = []
    for item in sorted({*lines.items, *facts}):
        d = found.get(item)
        known = Facts(
            name=facts.get(item, {}).get("name", names.get(item, "")),
            abc=grades.get(item, ""),
            **_status_of(has_demand=d is not None, fee=item in fees),
            **numbers.get(item, {}),
        )
        if known.unit_price is None and d is not None and math.isfinite(d.price):
            known = replace(known, unit_price=d.price)
        out.append(
            Item(
                item=item,
                first_period=bucket.start(d.first) if d else None,
                demand=d.values if d else NOTHING,
                facts=known,
            )
        )
    return out, sorted(fees)


def _fees(
    names: dict[str, str], facts: dict[str, dict[str, str]], chosen: ForecastSettings
) -> set[str]:
    digits = sum(any(c.isdigit() for c in i) for i in names) > 0.9 * len(names)
    return {
        item
        for item, name in names.items()
        if item in chosen.not_products
        or (
            item not in chosen.products
            and item not in facts
            and demand.no_product(item, name, most_have_digits=digits)
        )
    }


def _status_of(*, has_demand: bool, fee: bool) -> dict[str, Any]:
    if fee:
        return {
            "status": "not_a_product",
            "why": "The code looks like a fee, postage or correction; settings can say otherwise.",
        }
    if not has_demand:
        return {"status": "no_history", "why": "No sale of this item was found in the periods."}
    return {}


def _numeric(facts: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """The facts that are numbers, each column read in one way."""
    out: dict[str, dict[str, Any]] = {}
    for name in NUMBERS:
        read = cells.numbers({f[name] for f in facts.values() if name in f})
        for item, known in facts.items():
            value = read.get(known.get(name, ""))
            if value is not None and (value >= 0 or name == "on_hand"):
                out.setdefault(item, {})[name] = value
    return out
