"""Demand from sales lines: per period of a grid (see `buckets`), and when an item was on sale.

Promises: every line is either demand or counted under a reason (`Lines.report`, `Lines.statuses`):
nothing is dropped silently. Cancelled lines are left out (`statuses`), returns taken off
(`returns`). A gap is zero demand from the item's first sale on, and nothing before it.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

import numpy as np

from supplyline.errors import NotEnoughHistory
from supplyline.forecast import cells
from supplyline.forecast.calendars import EPOCH, Ints, months
from supplyline.forecast.series import Floats
from supplyline.forecast.statuses import Statuses

if TYPE_CHECKING:
    import pandas as pd

AS_THEY_ARE = cells.Readings()


@dataclass(frozen=True, kw_only=True)
class Lines:
    """Sales lines as columns; `day` counts from 1970-01-01, `customer` and `order` -1 are unknown.
    `notes`: what is to be said of an item, by its number;
    `statuses`: lines left out, and unknown ones counted, by status; `far_days`: days that were
    left out, being far from all others."""

    items: tuple[str, ...]
    names: dict[int, str]
    item: Ints
    day: Ints
    quantity: Floats
    price: Floats
    customer: Ints
    order: Ints
    report: dict[str, int] = field(default_factory=dict)
    notes: dict[int, tuple[str, ...]] = field(default_factory=dict)
    statuses: dict[str, list[dict[str, Any]]] = field(default_factory=dict)
    far_days: tuple[str, ...] = ()

    @property
    def last_day(self) -> date:
        return EPOCH + timedelta(days=int(self.day.max()))


@dataclass(frozen=True, kw_only=True)
class Bucket:
    """`name` day, week or month; `periods` in all, the last one ends at `as_of`."""

    name: str
    periods: int
    as_of: date

    @property
    def days(self) -> float:
        return {"day": 1.0, "week": 7.0, "month": 365.25 / 12}[self.name]

    def start(self, index: int) -> date:
        """First day of a period; 0 is the first of all, `periods` the first ahead."""
        back = self.periods - index
        if self.name == "month":
            month = self.as_of.year * 12 + self.as_of.month - back
            return date(month // 12, month % 12 + 1, 1)
        return self.as_of + timedelta(days=1) - timedelta(days=back * int(self.days))

    def index(self, day: Ints) -> Ints:
        """Period of each day; negative: before the first; >= periods: after the last."""
        last = (self.as_of - EPOCH).days
        if self.name == "month":
            end = (self.as_of.year - 1970) * 12 + self.as_of.month - 1
            return np.asarray(self.periods - 1 - (end - months(day)), dtype=np.int64)
        return np.asarray(self.periods - 1 - (last - day) // int(self.days), dtype=np.int64)


@dataclass(frozen=True, kw_only=True)
class ItemDemand:
    """One item: demand per bucket from its first sale on, and its usual price of late."""

    item: str
    first: int
    values: Floats
    price: float


def collect(
    blocks: Iterable[pd.DataFrame],
    *,
    today: date,
    statuses: Statuses | None = None,
    readings: cells.Readings = AS_THEY_ARE,
) -> Lines:
    """Lines from blocks of text columns; what cannot be read is counted by reason."""
    said = statuses or Statuses()
    codes: dict[str, int] = {}
    customers: dict[str, int] = {}
    named: Counter[tuple[int, str]] = Counter()
    report: dict[str, int] = defaultdict(int)
    parts: list[tuple[Ints, Ints, Floats, Floats, Ints, Ints]] = []
    limit = (today - EPOCH).days + 1
    for block in blocks:
        report["lines"] += len(block)
        item = _coded(block["item"], codes)
        day = _mapped(block, "date", readings)
        quantity = said.signed(block, _mapped(block, "quantity", readings))
        price = _prices(block, quantity, readings)
        who = (
            _coded(block["customer"], customers) if "customer" in block else np.full(len(block), -1)
        )
        good = (item >= 0) & np.isfinite(day) & np.isfinite(quantity) & ~(day > limit)
        report["unused"] += int((~good).sum())
        report["without_item"] += int((item < 0).sum())
        report["unreadable_date"] += int((~np.isfinite(day)).sum())
        report["unreadable_quantity"] += int((~np.isfinite(quantity)).sum())
        report["in_the_future"] += int((day > limit).sum())
        if "name" in block:
            sold = block[["name"]].assign(item=item)[good & (quantity > 0)]
            counts: Any = sold.value_counts(["item", "name"])
            named.update(counts.to_dict())
        kept = said.demand(block, item=item, quantity=quantity, among=good)
        report["left_out_by_status"] += int(good.sum() - kept.sum())
        parts.append(
            (
                item[kept], day[kept].astype(np.int64), quantity[kept], price[kept], who[kept],
                _orders(block)[kept],
            )
        )  # fmt: skip
    if not parts or not sum(p[0].size for p in parts):
        by_status = report["left_out_by_status"]
        raise NotEnoughHistory(
            f"All {by_status} readable lines of the sales table are left out by their status."
            if by_status
            else "The sales table has no line with a readable item, date and quantity."
        )
    columns = [np.concatenate([p[i] for p in parts]) for i in range(6)]
    return Lines(
        items=tuple(codes),
        names=_usual(named),
        item=columns[0],
        day=columns[1],
        quantity=columns[2],
        price=columns[3],
        customer=columns[4],
        order=columns[5],
        report={k: v for k, v in report.items() if v},
        notes=said.notes(),
        statuses=said.report(),
    )


def _orders(block: pd.DataFrame) -> Ints:
    """The same number for the same order in every block; -1 where none is said.

    A hash, as a dictionary of every order of a shop would not be small.
    """
    if "order" not in block:
        return np.full(len(block), -1, dtype=np.int64)
    from pandas.util import hash_array

    texts = np.asarray([str(c).strip() for c in block["order"].cat.categories], dtype=object)
    numbers = hash_array(texts).view(np.int64) >> 1 & (2**62 - 1)
    table = np.append(np.where(texts == "", -1, numbers), -1)
    return np.asarray(table[block["order"].cat.codes.to_numpy()], dtype=np.int64)


def _usual(named: Counter[tuple[int, str]]) -> dict[int, str]:
    """Item → the name on most of its lines: a remark such as `damaged` stands on few. Names that
    are on less than half of all lines so are those of customers or the like, and no item's."""
    out: dict[int, str] = {}
    usual = 0
    for (item, name), lines in sorted(named.items(), key=lambda e: (-e[1], e[0])):
        if int(item) not in out:
            out[int(item)] = name
            usual += lines
    return out if 2 * usual >= named.total() else {}


