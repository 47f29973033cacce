"""Exponential smoothing: six state space models, averaged by their Akaike weights.

Models and likelihoods: Hyndman, Koehler, Ord and Snyder (2008), *Forecasting with Exponential
Smoothing*, ch. 2-5 (additive errors for level and additive season, relative errors for the
multiplicative season); weights by AICc: Kolassa (2011), "Combining exponential smoothing forecasts
using Akaike weights", IJF 27. The start is the classical decomposition of the first seasons.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast.methods.panel import CELLS, Ints, Panel, down, scale_of
from supplyline.forecast.series import Floats

ALPHAS = (0.02, 0.06, 0.12, 0.2, 0.3, 0.45, 0.65, 0.9)
BETAS = (0.0, 0.02, 0.05, 0.12)
GAMMAS = (0.0, 0.05, 0.12, 0.25, 0.45)
DAMPINGS = (1.0, 0.95, 0.85)
SEASONS_AT_START = 4
Flags = npt.NDArray[np.bool_]

LEAST = 1e-3
"""Nothing is divided by less than this share of a series' mean absolute value."""


@dataclass(frozen=True, kw_only=True)
class Model:
    """`season`: `none`, `adds` or `multiplies`."""

    trend: bool
    season: str

    def parameters(self, season: int) -> int:
        """Estimated ones: smoothing constants and states at the start, and the variance."""
        return 3 + (3 if self.trend else 0) + (0 if self.season == "none" else season + 1)


@dataclass(frozen=True, kw_only=True)
class Grid:
    """Parameter sets, each array of shape (1, sets)."""

    alpha: Floats
    beta: Floats
    gamma: Floats
    damping: Floats


@dataclass(kw_only=True)
class State:
    """Level, trend (series, sets), season (phases, series, sets); errors' sums as they grow."""

    level: Floats
    trend: Floats
    season: Floats
    squares: Floats
    logs: Floats


def grid_of(model: Model) -> Grid:
    sets = np.array(
        list(
            itertools.product(
                ALPHAS,
                BETAS if model.trend else (0.0,),
                GAMMAS if model.season != "none" else (0.0,),
                DAMPINGS if model.trend else (1.0,),
            )
        )
    ).T
    return Grid(alpha=sets[None, 0], beta=sets[None, 1], gamma=sets[None, 2], damping=sets[None, 3])


def smoothing(panel: Panel, horizon: int, season: int) -> Floats:
    """Forecasts of shape (series, horizon). Seasonal models join for series of at least two
    seasons and four periods, the multiplicative one for positive series."""
    models = [Model(trend=trend, season="none") for trend in (False, True)]
    if season > 1:
        models += [Model(trend=t, season=s) for s in ("adds", "multiplies") for t in (False, True)]
    enough = panel.length >= 2 * season + 4
    positive: Flags = np.asarray(np.where(panel.mask(), panel.values, np.inf).min(axis=0) > 0)
    forecasts, criteria = [], []
    for model in models:
        forecast, deviance = _fit(panel, model, horizon, season)
        k = model.parameters(season)
        room = np.maximum(panel.length - k - 1, 1)
        aicc = deviance + 2 * k + 2 * k * (k + 1) / room
        if model.season != "none":
            aicc = np.where(enough, aicc, np.inf)
        if model.season == "multiplies":
            aicc = np.where(positive, aicc, np.inf)
        good: Flags = np.asarray(np.isfinite(forecast).all(axis=1))
        criteria.append(np.where(good, aicc, np.inf))
        forecasts.append(np.where(good[:, None], forecast, 0.0))
    return _averaged(np.stack(forecasts), np.stack(criteria))


def _averaged(forecasts: Floats, criteria: Floats) -> Floats:
    """By Akaike weights: exp(-(AICc - least AICc) / 2), summing to one."""
    weight = np.exp(-0.5 * (criteria - criteria.min(axis=0)))
    weight = weight / down(weight)
    return down(weight[:, :, None] * forecasts)


