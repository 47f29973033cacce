"""Each formula of the plan, against figures worked out by hand."""

from __future__ import annotations

import math
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import pytest

from supplyline.forecast import changes
from supplyline.forecast.classes import DemandClass, Pattern, classify
from supplyline.forecast.engine import Forecast
from supplyline.forecast.leadtime import Level, spans, stockout
from supplyline.forecast.overrides import DEMAND, Override
from supplyline.forecast.overriding import apply
from supplyline.forecast.policy import abc, plan_item, xyz
from supplyline.forecast.terms import Facts, Terms, terms_of

AS_OF = date(2025, 12, 28)
TERMS = Terms(
    as_of=AS_OF, bucket="week", bucket_days=7.0, review_days=7.0, lead_time_days=14.0,
    fill_rate={"A": 0.99, "B": 0.97},
)  # fmt: skip
"""Lead time and review are two periods and one."""
TEN = np.full(13, 10.0)
LEVEL = Level(amount=45.0, mean=30.0, sd=10.0, factor=1.5, fill=0.96)


def row(
    *,
    level: Level = LEVEL,
    mean: Any = TEN,
    kind: DemandClass = "smooth",
    terms: Terms = TERMS,
    **facts: Any,
) -> dict[str, Any]:
    """The plan of an item of which ten were sold a week, at this level."""
    pattern = Pattern(name=kind, adi=1.0, cv2=0.0, idle=0, why=".")
    forecast = Forecast(
        id="a", pattern=pattern, model="m", mean=np.array(mean, dtype=float), lo={}, hi={}
    )
    return plan_item(
        "a", values=np.full(60, 10.0), forecast=forecast, facts=Facts(**facts), terms=terms,
        pooled=level,
    )  # fmt: skip


def test_safety_stock_is_what_the_level_holds_beyond_the_mean_and_never_negative() -> None:
    plan = row()
    assert (plan["reorder_point"], plan["safety_stock"]) == (45.0, 15.0)
    assert row(level=replace(LEVEL, amount=20.0))["safety_stock"] == 0.0


def test_the_order_fills_the_position_up_from_below_the_reorder_point_only() -> None:
    assert row(on_hand=10.0, on_order=5.0)["order_quantity"] == 30.0
    assert row(on_hand=44.0)["order_quantity"] == 1.0
    assert row(on_hand=45.0)["order_quantity"] == 0.0
    assert row(on_hand=40.0, on_order=5.0, min_order_qty=20.0)["order_quantity"] == 0.0


def test_minimum_and_pack_are_kept_to() -> None:
    assert row(on_hand=15.0, min_order_qty=100.0)["order_quantity"] == 100.0
    assert row(on_hand=15.0, min_order_qty=20.0)["order_quantity"] == 30.0
    assert row(on_hand=15.0, pack_size=12.0)["order_quantity"] == 36.0
    assert row(on_hand=15.0, pack_size=15.0)["order_quantity"] == 30.0
    assert row(on_hand=15.0, pack_size=12.0, min_order_qty=37.0)["order_quantity"] == 48.0


def test_the_economic_lot_beyond_the_demand_of_a_review_is_added() -> None:
    plan = row(on_hand=0.0, unit_cost=4.0, order_cost=50.0)
    lot = math.sqrt(2 * 50 * (10 / 7 * 365.25) / (0.2 * 4))
    assert plan["order_up_to"] == pytest.approx(45 + lot - 10)
    dearer = row(on_hand=0.0, unit_cost=4.0, order_cost=50.0, holding_rate=0.8)
    assert dearer["order_up_to"] == pytest.approx(45 + lot / 2 - 10)
    assert row(on_hand=0.0, unit_cost=4.0, order_cost=0.001)["order_up_to"] == 45.0


def test_excess_is_what_ninety_days_do_not_use_up() -> None:
    plan = row(on_hand=1000.0, unit_cost=4.0, unit_price=9.0)
    assert plan["excess_units"] == pytest.approx(1000 - 45 - 10 * 90 / 7)
    assert plan["excess_value"] == pytest.approx(4 * plan["excess_units"])
    assert row(on_hand=10.0, unit_cost=4.0, unit_price=9.0)["order_value"] == 35 * 4
    assert row(on_hand=10.0, unit_price=9.0)["order_value"] == 35 * 9


