"""Fingerprints see every change of a history; a kept forecast comes back exactly."""

from __future__ import annotations

import json
from dataclasses import fields
from datetime import date

import numpy as np
import pytest

from supplyline.forecast import changes, fits
from supplyline.forecast.changes import Before, decide
from supplyline.forecast.engine import forecast_batch
from supplyline.forecast.series import Floats, Series

DAY = date(2025, 1, 6)
PAST = np.array([3.0, 0.0, 5.0, 2.0])


def before(**more: object) -> Before:
    known: dict[str, object] = {
        "history_key": changes.history_key(DAY, PAST), "plan_key": "p", "fit_key": "f",
        "periods": 4, "fit_periods": 4, "lo": np.array([0.0, 0.0]), "hi": np.array([9.0, 9.0]),
    }  # fmt: skip
    return Before(**(known | more))  # type: ignore[arg-type]


def action(demand: Floats, *, plan: str = "p", refit: int = 3, **more: object) -> str:
    return decide(
        first_period=DAY, demand=demand, plan_key=plan, before=before(**more), refit=refit,
        turn=False,
    ).action  # fmt: skip


@pytest.mark.parametrize(
    ("demand", "expected"),
    [
        (PAST, "keep"),
        (np.append(PAST, 4.0), "roll"),
        (np.append(PAST, [4.0, 9.0]), "roll"),
        (np.append(PAST, [4.0, 9.5]), "fit"),
        (np.append(PAST, [1.0, 1.0, 1.0]), "fit"),
        (np.append(PAST[::-1], 4.0), "fit"),
        (PAST[:-1], "fit"),
        (np.array([3.0, 0.0, 5.0, 2.0000001]), "fit"),
    ],
)
def test_what_is_done_with_a_history(demand: Floats, expected: str) -> None:
    assert action(demand) == expected


def test_other_facts_plan_anew_and_old_fits_do_not_roll() -> None:
    assert action(PAST, plan="q") == "replan"
    assert action(np.append(PAST, 1.0), refit=1) == "fit"
    assert action(np.append(PAST, 1.0), fit_periods=2) == "fit"
    assert action(np.append(PAST, 1.0), lo=None) == "fit"


def test_the_day_of_the_first_period_is_part_of_a_history() -> None:
    assert changes.history_key(DAY, PAST) != changes.history_key(date(2025, 1, 13), PAST)


def test_every_rolled_item_has_its_turn_once_in_a_cycle() -> None:
    for item in ("a", "b", "c"):
        days = [date(2025, 1, n) for n in range(1, 8)]
        assert sum(changes.turn_of(item, day=d, refit=7) for d in days) == 1


@pytest.mark.parametrize(
    "values", [[5, 3, 6, 4, 5, 7, 2, 5, 4, 6] * 3, [0] * 12, [0, 0, 9] * 5, [4]]
)
def test_a_kept_forecast_comes_back_exactly(values: list[float]) -> None:
    (made,) = forecast_batch(
        [Series(id="x", values=np.asarray(values, dtype=float), notes=("said",))],
        horizon=4,
        season=1,
    )
    back = fits.decode(json.loads(fits.encode(made)))
    for f in fields(made):
        np.testing.assert_equal(getattr(back, f.name), getattr(made, f.name))
    later = fits.shifted(back, 2)
    np.testing.assert_array_equal(later.mean, made.mean[2:])
    np.testing.assert_array_equal(later.hi[95], made.hi[95][2:])


def test_a_season_of_one_year_is_said() -> None:
    from supplyline.forecast.doubts import doubts

    weeks = np.ones(60)
    weeks[:8] = 0.0
    weeks[-6:] = 200.0  # as before Christmas: a year ago, nothing followed
    (made,) = forecast_batch([Series(id="x", values=weeks)], horizon=13, season=52)
    (note,) = doubts(weeks, made, bucket="week")
    assert "a year ago" in note
    assert doubts(np.ones(60), made, bucket="month") == ()
    (steady,) = forecast_batch([Series(id="x", values=np.ones(60))], horizon=13, season=52)
    assert doubts(np.ones(60), steady, bucket="week") == ()
