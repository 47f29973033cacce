"""Every item that sales or tables with facts know: its history, its facts, or why it has none."""

from __future__ import annotations

import math
from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import date
from typing import Any

import numpy as np

from supplyline.forecast import cells, demand
from supplyline.forecast.censoring import uncensored
from supplyline.forecast.fees import is_fee, is_total, usual
from supplyline.forecast.grain import grain_of
from supplyline.forecast.masters import LeadTime
from supplyline.forecast.options import ForecastSettings
from supplyline.forecast.policy import abc
from supplyline.forecast.series import Floats, Series, tame
from supplyline.forecast.status_words import ENDED, NO, YES
from supplyline.forecast.statuses import folded
from supplyline.forecast.terms import Facts

NUMBERS = (
    "unit_cost", "unit_price", "lead_time_days", "lead_time_sd_days", "review_days", "fill_rate",
    "order_cost", "holding_rate", "min_order_qty", "pack_size", "on_hand", "on_order",
)  # fmt: skip
"""Fields of `Facts` that are read as numbers."""
NOTHING: Floats = np.empty(0)
OLD_DAYS = 31
"""A count of stock that is older than the last sales by more than that is said to be old."""
COUNTED_BEFORE = (
    "Stock is of an earlier file: the newest one does not hold this item. If it holds all that is "
    "there, this item is gone."
)
MATCHED = 0.1
"""With a smaller share of codes in common, tables write them in different ways."""
ENOUGH_ORDERS = 3
"""Orders that must have arrived before their lead times say anything."""


@dataclass(frozen=True, kw_only=True)
class Item:
    """`demand`: units per period from `first_period` on, oldest first; empty without sales."""

    item: str
    first_period: date | None
    demand: Floats
    facts: Facts


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What the tables beside the sales know (see `masters`)."""

    facts: dict[str, dict[str, str]]
    stockouts: dict[str, list[tuple[date, date]]] = field(default_factory=dict)
    lead_times: dict[tuple[str, str], LeadTime] = field(default_factory=dict)
    notes: dict[str, tuple[str, ...]] = field(default_factory=dict)


def collect(
    lines: demand.Lines,
    sold: demand.Lines,
    *,
    bucket: demand.Bucket,
    beside: Beside,
    chosen: ForecastSettings,
) -> tuple[list[Item], list[dict[str, Any]]]:
    """All items by code; those that are no product with their name, lines and sum of quantity."""
    numbers = _numeric(beside.facts)
    found = {d.item: d for d in demand.by_item(sold, bucket)}
    names = {item: lines.names.get(code, "") for code, item in enumerate(lines.items)}
    said = {item: sold.notes.get(code, ()) for code, item in enumerate(lines.items)}
    fees = _fees(names, beside.facts, chosen)
    grades = abc(_sold({i: d for i, d in found.items() if i not in fees}, bucket))
    sold_on = demand.days_sold(sold, set(beside.stockouts))
    alike = _alike({*lines.items, *beside.facts})
    out = []
    for item in sorted({*lines.items, *beside.facts}):
        d = found.get(item)
        texts = beside.facts.get(item, {})
        known = Facts(
            name=texts.get("name", names.get(item, "")),
            abc=grades.get(item, ""),
            discontinued=_discontinued(texts),
            notes=(
                *said.get(item, ()),
                *alike.get(item, ()),
                *beside.notes.get(item, ()),
                *_unused(texts, numbers.get(item, {})),
            ),
            **_status_of(item, has_demand=d is not None, fee=item in fees, said=said.get(item, ())),
            **numbers.get(item, {}),
        )
        known = _with_lead_time(known, item, texts.get("supplier", "").strip(), beside)
        if known.unit_price is None and d is not None and math.isfinite(d.price):
            known = replace(known, unit_price=d.price)
        if held := texts.get("reserved", ""):
            known = replace(known, notes=(*known.notes, *_reserved(held)))
        if texts.get("counted_before"):
            known = replace(known, notes=(*known.notes, COUNTED_BEFORE))
        if counted := texts.get("counted_on", ""):
            known = replace(known, notes=(*known.notes, *_old_count(counted, sold.last_day)))
        history = d.values if d else NOTHING
        if d is not None and item in beside.stockouts:
            spells = demand.until_sold(beside.stockouts[item], sold_on[item])
            history, note = uncensored(history, demand.share_without(spells, d.first, bucket))
            unit = grain_of(d.values)
            known = replace(
                known,
                notes=(*known.notes, *note),
                sold_in=unit.size if note and unit.counted else None,
            )
        out.append(
            Item(
                item=item,
                first_period=bucket.start(d.first) if d else None,
                demand=history,
                facts=known,
            )
        )
    return out, _listed(lines, fees, names)


def unmatched(lines: demand.Lines, facts: dict[str, dict[str, str]]) -> tuple[str, ...]:
    """What is to be said of the run where next to no code of the stock is one that was sold."""
    counted = {i for i, known in facts.items() if "on_hand" in known and not is_total(i)}
    both = counted & set(lines.items)
    if not counted or len(both) >= MATCHED * min(len(counted), len(lines.items)):
        return ()
    stock, sold = min(counted - both), min(set(lines.items) - both)
    return (
        f"{len(both)} of {len(counted)} items with stock were ever sold: codes must be written "
        f"alike in all tables (stock has {stock[:40]!r}, sales have {sold[:40]!r}).",
    )


def _alike(codes: set[str]) -> dict[str, tuple[str, ...]]:
    """Item → that another code may be the same goods: written in other letters, or with zeros."""
    by: dict[str, list[str]] = defaultdict(list)
    for code in sorted(codes):
        by[code.casefold().lstrip("0")].append(code)
    return {
        code: (
            f"Codes alike are planned apart: {', '.join(c for c in group[:9] if c != code)}. If "
            "they are the same goods, write them the same way.",
        )
        for group in by.values()
        if len(group) > 1
        for code in group
    }


def _unused(texts: dict[str, str], read: dict[str, Any]) -> tuple[str, ...]:
    """That a fact which is there says nothing: `2 weeks`, a negative lead time."""
    wrong = [
        f"{name} {texts[name][:40]!r}" for name in NUMBERS if name in texts and name not in read
    ]
    return (f"No number that could be used, so left out: {', '.join(wrong)}.",) if wrong else ()


def _discontinued(texts: dict[str, str]) -> str:
    """The cell of the table of products that says so; empty where the item is still bought."""
    flag = texts.get("discontinued", "")
    if folded(flag) in YES or _of_the_end(flag) or (flag[:4].isdecimal() and flag[4:5] == "-"):
        return f"discontinued = {flag[:40]!r}"
    if folded(texts.get("active", "")) in NO:
        return f"active = {texts['active'][:40]!r}"
    status = texts.get("status", "")
    return f"status = {status[:40]!r}" if _of_the_end(status) else ""


def _of_the_end(text: str) -> bool:
    return bool(set(folded(text).split()) & ENDED)


def _reserved(held: str) -> tuple[str, ...]:
    if not float(held):
        return ()
    return (f"{float(held):.6g} of what is on hand are reserved for orders and not counted.",)


def _old_count(counted: str, last: date) -> tuple[str, ...]:
    if (last - date.fromisoformat(counted)).days <= OLD_DAYS:
        return ()
    return (f"Stock was last counted on {counted}, sales go on to later: count it again.",)


def _sold(found: dict[str, demand.ItemDemand], bucket: demand.Bucket) -> dict[str, float]:
    """What each item sold in the last year, in money: units, without the slips that no plan rests
    on either, times its usual price (the usual one of all where it has none, 1 where none has)."""
    year = max(1, round(365 / bucket.days))
    known = [d.price for d in found.values() if math.isfinite(d.price)]
    usual_price = float(np.median(known)) if known else 1.0
    return {
        i: float(tame(Series(id=i, values=d.values)).values[-year:].sum())
        * (d.price if math.isfinite(d.price) else usual_price)
        for i, d in found.items()
    }


def _listed(lines: demand.Lines, fees: set[str], names: dict[str, str]) -> list[dict[str, Any]]:
    count = np.bincount(lines.item, minlength=len(lines.items))
    units = np.bincount(lines.item, weights=lines.quantity, minlength=len(lines.items))
    return [
        {"item": i, "name": names[i], "lines": int(count[code]), "quantity": float(units[code])}
        for code, i in sorted(enumerate(lines.items), key=lambda e: e[1])
        if i in fees
    ]


def _with_lead_time(known: Facts, item: str, supplier: str, beside: Beside) -> Facts:
    """The lead time and where it is from: the item's row, orders as they arrived, the supplier."""
    orders = beside.lead_times.get(("item", item)) or beside.lead_times.get(("supplier", supplier))
    if orders is not None and orders.orders < ENOUGH_ORDERS:
        orders = None
    notes = known.notes
    stated = known.lead_time_days
    if stated is None and orders is not None:
        known = replace(known, lead_time_days=round(orders.mean, 2), lead_time_from="orders")
    elif stated is not None:
        source = beside.facts.get(item, {}).get("lead_time_from", "item")
        known = replace(known, lead_time_from=source)
        if orders is not None and abs(orders.mean - stated) > 0.25 * max(stated, 4.0):
            notes = (
                *notes,
                f"The last {orders.orders} orders took {orders.mean:.1f} days on average; the table"
                f" says {stated:g}, which is what the plan uses.",
            )
    if known.lead_time_sd_days is None and orders is not None:
        known = replace(known, lead_time_sd_days=round(orders.sd, 2))
    return replace(known, notes=notes)