def test_urgency_weighs_what_is_short_by_the_price_else_by_the_cost() -> None:
    plain = row(on_hand=5.0)["urgency_score"]
    assert plain > 0
    assert row(on_hand=5.0, unit_price=5.0)["urgency_score"] == pytest.approx(5 * plain)
    assert row(on_hand=5.0, unit_price=5.0, unit_cost=2.0)["urgency_score"] == pytest.approx(
        5 * plain
    )
    assert row(on_hand=5.0, unit_cost=2.0)["urgency_score"] == pytest.approx(2 * plain)


def test_the_rate_is_that_of_lead_time_and_review_and_nothing_for_what_is_dead() -> None:
    rising = [10.0] * 3 + [100.0] * 10
    assert row(mean=rising)["demand_per_day"] == pytest.approx(10 / 7)
    assert row(mean=rising, lead_time_days=21.0)["demand_per_day"] == pytest.approx(32.5 / 7)
    assert row(kind="dead")["demand_per_day"] == 0.0


def test_days_of_cover_follow_the_forecast_from_the_day_of_the_stock() -> None:
    plan = row(on_hand=25.0)
    assert plan["days_of_cover"] == pytest.approx(17.5)
    assert plan["stockout_date"] == AS_OF + timedelta(days=18)
    assert row(on_hand=25.0, on_order=10.0)["stockout_date"] == AS_OF + timedelta(days=25)
    assert row(on_hand=140.0)["days_of_cover"] == pytest.approx(98.0)  # beyond the 13 weeks
    later = replace(TERMS, stock_day=AS_OF + timedelta(days=7))
    counted = row(mean=[100.0] + [10.0] * 12, terms=later, on_hand=25.0)
    assert counted["days_of_cover"] == pytest.approx(17.5)
    assert counted["stockout_date"] == AS_OF + timedelta(days=7 + 18)


def test_a_review_shorter_than_a_period_needs_no_more_than_one_of_a_period() -> None:
    assert row(level=replace(LEVEL, amount=1e6), review_days=1.0)["reorder_point"] < 100
    assert row(level=replace(LEVEL, amount=1.0), review_days=1.0)["reorder_point"] == 1.0


def test_pieces_are_whole_where_the_history_holds_estimates() -> None:
    assert row(level=replace(LEVEL, amount=45.3), sold_in=1.0)["reorder_point"] == 46.0


def test_an_items_own_terms_come_before_those_of_its_class_and_of_the_run() -> None:
    assert row(fill_rate=0.8, abc="A")["fill_rate"] == 0.8
    assert [row(abc=grade)["fill_rate"] for grade in "AB"] == [0.99, 0.97]
    assert row(abc="C")["fill_rate"] == 0.95
    own = terms_of(Facts(lead_time_days=21.0, lead_time_sd_days=7.0, review_days=14.0), TERMS)
    assert (own.lead, own.review, own.varying) == (3.0, 2.0, 1.0)


@pytest.mark.parametrize(
    ("cv", "expected"), [(0.45, "X"), (0.55, "Y"), (0.95, "Y"), (1.05, "Z"), (0.0, "X")]
)
def test_xyz_is_cut_at_one_half_and_one(cv: float, expected: str) -> None:
    assert xyz(np.array([1 - cv, 1 + cv])) == expected


def test_abc_is_cut_at_80_and_95_percent_of_the_value() -> None:
    values = {"a": 50.0, "b": 31.0, "c": 10.0, "d": 5.0, "e": 4.0}
    assert abc(values) == {"a": "A", "b": "A", "c": "B", "d": "B", "e": "C"}


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        ([4.0, 4.0, 4.0, 0.0] * 10, "intermittent"),  # ADI 1.33, CV² 0
        ([4.0, 4.0, 4.0, 4.0, 0.0] * 10, "smooth"),  # ADI 1.25
        ([1.0, 1.0, 5.0, 0.0] * 10, "lumpy"),  # ADI 1.33, CV² 0.65
        ([1.0, 1.0, 3.8, 0.0] * 10, "intermittent"),  # CV² 0.47
        ([1.0, 1.0, 4.1, 0.0] * 10, "lumpy"),  # CV² 0.52
        ([1.0, 1.0, 4.1, 1.0] * 10, "erratic"),
    ],
)
def test_classes_are_cut_where_syntetos_boylan_and_croston_cut(
    values: list[float], expected: str
) -> None:
    assert classify(np.array(values)).name == expected


