"""Demand in periods without stock: what was sold then is less than what was wanted.

Promises: a value is only ever raised, never lowered, and the item says how many and which; a period
in which the item was on the shelf all the time stays as it was.

Method, a plain rule: a period with stock on at least `ENOUGH` of its days is divided by the share
of days with stock, as if sales had gone on at the same rate; one with less is the mean of the
nearest four uncensored periods on either side, or of as many as there are. (For the statistics of
censored demand see Nahmias 1994, "Demand estimation in lost sales inventory systems".)
"""

from __future__ import annotations

import numpy as np

from supplyline.forecast.series import Floats

ENOUGH = 0.5
NEAREST = 4


def uncensored(values: Floats, without: Floats) -> tuple[Floats, tuple[str, ...]]:
    """Demand per period and what is to be said; `without`: share of each period without stock."""
    censored = without > 0
    if not censored.any() or not values.size:
        return values, ()
    out = values.copy()
    partly = censored & (without <= 1 - ENOUGH)
    out[partly] = values[partly] / (1 - without[partly])
    known = np.flatnonzero(~censored)
    if known.size:
        for n in np.flatnonzero(censored & ~partly):
            before, after = known[known < n][-NEAREST:], known[known > n][:NEAREST]
            out[n] = max(values[n], float(values[np.concatenate([before, after])].mean()))
    raised = np.flatnonzero(out > values)
    if not raised.size:
        return values, ()
    note = (
        f"Out of stock for some time in {int(censored.sum())} of {values.size} periods: demand "
        f"there is estimated at {out[raised].sum():.6g} instead of {values[raised].sum():.6g} sold."
    )
    return out, (note,)
