"""The periods of a file of series: the place of each row in its calendar.

Promises: future periods are written as the past ones were; what is far outside of all others is
told, not filled.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from supplyline.forecast.calendars import (
    DAY,
    EPOCH,
    EVERY_DAY,
    Calendar,
    Ints,
    counted_from,
    grid,
    months,
    week_of,
)
from supplyline.forecast.period_texts import Reading, read_dates, read_numbers

if TYPE_CHECKING:
    import pandas as pd

Bools = npt.NDArray[np.bool_]

FAR_PERIODS = 36_600
"""A gap of more periods than a century has days is no gap in sales."""


@dataclass(frozen=True, kw_only=True)
class Periods:
    """`position`: number of each row's period, -1 where it is unreadable or `far` from all others;
    `value`: what `Calendar.after` counts on from."""

    position: Ints
    value: Ints
    calendar: Calendar
    far: Bools
    notes: tuple[str, ...] = ()


def read_periods(text: pd.Series, *, season: int = 7) -> Periods:
    """The periods of a column of stripped texts. Days of the week without any row are no periods,
    unless the `season` is one of weeks."""
    import pandas as pd

    codes, distinct = pd.factorize(text)
    rows = np.bincount(codes, minlength=len(distinct))
    texts = [str(t) for t in distinct]
    found = read_numbers(texts, rows)
    if found is None:
        found = read_dates(texts, rows)
    notes: tuple[str, ...] = ()
    if isinstance(found, Reading):
        value, ok, notes = found.days, found.ok, found.notes
        far = _far(value, ok, rows, century=FAR_PERIODS * DAY if found.step else 0)
        calendar, position = _dated(found, ok & ~far, texts, season=season)
    else:
        value, ok = found
        far = _far(value, ok, rows)
        calendar, position = _counted(value, ok & ~far)
    return Periods(
        position=position[codes], value=value[codes], calendar=calendar, far=far[codes], notes=notes
    )


def _dated(
    found: Reading, ok: Bools, texts: Sequence[str], *, season: int
) -> tuple[Calendar, Ints]:
    if not ok.any():
        return Calendar(kind="number", step=1), np.full(ok.size, -1, dtype=np.int64)
    first = int(found.days[ok].min())
    if found.step:
        calendar = Calendar(kind="times", step=found.step, pattern=found.pattern)
        return calendar, np.where(ok, (found.days - first) // found.step, -1)
    distinct = np.unique(found.days[ok])
    kind, step, month_end = grid(distinct)
    if distinct.size < 3 and "%d" not in found.pattern:  # too few to see what is written anyway
        if "%V" in found.pattern:
            kind, step = "days", 7
        elif kind == "days":
            kind, step = "months", 3 if "{q}" in found.pattern else 1
    week = week_of(distinct) if kind == "days" and step == 1 and season % 7 else EVERY_DAY
    calendar = Calendar(kind=kind, step=step, pattern=found.pattern, month_end=month_end, week=week)
    calendar = _as_written(calendar, found, ok, texts)
    if week != EVERY_DAY:
        return calendar, np.where(ok, counted_from(found.days, first, week), -1)
    place = months(found.days) if kind == "months" else found.days
    return calendar, np.where(ok, (place - place[ok].min()) // step, -1)


def _as_written(calendar: Calendar, found: Reading, ok: Bools, texts: Sequence[str]) -> Calendar:
    """Without leading zeros where more of the texts are written so."""
    bare = replace(calendar, bare=True)
    some = [
        (texts[i], EPOCH + timedelta(days=int(found.days[i]))) for i in np.flatnonzero(ok)[:500]
    ]
    as_bare = sum(bare.write(d) == t for t, d in some)
    return bare if as_bare > sum(calendar.write(d) == t for t, d in some) else calendar


def _counted(value: Ints, ok: Bools) -> tuple[Calendar, Ints]:
    if not ok.any():
        return Calendar(kind="number", step=1), np.full(ok.size, -1, dtype=np.int64)
    gaps = np.diff(np.unique(value[ok]))
    step = int(np.gcd.reduce(gaps)) if gaps.size else 1
    return Calendar(kind="number", step=step), np.where(ok, (value - value[ok].min()) // step, -1)


def _far(value: Ints, ok: Bools, rows: Ints, *, century: int = 0) -> Bools:
    """What lies apart from all others: behind a gap twice as long as all the rest (of 20 periods
    or more), holding a twentieth of the rows or less; or behind a gap of FAR_PERIODS, or of a
    `century` where that is given."""
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
        if not (alone or gap > (century or FAR_PERIODS * unit)):
            break
        far[few] = True
        known = rest
    return far
