"""One seasonal profile per series, shrunk by how far it stands out of the noise.

Classical decomposition (ratios to a centred moving average, in logarithms, where all values are
positive, differences from it otherwise) and James-Stein shrinkage of the profile towards none
(Miller and Williams 2003, "Shrinkage estimators of time series seasonal factors", IJF 19).
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast.methods.panel import Panel, down
from supplyline.forecast.series import Floats

DOUBT = 1.3
"""How many times its noise is taken off the profile of two seasons only, where a year's own ups and
downs pass for a season more easily than James and Stein's factor, a little below 1, allows for."""


@dataclass(frozen=True, kw_only=True)
class Profile:
    """`index`: (season, series), by phase counted from the end; factors where `multiplies`, else
    amounts. `strength`: (series,), 0 no season to 1 season without noise."""

    index: Floats
    multiplies: npt.NDArray[np.bool_]
    strength: Floats

    def remove(self, panel: Panel) -> Panel:
        """The panel without its season."""
        season = self.index.shape[0]
        phase = (np.arange(panel.periods) - panel.periods) % season
        index = self.index[phase]
        divided = panel.values / np.where(self.multiplies, index, 1.0)
        values = np.where(self.multiplies, divided, panel.values - index)
        return panel.with_values(np.where(panel.mask(), values, 0.0))

    def restore(self, forecast: Floats) -> Floats:
        """A forecast of shape (series, horizon) with the season."""
        index = self.index[np.arange(forecast.shape[1]) % self.index.shape[0]].T
        times = self.multiplies[:, None]
        return np.where(times, forecast * np.where(times, index, 1.0), forecast + index)


def profile_of(panel: Panel, season: int) -> Profile:
    """The profile of every series; none for series shorter than two seasons. With less than four
    periods more, a moving mean leaves no phase twice, and a line takes its place."""
    seen = panel.mask()
    positive = np.where(seen, panel.values, np.inf).min(axis=0) > 0
    enough = panel.length >= 2 * season
    if season < 2:
        return _none(panel, positive)
    trend, inside = _centred_mean(panel, season)
    short = panel.length < 2 * season + 4
    trend, inside = np.where(short, _line(panel, season), trend), np.where(short, seen, inside)
    with np.errstate(divide="ignore", invalid="ignore"):
        ratio = np.log(np.where(positive & (trend > 0), panel.values / trend, 1.0))
    apart = np.where(inside, np.where(positive, ratio, panel.values - trend), 0.0)
    phase = (np.arange(panel.periods) - panel.periods) % season
    total, count = np.zeros((season, panel.count)), np.zeros((season, panel.count))
    for row in range(panel.periods):
        total[phase[row]] += apart[row]
        count[phase[row]] += inside[row]
    mean = total / np.maximum(count, 1)
    rest = np.where(inside, apart - mean[phase], 0.0)
    every = np.maximum(down(count), 1)
    noise = down(rest**2) / np.maximum(every - season - short, 1) / (every / season)
    mean = mean - down(mean) / season
    signal = down(mean**2) / (season - 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        kept = 1 - np.where(short, DOUBT, max(season - 3, 1) / (season - 1)) * noise / signal
    strength = np.where(enough & (signal > 0), np.clip(np.nan_to_num(kept), 0.0, 1.0), 0.0)
    index = mean * strength
    factor = np.exp(np.clip(index, -5.0, 5.0))
    factor = factor / (down(factor) / season)
    return Profile(index=np.where(positive, factor, index), multiplies=positive, strength=strength)


def _none(panel: Panel, positive: npt.NDArray[np.bool_]) -> Profile:
    index = np.where(positive, 1.0, 0.0)[None, :]
    return Profile(index=index, multiplies=positive, strength=np.zeros(panel.count))


def _line(panel: Panel, season: int) -> Floats:
    """The line by which the last season's mean differs from that of the one before: (periods,
    series). A season of its own shape, unlike with least squares, does not tilt it."""
    values = panel.values[-2 * season :]
    late, early = down(values[-season:]) / season, down(values[:-season]) / season
    age = np.arange(panel.periods, dtype=float)[:, None] - (panel.periods - season - 0.5)
    return (late + early) / 2 + age * (late - early) / season


def _centred_mean(panel: Panel, season: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Moving mean over one season around each row, and where it lies within the series."""
    weight = np.full(season, 1.0) if season % 2 else np.r_[0.5, np.ones(season - 1), 0.5]
    half = weight.size // 2
    mean = np.zeros_like(panel.values)
    rows = panel.periods - weight.size + 1
    inside = np.zeros(panel.values.shape, dtype=bool)
    if rows > 0:
        for lag, w in enumerate(weight / season):
            mean[half : half + rows] += w * panel.values[lag : lag + rows]
        # A row counts when the first row of its window has begun.
        inside[half : half + rows] = panel.mask()[:rows]
    return mean, inside
