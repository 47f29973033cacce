"""Series in files: `unique_id, ds, y` in, forecasts and order-up-to levels out.

Promises: ids stay text (`007` stays `007`); rows may come in any order; what could not be read is
counted and said; future periods are written the way the past ones were. Refuses (`BadSeries`) a
file without the three columns or without a single readable period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from supplyline.errors import Terminal
from supplyline.forecast.series import Series, regular

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("unique_id", "ds", "y")


class BadSeries(Terminal):
    code = "unreadable_series"
    next_step = "Write a CSV with the columns unique_id, ds (a date or a period number) and y."


@dataclass(frozen=True, kw_only=True)
class Calendar:
    """How a file writes its periods. `kind`: `number`, `days` (every `step` days) or `months`
    (every `step` months); `pattern`: strftime of the dates; `month_end`: dates are last days."""

    kind: str
    step: int
    pattern: str = ""
    month_end: bool = False

    def after(self, last: object, ahead: int) -> str:
        """The period `ahead` steps after `last` (an int or a date)."""
        if self.kind == "number":
            return str(int(last) + ahead * self.step)  # type: ignore[call-overload] # kind says int
        import pandas as pd

        when = pd.Timestamp(last)  # type: ignore[arg-type] # other kinds hold dates
        if self.kind == "days":
            return str((when + pd.Timedelta(days=ahead * self.step)).strftime(self.pattern))
        moved = when + pd.DateOffset(months=ahead * self.step)
        if self.month_end:
            moved = moved + pd.offsets.MonthEnd(0)
        return str(moved.strftime(self.pattern))


@dataclass(frozen=True, kw_only=True)
class SeriesFile:
    """All series of a file; `last[i]` is the last period of `series[i]`, at which the forecast
    begins; `notes` are about the file as a whole."""

    series: tuple[Series, ...]
    last: tuple[object, ...]
    calendar: Calendar
    notes: tuple[str, ...] = ()


def read_series(path: Path) -> SeriesFile:
    """Reads a long CSV of series."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError, UnicodeDecodeError) as error:
        raise BadSeries(f"{path.name} cannot be read as CSV: {error}.") from error
    frame.columns = [str(c).strip() for c in frame.columns]
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise BadSeries(f"{path.name} lacks the columns {', '.join(missing)}.")
    if frame.empty:
        raise BadSeries(f"{path.name} holds no rows.")
    notes: list[str] = []
    y = pd.to_numeric(frame["y"].str.strip(), errors="coerce").to_numpy(dtype=float)
    y = np.where(np.isfinite(y), y, np.nan)
    position, calendar, shown = _positions(frame["ds"].str.strip())
    unread = int((position < 0).sum())
    if unread == len(frame):
        raise BadSeries(f"{path.name} has no readable period in the column ds.")
    if unread:
        notes.append(f"{unread} rows without a readable period were left out.")
    blank = int(np.isnan(y).sum())
    if blank:
        notes.append(f"{blank} rows without a readable number in y.")
    good = np.flatnonzero(position >= 0)
    codes, _ = pd.factorize(frame["unique_id"].to_numpy()[good])
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    series, last = [], []
    for group in np.split(good[order], cuts):
        item = str(frame["unique_id"].iat[group[0]])
        one = regular(item, positions=position[group], values=y[group])
        series.append(one)
        finite = group[np.isfinite(y[group])] if np.isfinite(y[group]).any() else group
        last.append(shown[finite[np.argmax(position[finite])]])
    return SeriesFile(series=tuple(series), last=tuple(last), calendar=calendar, notes=tuple(notes))


