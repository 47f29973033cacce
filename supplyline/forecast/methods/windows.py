"""A linear forecast from the last two years, with weights learned once on many monthly series.

What one history is too short to tell, many tell: the logarithms of the last 24 months, relative to
the last year's mean, go through one matrix per step ahead (a pooled autoregression with direct
steps: Montero-Manso and Hyndman 2021, "Principles and algorithms for forecasting groups of time
series", IJF 37), whose weights vary with the strength of the season and with how fast the level
moves. The weights are in `windows_12.csv`, learned by `python -m benchmarks.learn_windows`; they
are the same for every organization, so that an item's forecast never depends on its neighbours.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from supplyline.forecast.methods.panel import Panel
from supplyline.forecast.series import Floats

SEASON = 12
LAGS = 24
STEPS = 24


@cache
def learned() -> Floats:
    """The weights, of shape (features, steps)."""
    return np.loadtxt(Path(__file__).with_name("windows_12.csv"), delimiter=",")


def features(recent: Floats, strength: Floats, alpha: Floats) -> tuple[Floats, Floats]:
    """From logarithms of the last LAGS values (rows), the strength of the season and the smoothing
    constant: features of shape (rows, 4 LAGS + 4), and the level they are relative to."""
    level = recent[:, -SEASON:].mean(axis=1, keepdims=True)
    inputs = np.hstack([recent - level, np.ones_like(level)])
    s, a = strength[:, None], alpha[:, None]
    return np.hstack([inputs, inputs * s, inputs * a, inputs * s * a]), level


def windows(panel: Panel, horizon: int, *, strength: Floats, alpha: Floats) -> Floats:
    """Forecasts of shape (series, horizon); NaN for series that are not positive throughout the
    window, are shorter than it, and for steps beyond those learned."""
    recent = panel.tail(LAGS)
    usable = (recent.min(axis=1) > 0) & (panel.length >= LAGS)
    logs = np.log(np.where(usable[:, None], recent, 1.0))
    inputs, level = features(logs, strength, alpha)
    weights = learned()[:, :horizon]
    out = np.full((panel.count, horizon), np.nan)
    total = np.zeros((panel.count, weights.shape[1]))
    for column, row in zip(inputs.T, weights, strict=True):  # in this order for every batch size
        total += column[:, None] * row
    out[:, : weights.shape[1]] = np.exp(np.clip(total + level, -60.0, 60.0))
    return np.where(usable[:, None], out, np.nan)