def _fit(panel: Panel, model: Model, horizon: int, season: int) -> tuple[Floats, Floats]:
    """Forecasts and -2 log-likelihood (up to a constant) of the best parameter set per series."""
    grid = grid_of(model)
    unit = scale_of(panel)
    scaled = panel.with_values(panel.values / unit)
    level, trend, seasonal = _start(scaled, model, season)
    forecast = np.empty((panel.count, horizon))
    deviance = np.empty(panel.count)
    step = max(1, CELLS // grid.alpha.size)
    for first in range(0, panel.count, step):
        part = slice(first, min(panel.count, first + step))
        few = scaled.columns(part.start, part.stop)
        shape = (few.count, grid.alpha.size)
        state = State(
            level=np.repeat(level[part, None], shape[1], axis=1),
            trend=np.repeat(trend[part, None], shape[1], axis=1),
            season=np.repeat(seasonal[:, part, None], shape[1], axis=2),
            squares=np.zeros(shape),
            logs=np.zeros(shape),
        )
        with np.errstate(over="ignore", invalid="ignore"):  # sets that explode are never the best
            _run(few, model, grid, state, season)
        n = few.length[:, None]
        found = n * np.log(np.maximum(state.squares, 1e-12) / n) + 2 * state.logs
        best = np.where(np.isfinite(found), found, np.inf).argmin(axis=1)
        deviance[part] = found[np.arange(few.count), best]
        forecast[part] = _ahead(model, grid, state, best, horizon=horizon, season=season)
    return forecast * unit[:, None], deviance + 2 * panel.length * np.log(unit)


def _run(panel: Panel, model: Model, grid: Grid, state: State, season: int) -> None:
    """Carries the state through the history, in place."""
    alpha, damping = grid.alpha, grid.damping
    on_trend, on_season = alpha * grid.beta, grid.gamma * (1 - alpha)
    product = np.ones_like(state.level)
    for t in range(panel.periods):
        k = panel.begun(t)
        y = panel.values[t, :k, None]
        moved = damping * state.trend[:k] if model.trend else 0.0
        base = state.level[:k] + moved
        if model.season == "multiplies":
            index = state.season[panel.phase(t, season), :k]
            mean = base * index
            error = y - mean
            part = error / np.maximum(index, LEAST)
            index += on_season * error / np.where(np.abs(base) < LEAST, LEAST, base)
            size = np.clip(np.abs(mean), LEAST, 1 / LEAST**2)
            error = error / size
            product[:k] *= size
            if t % 8 == 0:  # the product stays within range, and one logarithm serves eight
                state.logs += np.log(product)
                product[:] = 1.0
        elif model.season == "adds":
            index = state.season[panel.phase(t, season), :k]
            error = part = y - base - index
            index += on_season * error
        else:
            error = part = y - base
        state.squares[:k] += error * error
        state.level[:k] = base + alpha * part
        if model.trend:
            state.trend[:k] = moved + on_trend * part
    state.logs += np.log(product)


def _ahead(
    model: Model, grid: Grid, state: State, best: Ints, *, horizon: int, season: int
) -> Floats:
    row = np.arange(best.size)
    level, trend = state.level[row, best], state.trend[row, best]
    damping = grid.damping[0, best]
    out = np.empty((best.size, horizon))
    factor, power = np.zeros(best.size), np.ones(best.size)
    for step in range(horizon):
        power = power * damping
        factor = factor + power
        mean = level + factor * trend
        if model.season != "none":
            index = state.season[step % season, row, best]
            mean = mean * index if model.season == "multiplies" else mean + index
        out[:, step] = mean
    return out


def _start(panel: Panel, model: Model, season: int) -> tuple[Floats, Floats, Floats]:
    """Level and trend before the first period (a line through the first ten, without season),
    and the season by phase counted from the end."""
    if model.season == "none":
        seasonal, begin = np.zeros((1, panel.count)), panel.head(10)
    else:
        seasonal, begin = _first_seasons(panel, season, multiplies=model.season == "multiplies")
    if not model.trend:
        return np.nanmean(begin[:, :10], axis=1), np.zeros(panel.count), seasonal
    level, trend = _line(begin[:, :10])
    return level, trend, seasonal


def _line(values: Floats) -> tuple[Floats, Floats]:
    """Least squares line through each row, NaN left out: value before the first, and slope."""
    known = np.isfinite(values)
    x = np.where(known, np.arange(1, values.shape[1] + 1), 0)
    y = np.where(known, values, 0.0)
    n, sx, sy = known.sum(axis=1), x.sum(axis=1), y.sum(axis=1)
    width = n * (x * x).sum(axis=1) - sx * sx
    slope = np.where(width > 0, (n * (x * y).sum(axis=1) - sx * sy) / np.maximum(width, 1), 0.0)
    return (sy - slope * sx) / n, slope


def _first_seasons(panel: Panel, season: int, *, multiplies: bool) -> tuple[Floats, Floats]:
    """Classical decomposition of up to four whole seasons at the start."""
    long = SEASONS_AT_START * season
    whole = np.minimum(panel.length // season, SEASONS_AT_START) * season
    y = np.where(np.arange(long)[None, :] < whole[:, None], panel.head(long), np.nan)
    weight = np.ones(season) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    middle = np.full_like(y, np.nan)
    rows, half = long - weight.size + 1, weight.size // 2
    sums = np.zeros((panel.count, rows))
    for lag, w in enumerate(weight / season):
        sums += w * y[:, lag : lag + rows]
    middle[:, half : half + rows] = sums
    with np.errstate(divide="ignore", invalid="ignore"):
        apart = y / middle if multiplies else y - middle
    known = np.isfinite(apart)
    by_phase = np.where(known, apart, 0.0).reshape(panel.count, SEASONS_AT_START, season)
    count = known.reshape(by_phase.shape).sum(axis=1)
    index = by_phase.sum(axis=1) / np.maximum(count, 1)
    if multiplies:
        index = np.clip(np.where(count > 0, index, 1.0), 0.02, 50.0)
        index = index / index.mean(axis=1, keepdims=True)
    else:
        index = index - index.mean(axis=1, keepdims=True)
    repeated = np.tile(index, (1, SEASONS_AT_START))
    begin = y / repeated if multiplies else y - repeated
    # From phases counted from the start to phases counted from the end.
    turned = (np.arange(season)[:, None] + panel.length[None, :]) % season
    begin[:, :10] = np.where(np.isfinite(begin[:, :10]), begin[:, :10], panel.head(10))
    return index[np.arange(panel.count)[None, :], turned], begin
