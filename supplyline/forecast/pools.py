"""Which methods suit a history, and their forecasts for many histories at once.

Promises: every history of at least one value gets a forecast from at least one method; a method
that cannot serve a history leaves NaN there.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from supplyline.forecast.classes import ADI_CUT, Pattern
from supplyline.forecast.methods import level, smoothing
from supplyline.forecast.methods.logs import seasonal_theta
from supplyline.forecast.methods.panel import Panel, panel_of
from supplyline.forecast.methods.season import profile_of
from supplyline.forecast.methods.theta import theta
from supplyline.forecast.methods.windows import SEASON as MONTHS
from supplyline.forecast.methods.windows import STEPS, windows
from supplyline.forecast.series import Floats

LONG_SEASON = 24
"""Beyond it a season is one profile for all methods: states for every phase cost too much data."""
RECENT = 157
"""Periods that seasonal methods look back on: three years of weeks, thirteen of months. What a
season looked like longer ago misleads more than it helps."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """`methods`: name → forecasts of shape (series, horizon); `error`: (series,), what one step
    usually misses by; `evidence` of `methods.level`, for slow movers only."""

    methods: dict[str, Floats]
    error: Floats
    evidence: Floats | None = None


SHARES = {"windows": 2.0}
"""Equal weights count the methods of this table so many times: the learned windows already hold
theta's forecast, and on sets they were not learned from they alone are as good as all others."""

CLOSE, IN_LINE = 0.05, 0.7
"""CV² and von Neumann's ratio below which fewer than eight values are forecast as a line."""

HOURS = (24, 48, 96)
"""Seasons of a day: where the days of the week differ, the season is the week."""
NEARER = 0.9

Methods = Callable[[Sequence[Floats], int, int], Found]


def pool_of(values: Floats, pattern: Pattern, season: int) -> str:
    """Which methods suit a history."""
    if pattern.name in ("dead", "insufficient") or values.size < 4 or np.ptp(values) == 0:
        return "flat"
    if pattern.name == "new" and _moves_slowly(values, pattern):
        return "young"
    if pattern.name in ("intermittent", "lumpy", "new"):
        return "slow"
    if season > 1 and values.size >= 2 * season:
        if season in HOURS and _weeks_differ(values, season):
            return "week of hours"
        enough = season <= LONG_SEASON and values.size >= 2 * season + 4
        return "seasonal" if enough else "long season"
    return "regular"


def season_in(pool: str, season: int) -> int:
    """The periods of the season that a pool's methods follow, 1 for none."""
    return {"seasonal": season, "long season": season, "week of hours": 7 * season}.get(pool, 1)


def _weeks_differ(values: Floats, day: int) -> bool:
    """Whether the last two of three weeks or more are clearly nearer to the same hours a week ago
    than to those of the day before."""
    if values.size < 21 * day:
        return False
    late = values[-14 * day :]
    week, before = values[-21 * day : -7 * day], values[-15 * day : -day]
    return bool(np.abs(late - week).mean() < NEARER * np.abs(late - before).mean())


def _moves_slowly(values: Floats, pattern: Pattern) -> bool:
    """Whether a few values tell more than their mean: all with demand, and either close together
    or in a line (steps small against the spread: von Neumann's ratio, 2 for noise)."""
    if pattern.adi >= ADI_CUT:
        return False
    return bool(pattern.cv2 < CLOSE or (np.diff(values) ** 2).mean() < IN_LINE * values.var())


def least_length(pool: str, season: int) -> int:
    """The shortest history on which a backtest of the pool says something."""
    length = season_in(pool, season)
    return 2 * length + 4 if length > 1 else 4


def recent(values: Floats, pool: str, season: int) -> Floats:
    """The part of a history that the pool's methods look at."""
    if (length := season_in(pool, season)) > 1:
        return values[-max(RECENT, 3 * length + 1) :]
    return values[-10 * RECENT :]


def _flat(histories: Sequence[Floats], horizon: int, season: int) -> Found:
    del season
    mean = np.array([h[-12:].mean() for h in histories])
    spread = np.array([h.std() for h in histories])
    return Found(methods={"mean": np.repeat(mean[:, None], horizon, axis=1)}, error=spread)


def _regular(histories: Sequence[Floats], horizon: int, season: int) -> Found:
    del season
    panel = panel_of(histories)
    line, _, error = theta(panel, horizon)
    found = {"theta": line, "ets": smoothing.smoothing(panel, horizon, 1)}
    return _restored(panel, found, error)


def _seasonal(histories: Sequence[Floats], horizon: int, season: int) -> Found:
    panel = panel_of(histories)
    told = seasonal_theta(panel, max(horizon, STEPS), season)
    found = {
        "theta": told.restore(told.ahead)[:, :horizon],
        "ets": smoothing.smoothing(panel, horizon, season),
    }
    if season == MONTHS:
        line = windows(told.panel, told.ahead, strength=told.strength, alpha=told.alpha)
        found["windows"] = np.where(told.logged[:, None], told.restore(line)[:, :horizon], np.nan)
    return _restored(panel, found, told.error)


def _long_season(histories: Sequence[Floats], horizon: int, season: int) -> Found:
    panel = panel_of(histories)
    profile = profile_of(panel, season)
    plain = profile.remove(panel)
    line, _, error = theta(plain, horizon)
    found = {"theta": line, "ets": smoothing.smoothing(plain, horizon, 1)}
    return _restored(panel, {n: profile.restore(f) for n, f in found.items()}, error)


def _week_of_hours(histories: Sequence[Floats], horizon: int, season: int) -> Found:
    return _long_season(histories, horizon, season_in("week of hours", season))


def _slow(histories: Sequence[Floats], horizon: int, season: int) -> Found:
    del season
    panel = panel_of(histories)
    found, evidence = level.levels(panel, horizon)
    by_name = zip(level.CANDIDATES, panel.restore(found).T, strict=True)
    return Found(
        methods={n: np.repeat(f[:, None], horizon, axis=1) for n, f in by_name},
        error=np.array([h.std() for h in histories]),
        evidence=panel.restore(evidence),
    )


def _restored(panel: Panel, methods: dict[str, Floats], error: Floats) -> Found:
    return Found(
        methods={name: panel.restore(f) for name, f in methods.items()},
        error=panel.restore(error),
    )


POOLS: dict[str, Methods] = {
    "flat": _flat,
    "regular": _regular,
    "young": _regular,
    "seasonal": _seasonal,
    "long season": _long_season,
    "week of hours": _week_of_hours,
    "slow": _slow,
}


def seasonal_naive(y: Floats, horizon: int, season: int) -> Floats:
    """The value one season ago (season 1: the last value): the bar every method must pass."""
    m = season if y.size >= season else 1
    return np.resize(y[-m:], horizon).astype(float)


def bounded(forecast: Floats, y: Floats) -> Floats:
    """Keeps a forecast within reason: no negative demand where there was none, and nothing
    further outside the range of the history than the range is wide (guards exploding trends)."""
    low, high = float(y.min()), float(y.max())
    width = max(high - low, 0.1 * abs(high), 1e-9)
    floor = 0.0 if low >= 0 else low - width
    return np.clip(forecast, floor, high + width)
