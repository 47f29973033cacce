"""The safety factors at which items of about the same volume reach a target fill rate together.

One factor for all items would let a steady fast mover, which is served well at any factor, reach
the target for the spare parts beside it. So the factor is read at KNOTS of volume from sums over
the items around each (kernel regression, Nadaraya 1964), and between knots by linear interpolation.
An item of d times the volume at a knot counts as d exp(-(ln d)² / (2 WIDTH²)) items there, that is
as exp(WIDTH² / 2), about four, at most, however large it is.
"""

from __future__ import annotations

import numpy as np

from supplyline.forecast.series import Floats
from supplyline.forecast.service import Service

FACTORS = np.concatenate(
    [[-40.0, -25.0, -16.0, -10.0, -7.0, -5.0, -4.0, -3.0, -2.0, -1.5], np.linspace(-1.0, 12.0, 53)]
)
"""Safety factors tried; very steady items need them far below zero."""
KNOTS = 33
WIDTH = 1.7
"""Standard deviation of the kernel in logarithms of volume. At 1 spare parts hold a fifth more
stock at the same fill; at 2 twenty items of 100 a month take from a hundred of 1 to 5."""
MOVE = 2.0
"""How far what happened may move the factor from what the model says."""
HAPPENED = 0.75
"""What counts of the way from what the model says to what happened to many items. On public sets,
other years, lead times and reviews the replay misses less than the model, and both together less
than either."""
FEW = 10.0
"""Items at which what happened counts half of what it counts with many."""


def knots_of(service: Service) -> Floats:
    """Volumes at which the factor is read."""
    known = service.volume[service.wanted > 0]
    return np.unique(np.quantile(known, np.linspace(0, 1, KNOTS))) if known.size else known


def near(service: Service, knots: Floats) -> tuple[Floats, Floats]:
    """Fill rate around each knot, (knots, plans), and of how many items it is, (knots,)."""
    use = service.wanted > 0
    apart = (knots[:, None] - service.volume[None, use]) / WIDTH
    kernel = np.exp(-0.5 * apart**2)
    weight = kernel * service.wanted[None, use]
    total = weight.sum(axis=1)
    fill = 1 - (kernel @ service.short[use]) / np.maximum(total, 1e-300)[:, None]
    items = total**2 / np.maximum((weight**2).sum(axis=1), 1e-300)
    return fill, items


def factors(targets: tuple[float, ...], *, foreseen: Service, happened: Service) -> Floats:
    """(knots, targets), for the knots of `foreseen`: the factor that is foreseen to reach the
    target now, moved to the one that would have reached it before. Plans are FACTORS."""
    knots = knots_of(foreseen)
    model = _reaching(targets, near(foreseen, knots)[0])
    fill, items = near(happened, knots)
    return moved(model, _reaching(targets, fill), items)


def moved(model: Floats, fact: Floats, items: Floats) -> Floats:
    """(knots, columns): what the model says moved HAPPENED of the way to what happened to so many
    `items` (knots,), and less with few."""
    trust = HAPPENED * (items / (items + FEW))[:, None]
    return np.asarray(model + np.clip(trust * (fact - model), -MOVE, MOVE), dtype=float)


def between(knots: Floats, values: Floats, volume: Floats) -> Floats:
    """(items, columns) from (knots, columns)."""
    return np.column_stack([np.interp(volume, knots, column) for column in values.T])


def _reaching(targets: tuple[float, ...], fill: Floats) -> Floats:
    """(knots, targets): the least factor that reaches each target."""
    if not fill.size:
        return np.empty((0, len(targets)))
    rising = np.maximum.accumulate(fill, axis=1)
    return np.array([np.interp(targets, row, FACTORS) for row in rising])
