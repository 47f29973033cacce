"""Series in files: `unique_id, ds, y` in, forecasts and order-up-to levels out.

Promises: ids stay text (`007` stays `007`); rows may come in any order; what could not be read is
counted and said; a series with values no engine can reckon with, or with a row far out of all
periods, is set aside alone, with the reason. Refuses (`BadSeries`) a file without the three columns
or without a single readable period.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from io import StringIO
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from supplyline.errors import Terminal
from supplyline.forecast import cells
from supplyline.forecast.calendars import Calendar
from supplyline.forecast.period_texts import WRITTEN
from supplyline.forecast.periods import Periods, read_periods
from supplyline.forecast.series import Floats, Series, regular
from supplyline.outputs import written

if TYPE_CHECKING:
    import pandas as pd

COLUMNS = ("unique_id", "ds", "y")
LARGEST, SMALLEST = 1e15, 1e-15
"""Beyond these an amount is no quantity of goods, and squares of it no numbers."""
LONGEST = 100_000
"""Periods of a series of which nearly none has a row; more cannot be meant."""


class BadSeries(Terminal):
    code = "unreadable_series"
    next_step = "Write a CSV with the columns unique_id, ds (a date or a period number) and y."


@dataclass(frozen=True, kw_only=True)
class SeriesFile:
    """All series of a file; `last[i]` is the last period of `series[i]` (see `Calendar.after`), at
    which the forecast begins; `notes` are about the file as a whole."""

    series: tuple[Series, ...]
    last: tuple[int, ...]
    calendar: Calendar
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Prices:
    """`known`: price per unit by item; `notes`: what of the file is not used."""

    known: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def read_series(path: Path, *, season: int = 7) -> SeriesFile:
    """Reads a long CSV of series; `season` as in `read_periods`."""
    frame, notes = _table(path, wanted=COLUMNS)
    missing = [c for c in COLUMNS if c not in frame.columns]
    if missing:
        raise BadSeries(f"{path.name} lacks the columns {', '.join(missing)}.")
    if frame.empty:
        raise BadSeries(f"{path.name} holds no rows.")
    y = _numbers(frame["y"])
    text = [str(t) for t in frame["ds"].str.strip()]
    periods = read_periods(frame["ds"].str.strip(), season=season)
    notes += periods.notes
    unread = (periods.position < 0) & ~periods.far
    if unread.all():
        raise BadSeries(
            f"{path.name} has no readable period in the column ds, such as {text[0][:40]!r}.",
            next_step=f"Write ds in one of these ways: {WRITTEN}.",
        )
    if unread.any():
        notes.append(f"{int(unread.sum())} rows without a readable period were left out.")
    if blank := int(np.isnan(y).sum()):
        notes.append(f"{blank} rows without a readable number in y.")
    good = np.flatnonzero(~unread)
    import pandas as pd

    codes, _ = pd.factorize(frame["unique_id"].to_numpy()[good])
    order = np.argsort(codes, kind="stable")
    cuts = np.flatnonzero(np.diff(codes[order])) + 1
    series, last = [], []
    for group in np.split(good[order], cuts):
        item = str(frame["unique_id"].iat[group[0]])
        if reason := _unusable(group, periods, y, text):
            series.append(Series(id=item, values=np.empty(0), notes=(reason,)))
            last.append(int(periods.value[group[0]]))
            continue
        series.append(regular(item, positions=periods.position[group], values=y[group]))
        finite = group[np.isfinite(y[group])] if np.isfinite(y[group]).any() else group
        last.append(int(periods.value[finite[np.argmax(periods.position[finite])]]))
    return SeriesFile(
        series=tuple(series), last=tuple(last), calendar=periods.calendar, notes=tuple(notes)
    )


def _unusable(group: npt.NDArray[np.int64], periods: Periods, y: Floats, text: list[str]) -> str:
    """Why these rows make no series; empty when they do."""
    if (far := group[periods.far[group]]).size:
        shown = ", ".join(f"row {i + 2} ({text[i][:20]})" for i in far[:5])
        more = f" and {far.size - 5} more" if far.size > 5 else ""
        return f"Set aside: far out of the other periods: {shown}{more}. Correct or remove them."
    size = np.abs(y[group])
    if (size > LARGEST).any():
        i = group[int(np.nanargmax(size))]
        return f"Set aside: values beyond {LARGEST:g}, such as row {i + 2} ({y[i]:.3g})."
    if 0 < np.nanmax(size, initial=0.0) < SMALLEST:
        return f"Set aside: no value reaches {SMALLEST:g}. Choose a smaller unit."
    place = periods.position[group]
    periods_in_all = int(place.max() - place.min()) + 1
    if periods_in_all > LONGEST and group.size < 0.05 * periods_in_all:
        return f"Set aside: its {group.size} rows lie in {periods_in_all} periods."
    return ""


def _numbers(column: pd.Series) -> Floats:
    """A number for each text, NaN where there is none; decimal commas are told from the column."""
    import pandas as pd

    text = column.str.strip()
    y = pd.to_numeric(text, errors="coerce").to_numpy(dtype=float)
    strange = np.isnan(y) & text.str.contains(r"\d").to_numpy()
    if strange.any():
        known = cells.numbers(text.unique())
        y = np.asarray(text.map(known).to_numpy(), dtype=float)
    return np.where(np.isfinite(y), y, np.nan)


def _table(path: Path, *, wanted: Sequence[str]) -> tuple[pd.DataFrame, list[str]]:
    """All cells as text: UTF-8, UTF-16 or Windows-1252; comma, semicolon, tab or bar between."""
    import pandas as pd

    try:
        data = path.read_bytes()
    except OSError as error:
        raise BadSeries(f"{path.name} cannot be read: {error.strerror}.") from error
    notes: list[str] = []
    if data.startswith((b"\xff\xfe", b"\xfe\xff")):
        encoding = "utf-16"
    elif b"\0" in data[:4096]:
        raise BadSeries(f"{path.name} is no text file.")
    else:
        encoding = "utf-8-sig"
    try:
        text = data.decode(encoding)
    except UnicodeDecodeError:
        text = data.decode("cp1252", errors="replace")
        notes.append("The file is not in UTF-8; it was read as Windows-1252.")
    head = text.lstrip("\r\n").split("\n", 1)[0]
    separator = max(",;\t|", key=lambda c: _recognised(head, c, wanted))
    try:
        frame = pd.read_csv(
            StringIO(text), dtype=str, keep_default_na=False, sep=separator, index_col=False
        )
    except ValueError as error:
        raise BadSeries(f"{path.name} cannot be read as CSV: {error}.") from error
    names = [str(c).strip() for c in frame.columns]
    lower = [n.lower() for n in names]
    for name in wanted:
        if name not in names and lower.count(name) == 1:
            names[lower.index(name)] = name
    frame.columns = names
    return frame, notes


def _recognised(head: str, separator: str, wanted: Sequence[str]) -> int:
    names = [n.strip(" \r\"'").lower() for n in head.split(separator)]
    return sum(w in names for w in wanted)


PRICES = ("price", "unit_cost", "unit_price", "sell_price")


def read_prices(path: Path, *, items: Sequence[str]) -> Prices:
    """`unique_id, price` (or `unit_cost`, `unit_price`) → price per unit of the items; what is
    zero, negative, no number, of no item or said twice is counted, and not used."""
    frame, notes = _table(path, wanted=("unique_id", *PRICES))
    named = [c for c in PRICES if c in frame.columns]
    column = (named or [c for c in frame.columns if c != "unique_id"] or [""])[0]
    if "unique_id" not in frame.columns or not column:
        raise BadSeries(
            f"{path.name} lacks the columns unique_id and price.",
            next_step="Write a CSV with the columns unique_id and price.",
        )
    value = _numbers(frame[column])
    mine = frame["unique_id"].isin(list(items)).to_numpy()
    good = mine & (value > 0) & (value <= LARGEST)
    known = dict(zip(frame["unique_id"][good], value[good].tolist(), strict=True))
    for count, what in (
        (int((~mine).sum()), "are of no series of the file"),
        (int((mine & ~(np.abs(value) <= LARGEST)).sum()), "are no readable number"),
        (int((mine & (value == 0)).sum()), "are zero"),
        (int((mine & (value < 0)).sum()), "are negative"),
        (int(good.sum()) - len(known), "are said again for the same series; the last one counts"),
    ):
        if count:
            notes.append(f"Prices: {count} of {len(frame)} {what}.")
    if bare := len(set(items)) - len(known):
        notes.append(
            f"Prices: {bare} of {len(set(items))} series have none: the median price stands for it."
        )
    return Prices(known=known, notes=tuple(notes))


def write_rows(path: Path, *, header: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    """Raises UnwritableOutput."""
    import csv

    with written(path) as out:
        writer = csv.writer(out)
        writer.writerow(header)
        writer.writerows(rows)
