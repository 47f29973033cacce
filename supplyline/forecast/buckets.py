"""The grid of periods: day, week or month, and which periods are over.

Promises: as fine as the data, and coarse enough that demand is seen; a period counts when it is
over, also where a whole week or month stands under one date; weeks stay where they were.
"""

from __future__ import annotations

from calendar import monthrange
from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import numpy.typing as npt

from supplyline.forecast.calendars import EPOCH, Ints, months
from supplyline.forecast.demand import Bucket, Lines

EDGE_DAYS = 3
"""A month may begin or end that many days without a sale and still count as whole."""
YEAR = 12
"""Months from which on one that the data begin in the middle of is left out."""
GAP_DAYS, LONG_GAP_DAYS = 28, 365
FEW = 0.001
FEW_OF_SHORT = 0.05
ENOUGH_DAYS = 20

Bools = npt.NDArray[np.bool_]


def without_far_days(lines: Lines) -> Lines:
    """Without lines far before or after all others (1900-01-01, slips of keys), which would make
    decades of history for everybody, or everything dead. They are counted and named in the report.
    """
    far = _far(lines.day)
    if not far.any():
        return lines
    kept = ~far
    days = sorted({str(EPOCH + timedelta(days=int(d))) for d in lines.day[far]})
    report = {**lines.report, "far_from_all_others": int(far.sum())}
    return replace(
        lines,
        item=lines.item[kept],
        day=lines.day[kept],
        quantity=lines.quantity[kept],
        price=lines.price[kept],
        customer=lines.customer[kept],
        order=lines.order[kept],
        report=report,
        far_days=tuple(days),
    )


def _far(day: Ints) -> Bools:
    """One line in a thousand or less behind a gap ten times as long as usual ones; or one in twenty
    behind a gap of a year or more, twice as long as all the rest, which are twenty days at least.
    """
    days, lines = np.unique(day, return_counts=True)
    first, last = 0, days.size  # what is left: days[first:last]
    while last - first > 2:
        gaps = np.diff(days[first:last])
        at = int(np.argmax(gaps))
        usual = float(np.quantile(gaps, 0.99)) if gaps.size >= ENOUGH_DAYS else float(gaps.max())
        before, after = slice(first, first + at + 1), slice(first + at + 1, last)
        few, rest = sorted((before, after), key=lambda s: int(lines[s].sum()))
        share = lines[few].sum() / lines[first:last].sum()
        span = int(days[rest][-1] - days[rest][0])
        long = gaps[at] > max(GAP_DAYS, 10 * usual) and share <= FEW
        alone = (
            gaps[at] > max(LONG_GAP_DAYS, 2 * span)
            and share <= FEW_OF_SHORT
            and days[rest].size >= ENOUGH_DAYS
        )
        if not (long or alone):
            break
        first, last = rest.start, rest.stop
    return np.asarray((day < days[first]) | (day > days[last - 1]), dtype=bool)


def choose_bucket(
    lines: Lines, *, today: date, forced: str = "", before: tuple[str, date] | None = None
) -> Bucket:
    """Day, week or month: as fine as the data, and coarse enough that demand is seen in it.

    `today` is not over. `before`: bucket and `as_of` of the run before. It is kept unless the data
    are clearly of another kind by now, and weeks go on ending on the same day of the week.
    """
    days = np.unique(lines.day)
    name = forced or _name(lines, days, before=before[0] if before else "")
    if name == "month":
        return _months(days, today)
    dated_by_week = name == "week" and days.size > 1 and not (np.diff(days) % 7).any()
    if dated_by_week:
        return _dated_weeks(days, today)
    over = days[days < (today - EPOCH).days]
    last = EPOCH + timedelta(days=int((over if over.size else days)[-1]))
    if name == "day":
        return Bucket(name=name, periods=(last - EPOCH).days - int(days[0]) + 1, as_of=last)
    as_of = last
    if before is not None and before[0] == name:
        as_of = before[1] + timedelta(days=7 * ((last - before[1]).days // 7))
    periods = ((as_of - EPOCH).days - int(days[0]) + 1) // 7
    if periods < 1:  # less than a week beyond that grid: better a new grid than no history
        as_of, periods = last, max(1, ((last - EPOCH).days - int(days[0]) + 1) // 7)
    return Bucket(name=name, periods=periods, as_of=as_of)


def _name(lines: Lines, days: Ints, *, before: str) -> str:
    span = int(days[-1] - days[0]) + 1
    gap = float(np.median(np.diff(days))) if days.size > 1 else 1.0
    if gap >= 25:
        return "month"
    if gap >= 6:
        return "week"
    pairs = np.unique(lines.item * (span + 1) + (lines.day - days[0]))
    per_item = np.bincount(pairs // (span + 1))
    busy = float(np.median(per_item[per_item > 0])) / span
    if busy > (0.4 if before == "day" else 0.5) and span <= 1200:
        return "day"
    if busy < (0.012 if before == "month" else 0.01) and span >= 730:
        return "month"
    return "week"


def _dated_weeks(days: Ints, today: date) -> Bucket:
    """One date stands for a week: a Monday for the one that begins with it, any other day for the
    one that ends with it."""
    as_of = EPOCH + timedelta(days=int(days[-1]))
    if as_of.isoweekday() == 1:
        as_of += timedelta(days=6)
    periods = int(days[-1] - days[0]) // 7 + 1
    if as_of >= today and periods > 1:
        as_of, periods = as_of - timedelta(days=7), periods - 1
    return Bucket(name="week", periods=periods, as_of=as_of)


def _months(days: Ints, today: date) -> Bucket:
    """Whole months: the last one when it is over, the first one when the data begin with it."""
    first, last = (EPOCH + timedelta(days=int(d)) for d in (days[0], days[-1]))
    dated_by_month = np.unique(months(days)).size == days.size
    begin, end = first.replace(day=1), _end(last)
    seen = end if dated_by_month else last
    if begin < last.replace(day=1) and (
        end >= today or seen + timedelta(days=EDGE_DAYS) < end  # it is under way
    ):
        end = last.replace(day=1) - timedelta(days=1)
    late = not dated_by_month and first.day > EDGE_DAYS
    if late and _apart(begin, end) >= YEAR:
        begin = _end(first) + timedelta(days=1)
    return Bucket(name="month", periods=_apart(begin, end) + 1, as_of=end)


def _apart(begin: date, end: date) -> int:
    return (end.year - begin.year) * 12 + end.month - begin.month


def _end(day: date) -> date:
    """The last day of its month."""
    return day.replace(day=monthrange(day.year, day.month)[1])
