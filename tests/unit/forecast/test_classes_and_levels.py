"""Demand classes at their published cuts, and order-up-to levels against worked examples."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from benchmarks.forecast import mase, smape
from benchmarks.inventory import simulate
from supplyline.forecast import survival
from supplyline.forecast.classes import classify
from supplyline.forecast.lead_demand import blended, foretold
from supplyline.forecast.leadtime import stockout
from supplyline.forecast.series import Series
from supplyline.forecast.stocking import plan_levels


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ([5, 6, 5, 6, 5, 6, 5, 6, 5, 6], "smooth"),
        ([1, 20, 1, 1, 25, 1, 1, 1, 30, 1], "erratic"),
        ([2, 0, 2, 0, 2, 0, 2, 0, 2, 0], "intermittent"),
        ([1, 0, 30, 0, 1, 0, 1, 0, 40, 0], "lumpy"),
        ([3, 4, 3, 4], "new"),
        ([3], "insufficient"),
        ([3, 2, 3, 4] + [0] * 30, "dead"),
        ([0] * 20, "dead"),
    ],
)
def test_the_class_follows_adi_and_cv2(values: list[float], name: str) -> None:
    assert classify(np.array(values, dtype=float)).name == name


def test_expected_short_of_a_poisson_span_is_the_loss_function() -> None:
    levels = np.arange(0.0, 60.0)
    got = survival.expected_short(np.array([4.0]), np.array([4.0]), levels[None, :])[0]
    demand = np.arange(0, 200)
    exact = [(np.maximum(demand - s, 0) * stats.poisson.pmf(demand, 4.0)).sum() for s in levels]
    assert got == pytest.approx(exact, abs=5e-4)


def test_survival_functions_are_those_of_the_distributions() -> None:
    level = np.array([-2.0, -0.5, 0.0, 0.7, 1.0, 5.0, 40.0])
    assert survival.negative_binomial(level, size=1.7, chance=0.3) == pytest.approx(
        stats.nbinom.sf(level, 1.7, 0.3), abs=1e-12
    )
    assert survival.gamma(level, shape=2.5, scale=3.0) == pytest.approx(
        stats.gamma.sf(level, 2.5, scale=3.0), abs=1e-12
    )


def test_closed_form_of_the_negative_binomial_loss() -> None:
    mean, variance = 6.0, 18.0
    p = mean / variance
    demand = np.arange(0, 2000)
    pmf = stats.nbinom.pmf(demand, mean * p / (1 - p), p)
    levels = np.array([[0.0, 3.0, 10.0, 25.0]])
    exact = [(np.maximum(demand - s, 0) * pmf).sum() for s in levels[0]]
    got = survival.expected_short(np.array([mean]), np.array([variance]), levels)[0]
    assert got == pytest.approx(exact, abs=1e-8)


def test_levels_of_many_items_reach_the_target_on_what_comes_after() -> None:
    rng = np.random.default_rng(3)
    rates = rng.uniform(0.2, 5, 200)
    demand = rng.poisson(rates[:, None], (200, 120)).astype(float)
    batch = [Series(id=str(i), values=d[:72]) for i, d in enumerate(demand)]
    levels, _ = plan_levels(batch, lead_time=2, review=1, targets=(0.9, 0.95), prices={})
    for target in (0.9, 0.95):
        out = [
            simulate(d[72:], np.full(48, levels[str(i)][target]), lead_time=2, review=1)
            for i, d in enumerate(demand)
        ]
        fill = sum(o[1] for o in out) / sum(o[0] for o in out)
        assert fill == pytest.approx(target, abs=0.02)


def test_levels_do_not_depend_on_the_order_of_the_items() -> None:
    rng = np.random.default_rng(9)
    batch = [Series(id=str(i), values=rng.poisson(0.7, 48).astype(float)) for i in range(60)]
    common = {"lead_time": 2, "review": 1, "targets": (0.98, 0.9), "prices": {"3": 9.0}}
    levels, _ = plan_levels(batch, **common)
    again, _ = plan_levels(batch[::-1], **common)
    assert levels == again
    assert all(v[0.98] >= v[0.9] for v in levels.values())
    assert all(s == int(s) for v in levels.values() for s in v.values())


def test_the_foretold_variance_is_what_forecasts_miss_by() -> None:
    rng = np.random.default_rng(10)
    rate = rng.lognormal(0.5, 0.8, (400, 1))
    demand = rng.negative_binomial(2.0, 2.0 / (2.0 + rate), (400, 63)).astype(float)
    law = foretold(list(demand[:, :60]), periods=3)
    missed = (demand[:, 60:].sum(axis=1) - law.mean) ** 2
    assert (missed / law.variance).mean() == pytest.approx(1.0, rel=0.25)


def test_the_spread_of_an_item_lies_between_its_own_and_that_of_its_likes() -> None:
    rng = np.random.default_rng(11)
    steady = np.tile([5.0, 10.0, 15.0, 10.0], 12)
    wild = np.tile([0.0, 80.0, 0.0, 0.0], 12)
    young = np.array([9.0, 11.0, 10.0])
    histories = [steady, wild, young, *rng.negative_binomial(2, 1 / 6, (60, 48)) * 1.0]
    likes, law = foretold(histories, periods=3), blended(histories, periods=3)
    own = np.array([h.var(ddof=1) * 3 for h in histories[:2]])
    assert law.mean == pytest.approx(likes.mean)
    assert own[0] < law.variance[0] < 0.8 * likes.variance[0]
    assert own[1] > law.variance[1] > 1.2 * likes.variance[1]
    assert law.variance[2] == pytest.approx(likes.variance[2])


def test_dear_items_get_less_cover_and_never_more_than_without_prices() -> None:
    rng = np.random.default_rng(4)
    batch = [Series(id=str(i), values=rng.poisson(2.0, 60).astype(float)) for i in range(100)]
    prices = {str(i): 100.0 if i % 2 else 1.0 for i in range(100)}
    common = {"lead_time": 2, "review": 1, "targets": (0.95,)}
    plain, _ = plan_levels(batch, prices={}, **common)
    priced, _ = plan_levels(batch, prices=prices, **common)
    value = lambda plan: sum(plan[i][0.95] * prices[i] for i in plan)  # noqa: E731
    assert value(priced) < value(plain)
    assert min(priced[i][0.95] for i in priced) > 0


def test_prices_ask_for_no_more_where_all_was_served_before() -> None:
    """Constant demand: the last part of the history would have been served at any of many moves."""
    batch = [Series(id=str(i), values=np.full(60, 5.0)) for i in range(40)]
    common = {"lead_time": 2, "review": 1, "targets": (0.95,)}
    plain, _ = plan_levels(batch, prices={}, **common)
    priced, _ = plan_levels(batch, prices={str(i): 1.0 + i for i in range(40)}, **common)
    units = [sum(levels[0.95] for levels in plan.values()) for plan in (plain, priced)]
    assert units[1] < 1.2 * units[0]


def test_what_arrives_at_once_runs_no_risk_before_however_its_lead_time_varies() -> None:
    risk = stockout(3.0, np.full(60, 5.0), rate=1e7, lead_time=0.0, lead_time_sd=2.0)
    assert (risk.chance, risk.short) == (0.0, 0.0)


def test_the_simulation_of_a_worked_example() -> None:
    """S = 4, L = 1, R = 1, demand 2 3 4 1: on hand 4 → 2 | order 2 → 2+0... worked by hand.

    t0: 4 on hand, sells 2, holds 2; position 2, orders 2 for t2 (L periods after review).
    t1: nothing arrives, 2 on hand, wants 3: sells 2, 1 waits, holds 0; position 0-1+2 = 1,
    orders 3. t2: 2 arrive, 1 goes to who waits, 1 on hand, wants 4: sells 1, 3 wait; position
    0-3+3 = 0, orders 4. t3: 3 arrive, all go to who waits; wants 1: sells 0.
    """
    wanted, served, held = simulate(
        np.array([2.0, 3.0, 4.0, 1.0]), np.full(4, 4.0), lead_time=1, review=1
    )
    assert (wanted, served, held) == (10.0, 5.0, 0.5)


def test_measures_by_hand() -> None:
    """sMAPE of (100, 110): 200 * 10 / 210; MASE of error 2 over naive error 1."""
    assert smape(np.array([100.0]), np.array([110.0])) == pytest.approx(9.5238, abs=1e-4)
    history = np.array([1.0, 2.0, 3.0, 4.0])
    assert mase(np.array([5.0]), np.array([7.0]), history, 1) == pytest.approx(2.0)
