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
from supplyline.forecast.backtest import Fit, Raw, run_methods, slow_prior, weigh
from supplyline.forecast.classes import Pattern
from supplyline.forecast.series import Floats, Series

LEVELS = (80, 95)
PIECE = 256
"""Series handed to a process at a time."""


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
    weights: dict[str, float] = field(default_factory=dict)
    notes: tuple[str, ...] = ()


def _run(work: tuple[Sequence[Series], int, int]) -> list[Raw]:
    batch, horizon, season = work
    return run_methods([s.values for s in batch], horizon=horizon, season=season)


def _raws(batch: Sequence[Series], *, horizon: int, season: int, workers: int) -> list[Raw]:
    pieces = [(batch[i : i + PIECE], horizon, season) for i in range(0, len(batch), PIECE)]
    if workers > 1 and len(pieces) > 1:
        from concurrent.futures import ProcessPoolExecutor

        with ProcessPoolExecutor(max_workers=workers) as processes:
            return [r for piece in processes.map(_run, pieces) for r in piece]
    return [r for piece in pieces for r in _run(piece)]


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """What items lend one another: `prior` of `methods.level`, and the intervals' factors."""

    prior: Floats
    table: intervals.Table


def calibrate(
    batch: Sequence[Series], *, horizon: int, season: int, workers: int = 1
) -> Calibration:
    """What the series that hold a value can lend; their order changes nothing."""
    usable = [s for s in batch if s.values.size]
    raws = _raws(usable, horizon=horizon, season=season, workers=workers)
    return _learned(raws, horizon=horizon, season=season)[0]


def _learned(raws: Sequence[Raw], *, horizon: int, season: int) -> tuple[Calibration, list[Fit]]:
    prior = slow_prior(raws)
    fits = [weigh(r, season=season, prior=prior) for r in raws]
    table = intervals.learn(fits, horizon=horizon, levels=LEVELS)
    return Calibration(prior=prior, table=table), fits


def forecast_batch(
    batch: Sequence[Series],
    *,
    horizon: int,
    season: int,
    workers: int = 1,
    calibration: Calibration | None = None,
) -> list[Forecast]:
    """Forecasts of all series that hold a value, in order.

    With a `calibration` (of the same horizon and season) each depends on its own history and on
    that only; without, items of the batch lend one another their errors.
    """
    usable = [s for s in batch if s.values.size]
    raws = _raws(usable, horizon=horizon, season=season, workers=workers)
    if calibration is None:
        calibration, fits = _learned(raws, horizon=horizon, season=season)
    else:
        fits = [weigh(r, season=season, prior=calibration.prior) for r in raws]
    return [_finish(s, f, calibration.table) for s, f in zip(usable, fits, strict=True)]


def _finish(series: Series, found: Fit, table: intervals.Table) -> Forecast:
    lo, hi = intervals.bands(found, table, non_negative=series.non_negative)
    if not series.values.any():  # without any demand there is nothing that could give a scale
        lo = hi = {level: np.zeros_like(found.mean) for level in LEVELS}
    notes = list(series.notes)
    if found.pool == "flat" or found.pattern.name in ("new", "dead", "insufficient"):
        notes.append(found.pattern.why)
    if not np.isfinite(found.errors).any():
        notes.append("Too short for a backtest: intervals are borrowed from similar items.")
        mase = naive = float("nan")
    else:
        unit = found.scale or 1.0
        mase = float(np.nanmean(np.abs(found.errors)) / unit)
        naive = float(np.nanmean(np.abs(found.errors_naive)) / unit)
        if mase > naive:
            notes.append("On its own past this forecast was no better than the naive one.")
    return Forecast(
        id=series.id,
        pattern=found.pattern,
        model=_named(found.weights),
        mean=found.mean,
        lo=lo,
        hi=hi,
        mase=mase,
        mase_naive=naive,
        covered=intervals.coverage(found, table),
        weights=found.weights,
        notes=tuple(notes),
    )


def _named(weights: dict[str, float]) -> str:
    """The methods that carry at least a hundredth, heaviest first."""
    heavy = sorted((w, n) for n, w in weights.items() if w >= 0.01)
    return "+".join(n for _, n in reversed(heavy))
