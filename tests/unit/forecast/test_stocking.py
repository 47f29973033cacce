"""Levels set for many items together: who lends whom what, in whatever unit of measure."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest

from benchmarks.inventory import simulate_many
from supplyline.forecast import safety, service
from supplyline.forecast.grain import grain_of
from supplyline.forecast.lead_demand import Law
from supplyline.forecast.leadtime import Level
from supplyline.forecast.levels import Stocked, pooled
from supplyline.forecast.series import Floats, Series
from supplyline.forecast.stocking import ENOUGH_ITEMS, Levels, plan_levels, pool_levels
from supplyline.forecast.terms import Facts, Terms

TARGETS = (0.9, 0.95, 0.98)


def _parts(count: int = 100) -> list[Series]:
    draw = np.random.default_rng(8)
    rates = draw.gamma(1.0, 0.4, count) + 0.05
    return [
        Series(id=f"part-{i:03d}", values=(draw.poisson(r, 60) * draw.integers(1, 4, 60)) * 1.0)
        for i, r in enumerate(rates)
    ]


def _screw() -> Series:
    draw = np.random.default_rng(1)
    return Series(id="screw", values=np.round(1000 * (1 + 0.02 * draw.normal(size=60))))


def _plan(batch: list[Series]) -> Levels:
    return plan_levels(batch, lead_time=2, review=1, targets=TARGETS, prices={})[0]


def _total(levels: Levels, target: float) -> float:
    return sum(row[target] for item, row in levels.items() if item.startswith("part"))


def test_one_fast_steady_item_does_not_take_the_stock_of_all_others() -> None:
    alone, beside = _plan(_parts()), _plan([*_parts(), _screw()])
    for target in TARGETS:
        assert _total(beside, target) == pytest.approx(_total(alone, target), rel=0.1)


@pytest.mark.parametrize("factor", [1000.0, 0.001, 12.0])
def test_levels_are_the_same_in_every_unit_of_measure(factor: float) -> None:
    parts = [s for s in _parts() if np.count_nonzero(s.values) > 4]
    scaled = [Series(id=s.id, values=s.values * factor) for s in parts]
    want, found = _plan(parts), _plan(scaled)
    for item, row in want.items():
        assert {t: level / factor for t, level in found[item].items()} == pytest.approx(row)


@pytest.mark.parametrize("factor", [1e-3, 1e6])
def test_what_is_weighed_is_the_same_in_every_unit_too(factor: float) -> None:
    draw = np.random.default_rng(3)
    loose = [Series(id=f"part-{i}", values=draw.gamma(2.0, 1.0, 60)) for i in range(40)]
    want = _plan(loose)
    found = _plan([Series(id=s.id, values=s.values * factor) for s in loose])
    for item, row in want.items():
        assert {t: level / factor for t, level in found[item].items()} == pytest.approx(
            row, rel=2e-2
        )


def test_a_year_of_history_reaches_the_fill_rate_and_heeds_prices() -> None:
    draw = np.random.default_rng(6)
    demand = draw.negative_binomial(1.0, 1 / (1 + draw.gamma(2.0, 2.0, (300, 1))), (300, 212)) * 1.0
    batch = [Series(id=f"{i:03d}", values=y[:12]) for i, y in enumerate(demand)]
    price = draw.lognormal(size=300)
    money = []
    for prices in ({}, {s.id: float(p) for s, p in zip(batch, price, strict=True)}):
        found = plan_levels(batch, lead_time=2, review=1, targets=TARGETS, prices=prices)[0]
        levels = np.array([[found[s.id][t] for t in TARGETS] for s in batch])
        served, held = simulate_many(
            demand[:, 12:], np.repeat(levels[:, :, None], 200, axis=2), lead_time=2, review=1
        )
        assert served.sum(axis=0) / demand[:, 12:].sum() == pytest.approx(TARGETS, abs=0.03)
        money.append((held * price[:, None]).sum(axis=0))
    assert (money[1] < 0.95 * money[0]).all()


def test_few_items_are_planned_in_their_own_unit() -> None:
    whole = _plan(_parts(3))
    tonnes = _plan([Series(id=s.id, values=s.values / 1000) for s in _parts(3)])
    for item, row in whole.items():
        assert {t: 1000 * level for t, level in tonnes[item].items()} == pytest.approx(row)


def test_a_target_is_met_by_the_items_that_have_it() -> None:
    draw = np.random.default_rng(5)
    fast = [Series(id=f"fast-{i}", values=draw.poisson(30, 60) * 1.0) for i in range(40)]
    own = {s.id: 0.9 for s in _parts()} | {s.id: 0.98 for s in fast}
    pool = sorted([*_parts(), *fast], key=lambda s: s.id)
    apart = pool_levels(pool, lead_time=2, review=1, targets=TARGETS, prices={}, own_targets=own)
    assert apart is not None
    parts = sum(row[0.9].amount for item, row in apart.items() if item.startswith("part"))
    assert parts > 0.95 * _total(_plan(_parts()), 0.9)


@pytest.mark.parametrize(
    ("values", "size", "counted"),
    [
        ([0, 1, 3, 2, 0, 5], 1.0, True),
        ([24, 12, 0, 36, 12], 12.0, True),
        ([0.25, 0.5, 0.25, 1.0], 0.25, True),
        ([6.0], 1.0, True),
        ([60.0, 120.0], 10.0, True),
        ([0.0, 0.0], 1.0, True),
        ([np.pi, np.e, np.sqrt(2), 1.0], (np.pi + np.e + np.sqrt(2) + 1) / 4000, False),
    ],
)
def test_the_grain_of_demand(values: list[float], size: float, counted: bool) -> None:
    found = grain_of(np.array(values, dtype=float))
    assert found.size == pytest.approx(size)
    assert found.counted is counted


def test_no_item_counts_for_more_than_about_four_others() -> None:
    """However much one item sells, and however short it is, the fill rate around the volume of the
    99 others hardly moves."""
    volume = np.zeros(100)
    for volume[0] in np.linspace(0.0, 20.0, 60):
        sold = np.exp(volume)
        short = np.where(volume == volume[0], sold, 0.0)[:, None] if volume[0] else np.zeros(100)
        one = service.Service(volume=volume, wanted=sold, short=short.reshape(100, 1))
        fill, _ = safety.near(one, np.zeros(1))
        assert fill[0, 0] > 1 - 4.3 / 99


def test_a_replay_serves_as_the_simulation_of_the_benchmark_does() -> None:
    """The same units short, also when levels change on the way, whatever the lead time."""
    draw = np.random.default_rng(4)
    future = draw.negative_binomial(1.0, 0.3, (7, 24)) * 1.0
    levels = [draw.integers(0, 15, (7, 3)) * 1.0 for _ in range(4)]
    law = Law(mean=np.ones(7), variance=np.ones(7))
    held = np.repeat(np.stack(levels, axis=2), 6, axis=2)
    for lead_time, review in ((0, 1), (2, 1), (3, 4), (1, 6)):
        found = service.happened(law, future, levels, every=6, lead_time=lead_time, review=review)
        served, _ = simulate_many(
            future, held, lead_time=lead_time, review=review, uncounted=lead_time
        )
        assert found.wanted[:, None] - found.short == pytest.approx(served)


def test_parts_of_the_items_are_the_whole(monkeypatch: pytest.MonkeyPatch) -> None:
    want = plan_levels(_parts(), lead_time=2, review=1, targets=TARGETS, prices={"part-003": 9.0})
    monkeypatch.setattr(service, "PART", 7)
    assert want == plan_levels(
        _parts(), lead_time=2, review=1, targets=TARGETS, prices={"part-003": 9.0}
    )


def test_items_whose_season_is_a_week_of_hours_are_in_no_pool() -> None:
    draw = np.random.default_rng(7)
    week = np.r_[np.full(5 * 24, 20.0), np.full(2 * 24, 2.0)]
    terms = Terms(
        as_of=date(2025, 12, 31), bucket="day", bucket_days=1.0, review_days=1.0, lead_time_days=2.0
    )

    def levels_of(rate: Floats) -> dict[str, Level]:
        own = [
            Stocked(series=Series(id=str(i), values=draw.poisson(rate) * 1.0), facts=Facts())
            for i in range(ENOUGH_ITEMS)
        ]
        return pooled(own, [], terms=terms, season=24)

    assert levels_of(np.tile(week, 4)) == {}
    assert len(levels_of(np.full(40, 20.0))) == ENOUGH_ITEMS
