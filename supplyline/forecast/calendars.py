"""Calendars of a file of series: what step its periods have, and how future ones are written.

Promises: the next month's end is a month's end, the next working day no Sunday; dates are written
as those of the file were.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

import numpy as np
import numpy.typing as npt

Ints = npt.NDArray[np.int64]

EPOCH = date(1970, 1, 1)
DAYS_WRITTEN = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y",
    "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%y", "%m-%d-%y", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d%b%Y",
)  # fmt: skip
"""Ways to write a day; of two that read a column as well, the one in front is likelier."""
DAY = 86_400
COUNTS = {"{excel}": (25_569, 1), "{seconds}": (0, DAY), "{milliseconds}": (0, 1000 * DAY)}
"""Dates written as whole numbers: days to add to those since 1970-01-01, and the units of a day."""
FULL = 0.75
"""A step of so many days, hours or minutes is taken when this share of its periods have a row."""
PAUSE = 31
"""Series of other years lie apart: a longer gap between periods counts as one of so many."""
EVERY_DAY = "1111111"


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How a file writes its periods. `kind`: `number`, `days` (every `step` days), `months` (every
    `step` months) or `times` (every `step` seconds); `pattern`: strftime of the dates, with `{q}`
    for the quarter, or a name of COUNTS; `month_end`: dates are last days; `bare`: days and months
    without a leading zero; `week`: 1 for each day of the week with periods, from Monday."""

    kind: str
    step: int
    pattern: str = ""
    month_end: bool = False
    bare: bool = False
    week: str = EVERY_DAY

    def after(self, last: int, ahead: int) -> str:
        """The period `ahead` steps after `last` (a number, or days or seconds since 1970)."""
        if self.kind == "number":
            return str(last + ahead * self.step)
        if self.kind == "times":
            return self.write(datetime.fromtimestamp(last + ahead * self.step, UTC))
        when = EPOCH + timedelta(days=last)
        if self.week != EVERY_DAY:
            day = np.busday_offset(np.datetime64(when), ahead, weekmask=self.week)
            return self.write(day.astype(date))
        if self.kind == "days":
            return self.write(when + timedelta(days=ahead * self.step))
        month = when.year * 12 + when.month - 1 + ahead * self.step
        year, month = month // 12, month % 12 + 1
        end = monthrange(year, month)[1]
        return self.write(date(year, month, end if self.month_end else min(when.day, end)))

    def write(self, when: date) -> str:
        if self.pattern in COUNTS:
            origin, unit = COUNTS[self.pattern]
            return str(((when - EPOCH).days + origin) * unit)
        text = when.strftime(self.pattern).replace("{q}", str((when.month + 2) // 3))
        return re.sub(r"(?<!\d)0(?=\d)", "", text) if self.bare else text


def grid(days: Ints) -> tuple[str, int, bool]:
    """Kind, step and whether months are dated by their last day, from sorted distinct days."""
    gaps = np.diff(days)
    usual = int(np.median(gaps)) if gaps.size else 1
    if gaps.size > 2 and not (gaps % 28).any():
        return "days", 28, False
    if usual >= 28:
        apart = np.diff(np.unique(months(days)))
        return "months", max(1, int(np.gcd.reduce(apart)) if apart.size else 1), last_days(days)
    if gaps.size > 2 and (step := full_step(days)):
        return "days", step, False
    return "days", 7 if usual >= 7 and not (gaps % 7).any() else 1, False


def full_step(places: Ints) -> int:
    """The step of a grid that sorted distinct places (nearly) fill; 0 when there is none."""
    gaps = np.diff(places)
    step = int(np.gcd.reduce(gaps))
    return step if places.size >= FULL * (np.minimum(gaps // step, PAUSE).sum() + 1) else 0


def week_of(days: Ints) -> str:
    """The days of the week of sorted distinct days: some of them when, over three weeks or more
    (or over a weekend, from Monday to Friday only), the others never occur and these mostly do."""
    name = (days + 3) % 7  # 1970-01-01 was a Thursday
    weeks = int(np.minimum(np.diff(days), PAUSE).sum()) // 7
    often = np.bincount(name, minlength=7)
    present = often > 0
    few = days.size >= 5 and weeks >= 1 and not present[5:].any()
    if present.all() or not (weeks >= 3 or few) or present.sum() < 2:
        return EVERY_DAY
    if (often[present] < 0.5 * weeks).any() or days.size < FULL * present.sum() * weeks:
        return EVERY_DAY
    return "".join(str(int(p)) for p in present)


def counted_from(days: Ints, first: int, week: str) -> Ints:
    """Working days from `first` on."""
    begin = np.datetime64(EPOCH) + first
    count = np.busday_count(begin, days.astype("datetime64[D]"), weekmask=week)
    return np.asarray(count, dtype=np.int64)


def months(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def day_of_month(days: Ints) -> Ints:
    starts = days.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]")
    return days - starts.astype(np.int64) + 1


def last_days(days: Ints) -> bool:
    return bool((day_of_month(days + 1) == 1).all())


def dated_months(days: Ints) -> bool:
    """Whether sorted distinct days, three or more, are months, dated by their first or last day."""
    if days.size < 3 or grid(days)[0] != "months":
        return False
    return bool((day_of_month(days) == 1).all()) or last_days(days)
