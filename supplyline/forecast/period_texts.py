"""Texts of a column read as periods: which way of writing dates reads them, and what they say.

Promises: one reading for the whole column, by evidence: what reads (nearly) all cells, then what
makes the most regular calendar (`01/12/2022` beside eleven other firsts of a month is December).
Whole numbers that all are days (20240228), months (202402), weeks (202405) or counts of days or
seconds that make a calendar are dates.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date

import numpy as np
import numpy.typing as npt

from supplyline.forecast.calendars import (
    COUNTS,
    DAY,
    DAYS_WRITTEN,
    EPOCH,
    EVERY_DAY,
    Ints,
    dated_months,
    day_of_month,
    full_step,
    grid,
    last_days,
    months,
    week_of,
)

Bools = npt.NDArray[np.bool_]

MONTHS_WRITTEN = (
    "%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y", "%b %Y", "%b-%Y", "%b %y", "%b-%y", "%B %Y", "%Y %b",
    "%YM%m", "%Y-%b", "%b%y", "%b%Y",
)  # fmt: skip
WRITTEN = (
    "2024-02-28 (also / or . between), 28.02.2024, 28/02/2024, 02/28/2024, 28-02-2024, "
    "28-Feb-2024, 20240228, 2024-02, 202402, 2024M02, Feb 2024, 2024Q1, 2024-W05, each with "
    "or without a time of day, or whole numbers that count periods"
)
"""The formats, for people."""
_TIME = re.compile(
    r"(?P<by>[T ])(?P<h>\d{1,2}):(?P<m>\d{2})(?::(?P<s>\d{2})(?:\.\d+)?)?"
    r"(?P<zone>Z|\s?[+-]\d{2}:?\d{2}| ?UTC)?$"
)
_QUARTER = re.compile(
    r"(?:(?P<y>\d{4})(?P<a>[-/ ]?)(?P<c>[Qq])(?P<q>[1-4])"
    r"|(?P<d>[Qq])(?P<r>[1-4])(?P<b>[-/ ]?)(?P<z>\d{4}))"
)
_WEEK_ALONE = re.compile(r"(\d{4})([-/ ]?)(\d{2})")
_WEEK = re.compile(r"(\d{4})(-?)W(\d{2})(-?[1-7])?")
NEARLY = 0.95
"""A reading of this share of what the best one reads is still in the running."""


@dataclass(frozen=True, kw_only=True)
class Reading:
    """Days since 1970-01-01 of each distinct text, where `ok`; seconds where there is a `step` of
    so many of them."""

    days: Ints
    ok: Bools
    pattern: str
    step: int = 0
    notes: tuple[str, ...] = ()


def read_numbers(texts: Sequence[str], rows: Ints) -> tuple[Ints, Bools] | Reading | None:
    """Period numbers, or days and months written as whole numbers; None: mostly no numbers."""
    import pandas as pd

    number = pd.to_numeric(pd.Series(texts, dtype=object), errors="coerce").to_numpy(dtype=float)
    with np.errstate(invalid="ignore"):
        whole = np.isfinite(number) & (number % 1 == 0) & (np.abs(number) < 2**53)
    if rows[whole].sum() <= 0.5 * rows.sum():
        return None
    for digits, pattern in ((8, "%Y%m%d"), (6, "%Y%m")):
        if all(re.fullmatch(rf"\d{{{digits}}}", t) for t, w in zip(texts, whole, strict=True) if w):
            days, ok = _read(texts, pattern)
            year = np.where(ok, days, 0).astype("datetime64[D]").astype("datetime64[Y]").astype(int)
            ok &= (year >= 1900 - 1970) & (year <= 2200 - 1970)
            if rows[ok].sum() >= NEARLY * rows[whole].sum():
                return Reading(days=days, ok=ok, pattern=pattern)
    if (weeks := _weeks_alone(texts, rows)) is not None:
        return weeks
    if (dates := _counted_days(np.where(whole, number, 0).astype(np.int64), whole)) is not None:
        return dates
    return np.where(whole, number, 0).astype(np.int64), np.asarray(whole, dtype=bool)


def _read(texts: Sequence[str], pattern: str) -> tuple[Ints, Bools]:
    import pandas as pd

    when = pd.to_datetime(pd.Series(texts, dtype=object), format=pattern, errors="coerce")
    ok = when.notna().to_numpy()
    days = np.zeros(len(texts), dtype=np.int64)
    days[ok] = when[ok].to_numpy().astype("datetime64[D]").astype(np.int64)
    return days, ok


def read_days(texts: Sequence[str]) -> tuple[dict[str, int], tuple[str, ...]]:
    """Distinct texts of days, without times of day → days since 1970-01-01 for those that are, and
    what is to be said."""
    if not texts:
        return {}, ()
    rows = np.ones(len(texts), dtype=np.int64)
    found = read_numbers(texts, rows)
    if isinstance(found, tuple):
        return {}, ()
    reading = found or read_dates(texts, rows)
    days = {t: int(d) for t, d, ok in zip(texts, reading.days, reading.ok, strict=True) if ok}
    return days, reading.notes


def read_dates(texts: Sequence[str], rows: Ints) -> Reading:
    """The reading of most cells; of those that read nearly as many, the most regular calendar."""
    bare, clock = _without_time(texts)
    named = _named_periods(bare, rows) or _weeks_alone(bare, rows)
    if named is not None:
        return named
    readings = []
    for pattern in (*DAYS_WRITTEN, *MONTHS_WRITTEN):
        days, ok = _read(bare, pattern)
        readings.append(Reading(days=days, ok=ok, pattern=pattern))
        if ok.all() and pattern.startswith("%Y"):  # no other order of day and month reads these
            break
    most = max(int(rows[r.ok].sum()) for r in readings)
    if not most:
        return readings[0]
    among = [r for r in readings if rows[r.ok].sum() >= NEARLY * most]
    ranked = sorted(among, key=lambda r: (*_regular(r), -int(rows[r.ok].sum())))
    best = ranked[0]
    others = [r for r in ranked[1:] if not np.array_equal(r.days[r.ok], best.days[best.ok])]
    notes: tuple[str, ...] = ()
    if others and _regular(others[0]) == _regular(best):
        notes = (f"The dates could be {best.pattern} or {others[0].pattern}: the first was taken.",)
    return clock.added(Reading(days=best.days, ok=best.ok, pattern=best.pattern, notes=notes))


@dataclass(frozen=True, kw_only=True)
class _Clock:
    """Times of day: seconds of each distinct text, and how they are written; `given`: how many
    different ones."""

    seconds: Ints
    pattern: str
    given: int

    def added(self, found: Reading) -> Reading:
        """The reading with its times of day: as steps of hours or minutes where they (nearly) fill
        a grid of these, else left off."""
        if self.given < 2:
            return replace(found, pattern=found.pattern + self.pattern)
        when = found.days * DAY + self.seconds
        step = full_step(np.unique(when[found.ok]))
        if 60 <= step < DAY:
            return replace(found, days=when, pattern=found.pattern + self.pattern, step=step)
        zero = re.sub(r"%[HMS]", "00", self.pattern)
        note = f"Times of day are left off: {self.given} different ones were found."
        return replace(found, pattern=found.pattern + zero, notes=(*found.notes, note))


def _without_time(texts: Sequence[str]) -> tuple[list[str], _Clock]:
    """Texts without their time of day, and these times."""
    found = [_TIME.search(t) for t in texts]
    bare = [t[: m.start()] if m else t for t, m in zip(texts, found, strict=True)]
    times = [m for m in found if m]
    given = sorted({m.group() for m in times})
    seconds = np.zeros(len(texts), dtype=np.int64)
    for i, m in enumerate(found):
        seconds[i] = int(m["h"]) * 3600 + int(m["m"]) * 60 + int(m["s"] or 0) if m else 0
    if len(given) == 1:
        pattern = given[0].replace("%", "%%")
    elif given:
        first = times[0]
        pattern = f"{first['by']}%H:%M" + (":%S" if first["s"] else "") + (first["zone"] or "")
    else:
        pattern = ""
    return bare, _Clock(seconds=seconds, pattern=pattern, given=len(given))


def _named_periods(texts: Sequence[str], rows: Ints) -> Reading | None:
    """`2020Q1` and `2020-W05`, when most texts are such; a week is its Monday."""
    for pattern, read in ((_QUARTER, _quarter), (_WEEK, _week)):
        matches = [pattern.fullmatch(t) for t in texts]
        made = [read(m) if m else None for m in matches]
        ok = np.asarray([d is not None for d in made], dtype=bool)
        if rows[ok].sum() > 0.5 * rows.sum():
            days = np.asarray([(d[0] - EPOCH).days if d else 0 for d in made], dtype=np.int64)
            return Reading(days=days, ok=ok, pattern=next(d[1] for d in made if d))
    return None


def _quarter(match: re.Match[str]) -> tuple[date, str]:
    if match["y"]:
        return date(int(match["y"]), 3 * int(match["q"]) - 2, 1), f"%Y{match['a']}{match['c']}{{q}}"
    return date(int(match["z"]), 3 * int(match["r"]) - 2, 1), f"{match['d']}{{q}}{match['b']}%Y"


def _week(match: re.Match[str]) -> tuple[date, str] | None:
    year, dash, week, day = match.groups()
    try:
        monday = date.fromisocalendar(int(year), int(week), int(day[-1]) if day else 1)
    except ValueError:
        return None
    return monday, f"%G{dash}W%V" + (f"{day[:-1]}%u" if day else "")


def _weeks_alone(texts: Sequence[str], rows: Ints) -> Reading | None:
    """`2020-05` and `202005` as weeks, where the column shows numbers up to 53 in several years."""
    parts = [_WEEK_ALONE.fullmatch(t) for t in texts]
    week = np.array([int(m[3]) if m else 0 for m in parts], dtype=np.int64)
    year = np.array([int(m[1]) if m else 0 for m in parts], dtype=np.int64)
    ok = (week >= 1) & (week <= 53) & (year >= 1900) & (year <= 2200)
    if rows[ok].sum() < NEARLY * rows.sum() or week.max() <= 12 or np.unique(year[ok]).size < 2:
        return None
    days = np.zeros(len(texts), dtype=np.int64)
    for i in np.flatnonzero(ok):
        last = date(int(year[i]), 12, 28).isocalendar().week  # a year's last week holds that day
        ok[i] = week[i] <= last
        if ok[i]:
            days[i] = (date.fromisocalendar(int(year[i]), int(week[i]), 1) - EPOCH).days
    between = next(m[2] for m in parts if m)
    return Reading(days=days, ok=ok, pattern=f"%G{between}%V")


def _counted_days(number: Ints, whole: Bools) -> Reading | None:
    """Excel's dates (1954 to 2119), or seconds or milliseconds since 1970, where they make months
    or working days; of other steps the numbers themselves are as good."""
    for pattern, (origin, unit) in COUNTS.items():
        days = number // unit - origin
        ok = whole & (number % unit == 0) & (days > -5_900) & (days < 55_000)
        if unit > 1 and (np.abs(number[whole]) < unit * 365).any():
            continue
        distinct = np.unique(days[ok])
        if ok.sum() < whole.sum() or distinct.size < 3:
            continue
        working = distinct.size >= 15 and week_of(distinct) != EVERY_DAY
        if dated_months(distinct) or working:
            return Reading(days=days, ok=ok, pattern=pattern)
    return None


def _regular(reading: Reading) -> tuple[float, int]:
    """How much of its own calendar a reading leaves empty, and whether that is an unnatural one
    (months that are neither dated by their first nor their last day): smaller is better."""
    days = np.unique(reading.days[reading.ok])
    kind, step, _ = grid(days)
    place = months(days) if kind == "months" else days
    span = (int(place[-1]) - int(place[0])) // step + 1
    empty = 1 - np.unique((place - place[0]) // step).size / span
    first = bool((day_of_month(days) == 1).all())
    return round(float(empty), 3), 0 if first else 1 if kind == "days" or last_days(days) else 2
