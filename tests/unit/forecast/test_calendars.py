"""Steps of days, working days, times of day, and dates written as numbers go on as they were."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from click.testing import CliRunner

from supplyline.forecast.commands import plan_series
from tests.unit.forecast.test_periods import run, table

AHEAD = 8


def check(tmp_path: Path, texts: list[str]) -> str:
    """All but the last AHEAD texts are history; these must be the forecast's. The report."""
    result, rows = run(tmp_path, table(texts[:-AHEAD]), horizon=AHEAD)
    assert [r["ds"] for r in rows] == texts[-AHEAD:]
    assert "without a row" not in result.stderr
    return result.stderr


@pytest.mark.parametrize("freq", ["2D", "3D", "10D", "2W", "4W", "B", "C", "h", "15min", "6h"])
@pytest.mark.parametrize("length", [30, 70])
def test_any_regular_step_goes_on(tmp_path: Path, freq: str, length: int) -> None:
    closed = {"weekmask": "Tue Wed Thu Fri Sat"} if freq == "C" else {}
    dates = pd.bdate_range if closed else pd.date_range
    pattern = "%Y-%m-%d %H:%M:%S" if freq in ("h", "15min", "6h") else "%Y-%m-%d"
    when = dates("2019-11-15", periods=length + AHEAD, freq=freq, **closed)
    check(tmp_path, [d.strftime(pattern) for d in when])


@pytest.mark.parametrize("freq", ["MS", "ME", "QS", "B"])
@pytest.mark.parametrize("unit", ["excel", "seconds", "milliseconds"])
def test_dates_written_as_numbers_go_on(tmp_path: Path, freq: str, unit: str) -> None:
    days = pd.date_range("2021-01-01", periods=60, freq=freq).to_numpy().astype("datetime64[D]")
    number = days.astype(np.int64)
    factor = {"excel": 1, "seconds": 86_400, "milliseconds": 86_400_000}[unit]
    number = number + 25_569 if unit == "excel" else number * factor
    check(tmp_path, [str(n) for n in number])


@pytest.mark.parametrize("pattern", ["{y}{w:02}", "{y}-{w:02}", "{y}W{w:02}", "{y}-W{w:02}"])
def test_weeks_of_the_year_go_on_over_new_year(tmp_path: Path, pattern: str) -> None:
    weeks = [(date(2019, 11, 4) + timedelta(days=7 * n)).isocalendar() for n in range(113)]
    check(tmp_path, [pattern.format(y=w.year, w=w.week) for w in weeks])


@pytest.mark.parametrize("pattern", ["%YM%m", "%Y-%b", "%b%y", "%Yq1", "%Y-%m-%dT00:00:00.000Z"])
def test_further_ways_to_write_months(tmp_path: Path, pattern: str) -> None:
    months = [date(2015 + n // 12, n % 12 + 1, 1) for n in range(60)]
    quarters = [f"{2015 + n // 4}q{n % 4 + 1}" for n in range(60)]
    check(tmp_path, quarters if "q" in pattern else [m.strftime(pattern) for m in months])


def test_a_season_of_weeks_keeps_the_days_without_sales(tmp_path: Path) -> None:
    days = [d.isoformat() for d in pd.bdate_range("2021-01-04", periods=60).date]
    _, rows = run(tmp_path, table(days), horizon=3)
    assert rows[0]["ds"] == (date(2021, 1, 4) + timedelta(days=84)).isoformat()
    from supplyline.forecast.series_io import read_series

    book = read_series(tmp_path / "in.csv", season=7)
    assert book.series[0].values.size == 82


def test_levels_of_a_season_of_working_days_leave_the_others_out(tmp_path: Path) -> None:
    days = [d.isoformat() for d in pd.bdate_range("2021-01-04", periods=60).date]
    (tmp_path / "in.csv").write_text(table(days), encoding="utf-8")
    args = [str(tmp_path / "in.csv"), "--lead-time", "2", "--review", "1", "--fill-rate", "0.9"]
    for season, left_out in ((1, False), (5, True), (7, False)):
        given = [*args, "--season", str(season), "--output", str(tmp_path / "out.csv")]
        result = CliRunner().invoke(plan_series, given, catch_exceptions=False)
        assert ("without a row" in result.stderr) != left_out


def test_sales_at_all_hours_of_a_few_days_are_daily_sales(tmp_path: Path) -> None:
    rng = np.random.default_rng(1)
    when = [
        datetime(2021, 1, 1, tzinfo=UTC) + timedelta(minutes=int(m))
        for m in rng.integers(0, 86400, 200)
    ]
    result, rows = run(tmp_path, table([t.strftime("%Y-%m-%d %H:%M") for t in when]))
    assert rows[0]["ds"] == "2021-03-02 00:00"
    assert "Times of day are left off" in result.stderr


def test_hours_of_other_years_are_hours_too(tmp_path: Path) -> None:
    body = "unique_id,ds,y\n"
    for item, year in (("a", 2009), ("b", 2016), ("c", 2017)):
        hours = pd.date_range(f"{year}-03-01 07:00", periods=60, freq="h")
        body += "".join(f"{item},{d:%Y-%m-%d %H:%M},{d.hour}\n" for d in hours)
    result, rows = run(tmp_path, body, horizon=2)
    assert result.exit_code == 0
    assert [r["ds"] for r in rows] == [
        f"{year}-03-03 {hour}:00" for year in (2009, 2016, 2017) for hour in (19, 20)
    ]


def test_the_opening_hours_of_a_shop_make_days(tmp_path: Path) -> None:
    hours = [d for d in pd.date_range("2021-03-01", periods=24 * 30, freq="h") if 9 <= d.hour < 18]
    _, rows = run(tmp_path, table([d.strftime("%Y-%m-%d %H:%M") for d in hours]))
    assert rows[0]["ds"] == "2021-03-31 00:00"
