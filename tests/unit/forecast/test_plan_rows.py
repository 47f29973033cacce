"""One item's row of the plan, and what is said beside it."""

from __future__ import annotations

from datetime import date
from typing import Any

import numpy as np
import pytest

from supplyline.forecast.changes import terms_key
from supplyline.forecast.engine import forecast_batch
from supplyline.forecast.grain import grain_of
from supplyline.forecast.items import _alike
from supplyline.forecast.options import BadForecastSettings, parse
from supplyline.forecast.policy import plan_item
from supplyline.forecast.series import Series, tame
from supplyline.forecast.terms import Facts, Terms

TERMS = Terms(
    as_of=date(2025, 12, 31), bucket="week", bucket_days=7.0, review_days=7.0, lead_time_days=14.0
)


def row(values: list[float], **facts: Any) -> dict[str, Any]:
    series = Series(id="a", values=np.asarray(values, dtype=float))
    found = forecast_batch([series], horizon=13, season=52)
    known = Facts(**facts)
    return plan_item(
        "a", values=series.values, forecast=found[0] if found else None, facts=known, terms=TERMS
    )


def test_the_same_goods_in_tonnes_are_ordered_alike() -> None:
    kilos = [500 + 20.0 * (n % 5) for n in range(60)]
    whole = row(kilos, on_hand=10.0)
    tonnes = row([v / 1000 for v in kilos], on_hand=0.010)
    assert tonnes["order_quantity"] == pytest.approx(whole["order_quantity"] / 1000, abs=0.02)
    assert tonnes["order_quantity"] < 10
    assert row(kilos, on_hand=10.5)["order_quantity"] % 1 == 0
    packed = row([v / 1000 for v in kilos], on_hand=0.010, pack_size=0.025)
    assert packed["order_quantity"] / 0.025 == pytest.approx(
        round(packed["order_quantity"] / 0.025)
    )


def test_negative_stock_is_ordered_for_and_no_negative_excess() -> None:
    short = row([10.0] * 60, on_hand=-7.0)
    assert short["order_quantity"] == short["order_up_to"] + 7
    assert (short["days_of_cover"], short["excess_units"]) == (0, 0)
    unsold = row([], on_hand=-5.0, unit_cost=3.0)
    assert (unsold["status"], unsold["excess_units"], unsold["excess_value"]) == (
        "no_history", 0, 0,
    )  # fmt: skip


def test_a_new_item_below_its_reorder_point_is_to_be_ordered() -> None:
    new = row([5.0, 6.0, 5.0, 7.0], on_hand=0.0)
    assert new["status"] == "order"
    assert "below the reorder point. On sale for 4 periods" in new["why"]
    assert row([5.0, 6.0, 5.0, 7.0], on_hand=1000.0)["status"] == "insufficient_history"


@pytest.mark.parametrize("values", [[4, 5e6, 5], [5e6, 4], [0, 0, 7, 0, 7e6, 0]])
def test_a_slip_among_few_sales_is_capped_and_said(values: list[float]) -> None:
    tamed = tame(Series(id="a", values=np.asarray(values, dtype=float)))
    assert tamed.values.max() <= 7
    assert "1 values more than 1000 times" in tamed.notes[0]


def test_a_large_order_after_a_sample_stays() -> None:
    values = np.asarray([1.0, 900.0])
    assert tame(Series(id="a", values=values)).values.tolist() == values.tolist()
    assert tame(Series(id="a", values=np.asarray([5e6]))).notes == ()


def test_levels_that_an_override_moves_are_whole() -> None:
    dozens = grain_of(np.asarray([12.0, 24, 36, 12, 0]))
    assert (dozens.whole(25.1), dozens.whole(24), dozens.whole(-0.5)) == (36, 24, 0)
    assert grain_of(np.asarray([0.37, 1.284, 2.5551111, 3.111117])).whole(2.71828) == 2.71828


def test_a_leap_in_the_last_period_is_one_order_until_more_follow() -> None:
    usual = [3.0, 1, 2, 4, 3, 2, 5, 3, 2, 2]
    leap = tame(Series(id="a", values=np.asarray([*usual, 60])))
    assert leap.values.tolist() == [*usual, 5]
    assert "60 is more than 4 times the largest" in leap.notes[0]
    for stays in ([*usual, 60, 55], [*usual, 19], [3.0, 1, 2, 60], [0, 0, 5, 0, 0, 0, 4, 0, 0, 60]):
        assert tame(Series(id="a", values=np.asarray(stays, dtype=float))).notes == ()


def test_codes_that_may_be_the_same_goods_are_named() -> None:
    said = _alike({"85123A", "85123a", "00123", "123", "9"})
    assert set(said) == {"85123A", "85123a", "00123", "123"}
    assert "85123a" in said["85123A"][0]
    assert "00123" in said["123"][0]


def test_another_number_of_days_between_fits_makes_them_anew() -> None:
    common: dict[str, Any] = {"bucket": "day", "horizon": 28, "season": 7}
    assert terms_key(**common, refit=7) != terms_key(**common, refit=30)


@pytest.mark.parametrize(
    "wrong",
    [
        {"horizon": 50_000},
        {"season": 1001},
        {"lead_time_days": 1e308},
        {"review_days": float("nan")},
        {"timezone": "../etc/passwd"},
        {"timezone": "Mars/Base"},
    ],
)
def test_settings_that_no_run_could_bear_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(BadForecastSettings, match=next(iter(wrong))):
        parse(wrong)
