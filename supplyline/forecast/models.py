"""Candidate methods: each is a function (history, horizon, season) → mean forecast.

Promises: a candidate that cannot fit a history answers None; it never raises. The statistical
models are those of statsforecast (C++ core), imported when first used.

Sources: exponential smoothing state space models, Hyndman, Koehler, Ord and Snyder (2008);
complex exponential smoothing, Svetunkov and Kourentzes (2022); the optimised dynamic theta
model, Fiorucci et al. (2016); Croston (1972) with the correction of Syntetos and Boylan (2005);
TSB, Teunter, Syntetos and Babai (2011); IMAPA, Petropoulos and Kourentzes (2015).
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Callable
from functools import cache
from typing import Any

import numpy as np

from supplyline.forecast.series import Floats

log = logging.getLogger(__name__)

Candidate = Callable[[Floats, int, int], "Floats | None"]


def seasonal_naive(y: Floats, horizon: int, season: int) -> Floats:
    """The value one season ago (season 1: the last value): the bar every method must pass."""
    m = season if y.size >= season else 1
    last = y[-m:]
    return np.resize(last, horizon).astype(float)


def window_mean(y: Floats, horizon: int, season: int) -> Floats:
    """Mean of the last season, at least eight and at most all periods."""
    return np.full(horizon, float(y[-max(8, season) :].mean()))


@cache
def _fitted(name: str, season: int) -> Any:
    from statsforecast import models as m

    if name == "mstl":
        trend = m.DynamicOptimizedTheta(season_length=1)
        return m.MSTL(season_length=season, trend_forecaster=trend)
    if name in ("ets", "ces", "dot", "theta"):
        seasonal = {
            "ets": m.AutoETS,
            "ces": m.AutoCES,
            "dot": m.DynamicOptimizedTheta,
            "theta": m.AutoTheta,
        }
        return seasonal[name](season_length=season)
    if name == "tsb":
        return m.TSB(alpha_d=0.1, alpha_p=0.1)
    plain = {
        "ses": m.SimpleExponentialSmoothingOptimized,
        "sba": m.CrostonSBA,
        "croston": m.CrostonOptimized,
        "imapa": m.IMAPA,
    }
    return plain[name]()


def _statistical(name: str) -> Candidate:
    def run(y: Floats, horizon: int, season: int) -> Floats | None:
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")
                out = _fitted(name, season).forecast(y=y, h=horizon)["mean"]
        except Exception as error:  # noqa: BLE001 - the library raises bare Exception for histories it cannot fit
            log.debug("%s cannot fit a history of %d periods: %s", name, y.size, type(error))
            return None
        out = np.asarray(out, dtype=float)
        return out if out.shape == (horizon,) and np.isfinite(out).all() else None

    return run


CANDIDATES: dict[str, Candidate] = {
    "seasonal_naive": seasonal_naive,
    "window_mean": window_mean,
    **{
        name: _statistical(name)
        for name in ("ets", "ces", "dot", "theta", "mstl", "ses", "sba", "croston", "tsb", "imapa")
    },
}


def bounded(forecast: Floats, y: Floats) -> Floats:
    """Keeps a forecast within reason: no negative demand where there was none, and nothing
    further outside the range of the history than the range is wide (guards exploding trends)."""
    low, high = float(y.min()), float(y.max())
    width = max(high - low, 0.1 * abs(high), 1e-9)
    floor = 0.0 if low >= 0 else low - width
    return np.clip(forecast, floor, high + width)
