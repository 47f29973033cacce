"""P13. An honest forecast: intervals cover what they say on what comes after, a history that is too
short says so, and a forecast that does not beat the naive one says so."""

from __future__ import annotations

import numpy as np
import pytest

from supplyline.forecast import intervals
from supplyline.forecast.backtest import run_methods, slow_prior, weigh
from supplyline.forecast.engine import LEVELS, calibrate, forecast_batch
from supplyline.forecast.series import Series

SHAPE = 1 + 0.4 * np.sin(2 * np.pi * np.arange(12) / 12)


def covered(future: np.ndarray, found: list, level: int) -> float:
    inside = [
        (f >= x.lo[level] - 1e-9) & (f <= x.hi[level] + 1e-9)
        for f, x in zip(future, found, strict=True)
    ]
    return float(np.mean(inside))


@pytest.mark.parametrize("kind", ["seasonal", "walk", "slow"])
def test_intervals_cover_what_they_say_on_what_comes_after(kind: str) -> None:
    rng = np.random.default_rng(5)
    size = (300, 108)
    if kind == "seasonal":
        y = 80 * np.resize(SHAPE, 108) * rng.lognormal(0, 0.15, size)
    elif kind == "walk":
        y = 200 + np.cumsum(rng.normal(0, 4, size), axis=1)
    else:
        y = rng.negative_binomial(0.4, 0.3, size).astype(float)
    batch = [Series(id=str(n), values=v[:96]) for n, v in enumerate(y)]
    found = forecast_batch(batch, horizon=12, season=12)
    for level in LEVELS:
        assert covered(y[:, 96:], found, level) == pytest.approx(level / 100, abs=0.03)


def test_the_lower_end_of_slow_movers_is_zero_and_bands_are_nested() -> None:
    rng = np.random.default_rng(6)
    batch = [Series(id=str(n), values=rng.poisson(0.3, 60).astype(float)) for n in range(50)]
    for f in forecast_batch(batch, horizon=6, season=12):
        assert (f.lo[95] == 0).all()
        assert (f.hi[80] <= f.hi[95]).all()
        assert (f.mean <= f.hi[80]).all()


def test_short_histories_and_forecasts_that_do_not_beat_the_naive_one_say_so() -> None:
    rng = np.random.default_rng(7)
    walks = 1000 + np.cumsum(rng.normal(0, 1, (40, 60)), axis=1)
    batch = [Series(id="short", values=np.array([3.0, 4.0, 3.0]))]
    batch += [Series(id=str(n), values=w) for n, w in enumerate(walks)]
    found = {f.id: f for f in forecast_batch(batch, horizon=6, season=1)}
    assert any("fewer than 8" in note for note in found["short"].notes)
    assert any("borrowed" in note for note in found["short"].notes)
    for f in found.values():
        worse = f.mase > f.mase_naive
        assert worse == any("no better than the naive" in note for note in f.notes)


def test_a_table_serves_pools_it_never_saw() -> None:
    rng = np.random.default_rng(8)
    raws = run_methods(list(rng.poisson(0.5, (30, 50)).astype(float)), horizon=4, season=1)
    fits = [weigh(r, season=1, prior=slow_prior(raws)) for r in raws]
    table = intervals.learn(fits, horizon=4, levels=LEVELS)
    for level in LEVELS:
        lower, upper = table.ends("regular", level)
        assert (lower < 0).all()
        assert (upper > 0).all()


def test_with_a_calibration_a_forecast_does_not_depend_on_how_items_are_cut_into_batches() -> None:
    rng = np.random.default_rng(11)
    batch = [
        Series(id=str(n), values=rng.poisson(0.4 if n % 2 else 30.0, 60).astype(float))
        for n in range(40)
    ]
    common = {"horizon": 6, "season": 12}
    lent = calibrate(batch[:30], **common)
    again = calibrate(batch[:30][::-1], **common)
    whole = forecast_batch(batch, calibration=lent, **common)
    cut = [
        f
        for part in (batch[:7], batch[7:8], batch[8:])
        for f in forecast_batch(part, calibration=again, **common)
    ]
    for one, other in zip(whole, cut, strict=True):
        assert np.array_equal(one.mean, other.mean)
        for level in LEVELS:
            assert np.array_equal(one.lo[level], other.lo[level])
            assert np.array_equal(one.hi[level], other.hi[level])


def test_lone_items_have_the_width_that_items_of_their_kind_have() -> None:
    """Short histories alone in a file: what they borrow must cover what comes."""
    rng = np.random.default_rng(11)
    rates = rng.gamma(4.0, 2.0, 120)
    future, found = [], []
    for n, rate in enumerate(rates):
        y = rng.negative_binomial(3, 3 / (3 + rate), 24).astype(float)
        found += forecast_batch([Series(id=str(n), values=y[:18])], horizon=6, season=12)
        future.append(y[18:])
    for level in LEVELS:  # at least: real demand moves more than these draws do
        assert level / 100 - 0.02 < covered(np.array(future), found, level) < level / 100 + 0.1