def test_a_lead_time_that_varies_adds_the_square_of_demand_times_its_deviation() -> None:
    lead, both = spans(TEN, rate=10.0, lead_time=2.0, review=1.0, lead_time_sd=1.5)
    assert (lead.mean, both.mean) == (20.0, 30.0)
    assert lead.variance == both.variance == pytest.approx((10 * 1.5) ** 2)


def test_the_error_of_the_mean_and_clustered_demand_are_in_the_variance() -> None:
    steady = np.array([8.0, 12.0] * 30)
    single = float(steady.var(ddof=1))
    lead, both = spans(steady, rate=10.0, lead_time=2.0, review=1.0)
    assert lead.variance == pytest.approx(single * 2 + single * 4 / 30)
    assert both.variance == pytest.approx(single * 3 + single * 9 / 30)
    clustered = np.array([0.0, 0.0, 20.0, 20.0] * 15)
    single = float(clustered.var(ddof=1))
    pairs = float((clustered[1:] + clustered[:-1]).var(ddof=1)) / 2
    lead, _ = spans(clustered, rate=10.0, lead_time=1.0, review=1.0)
    assert pairs > single
    assert lead.variance == pytest.approx(pairs + single / 30)
    risk = stockout(0.0, clustered, rate=10.0, lead_time=1.0, lead_time_sd=0.0)
    assert (risk.mean, risk.sd) == (10.0, pytest.approx(math.sqrt(single + single / 30)))


def test_another_engine_is_another_key_of_fits(monkeypatch: pytest.MonkeyPatch) -> None:
    same = {"bucket": "week", "horizon": 13, "season": 52, "refit": 7}
    before = changes.terms_key(**same)
    assert changes.terms_key(**same) == before
    monkeypatch.setattr(changes, "engine_version", lambda: "another")
    assert changes.terms_key(**same) != before


def override(value: float, first: int, last: int) -> Override:
    """Demand of so many units from one day of the horizon to another."""
    return Override(
        id=1, item="a", kind=DEMAND, value=value, from_day=AS_OF + timedelta(days=first),
        to_day=AS_OF + timedelta(days=last), reason="r", set_by="u", set_at=datetime.now(UTC),
        replaces=None, withdrawn_at=None, withdrawn_by="", withdrawn_reason="",
    )  # fmt: skip


@pytest.mark.parametrize(
    ("given", "mean"),
    [
        (override(40.0, 1, 7), [40.0, 10.0]),
        (override(20.0, 4, 7), [10 * 3 / 7 + 20, 10.0]),  # of the first period three days stay
        (override(28.0, 1, 14), [14.0, 14.0]),
        (override(0.0, 1, 7), [0.0, 10.0]),
    ],
)
def test_an_override_of_demand_is_spread_over_its_days_and_moves_the_interval(
    given: Override, mean: list[float]
) -> None:
    pattern = Pattern(name="smooth", adi=1.0, cv2=0.0, idle=0, why=".")
    low, high = np.full(2, 7.0), np.full(2, 15.0)
    used = apply(
        [given],
        forecast=Forecast(
            id="a", pattern=pattern, model="m", mean=TEN[:2], lo={80: low}, hi={80: high}
        ),
        facts=Facts(),
        terms=TERMS,
        starts=[AS_OF + timedelta(days=1 + 7 * n) for n in range(3)],
    )
    assert used.forecast is not None
    assert used.forecast.mean == pytest.approx(mean)
    assert used.forecast.lo[80] == pytest.approx([max(m - 3, 0.0) for m in mean])
    assert used.forecast.hi[80] == pytest.approx([m + 5 for m in mean])
