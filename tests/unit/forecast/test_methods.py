"""The methods: exact where theory says what must come out, and blind to their neighbours."""

from __future__ import annotations

import numpy as np
import pytest

from supplyline.forecast import pools
from supplyline.forecast.backtest import ORIGINS, origins, run_methods
from supplyline.forecast.methods import imapa, level, logs, windows
from supplyline.forecast.methods.panel import panel_of
from supplyline.forecast.methods.season import profile_of
from supplyline.forecast.methods.smoothing import smoothing
from supplyline.forecast.methods.theta import theta

SHAPE = 100 * (1 + 0.4 * np.sin(2 * np.pi * np.arange(12) / 12))


def histories(count: int, seed: int = 0) -> list[np.ndarray]:
    """Seasonal, slow, short and constant ones of different lengths."""
    rng = np.random.default_rng(seed)
    out = []
    for n in range(count):
        size = int(rng.integers(3, 140))
        kind = n % 4
        if kind == 0:
            y = np.resize(SHAPE, size) * rng.lognormal(0, 0.1, size)
        elif kind == 1:
            y = rng.poisson(0.4, size).astype(float)
        elif kind == 2:
            y = np.cumsum(rng.normal(0, 5, size)) + 50
        else:
            y = np.full(size, 7.0)
        out.append(y)
    return out


@pytest.mark.parametrize("season", [1, 12, 52])
def test_a_series_does_not_depend_on_its_neighbours_nor_on_their_order(season: int) -> None:
    batch = histories(60)
    together = run_methods(batch, horizon=6, season=season)
    order = np.random.default_rng(1).permutation(len(batch))
    shuffled = run_methods([batch[i] for i in order], horizon=6, season=season)
    alone = [run_methods([y], horizon=6, season=season)[0] for y in batch[:12]]
    for k, i in enumerate(order):
        assert np.array_equal(together[i].now.methods, shuffled[k].now.methods, equal_nan=True)
    for one, many in zip(alone, together, strict=False):
        assert np.array_equal(one.now.methods, many.now.methods, equal_nan=True)
        assert one.now.error == many.now.error


def test_a_pure_season_is_found_whole_and_noise_has_none() -> None:
    noise = np.random.default_rng(2).normal(100, 10, 120)
    panel = panel_of([np.resize(SHAPE, 120), noise])
    profile = profile_of(panel, 12)
    by_series = panel.restore(profile.strength)
    assert by_series[0] == pytest.approx(1.0)
    assert by_series[1] < 0.5
    plain = profile.remove(panel).values[:, 0]
    assert plain == pytest.approx(np.full(120, plain[0]))
    restored = panel.restore(profile.restore(np.full((2, 12), plain[0])))[0]
    assert restored == pytest.approx(SHAPE)


def test_exponential_smoothing_follows_a_season_without_noise() -> None:
    forecast = smoothing(panel_of([np.resize(SHAPE, 96)]), 12, 12)[0]
    assert forecast == pytest.approx(SHAPE, rel=0.01)


@pytest.mark.parametrize("season", [1, 12])
def test_a_constant_stays_constant(season: int) -> None:
    panel = panel_of([np.full(60, 7.0)])
    assert smoothing(panel, 5, season)[0] == pytest.approx(np.full(5, 7.0))
    assert theta(panel, 5)[0][0] == pytest.approx(np.full(5, 7.0))


def test_theta_adds_half_the_trend_damped() -> None:
    """On a straight line the level follows at once, so the steps ahead are 0.5 * 0.97^k."""
    forecast = theta(panel_of([np.arange(1.0, 101.0)]), 3)[0][0]
    assert np.diff(forecast) == pytest.approx([0.5 * 0.97, 0.5 * 0.97**2])
    assert forecast[0] == pytest.approx(100.5, abs=0.02)


def test_levels_by_hand() -> None:
    """History 2 0 0 4. The mean is 1.5. SBA: sizes 2 then 2 + 0.1 (4 - 2) = 2.2, intervals 1 then
    1 + 0.1 (3 - 1) = 1.2, so 0.95 * 2.2 / 1.2. TSB: chance 1, 1/2, 1/3, then
    1/3 + (1 - 1/3) / 4."""
    found, _ = level.levels(panel_of([np.array([2.0, 0.0, 0.0, 4.0])]), 1)
    by_name = dict(zip(level.CANDIDATES, found[0], strict=True))
    assert by_name["ses 0"] == pytest.approx(1.5)
    assert by_name["sba"] == pytest.approx(0.95 * 2.2 / 1.2)
    assert by_name["tsb"] == pytest.approx(0.5 * 2.2)


def test_evidence_moves_the_weights_of_a_level_that_fell() -> None:
    fell = np.r_[np.full(40, 9.0), np.full(40, 1.0)] + np.resize([0.5, -0.5], 80)
    found, evidence = level.levels(panel_of([fell]), 4)
    weights = level.weights(evidence, np.zeros(len(level.CANDIDATES)))
    assert weights.sum() == pytest.approx(1.0)
    assert (weights * found).sum() == pytest.approx(1.0, abs=0.3)


def imapa_of(y: np.ndarray) -> float:
    """One history, from its definition: the longest bucket is the mean interval between sales."""
    sales = np.flatnonzero(y)
    longest = min(imapa.MOST, y.size, max(1, round((sales[-1] + 1) / sales.size)))
    found = []
    for size in range(1, longest + 1):
        smoothed = 0.0
        for k, mean in enumerate(y[y.size % size :].reshape(-1, size).mean(axis=1)):
            smoothed += max(imapa.SMOOTH, 1 / (k + 1)) * (mean - smoothed)
        found.append(smoothed)
    return float(np.mean(found))


