"""Seasonal theta on logarithms where a history is positive: growth and seasons act in proportion.

Histories with zeros or negative values stay as they are, with a season that adds.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast.methods.panel import Panel, down
from supplyline.forecast.methods.season import profile_of
from supplyline.forecast.methods.theta import theta
from supplyline.forecast.series import Floats


@dataclass(frozen=True, kw_only=True)
class Told:
    """`panel`: logarithms, moved below zero so that their season adds, where `logged`; `ahead`:
    theta's forecast on this scale (series, horizon); `strength`, `alpha`, `error`: (series,), the
    last in the history's own units."""

    panel: Panel
    logged: npt.NDArray[np.bool_]
    top: Floats
    ahead: Floats
    strength: Floats
    alpha: Floats
    error: Floats

    def restore(self, forecast: Floats) -> Floats:
        """A forecast on the panel's scale in the history's own units."""
        raised = np.exp(np.clip(forecast + self.top[:, None], -60.0, 60.0))
        return np.where(self.logged[:, None], raised, forecast)


def seasonal_theta(panel: Panel, horizon: int, season: int) -> Told:
    """Theta's forecast of every series, `horizon` periods ahead."""
    seen = panel.mask()
    logged = np.asarray(np.where(seen, panel.values, np.inf).min(axis=0) > 0)
    logs = np.log(np.where(seen & logged, panel.values, 1.0))
    top = np.where(logged, np.where(seen, logs, -np.inf).max(axis=0) + 1.0, 0.0)
    scaled = panel.with_values(np.where(seen, np.where(logged, logs - top, panel.values), 0.0))
    profile = profile_of(scaled, season)
    line, alpha, error = theta(profile.remove(scaled), horizon)
    year = down(panel.values[-season:]) / np.minimum(panel.length, season)
    return Told(
        panel=scaled,
        logged=logged,
        top=top,
        ahead=profile.restore(line),
        strength=profile.strength,
        alpha=alpha,
        error=np.where(logged, error * year, error),
    )
