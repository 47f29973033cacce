"""With a season told, S is set for the part of it that comes; without one nothing changes."""

from __future__ import annotations

import numpy as np
import pytest

from supplyline.forecast.series import Floats, Series
from supplyline.forecast.stocking import Levels, plan_levels

TARGETS = (0.9, 0.98)
PEAK = np.r_[np.full(9, 0.6), np.full(3, 2.2)]
"""A factor for each month: the last quarter sells more than three times what the others do."""


def toys(months: int) -> list[Series]:
    draw = np.random.default_rng(7)
    season = np.resize(PEAK, months)
    return [
        Series(id=f"toy-{k:02}", values=draw.poisson(rate * season) * 1.0)
        for k, rate in enumerate(draw.uniform(20, 60, 60))
    ]


def plan(batch: list[Series], season: int) -> Levels:
    return plan_levels(
        batch, lead_time=2, review=1, targets=TARGETS, prices={}, season=season
    )[0]  # fmt: skip


def total(levels: Levels, target: float) -> float:
    return sum(row[target] for row in levels.values())


@pytest.mark.parametrize(("months", "factor"), [(69, 2.2), (72, 0.6)])
def test_levels_are_for_the_part_of_the_season_that_comes(months: int, factor: float) -> None:
    batch = toys(months)
    levels = plan(batch, 12)
    expected: Floats = np.array([s.values[-60:].mean() * 3 * factor for s in batch])
    assert 0.95 < total(levels, 0.9) / expected.sum() < 1.15
    assert total(levels, 0.9) < total(levels, 0.98) < 1.4 * expected.sum()
    assert all(v == int(v) for row in levels.values() for v in row.values())
    plain = total(plan(batch, 1), 0.9)
    assert (plain < total(levels, 0.9)) == (factor > 1)


def test_items_without_a_season_are_planned_as_if_none_were_told() -> None:
    draw = np.random.default_rng(3)
    batch = [Series(id=f"part-{k}", values=draw.poisson(0.4, 60) * 1.0) for k in range(60)]
    assert plan(batch, 12) == plan(batch, 1)


def test_short_and_few_histories_take_a_season_too() -> None:
    for count in (1, 5):
        short = [Series(id=str(k), values=np.arange(k + 1.0)) for k in range(count)]
        assert plan(short, 12) == plan(short, 1)
    assert total(plan(toys(69)[:3], 12), 0.9) > 1.3 * total(plan(toys(69)[:3], 1), 0.9)
