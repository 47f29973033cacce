"""The measures that forecasts are judged by, beside what is known of invented demand."""

from __future__ import annotations

import numpy as np
import pytest

from benchmarks.forecast import bias_by_group, chance_by_group, ours

HORIZON = 28


def rows(count: int = 200, rate: float = 0.5) -> list[tuple[str, np.ndarray, np.ndarray]]:
    rng = np.random.default_rng(1)
    demand = rng.poisson(rate, (count, 50 * HORIZON)).astype(float)
    return [(f"G{n % 2}_{n}", d[:-HORIZON], d[-HORIZON:]) for n, d in enumerate(demand)]


def test_a_perfect_mean_misses_a_group_by_what_chance_tells() -> None:
    invented = rows()
    chance = chance_by_group(invented)
    # A hundred Poisson sums of mean 14: standard deviation 37.4 of 1400.
    assert chance == pytest.approx({"G0": 1 / np.sqrt(1400), "G1": 1 / np.sqrt(1400)}, rel=0.08)
    perfect = [np.full(HORIZON, 0.5)] * len(invented)
    assert all(abs(b) < 3 * chance[g] for g, b in bias_by_group(invented, perfect).items())


def test_a_level_that_moved_once_is_not_taken_for_chance() -> None:
    moved = [(i, np.r_[y, y + 0.5], f + 0.5) for i, y, f in rows()]
    total = sum(float(f.sum()) for i, _, f in moved if i.startswith("G0"))
    steady = np.sqrt(100 * 0.5 * HORIZON) / total
    assert chance_by_group(moved)["G0"] == pytest.approx(steady, rel=0.15)


def test_series_alone_lend_one_another_nothing() -> None:
    rng = np.random.default_rng(2)
    some = [(str(n), 50 + rng.normal(0, 9, 60), np.zeros(18)) for n in range(4)]
    together, _ = ours("carparts", some, workers=1)
    alone, _ = ours("carparts", some, workers=1, alone=True)
    lonely, _ = ours("carparts", some[:1], workers=1)
    assert (alone[0].hi[80] == lonely[0].hi[80]).all()
    assert (alone[0].hi[80] != together[0].hi[80]).any()
    assert (alone[0].mean == together[0].mean).all()