def test_imapa_is_that_of_each_history_alone() -> None:
    rng = np.random.default_rng(3)
    rates = [(n, p) for n in (1, 2, 3, 7, 30, 51, 80) for p in (0.15, 0.3, 0.6)]
    slow = [np.where(rng.random(n) < p, 1.0 + rng.poisson(2, n), 0.0) for n, p in rates]
    slow = [np.r_[y, 1.0] for y in slow] + [np.r_[y, 2.0, 0.0, 0.0] for y in slow]
    panel = panel_of(slow)
    found = panel.restore(level.levels(panel, 3)[0])[:, level.CANDIDATES.index("imapa")]
    assert found == pytest.approx([imapa_of(y) for y in slow])


def test_imapa_by_hand() -> None:
    """History 5 0 4 0 0 8, a sale every second period. Means of one period: 5, 5/2, 3, 9/4, 9/5,
    then 9/5 + (8 - 9/5) / 5 = 3.04; of two: 5/2, then 2 and 4 move it to 9/4 and 17/6."""
    assert imapa_of(np.array([5.0, 0, 4, 0, 0, 8])) == pytest.approx((3.04 + 17 / 6) / 2)


def test_candidates_that_say_the_same_share_one_weight() -> None:
    count = len(level.CANDIDATES)
    same = np.r_[np.full(6, 1.0), np.arange(2.0, 2 + count - 6), 0.0][None, :]
    weights = level.weights(same, np.zeros(count))[0]
    assert weights[:6].sum() == pytest.approx(weights[6]) == pytest.approx(1 / (count - 5))


def test_few_similar_items_count_for_what_they_have_seen() -> None:
    """One item of five horizons lends no more than these, a thousand lend nearly all they may."""
    count = len(level.CANDIDATES)
    one = np.r_[0.0, np.full(count - 1, 1.0), 5.0]
    assert level.similar_items(one[None, :])[1] * level.SIMILAR == pytest.approx(5, rel=0.03)
    many = level.similar_items(np.tile(one, (1000, 1)))
    assert many[1] == pytest.approx(1, rel=0.05)


def test_windows_need_two_positive_years() -> None:
    zero = np.r_[np.resize(SHAPE, 30), 0.0]
    found = pools.POOLS["seasonal"]([np.resize(SHAPE, 60), np.resize(SHAPE, 20), zero], 6, 12)
    assert np.isfinite(found.methods["windows"][0]).all()
    assert np.isnan(found.methods["windows"][1:]).all()
    assert all(np.isfinite(found.methods[name]).all() for name in ("theta", "ets"))


def test_windows_go_on_beyond_what_was_learned_as_theta_does() -> None:
    told = logs.seasonal_theta(panel_of([np.resize(SHAPE, 60)]), 40, 4)
    line = windows.windows(told.panel, told.ahead, strength=told.strength, alpha=told.alpha)
    moved = line - told.ahead
    assert moved[0, windows.STEPS :] == pytest.approx(moved[0, 12 : windows.STEPS].mean())


def test_networks_by_hand() -> None:
    """Hidden: max(0, 2 * 1 + 1 - 2) = 1 and max(0, -2 + 0) = 0; out: 1 * 3 + 0.5 = 3.5; the other
    network says 0.5, so that the mean is 2."""
    hidden = (np.array([[2.0, -2.0], [1.0, 0.0]]), np.array([-2.0, 0.0]))
    one = (hidden, (np.array([[3.0], [9.0]]), np.array([0.5])))
    other = (hidden, (np.zeros((2, 1)), np.array([0.5])))
    assert windows.moves(np.array([[1.0, 1.0]]), (one, other)) == pytest.approx(np.array([[2.0]]))
    back = windows.unpacked(windows.packed((one, other)))
    assert windows.moves(np.array([[1.0, 1.0]]), back) == pytest.approx(np.array([[2.0]]))


def test_theta_on_logarithms_foretells_growth_in_proportion() -> None:
    grown = np.resize([2.0, 1.0, 0.5, 1.0], 40) * 1.05 ** np.arange(40)
    told = logs.seasonal_theta(panel_of([grown, np.r_[0.0, grown]]), 4, 4)
    ahead = told.restore(told.ahead)[np.argsort(told.panel.order)]
    season = ahead[0] / ahead[0].mean()
    assert season == pytest.approx(np.array([2.0, 1.0, 0.5, 1.0]) / 1.125, rel=0.15)
    assert told.logged[np.argsort(told.panel.order)].tolist() == [True, False]


def test_the_backtest_uses_what_there_is() -> None:
    assert origins(100, horizon=10, least=28) == [90, 80, 70]
    assert origins(18, horizon=6, least=4) == [12]
    assert origins(12, horizon=8, least=4) == [4]
    assert len(origins(500, horizon=10, least=28)) == ORIGINS
    assert origins(36, horizon=12, least=28) == [28]
    assert origins(28, horizon=12, least=28) == []


def test_the_backtest_does_not_end_where_the_season_begins() -> None:
    """Two seasons and four periods let a season be fitted; what a backtest sees does not jump."""
    rng = np.random.default_rng(5)
    weeks = 100 + 30 * np.sin(2 * np.pi * np.arange(160) / 52) + rng.normal(0, 5, 160)
    raws = run_methods([weeks[:n] for n in range(100, 160)], horizon=13, season=52)
    assert {r.pool for r in raws} == {"regular", "long season"}
    for raw in raws:
        assert raw.past
        assert all(v.seen + 13 <= raw.values.size for v in raw.past)
        assert all(np.isfinite(v.methods).all() for v in raw.past)
    (short,) = run_methods([np.resize(SHAPE, 36) + np.arange(36)], horizon=12, season=12)
    assert [v.seen for v in short.past] == [24]
    assert np.isfinite(short.past[0].methods).any(axis=0).all()