def _fees(
    names: dict[str, str], facts: dict[str, dict[str, str]], chosen: ForecastSettings
) -> set[str]:
    among = usual(names)
    known = names | {item: "" for item in facts if item not in names and is_total(item)}
    return {
        item
        for item, name in known.items()
        if item in chosen.not_products
        or (
            item not in chosen.products
            and (is_total(item) or (item not in facts and is_fee(item, name, among=among)))
        )
    }


def _status_of(item: str, *, has_demand: bool, fee: bool, said: tuple[str, ...]) -> dict[str, Any]:
    if fee:
        what = "sum of others" if is_total(item) else "fee, postage or correction"
        return {
            "status": "not_a_product",
            "why": f"The code looks like a {what}; settings can say otherwise.",
        }
    if not has_demand:
        return {
            "status": "no_history",
            "why": " ".join(
                ("No sale of this item is left in the periods, returns taken off.", *said)
            ),
        }
    return {}


def _numeric(facts: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """The facts that are numbers, each column read in one way."""
    out: dict[str, dict[str, Any]] = {}
    for name in (*NUMBERS, "lead_time_weeks"):
        read = cells.numbers({f[name] for f in facts.values() if name in f})
        for item, known in facts.items():
            value = read.get(known.get(name, ""))
            if value is not None and name in ("fill_rate", "holding_rate") and value > 1:
                value /= 100  # 95 for 95 %
            if name == "fill_rate" and value is not None and not 0 < value < 1:
                continue
            if value is not None and (value >= 0 or name == "on_hand"):
                out.setdefault(item, {})[name] = value
    for known in out.values():
        weeks = known.pop("lead_time_weeks", None)
        if weeks is not None:
            known.setdefault("lead_time_days", 7 * weeks)
    return out