def _positions(
    text: pd.Series,
) -> tuple[npt.NDArray[np.int64], Calendar, npt.NDArray[np.object_]]:
    """Period numbers (-1: unreadable), the calendar, and the period as it is to be counted on."""
    import pandas as pd

    number = pd.to_numeric(text, errors="coerce")
    whole = number.notna() & (number % 1 == 0) & (number.abs() < 2**53)
    if whole.sum() > 0.5 * len(text):
        value = number.where(whole, 0).to_numpy(dtype=np.int64)
        ok = whole.to_numpy()
        base = int(value[ok].min())
        gaps = np.diff(np.unique(value[ok]))
        step = int(np.gcd.reduce(gaps)) if gaps.size else 1
        position = np.where(ok, (value - base) // max(step, 1), -1)
        return position, Calendar(kind="number", step=max(step, 1)), value.astype(object)
    when, pattern = _dates(text)
    ok = when.notna().to_numpy()
    if not ok.any():
        return np.full(len(text), -1), Calendar(kind="number", step=1), np.array(text, dtype=object)
    days = np.zeros(len(text), dtype=np.int64)
    days[ok] = when[ok].to_numpy().astype("datetime64[D]").astype(np.int64)
    shown = when.to_numpy().astype(object)
    gaps = np.diff(np.unique(days[ok]))
    usual = int(np.median(gaps)) if gaps.size else 1
    if usual >= 28:
        month = np.where(ok, when.dt.year.fillna(0) * 12 + when.dt.month.fillna(1) - 1, 0).astype(
            np.int64
        )
        apart = np.diff(np.unique(month[ok]))
        step = int(np.gcd.reduce(apart)) if apart.size else 1
        ends = bool(when[ok].dt.is_month_end.all())
        calendar = Calendar(kind="months", step=max(1, step), pattern=pattern, month_end=ends)
        return np.where(ok, (month - month[ok].min()) // max(1, step), -1), calendar, shown
    step = 7 if usual >= 7 and (gaps % 7 == 0).all() else 1
    calendar = Calendar(kind="days", step=step, pattern=pattern)
    return np.where(ok, (days - days[ok].min()) // step, -1), calendar, shown


PATTERNS = (
    "%Y-%m-%d", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M:%S", "%Y-%m", "%Y%m%d", "%Y/%m/%d",
    "%d.%m.%Y", "%m/%d/%Y", "%d/%m/%Y",
)  # fmt: skip


def _dates(text: pd.Series) -> tuple[pd.Series, str]:
    """Dates and the one pattern that reads most of them."""
    import pandas as pd

    best, chosen = None, PATTERNS[0]
    for pattern in PATTERNS:
        read = pd.to_datetime(text, format=pattern, errors="coerce")
        if best is None or read.notna().sum() > best.notna().sum():
            best, chosen = read, pattern
        if read.notna().all():
            break
    return pd.Series(best), chosen


def read_prices(path: Path) -> dict[str, float]:
    """`unique_id, price` (or `unit_cost`, `unit_price`) → price per unit; unreadable ones are
    left out."""
    import pandas as pd

    try:
        frame = pd.read_csv(path, dtype=str, keep_default_na=False, encoding="utf-8-sig")
    except (OSError, ValueError) as error:
        raise BadSeries(f"{path.name} cannot be read as CSV: {error}.") from error
    named = [c for c in ("price", "unit_cost", "unit_price", "sell_price") if c in frame.columns]
    column = (named or [c for c in frame.columns if c != "unique_id"] or [""])[0]
    if "unique_id" not in frame.columns or not column:
        raise BadSeries(
            f"{path.name} lacks the columns unique_id and price.",
            next_step="Write a CSV with the columns unique_id and price.",
        )
    value = pd.to_numeric(frame[column], errors="coerce")
    good = (value > 0) & np.isfinite(value)
    return dict(zip(frame["unique_id"][good], value[good].astype(float), strict=True))


def write_rows(path: Path, *, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Writes beside the target and renames, so that a reader never sees half a file."""
    import csv

    part = path.with_name(f".{path.name}.{datetime.now().timestamp():.0f}.part")  # noqa: DTZ005 - only a file name
    with part.open("w", newline="", encoding="utf-8") as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)
    part.replace(path)
