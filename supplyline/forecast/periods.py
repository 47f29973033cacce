"""The periods of a file of series: what its column of dates or numbers means, and how to go on.

Promises: one reading for the whole column, by evidence: what reads (nearly) all cells, then what
makes the most regular calendar (`01/12/2022` beside eleven other firsts of a month is December).
Whole numbers that all are days (20240228) or months (202402) of a calendar are dates. Future
periods are written as the past ones were. What is far outside of all others is told, not filled.
"""

from __future__ import annotations

import re
from calendar import monthrange
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    import pandas as pd

Ints = npt.NDArray[np.int64]
Bools = npt.NDArray[np.bool_]

EPOCH = date(1970, 1, 1)
PATTERNS = (
    "%Y-%m-%d", "%Y/%m/%d", "%Y.%m.%d", "%d.%m.%Y", "%d.%m.%y", "%m/%d/%Y", "%d/%m/%Y", "%d-%m-%Y",
    "%m-%d-%Y", "%m/%d/%y", "%d/%m/%y", "%d-%m-%y", "%m-%d-%y", "%Y-%m", "%Y/%m", "%m/%Y", "%m-%Y",
    "%b %Y", "%b-%Y", "%b %y", "%b-%y", "%B %Y", "%Y %b", "%d %b %Y", "%d-%b-%Y", "%d-%b-%y",
    "%d %B %Y", "%b %d, %Y", "%B %d, %Y", "%d%b%Y",
)  # fmt: skip
WRITTEN = (
    "2024-02-28 (also / or . between), 28.02.2024, 28/02/2024, 02/28/2024, 28-02-2024, "
    "28-Feb-2024, 20240228, 2024-02, 202402, Feb 2024, 2024Q1, 2024-W05, each with or without "
    "a time of day, or whole numbers that count periods"
)
"""The formats, for people."""
_TIME = re.compile(r"[T ]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?:Z|\s?[+-]\d{2}:?\d{2}| ?UTC)?$")
_QUARTER = re.compile(
    r"(?:(?P<y>\d{4})(?P<a>[-/ ]?)Q(?P<q>[1-4])|Q(?P<r>[1-4])(?P<b>[-/ ]?)(?P<z>\d{4}))"
)
_WEEK = re.compile(r"(\d{4})(-?)W(\d{2})(-?[1-7])?")
NEARLY = 0.95
"""A reading of this share of what the best one reads is still in the running."""
FAR_PERIODS = 36_600
"""A gap of more periods than a century has days is no gap in sales."""


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How a file writes its periods. `kind`: `number`, `days` (every `step` days) or `months`
    (every `step` months); `pattern`: strftime of the dates, with `{q}` for the quarter;
    `month_end`: dates are last days; `bare`: days and months without a leading zero."""

    kind: str
    step: int
    pattern: str = ""
    month_end: bool = False
    bare: bool = False

    def after(self, last: int, ahead: int) -> str:
        """The period `ahead` steps after `last` (a number, or days since 1970-01-01)."""
        if self.kind == "number":
            return str(last + ahead * self.step)
        when = EPOCH + timedelta(days=last)
        if self.kind == "days":
            return self.write(when + timedelta(days=ahead * self.step))
        month = when.year * 12 + when.month - 1 + ahead * self.step
        year, month = month // 12, month % 12 + 1
        end = monthrange(year, month)[1]
        return self.write(date(year, month, end if self.month_end else min(when.day, end)))

    def write(self, when: date) -> str:
        text = when.strftime(self.pattern).replace("{q}", str((when.month + 2) // 3))
        return re.sub(r"(?<!\d)0(?=\d)", "", text) if self.bare else text


@dataclass(frozen=True, kw_only=True)
class Periods:
    """`position`: number of each row's period, -1 where it is unreadable or `far` from all others;
    `value`: what `Calendar.after` counts on from."""

    position: Ints
    value: Ints
    calendar: Calendar
    far: Bools
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class _Reading:
    """Days since 1970-01-01 of each distinct text, where `ok`."""

    days: Ints
    ok: Bools
    pattern: str
    notes: tuple[str, ...] = ()


def read_periods(text: pd.Series) -> Periods:
    """The periods of a column of stripped texts."""
    import pandas as pd

    codes, distinct = pd.factorize(text)
    rows = np.bincount(codes, minlength=len(distinct))
    texts = [str(t) for t in distinct]
    found = _numbers(texts, rows)
    if found is None:
        found = _dates(texts, rows)
    if isinstance(found, tuple):
        value, ok = found
        far = _far(value, ok, rows)
        calendar, position = _counted(value, ok & ~far)
        notes: tuple[str, ...] = ()
    else:
        value, ok, notes = found.days, found.ok, found.notes
        far = _far(value, ok, rows)
        calendar, position = _dated(found, ok & ~far, texts)
    return Periods(
        position=position[codes], value=value[codes], calendar=calendar, far=far[codes], notes=notes
    )


def _numbers(texts: Sequence[str], rows: Ints) -> tuple[Ints, Bools] | _Reading | None:
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
                return _Reading(days=days, ok=ok, pattern=pattern)
    return np.where(whole, number, 0).astype(np.int64), np.asarray(whole, dtype=bool)


def _read(texts: Sequence[str], pattern: str) -> tuple[Ints, Bools]:
    import pandas as pd

    when = pd.to_datetime(pd.Series(texts, dtype=object), format=pattern, errors="coerce")
    ok = when.notna().to_numpy()
    days = np.zeros(len(texts), dtype=np.int64)
    days[ok] = when[ok].to_numpy().astype("datetime64[D]").astype(np.int64)
    return days, ok


def _dates(texts: Sequence[str], rows: Ints) -> _Reading:
    """The reading of most cells; of those that read nearly as many, the most regular calendar."""
    bare, suffix, notes = _without_time(texts)
    named = _named_periods(bare, rows)
    if named is not None:
        return named
    readings = []
    for pattern in PATTERNS:
        days, ok = _read(bare, pattern)
        readings.append(_Reading(days=days, ok=ok, pattern=pattern))
        if ok.all() and pattern.startswith("%Y"):  # no other order of day and month reads these
            break
    most = max(int(rows[r.ok].sum()) for r in readings)
    if not most:
        return readings[0]
    among = [r for r in readings if rows[r.ok].sum() >= NEARLY * most]
    ranked = sorted(among, key=lambda r: (*_regular(r), -int(rows[r.ok].sum())))
    best = ranked[0]
    others = [r for r in ranked[1:] if not np.array_equal(r.days[r.ok], best.days[best.ok])]
    if others and _regular(others[0]) == _regular(best):
        notes = (
            *notes,
            f"The dates could be {best.pattern} or {others[0].pattern}: the first was taken.",
        )
    pattern = best.pattern + suffix.replace("%", "%%")
    return _Reading(days=best.days, ok=best.ok, pattern=pattern, notes=notes)


def _without_time(texts: Sequence[str]) -> tuple[list[str], str, tuple[str, ...]]:
    """Texts without their time of day, what to write in its place, and what is to be said."""
    times = [m.group() if (m := _TIME.search(t)) else "" for t in texts]
    if not any(times):
        return list(texts), "", ()
    bare = [t[: len(t) - len(s)] for t, s in zip(texts, times, strict=True)]
    given = sorted({s for s in times if s})
    if len(given) == 1:
        return bare, given[0], ()
    zero = re.sub(r"\d", "0", given[0])
    return bare, zero, (f"Times of day are left off: {len(given)} different ones were found.",)


def _named_periods(texts: Sequence[str], rows: Ints) -> _Reading | None:
    """`2020Q1` and `2020-W05`, when most texts are such; a week is its Monday."""
    for pattern, read in ((_QUARTER, _quarter), (_WEEK, _week)):
        matches = [pattern.fullmatch(t) for t in texts]
        made = [read(m) if m else None for m in matches]
        ok = np.asarray([d is not None for d in made], dtype=bool)
        if rows[ok].sum() > 0.5 * rows.sum():
            days = np.asarray([(d[0] - EPOCH).days if d else 0 for d in made], dtype=np.int64)
            return _Reading(days=days, ok=ok, pattern=next(d[1] for d in made if d))
    return None


def _quarter(match: re.Match[str]) -> tuple[date, str]:
    if match["y"]:
        return date(int(match["y"]), 3 * int(match["q"]) - 2, 1), f"%Y{match['a']}Q{{q}}"
    return date(int(match["z"]), 3 * int(match["r"]) - 2, 1), f"Q{{q}}{match['b']}%Y"


def _week(match: re.Match[str]) -> tuple[date, str] | None:
    year, dash, week, day = match.groups()
    try:
        monday = date.fromisocalendar(int(year), int(week), int(day[-1]) if day else 1)
    except ValueError:
        return None
    return monday, f"%G{dash}W%V" + (f"{day[:-1]}%u" if day else "")


def _regular(reading: _Reading) -> tuple[float, int]:
    """How much of its own calendar a reading leaves empty, and whether that is an unnatural one
    (months that are neither dated by their first nor their last day): smaller is better."""
    days = np.unique(reading.days[reading.ok])
    kind, step, _ = _grid(days)
    place = _months(days) if kind == "months" else days
    span = (int(place[-1]) - int(place[0])) // step + 1
    empty = 1 - np.unique((place - place[0]) // step).size / span
    first = bool((_day_of_month(days) == 1).all())
    return round(float(empty), 3), 0 if first else 1 if kind == "days" or _last_days(days) else 2


def _months(days: Ints) -> Ints:
    return days.astype("datetime64[D]").astype("datetime64[M]").astype(np.int64)


def _day_of_month(days: Ints) -> Ints:
    starts = days.astype("datetime64[D]").astype("datetime64[M]").astype("datetime64[D]")
    return days - starts.astype(np.int64) + 1


def _last_days(days: Ints) -> bool:
    return bool((_day_of_month(days + 1) == 1).all())


def _grid(days: Ints) -> tuple[str, int, bool]:
    """Kind, step and whether months are dated by their last day, from sorted distinct days."""
    gaps = np.diff(days)
    usual = int(np.median(gaps)) if gaps.size else 1
    if gaps.size > 2 and not (gaps % 28).any():
        return "days", 28, False
    if usual >= 28:
        apart = np.diff(np.unique(_months(days)))
        return "months", max(1, int(np.gcd.reduce(apart)) if apart.size else 1), _last_days(days)
    return "days", 7 if usual >= 7 and not (gaps % 7).any() else 1, False


def _dated(found: _Reading, ok: Bools, texts: Sequence[str]) -> tuple[Calendar, Ints]:
    if not ok.any():
        return Calendar(kind="number", step=1), np.full(ok.size, -1, dtype=np.int64)
    distinct = np.unique(found.days[ok])
    kind, step, month_end = _grid(distinct)
    if distinct.size < 3 and "%d" not in found.pattern:  # too few to see what is written anyway
        if "%V" in found.pattern:
            kind, step = "days", 7
        elif kind == "days":
            kind, step = "months", 3 if "{q}" in found.pattern else 1
    written = Calendar(kind=kind, step=step, pattern=found.pattern, month_end=month_end)
    bare = replace(written, bare=True)
    some = [
        (texts[i], EPOCH + timedelta(days=int(found.days[i]))) for i in np.flatnonzero(ok)[:500]
    ]
    if sum(bare.write(d) == t for t, d in some) > sum(written.write(d) == t for t, d in some):
        written = bare
    place = _months(found.days) if kind == "months" else found.days
    return written, np.where(ok, (place - place[ok].min()) // step, -1)


def _counted(value: Ints, ok: Bools) -> tuple[Calendar, Ints]:
    if not ok.any():
        return Calendar(kind="number", step=1), np.full(ok.size, -1, dtype=np.int64)
    gaps = np.diff(np.unique(value[ok]))
    step = int(np.gcd.reduce(gaps)) if gaps.size else 1
    return Calendar(kind="number", step=step), np.where(ok, (value - value[ok].min()) // step, -1)


def _far(value: Ints, ok: Bools, rows: Ints) -> Bools:
    """What lies apart from all others: behind a gap twice as long as all the rest (of 20 periods
    or more), holding a twentieth of the rows or less; or behind a gap of FAR_PERIODS."""
    far = np.zeros(value.size, dtype=bool)
    known = np.flatnonzero(ok)
    known = known[np.argsort(value[known], kind="stable")]
    while known.size > 2:
        gaps = np.diff(value[known])
        unit = int(gaps[gaps > 0].min()) if (gaps > 0).any() else 1
        at = int(np.argmax(gaps)) + 1
        sides = sorted((known[:at], known[at:]), key=lambda s: int(rows[s].sum()))
        few, rest = sides
        if rows[few].sum() == rows[rest].sum():
            few, rest = known[at:], known[:at]
        gap, span = int(gaps[at - 1]), int(value[rest].max() - value[rest].min())
        alone = rest.size >= 20 and gap > 2 * span and rows[few].sum() <= 0.05 * rows[known].sum()
        if not (alone or gap > FAR_PERIODS * unit):
            break
        far[few] = True
        known = rest
    return far
