"""`forecast-series` and `plan-series` on ordinary and awkward files (fault 15, P13)."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from supplyline.forecast.commands import forecast_series, plan_series, spread

AWKWARD = {
    "one_point": "x,1,5\n",
    "constant": "".join(f"x,{n},7\n" for n in range(1, 41)),
    "negative": "".join(f"x,{n},{-3 + n % 5}\n" for n in range(1, 41)),
    "all_zero": "".join(f"x,{n},0\n" for n in range(1, 41)),
    "with_gaps": "".join(f"x,{n},{n % 6}\n" for n in range(1, 61) if n % 4),
    "outlier": "".join(f"x,{n},{5_000_000 if n == 20 else 5 + n % 3}\n" for n in range(1, 41)),
    "blank_cells": "".join(f"x,{n},{'' if n % 5 == 0 else 4}\n" for n in range(1, 41)),
    "nan_cells": "".join(f"x,{n},{'NaN' if n == 40 else 4}\n" for n in range(1, 41)),
}


def run_forecast(tmp_path: Path, body: str, *, season: int = 12) -> tuple[Result, list[dict]]:
    source, target = tmp_path / "in.csv", tmp_path / "out.csv"
    source.write_text("unique_id,ds,y\n" + body)
    args = [str(source), "--horizon", "6", "--season", str(season), "--output", str(target)]
    result = CliRunner().invoke(forecast_series, args, catch_exceptions=False)
    return result, list(csv.DictReader(target.open()))


def run_plan(tmp_path: Path, body: str, *more: str) -> tuple[Result, list[dict]]:
    source, target = tmp_path / "in.csv", tmp_path / "plan.csv"
    source.write_text("unique_id,ds,y\n" + body)
    args = [str(source), "--lead-time", "2", "--review", "1"]
    args += ["--fill-rate", "0.90", "0.95", "0.98", "--output", str(target), *more]
    result = CliRunner().invoke(plan_series, args, catch_exceptions=False)
    return result, list(csv.DictReader(target.open()))


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_series_get_finite_nested_bands(tmp_path: Path, name: str) -> None:
    result, rows = run_forecast(tmp_path, AWKWARD[name])
    assert result.exit_code == 0
    assert len(rows) == 6
    for row in rows:
        lo95, lo80, mean, hi80, hi95 = (
            float(row[c]) for c in ("lo-95", "lo-80", "mean", "hi-80", "hi-95")
        )
        assert lo95 <= lo80 <= mean <= hi80 <= hi95 < 1000


@pytest.mark.parametrize("name", AWKWARD)
def test_awkward_series_get_a_plan_that_rises_with_the_target(tmp_path: Path, name: str) -> None:
    result, rows = run_plan(tmp_path, AWKWARD[name])
    assert result.exit_code == 0
    levels = [float(r["S"]) for r in rows]
    assert [r["target"] for r in rows] == ["0.9", "0.95", "0.98"]
    assert levels == sorted(levels)
    assert 0 <= levels[0] <= levels[-1] < 1000


def test_an_outlier_is_said_and_does_not_move_the_forecast(tmp_path: Path) -> None:
    result, rows = run_forecast(tmp_path, AWKWARD["outlier"])
    assert "capped" in result.stderr
    assert float(rows[0]["mean"]) < 20


def test_a_series_without_any_value_has_no_rows_and_says_so(tmp_path: Path) -> None:
    result, rows = run_forecast(tmp_path, AWKWARD["constant"] + "empty,1,\nempty,2,NaN\n")
    assert result.exit_code == 1
    assert {r["unique_id"] for r in rows} == {"x"}
    assert "empty: No readable value." in result.stderr


def test_ids_stay_text_and_rows_may_come_in_any_order(tmp_path: Path) -> None:
    lines = [f"007,{n},{n % 12}\n" for n in range(1, 61)]
    _, ordered = run_forecast(tmp_path, "".join(lines))
    _, reverse = run_forecast(tmp_path, "".join(reversed(lines)))
    assert ordered == reverse
    assert ordered[0]["unique_id"] == "007"
    assert [r["ds"] for r in ordered] == [str(n) for n in range(61, 67)]


def test_months_go_on_as_they_were_written(tmp_path: Path) -> None:
    body = "".join(f"a,{2023 + n // 12}-{n % 12 + 1:02d}-01,{n % 12}\n" for n in range(30))
    _, rows = run_forecast(tmp_path, body)
    assert [r["ds"] for r in rows][:3] == ["2025-07-01", "2025-08-01", "2025-09-01"]


def test_the_report_is_json_when_asked(tmp_path: Path) -> None:
    result, _ = run_plan(tmp_path, AWKWARD["all_zero"], "--json")
    assert json.loads(result.stdout.splitlines()[-1])["series"] == 1


def test_several_values_after_one_flag_are_all_taken() -> None:
    args = ["in.csv", "--fill-rate", "0.9", "0.95", "--output", "o", "--fill-rate", "0.98"]
    assert spread(args, flag="--fill-rate") == [
        "in.csv", "--fill-rate", "0.9", "--fill-rate", "0.95", "--output", "o",
        "--fill-rate", "0.98",
    ]  # fmt: skip


def test_a_fill_rate_in_percent_is_the_same_target(tmp_path: Path) -> None:
    _, rows = run_plan(tmp_path, AWKWARD["with_gaps"])
    _, again = run_plan(tmp_path, AWKWARD["with_gaps"], "--fill-rate", "90", "95%", "0.98")
    assert again == rows


@pytest.mark.parametrize("rate", ["0", "1.0", "1.5", "100", "-0.9", "nan", "0.9,0.95", "high"])
def test_what_is_no_fill_rate_is_said(tmp_path: Path, rate: str) -> None:
    source = tmp_path / "in.csv"
    source.write_text("unique_id,ds,y\nx,1,5\n")
    args = [str(source), "--lead-time", "2", "--output", str(tmp_path / "plan.csv")]
    result = CliRunner().invoke(plan_series, [*args, f"--fill-rate={rate}"])
    assert result.exit_code == 2
    assert "0.95" in result.output
    assert not (tmp_path / "plan.csv").exists()
