"""Histories of a few periods, of hardly two seasons, of hours: what they tell is used."""

from __future__ import annotations

import warnings

import numpy as np
import pytest

from supplyline.forecast.engine import Forecast, forecast_batch
from supplyline.forecast.series import Floats, Series


def forecast(values: Floats, *, horizon: int, season: int) -> Forecast:
    return forecast_batch([Series(id="x", values=values)], horizon=horizon, season=season)[0]


@pytest.mark.parametrize("season", [4, 7, 12, 52])
@pytest.mark.parametrize("more", [0, 1, 3])
@pytest.mark.parametrize("level", [100.0, 0.0])
def test_two_seasons_show_a_season(season: int, more: int, level: float) -> None:
    size = 2 * season + more
    wave = 50 * np.sin(2 * np.pi * np.arange(size + season) / season) + level
    wave += np.random.default_rng(3).normal(0, 3, wave.size)
    found = forecast(wave[:size], horizon=season, season=season)
    assert np.abs(found.mean - wave[size:]).mean() < 12


def test_two_seasons_of_noise_show_hardly_any() -> None:
    rng = np.random.default_rng(4)
    moves = []
    for _ in range(30):
        mean = forecast(100 + rng.normal(0, 10, 24), horizon=12, season=12).mean
        moves.append(mean.std())
    assert np.mean(moves) < 3


@pytest.mark.parametrize("size", [4, 5, 6, 7])
@pytest.mark.parametrize("step", [-8.0, 0.5, 8.0])
def test_a_few_values_in_a_line_go_on_from_their_end(size: int, step: float) -> None:
    values = 100 + step * np.arange(size) + np.array([0.3, -0.2, 0.1, -0.3, 0.2, 0.0, -0.1])[:size]
    found = forecast(values, horizon=3, season=1)
    assert abs(found.mean[0] - values[-1]) < abs(step) + 1
    assert found.lo[95][0] > 0


def test_a_few_scattered_values_are_forecast_by_their_mean() -> None:
    found = forecast(np.array([3.0, 9.0, 1.0, 7.0, 2.0, 8.0]), horizon=3, season=1)
    assert 4 < found.mean[0] < 6.5
    assert found.lo[95][0] == 0


def test_hours_follow_the_week_where_its_days_differ() -> None:
    hour = np.arange(24 * 28 + 48)
    day = 100 + 40 * np.sin(hour * np.pi / 12)
    week = day * np.where(hour // 24 % 7 >= 5, 0.5, 1.0)
    noise = np.random.default_rng(5).normal(0, 2, hour.size)
    for values, least in ((week + noise, 8), (day + noise, 4)):
        found = forecast(values[:-48], horizon=48, season=24)
        assert np.abs(found.mean - values[-48:]).mean() < least


def test_parameters_that_explode_are_no_matter() -> None:
    values = np.random.default_rng(0).normal(0, 20, 1000)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert np.isfinite(forecast(values, horizon=13, season=4).mean).all()
