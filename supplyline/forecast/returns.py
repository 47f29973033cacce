"""Returns taken off the demand they undo.

Promises: a return, also of a part, comes off the sale it belongs to: the one of the same order;
else a sale of the same customer, first one of exactly as much, then the latest before it; else the
item's latest demand before it. No sale falls below zero; what is left of a return is counted. A
negative line without a price, where nearly all lines have one, is a correction of stock and takes
nothing off.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Hashable
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from supplyline.forecast.demand import Lines

BY_ORDER, BY_CUSTOMER, BY_ITEM = "order", "customer", "item"


class _Sales:
    """Sales that something may still be taken off, by key, oldest first."""

    def __init__(self, lines: Lines, candidates: list[int]) -> None:
        self.left = {i: float(lines.quantity[i]) for i in candidates}
        self.whole = dict(self.left)
        self.day = {i: int(lines.day[i]) for i in candidates}
        self.by: dict[Hashable, list[tuple[int, int]]] = defaultdict(list)
        for i in candidates:  # by day
            for key in _keys(lines, i):
                self.by[key].append((self.day[i], i))
            exact = (*_keys(lines, i)[0], self.left[i])
            self.by[exact].append((self.day[i], i))

    def take(self, key: Hashable, units: float, *, until: int, whole: bool = False) -> float:
        """Takes up to `units` off the latest sales of this key; answers what it took."""
        stack = self.by.get(key, [])
        taken = 0.0
        at = bisect_right(stack, (until, 1 << 62)) - 1
        while at >= 0 and units - taken > 0:
            i = stack[at][1]
            if self.left[i] <= 0 or (whole and self.left[i] < self.whole[i]):
                del stack[at]
            else:
                part = min(self.left[i], units - taken)
                self.left[i] -= part
                taken += part
            at -= 1
        return taken


def _keys(lines: Lines, i: int) -> list[tuple[str, int, int]]:
    item = int(lines.item[i])
    keys = [(BY_CUSTOMER, item, int(lines.customer[i])), (BY_ITEM, item, 0)]
    if lines.order[i] != -1:
        keys.append((BY_ORDER, item, int(lines.order[i])))
    return keys


def without_returns(lines: Lines) -> tuple[Lines, dict[str, int]]:
    """The sales with returns taken off, and what became of the other lines, counted."""
    report: dict[str, int] = {}
    quantity = lines.quantity.copy()
    priced = np.isfinite(lines.price)
    mostly = bool(priced.mean() > 0.9)
    notes: dict[int, tuple[str, ...]] = dict(lines.notes)
    free = priced & (lines.price <= 0)
    if mostly and 0 < free.mean() < 0.05:
        for name, those in (("corrections", quantity < 0), ("free_of_charge", quantity > 0)):
            if count := int((free & those).sum()):
                report[name] = count
        quantity[free] = 0.0
    back = np.flatnonzero(quantity < 0)
    if back.size:
        report |= _take_off(lines, quantity, back, notes)
        quantity[back] = 0.0
    kept = quantity > 0
    return (
        replace(
            lines,
            item=lines.item[kept],
            day=lines.day[kept],
            quantity=quantity[kept],
            price=lines.price[kept],
            customer=lines.customer[kept],
            order=lines.order[kept],
            notes=notes,
        ),
        report,
    )


def _take_off(
    lines: Lines,
    quantity: np.ndarray[tuple[int], np.dtype[np.float64]],
    back: np.ndarray[tuple[int], np.dtype[np.int64]],
    notes: dict[int, tuple[str, ...]],
) -> dict[str, int]:
    """Changes `quantity` and `notes`; answers counts of returns by how they were matched."""
    among = np.flatnonzero((quantity > 0) & np.isin(lines.item, lines.item[back]))
    among = among[np.argsort(lines.day[among], kind="stable")]
    sales = _Sales(lines, [int(i) for i in among])
    counts = {"returns_matched": 0, "returns_from_recent_demand": 0, "returns_without_sale": 0}
    said: dict[int, list[float]] = defaultdict(lambda: [0.0, 0.0, 0.0, 0.0])
    for i in map(int, back[np.argsort(lines.day[back], kind="stable")]):
        units, until = float(-quantity[i]), int(lines.day[i])
        customer, item, *order = _keys(lines, i)
        known = bool(lines.customer[i] >= 0)
        matched = sum(sales.take(key, units, until=until) for key in order)
        if matched < units and (exact := (*customer, units - matched)) in sales.by:
            matched += sales.take(exact, units - matched, until=until, whole=True)
        if matched < units and known:
            matched += sales.take(customer, units - matched, until=until)
        guessed = sales.take(item, units - matched, until=until) if matched < units else 0.0
        lost = units - matched - guessed
        name = (
            "returns_matched" if matched >= units
            else "returns_from_recent_demand" if guessed > 0 or matched > 0
            else "returns_without_sale"
        )  # fmt: skip
        counts[name] += 1
        one = said[int(lines.item[i])]
        for n, value in enumerate((1.0, matched, guessed, lost)):
            one[n] += value
    for sale, left in sales.left.items():
        quantity[sale] = left
    for code, (count, *parts) in said.items():
        notes[code] = (*notes.get(code, ()), _said(int(count), *parts))
    return counts


def _said(count: int, matched: float, guessed: float, lost: float) -> str:
    parts = []
    if matched:
        parts.append(f"{matched:.6g} units off the sales they belong to")
    if guessed:
        parts.append(f"{guessed:.6g} off the latest demand before, their sale not being known")
    if lost:
        parts.append(f"{lost:.6g} off nothing, since no demand before them was left")
    return f"{'1 return took' if count == 1 else f'{count} returns took'} {', '.join(parts)}."
