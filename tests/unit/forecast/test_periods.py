"""A file's dates are read as a whole, by evidence, and written on as they came."""

from __future__ import annotations

import csv
from datetime import date, timedelta
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from supplyline.forecast.commands import forecast_series, plan_series
from supplyline.forecast.series_io import BadSeries

MONTHS = [date(2018 + n // 12, n % 12 + 1, 1) for n in range(60)]
DAYS = [date(2023, 11, 1) + timedelta(days=n) for n in range(120)]


def run(tmp_path: Path, body: str | bytes, *, horizon: int = 3) -> tuple[Result, list[dict]]:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_bytes(body if isinstance(body, bytes) else body.encode())
    args = [str(source), "--horizon", str(horizon), "--season", "12", "--output", str(target)]
    result = CliRunner().invoke(forecast_series, args, catch_exceptions=False)
    return result, list(csv.DictReader(target.open())) if target.exists() else []


def table(dates: list[str], *, head: str = "unique_id,ds,y") -> str:
    return f"{head}\n" + "".join(f"a,{d},{10 + n % 12}\n" for n, d in enumerate(dates))


@pytest.mark.parametrize(
    ("pattern", "ahead"),
    [
        ("%Y-%m-%d", "2023-01-01"), ("%Y%m%d", "20230101"), ("%Y%m", "202301"),
        ("%Y-%m", "2023-01"), ("%d/%m/%Y", "01/01/2023"), ("%m/%d/%Y", "01/01/2023"),
        ("%d.%m.%Y", "01.01.2023"), ("%d-%m-%Y", "01-01-2023"), ("%d/%m/%y", "01/01/23"),
        ("%b %Y", "Jan 2023"), ("%Y-%m-%dT00:00:00Z", "2023-01-01T00:00:00Z"),
        ("%Y-%m-%d 00:00:00+00:00", "2023-01-01 00:00:00+00:00"), ("%m/%Y", "01/2023"),
    ],
)  # fmt: skip
def test_months_in_any_format(tmp_path: Path, pattern: str, ahead: str) -> None:
    result, rows = run(tmp_path, table([d.strftime(pattern) for d in MONTHS]))
    assert result.exit_code == 0
    assert rows[0]["ds"] == ahead
    assert "without a row" not in result.stderr
    second = date(2023, 2, 1).strftime(pattern)
    assert rows[1]["ds"] == second


@pytest.mark.parametrize("pattern", ["%Y-%m-%d", "%Y%m%d", "%d/%m/%Y", "%m/%d/%Y", "%d-%b-%Y"])
def test_days_in_any_format(tmp_path: Path, pattern: str) -> None:
    result, rows = run(tmp_path, table([d.strftime(pattern) for d in DAYS]))
    assert [r["ds"] for r in rows] == [
        d.strftime(pattern) for d in (date(2024, 2, 29), date(2024, 3, 1), date(2024, 3, 2))
    ]
    assert "without a row" not in result.stderr


def test_dates_without_leading_zeros_stay_so(tmp_path: Path) -> None:
    _, rows = run(tmp_path, table([f"{d.month}/{d.day}/{d.year}" for d in DAYS]))
    assert [r["ds"] for r in rows] == ["2/29/2024", "3/1/2024", "3/2/2024"]


def test_quarters_and_weeks(tmp_path: Path) -> None:
    quarters = [f"{2010 + n // 4}Q{n % 4 + 1}" for n in range(40)]
    assert [r["ds"] for r in run(tmp_path, table(quarters))[1]] == ["2020Q1", "2020Q2", "2020Q3"]
    weeks = [(date(2020, 1, 6) + timedelta(days=7 * n)).strftime("%G-W%V") for n in range(52)]
    _, rows = run(tmp_path, table(weeks))
    assert [r["ds"] for r in rows] == ["2021-W01", "2021-W02", "2021-W03"]


def test_years_and_period_numbers_stay_numbers(tmp_path: Path) -> None:
    assert run(tmp_path, table([str(y) for y in range(1990, 2020)]))[1][0]["ds"] == "2020"
    assert run(tmp_path, table([str(n) for n in range(200001, 200060)]))[1][0]["ds"] == "200060"
    assert run(tmp_path, table([f"{n}.0" for n in range(1, 40)]))[1][0]["ds"] == "40"


def test_of_two_orders_that_read_all_the_regular_one_is_taken(tmp_path: Path) -> None:
    dates = [f"{n:02d}/02/2022" for n in range(1, 13)]
    result, rows = run(tmp_path, table(dates))
    assert rows[0]["ds"] == "13/02/2022"
    assert "without a row" not in result.stderr
    assert "could be" not in result.stderr


def test_two_orders_that_are_as_regular_are_said(tmp_path: Path) -> None:
    result, _ = run(tmp_path, table(["01/02/2022", "02/03/2022"]))
    assert "could be %m/%d/%Y or %d/%m/%Y: the first was taken" in result.stderr


@pytest.mark.parametrize(("typo", "at"), [("2203-01-05", 65), ("1923-12-05", 30)])
def test_a_date_far_out_sets_its_series_aside_by_row(tmp_path: Path, typo: str, at: int) -> None:
    dates = [d.isoformat() for d in DAYS]
    dates[at] = typo
    more = "".join(f"b,{d},5\n" for d in DAYS)
    result, rows = run(tmp_path, table(dates) + more)
    assert result.exit_code == 1
    assert {r["unique_id"] for r in rows} == {"b"}
    assert rows[0]["ds"] == "2024-02-29"
    assert f"a: Set aside: far out of the other periods: row {at + 2} ({typo})" in result.stderr


def test_a_period_number_far_out_is_no_memory_error(tmp_path: Path) -> None:
    body = "unique_id,ds,y\na,1,5\na,2,6\na,1000000000000,6\nb,1,2\nb,2,4\n"
    result, rows = run(tmp_path, body)
    assert result.exit_code == 1
    assert [r["ds"] for r in rows] == ["3", "4", "5"]
    assert "row 4 (1000000000000)" in result.stderr


def test_slow_movers_are_not_far_out(tmp_path: Path) -> None:
    body = table(["2021-01-05", "2023-02-01", "2023-12-30"])
    assert run(tmp_path, body)[0].exit_code == 0


def test_an_unknown_format_names_those_that_are_known(tmp_path: Path) -> None:
    with pytest.raises(BadSeries, match="such as 'whenever'") as refused:
        run(tmp_path, table(["whenever"] * 3))
    assert "2024-W05" in refused.value.advice


@pytest.mark.parametrize("encoding", ["utf-8-sig", "utf-16", "latin-1"])
@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_encodings_and_separators(tmp_path: Path, encoding: str, separator: str) -> None:
    point = "." if separator == "," else ","
    cells = [("Unique_ID", "ds", "y")]
    cells += [("é", str(d), f"{n % 12}{point}5") for n, d in enumerate(MONTHS)]
    text = "".join(separator.join(row) + "\n" for row in cells)
    result, rows = run(tmp_path, text.encode(encoding))
    assert result.exit_code == 0
    assert rows[0]["unique_id"] == "é"
    assert 0.4 < float(rows[0]["mean"]) < 12


@pytest.mark.parametrize("factor", [1e200, 1e300, 1e-298, 1e-30])
def test_amounts_beyond_reckoning_set_only_their_series_aside(
    tmp_path: Path, factor: float
) -> None:
    body = "unique_id,ds,y\n" + "".join(
        f"big,{n},{(5 + n % 3) * factor}\nok,{n},{n % 4}\n" for n in range(1, 40)
    )
    result, rows = run(tmp_path, body)
    assert result.exit_code == 1
    assert {r["unique_id"] for r in rows} == {"ok"}
    assert "big: Set aside:" in result.stderr


def test_nothing_sold_is_forecast_as_nothing(tmp_path: Path) -> None:
    _, rows = run(tmp_path, "unique_id,ds,y\n" + "".join(f"a,{n},0\n" for n in range(1, 61)))
    assert {v for r in rows for k, v in r.items() if k not in ("unique_id", "ds")} == {"0"}


def test_no_negative_zero_is_written(tmp_path: Path) -> None:
    body = "unique_id,ds,y\n" + "".join(f"a,{n},-0.0\nb,{n},{-(n % 2)}\n" for n in range(1, 41))
    run(tmp_path, body)
    assert ",-0" not in (tmp_path / "out.csv").read_text().replace(",-0.", ",x")


def plan(tmp_path: Path, *args: str, prices: str = "") -> Result:
    (tmp_path / "in.csv").write_text(
        "unique_id,ds,y\n" + "".join(f"{i},{n},{n % 5}\n" for i in "abcd" for n in range(1, 41))
    )
    given = [str(tmp_path / "in.csv"), "--lead-time", "2", *args]
    if prices:
        (tmp_path / "p.csv").write_text("unique_id,price\n" + prices)
        given += ["--prices", str(tmp_path / "p.csv")]
    if "--output" not in args:
        given += ["--output", str(tmp_path / "plan.csv")]
    return CliRunner().invoke(plan_series, given, catch_exceptions=False)


def test_prices_that_are_not_used_are_said(tmp_path: Path) -> None:
    result = plan(tmp_path, "--fill-rate", "0.9", prices="a,0\nb,-2\nc,x\nd,5\nzzz,4\n")
    assert result.exit_code == 0
    for said in ("1 of 5 are zero", "1 of 5 are negative", "1 of 5 are no readable number",
                 "1 of 5 are of no series", "3 of 4 series have none"):  # fmt: skip
        assert said in result.stderr


def test_a_fill_rate_that_is_no_number_is_refused(tmp_path: Path) -> None:
    result = plan(tmp_path, "--fill-rate", "nan")
    assert result.exit_code == 2
    assert "between 0 and 1" in result.stderr


def test_a_folder_that_does_not_exist_is_refused_before_the_work(tmp_path: Path) -> None:
    result = plan(tmp_path, "--fill-rate", "0.9", "--output", str(tmp_path / "no" / "plan.csv"))
    assert result.exit_code == 2
    assert "does not exist" in result.stderr
