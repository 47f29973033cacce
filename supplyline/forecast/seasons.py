"""Levels of items with a season: planned without it, and set for the part of it that comes.

The season is that of `methods.season`, as factors of the mean, and is taken off where it is
stronger than its noise; all else stays as it is. A level for the span ahead is the one without
season times the mean factor of the span (multiplicative model: the standard deviation moves with
the mean).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from supplyline.forecast.methods.panel import down, panel_of
from supplyline.forecast.methods.season import profile_of
from supplyline.forecast.series import Floats, Series

STRONG = 0.8
"""Strength from which a season is followed: at most a fifth of what it varies is noise. Of items
without a season two in a hundred pass for more after three of them."""
LEAST = 0.05
"""A season's smallest factor."""


def without_season(
    batch: Sequence[Series], *, season: int, span: int
) -> tuple[list[Series], dict[str, float]]:
    """Series without their season, and the mean factor of the next `span` periods of those that
    have one."""
    if season < 2 or not batch:
        return [*batch], {}
    panel = panel_of([s.values for s in batch])
    profile = profile_of(panel, season)
    usual = np.maximum(down(panel.values) / panel.length, 1e-12)
    factor = np.where(profile.multiplies, profile.index, 1 + profile.index / usual)
    factor = np.maximum(factor, LEAST)
    factor = factor / (down(factor) / season)
    index: Floats = panel.restore(np.where(profile.strength >= STRONG, factor, 1.0).T)
    out, ahead = [], {}
    for one, mine in zip(batch, index, strict=True):
        if (mine == 1).all():
            out.append(one)
            continue
        phase = (np.arange(one.values.size) - one.values.size) % season
        out.append(replace(one, values=one.values / mine[phase]))
        ahead[one.id] = float(mine[np.arange(span) % season].mean())
    return out, ahead
