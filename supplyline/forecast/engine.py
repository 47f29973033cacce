"""From histories to forecasts with intervals: classes, candidates, rolling-origin backtest.

Promises: every series that holds a value gets a forecast for every period ahead; intervals are
those that covered on the series' own past and on that of its class (split-conformal on rolling
origins: Vovk et al. 2005; Hyndman and Athanasopoulos, fpp3, 5.10); the score of the seasonal
naive method on the same origins stands beside ours, also where it wins. Deterministic.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from supplyline.forecast import intervals
from supplyline.forecast.classes import Pattern, classify
from supplyline.forecast.models import CANDIDATES, bounded, seasonal_naive
from supplyline.forecast.series import Floats, Series

LEVELS = (80, 95)
POOLS: dict[str, tuple[str, ...]] = {
    "seasonal": ("ets", "dot", "theta", "mstl"),
    "regular": ("ets", "dot", "ses"),
    "slow": ("sba", "tsb", "ses", "imapa"),
    "short": ("ses", "window_mean"),
    "flat": ("window_mean",),
}
LONG = 400
"""Periods beyond which the slow optimisers see only the most recent part."""


@dataclass(frozen=True, kw_only=True)
class Forecast:
    """One item's forecast: `mean`, `lo[80]`, `hi[80]`, `lo[95]`, `hi[95]`, each of shape
    (horizon,). `mase` and `mase_naive`: mean absolute scaled error on the backtest's origins, NaN
    when there was no room for a backtest. `covered`: share of backtest actuals inside."""

    id: str
    pattern: Pattern
    model: str
    mean: Floats
    lo: dict[int, Floats]
    hi: dict[int, Floats]
    mase: float = float("nan")
    mase_naive: float = float("nan")
    covered: dict[int, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A series' point forecast and what the backtest saw; `errors` is (origins, horizon)."""

    pattern: Pattern
    pool: str
    mean: Floats
    scale: float
    errors: Floats
    errors_naive: Floats


def pool_of(values: Floats, pattern: Pattern, season: int) -> str:
    """Which candidates suit a history."""
    if pattern.name in ("dead", "insufficient") or values.size < 4 or np.ptp(values) == 0:
        return "flat"
    if pattern.name == "new":
        return "short"
    if pattern.name in ("intermittent", "lumpy"):
        return "slow"
    return "seasonal" if season > 1 and values.size >= 2 * season + 4 else "regular"


def combine(y: Floats, *, pool: str, horizon: int, season: int) -> Floats:
    """The mean of the pool's candidates; the median where few periods make one run away."""
    y = y[-max(LONG, 3 * season) :] if pool == "seasonal" else y[-4 * LONG :]
    m = season if pool == "seasonal" else 1
    fitted = [f for name in POOLS[pool] if (f := CANDIDATES[name](y, horizon, m)) is not None]
    if not fitted:
        return seasonal_naive(y, horizon, m)
    middle = np.median(fitted, axis=0) if pool == "regular" else np.mean(fitted, axis=0)
    return bounded(middle, y)


def scale_of(values: Floats, season: int) -> float:
    """What one step usually moves: mean absolute difference, of neighbours or of seasons."""
    if values.size < 2:
        return float(abs(values[-1])) if values.size else 0.0
    near = float(np.abs(np.diff(values)).mean())
    if season > 1 and values.size > 2 * season:
        near = min(near, float(np.abs(values[season:] - values[:-season]).mean()))
    return near or float(values.std())


def origins(n: int, *, horizon: int, least: int, most: int) -> list[int]:
    """Lengths of history at which the backtest stands, latest first."""
    step = max(1, horizon // 2)
    found = [n - horizon - k * step for k in range(most)]
    return [o for o in found if o >= least]


def fit(values: Floats, *, horizon: int, season: int) -> Fit:
    """Backtests and forecasts one history of at least one value."""
    pattern = classify(values)
    pool = pool_of(values, pattern, season)
    m = season if pool == "seasonal" else 1
    least = 2 * season + 4 if pool == "seasonal" else 4
    errors, naive = [], []
    for origin in origins(values.size, horizon=horizon, least=least, most=2):
        past, actual = values[:origin], values[origin : origin + horizon]
        errors.append(actual - combine(past, pool=pool, horizon=horizon, season=season))
        naive.append(actual - seasonal_naive(past, horizon, m))
    shape = (len(errors), horizon)
    return Fit(
        pattern=pattern,
        pool=pool,
        mean=combine(values, pool=pool, horizon=horizon, season=season),
        scale=scale_of(values, season),
        errors=np.reshape(errors, shape),
        errors_naive=np.reshape(naive, shape),
    )


def _fit_many(work: tuple[Sequence[Series], int, int]) -> list[Fit]:
    batch, horizon, season = work
    return [fit(s.values, horizon=horizon, season=season) for s in batch]


def forecast_batch(
    batch: Sequence[Series], *, horizon: int, season: int, workers: int = 1
) -> list[Forecast]:
    """Forecasts of all series that hold a value, in order; items of one batch lend one another
    their errors where their own are few."""
    usable = [s for s in batch if s.values.size]
    size = 64
    pieces = [(usable[i : i + size], horizon, season) for i in range(0, len(usable), size)]
    if workers > 1 and len(pieces) > 1:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(max_workers=workers) as processes:
            fits = [f for piece in processes.map(_fit_many, pieces) for f in piece]
    else:
        fits = [f for piece in pieces for f in _fit_many(piece)]
    table = intervals.learn(fits, horizon=horizon, levels=LEVELS)
    return [_finish(s, f, table) for s, f in zip(usable, fits, strict=True)]


def _finish(series: Series, found: Fit, table: intervals.Table) -> Forecast:
    lo, hi = intervals.bands(found, table, non_negative=series.non_negative)
    notes = list(series.notes)
    if found.pool == "flat" or found.pattern.name in ("new", "dead", "insufficient"):
        notes.append(found.pattern.why)
    if not found.errors.size:
        notes.append("Too short for a backtest: intervals are borrowed from similar items.")
        mase = naive = float("nan")
    else:
        unit = found.scale or 1.0
        mase = float(np.abs(found.errors).mean() / unit)
        naive = float(np.abs(found.errors_naive).mean() / unit)
        if mase > naive:
            notes.append("On its own past this forecast was no better than the naive one.")
    return Forecast(
        id=series.id,
        pattern=found.pattern,
        model="+".join(POOLS[found.pool]),
        mean=found.mean,
        lo=lo,
        hi=hi,
        mase=mase,
        mase_naive=naive,
        covered=intervals.coverage(found, table),
        notes=tuple(notes),
    )
