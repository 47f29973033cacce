"""What one item gets does not hang on another of a wholly different kind, nor on the unit."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from benchmarks.inventory import simulate_many
from supplyline.forecast.policy import abc
from supplyline.forecast.series import Floats, Series
from supplyline.forecast.stocking import Levels, plan_levels

TARGETS = (0.9, 0.95)
HISTORY = 60


def parts(count: int = 80, seed: int = 5) -> dict[str, Floats]:
    """Slow movers of half a unit to four a period, 360 periods each."""
    rng = np.random.default_rng(seed)
    rates = rng.uniform(0.5, 4, count)
    demand = rng.negative_binomial(1.0, 1 / (1 + rates[:, None]), (count, HISTORY + 300))
    return {f"p{i:03}": d.astype(float) for i, d in enumerate(demand)}


def steady(mean: float, cv: float, seed: int) -> Floats:
    return np.round(mean * (1 + cv * np.random.default_rng(seed).normal(size=HISTORY)))


def planned(
    histories: dict[str, Floats], prices: dict[str, float] | None = None, lead_time: int = 2
) -> Levels:
    batch = [Series(id=i, values=v) for i, v in histories.items()]
    found, _ = plan_levels(
        batch, lead_time=lead_time, review=1, targets=TARGETS, prices=prices or {}
    )
    return found


def fills(demand: dict[str, Floats], levels: Levels, target: float) -> tuple[Floats, Floats]:
    """Units served at once and wanted, per item, after the history."""
    ahead = np.stack([v[HISTORY:] for v in demand.values()])
    plan = np.array([levels[i][target] for i in demand])
    every = np.repeat(plan[:, None, None], ahead.shape[1], axis=2)
    served, _ = simulate_many(ahead, every, lead_time=2, review=1)
    return served[:, 0], ahead.sum(axis=1)


@pytest.mark.parametrize(
    "beside",
    [
        {"fast": steady(1000, 0.02, 1)},
        {"fast": steady(1e6, 0.01, 2)},
        {f"fast{k}": steady(100, 0.3, k) for k in range(20)},
    ],
    ids=["one fast item", "one in grams", "twenty of a hundred"],
)
def test_fast_items_do_not_take_the_stock_of_slow_ones(beside: dict[str, Floats]) -> None:
    demand = parts()
    past = {i: v[:HISTORY] for i, v in demand.items()}
    levels = planned(past | beside)
    for target in TARGETS:
        served, wanted = fills(demand, levels, target)
        assert served.sum() / wanted.sum() > target - 0.045
        # One unit more or less on the shelf is two points for the slowest of them.
        assert (served / wanted > target - 0.27).all()


def test_fast_steady_item_gets_what_its_own_demand_needs() -> None:
    past = {i: v[:HISTORY] for i, v in parts().items()}
    fast = planned(past | {"fast": steady(1000, 0.02, 1)})["fast"]
    # Nine tenths of 1000 a period beside what the lead time takes.
    assert 2850 <= fast[0.9] <= 2950
    assert fast[0.9] == int(fast[0.9])


def test_one_item_in_tonnes_gets_what_it_gets_in_kilograms() -> None:
    rng = np.random.default_rng(6)
    measured = {f"m{i:02}": rng.gamma(4, 0.5, HISTORY) for i in range(60)}
    plain = planned(measured)
    tonnes = planned(measured | {"m00": measured["m00"] / 1000})
    alone = planned({"m00": measured["m00"]})
    small = planned({"m00": measured["m00"] / 1000})
    for target in TARGETS:
        assert tonnes["m00"][target] * 1000 == pytest.approx(plain["m00"][target], rel=0.01)
        assert small["m00"][target] * 1000 == pytest.approx(alone["m00"][target], rel=0.01)
        # Demand of three periods has the mean 6 and the standard deviation 1.7.
        assert 6 < plain["m00"][target] < 10
        assert 6 < alone["m00"][target] < 11


def test_huge_quantities_are_planned_without_a_warning() -> None:
    past = {i: v[:HISTORY] for i, v in parts().items()}
    plain = planned(past)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        huge = planned({i: v * 1e9 for i, v in past.items()})
    total = sum(v[0.95] for v in plain.values())
    assert sum(v[0.95] for v in huge.values()) / 1e9 == pytest.approx(total, rel=0.15)


def test_items_that_no_longer_sell_are_not_stocked() -> None:
    past = {i: v[:HISTORY] for i, v in parts().items()}
    past["gone"] = np.r_[np.full(30, 50.0), np.zeros(30)]
    levels = planned(past)["gone"]
    assert all(str(level) == "0.0" for level in levels.values())


def test_no_level_is_a_negative_zero() -> None:
    past = {i: v[:HISTORY] for i, v in parts().items()} | {"fast": steady(1e6, 0.01, 2)}
    past |= {f"rare{k}": np.r_[np.zeros(HISTORY - 5 - k), 1.0, np.zeros(4 + k)] for k in range(9)}
    levels = planned(past)
    assert not any(np.signbit(level) for v in levels.values() for level in v.values())


def test_dear_slow_items_are_not_starved() -> None:
    """Where all that is slow is dear, and makes up the whole value, it is served as without
    prices."""
    demand = parts()
    past = {i: v[:HISTORY] for i, v in demand.items()}
    volume = {i: v.mean() for i, v in past.items()}
    prices = {i: 1000.0 if m < 1.2 else 1.0 for i, m in volume.items()}
    dear = np.array([prices[i] > 1 for i in demand])
    priced = planned(past, prices)
    for target in TARGETS:
        served, wanted = fills(demand, priced, target)
        assert served.sum() / wanted.sum() > target - 0.03
        assert served[dear].sum() / wanted[dear].sum() > target - 0.06


def test_no_abc_class_is_starved_while_less_money_lies_on_the_shelf() -> None:
    demand = parts(300)
    past = {i: v[:HISTORY] for i, v in demand.items()}
    price = np.random.default_rng(2).lognormal(0.0, 1.2, len(demand))
    prices = dict(zip(demand, price, strict=True))
    value = {i: prices[i] * v.mean() for i, v in past.items()}
    grades = abc(value)
    grade = np.array([grades[i] for i in demand])
    plain, priced = planned(past), planned(past, prices)
    for target in TARGETS:
        served, wanted = fills(demand, priced, target)
        for one in "ABC":
            mine = grade == one
            assert served[mine].sum() / wanted[mine].sum() > target - 0.025, one
        stock = [np.array([p[i][target] for i in demand]) @ price for p in (plain, priced)]
        assert stock[1] < 0.95 * stock[0]
