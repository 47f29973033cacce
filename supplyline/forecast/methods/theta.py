"""The theta method on series without season: smoothed level plus half the damped linear trend.

Assimakopoulos and Nikolopoulos (2000); as simple exponential smoothing with drift, Hyndman and
Billah (2003). The drift is damped, as in Fiorucci et al. (2016) the trend fades with theta.
"""

from __future__ import annotations

import numpy as np

from supplyline.forecast.methods.panel import Panel, down
from supplyline.forecast.series import Floats

ALPHAS = np.r_[0.02, 0.05, np.arange(0.1, 0.95, 0.1), 0.99]
DAMPING = 0.97
SHARE = 0.5


def theta(panel: Panel, horizon: int) -> tuple[Floats, Floats, Floats]:
    """Forecasts of shape (series, horizon), and of each series the smoothing constant and the
    root mean squared error one step ahead."""
    level, alpha, error = _smoothed(panel)
    ahead = np.cumsum(DAMPING ** np.arange(horizon))[None, :]
    a = alpha[:, None]
    begun = (1 - (1 - a) ** panel.length[:, None]) / a
    line = level[:, None] + SHARE * _slope(panel)[:, None] * (ahead - 1 + begun)
    return line, alpha, error


def _smoothed(panel: Panel) -> tuple[Floats, Floats, Floats]:
    level = np.repeat(np.nanmean(panel.head(6), axis=1)[:, None], ALPHAS.size, axis=1)
    squares = np.zeros_like(level)
    for t in range(panel.periods):
        k = panel.begun(t)
        error = panel.values[t, :k, None] - level[:k]
        squares[:k] += error * error
        level[:k] += ALPHAS * error
    best = squares.argmin(axis=1)
    row = np.arange(panel.count)
    return level[row, best], ALPHAS[best], np.sqrt(squares[row, best] / panel.length)


def _slope(panel: Panel) -> Floats:
    """Least squares slope per period over the whole series."""
    n = panel.length.astype(float)
    age = panel.periods - 1 - np.arange(panel.periods, dtype=float)
    centred = np.where(panel.mask(), (n - 1) / 2 - age[:, None], 0.0)
    total = n * (n * n - 1) / 12
    return down(centred * panel.values) / np.where(total > 0, total, 1.0)