def _coded(column: pd.Series, known: dict[str, int]) -> Ints:
    local = [
        known.setdefault(c.strip(), len(known)) if c.strip() else -1 for c in column.cat.categories
    ]
    table = np.asarray([*local, -1], dtype=np.int64)
    return table[column.cat.codes.to_numpy()]


def _mapped(block: pd.DataFrame, name: str, readings: cells.Readings) -> Floats:
    column = block[name]
    values = readings.of(name, column.cat.categories)
    table = np.asarray([*(values.get(c, np.nan) for c in column.cat.categories), np.nan])
    return np.asarray(table[column.cat.codes.to_numpy()], dtype=float)


def _prices(block: pd.DataFrame, quantity: Floats, readings: cells.Readings) -> Floats:
    for name in ("unit_price", "amount"):
        if name in block:
            value = _mapped(block, name, readings)
            if name == "unit_price":
                return value
            with np.errstate(divide="ignore", invalid="ignore"):
                return np.abs(value / quantity)
    return np.full(len(block), np.nan)


def by_item(lines: Lines, bucket: Bucket) -> Iterator[ItemDemand]:
    """Items with demand in the periods, in the order of `lines.items`; the order of the lines
    changes nothing."""
    index = bucket.index(lines.day)
    inside = (index >= 0) & (index < bucket.periods)
    order = np.lexsort((lines.price[inside], lines.day[inside], lines.item[inside]))
    item, when = lines.item[inside][order], index[inside][order]
    quantity, price = lines.quantity[inside][order], lines.price[inside][order]
    cuts = np.flatnonzero(np.diff(item)) + 1
    for group in np.split(np.arange(item.size), cuts):
        if not group.size:
            continue
        code = int(item[group[0]])
        values = np.bincount(when[group], weights=quantity[group], minlength=bucket.periods)
        first = int(when[group].min())
        known = price[group][np.isfinite(price[group]) & (price[group] > 0)]
        yield ItemDemand(
            item=lines.items[code],
            first=first,
            values=values[first:].astype(float),
            price=float(np.median(known[-50:])) if known.size else float("nan"),
        )


def days_sold(lines: Lines, items: set[str]) -> dict[str, Ints]:
    """Item → the days on which it sold, in order."""
    code = {item: n for n, item in enumerate(lines.items) if item in items}
    wanted = np.flatnonzero(np.isin(lines.item, list(code.values())))
    wanted = wanted[np.argsort(lines.item[wanted], kind="stable")]
    of = lines.item[wanted]
    return {
        item: np.unique(
            lines.day[wanted[np.searchsorted(of, n) : np.searchsorted(of, n, side="right")]]
        )
        for item, n in code.items()
    }


def until_sold(spells: list[tuple[date, date]], sold: Ints) -> list[tuple[date, date]]:
    """Spells without stock, each ended by the first day with a sale: what sells was there."""
    out = []
    for begin, end in spells:
        first, until = (begin - EPOCH).days, (end - EPOCH).days
        after = sold[np.searchsorted(sold, first) :]
        if after.size and after[0] == first:
            first, after = first + 1, after[1:]
        if after.size:
            until = min(until, int(after[0]))
        if first < until:
            out.append((EPOCH + timedelta(days=first), EPOCH + timedelta(days=until)))
    return out


def share_without(spells: list[tuple[date, date]], first: int, bucket: Bucket) -> Floats:
    """Share of the days of each period from `first` on that lie in a spell [from, until)."""
    start = bucket.start(first)
    days = (bucket.as_of - start).days + 1
    out = np.zeros(days, dtype=bool)
    for a, b in spells:
        out[max(0, (a - start).days) : max(0, (b - start).days)] = True
    index = bucket.index(np.arange(days, dtype=np.int64) + (start - EPOCH).days) - first
    total = np.bincount(index, minlength=bucket.periods - first)
    return np.bincount(index, weights=out, minlength=bucket.periods - first) / np.maximum(total, 1)


def summary(lines: Lines, bucket: Bucket, counts: dict[str, int]) -> dict[str, Any]:
    return {**lines.report, **counts, "bucket": bucket.name, "as_of": bucket.as_of.isoformat()}
