"""What prices change in safety factors: less of what is dear, at the same service.

Promises: every ABC class of the items with a price (of the value expected to sell; those without
one count at the median) is expected to be served as without prices, so that none is starved; no
price leaves items of about the same volume more than DEAREST times as short as the target allows.

Method: within a class the probability of running out moves in proportion to the price (equal
marginal shortage per money on the shelf: Silver, Pyke and Thomas 2017, ch. 6), and one move for
items of about the same volume makes up for what that costs or saves in service.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np

from supplyline.forecast import safety
from supplyline.forecast.policy import abc
from supplyline.forecast.series import Floats
from supplyline.forecast.service import Service

BOUNDS = (0.05, 8.0)
"""How far a price may move an item's probability of running out from the common one."""
TAIL_SCALE = 1.0
"""Standard deviations by which the tail of demand falls to 1/e: that of exponential demand."""
DEAREST = 3.0
MOVES = np.linspace(-3.0, 3.0, 49)
"""Moves of the factors tried to reach the same fill rate with prices."""
ALIKE = 1e-9
"""Fill rates that differ by less are the same: where all was served, more serves no better."""


def ratios(items: Sequence[str], prices: Mapping[str, float]) -> Floats:
    """Price over the median price; 1 where no price is known."""
    price = np.array([prices.get(i, np.nan) for i in items], dtype=float)
    known = np.isfinite(price)
    if not known.any():
        return np.ones(len(items))
    return np.asarray(np.where(known, price / np.median(price[known]), 1.0), dtype=float)


def scant(target: float) -> float:
    """The fill rate below which no price takes items of about the same volume."""
    return max(0.0, 1 - DEAREST * (1 - target))


def priced(
    factor: Floats,
    least: Floats,
    *,
    ratio: Floats,
    value: Floats,
    foreseen: Callable[[Floats], Service],
    happened: Callable[[Floats], Service],
    usable: Sequence[int],
) -> Floats:
    """Factors by price, (items,), none below `least`, at the fill rate of `factor` in every ABC
    class of `value`: as `foreseen`, and as `happened` to the `usable` items, make of factors
    (items, plans). All else is of shape (items,)."""
    shift = TAIL_SCALE * np.log(np.clip(ratio, *BOUNDS))
    tried = np.maximum((factor - shift)[:, None] + MOVES, least[:, None])
    tried = np.column_stack([factor, tried])
    now, before = foreseen(tried), happened(tried)
    grades = abc({str(i): float(v) for i, v in enumerate(value)})
    grade = np.array([grades[str(i)] for i in range(value.size)])
    out = factor.copy()
    for mine in (grade == g for g in np.unique(grade)):
        plan = now.of(mine)
        knots = safety.knots_of(plan)
        if knots.size:
            model, _ = _moves(plan, knots)
            move = safety.moved(model, *_moves(before.of(mine[usable]), knots, model))
            at = safety.between(knots, move, plan.volume)[:, 0]
            out[mine] = np.maximum(factor[mine] + at - shift[mine], least[mine])
    return out


def _moves(service: Service, knots: Floats, like: Floats | None = None) -> tuple[Floats, Floats]:
    """(knots, 1): the move that serves as well as the first plan does, of several the one nearest
    to `like`, else the least; of how many items it is."""
    fill, items = safety.near(service, knots)
    rising = np.maximum.accumulate(fill[:, 1:], axis=1)
    least, most = (
        np.array([np.interp(a + e, row, MOVES) for a, row in zip(fill[:, 0], rising, strict=True)])
        for e in (-ALIKE, ALIKE)
    )
    move = least[:, None]
    return move if like is None else np.clip(like, move, most[:, None]), items
