"""What order-up-to levels would have served, and what they are foreseen to serve, per item."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from supplyline.forecast import survival
from supplyline.forecast.lead_demand import Law
from supplyline.forecast.series import Floats


@dataclass(frozen=True, kw_only=True)
class Service:
    """Items at several plans, each in its own grain: logarithm of demand over lead time plus
    review as foretold, `wanted`: (items,), and of these `short`: (items, plans)."""

    volume: Floats
    wanted: Floats
    short: Floats

    def of(self, part: npt.NDArray[np.bool_]) -> Service:
        return Service(volume=self.volume[part], wanted=self.wanted[part], short=self.short[part])


def volume_of(law: Law) -> Floats:
    return np.asarray(np.log(np.maximum(law.mean, 1e-9)), dtype=float)


def happened(law: Law, future: Floats, levels: Floats, *, lead_time: int, review: int) -> Service:
    """What order-up-to with backorders would have left short at each column of `levels`.

    Events in a period: arrivals, demand (what waits is served first), review. The first lead time
    is not counted, as the shelf begins full. `net` is what is on hand less what waits.
    """
    net, position = levels.copy(), levels.copy()
    pipeline = [np.zeros_like(levels) for _ in range(lead_time)]
    short = np.zeros_like(levels)
    for t in range(future.shape[1]):
        asked = future[:, t, None]
        if t >= lead_time:
            short += np.clip(asked - net, 0.0, asked)
        net -= asked
        position -= asked
        ordered = np.maximum(0.0, levels - position) if t % review == 0 else np.zeros_like(levels)
        position += ordered
        pipeline.append(ordered)
        net += pipeline.pop(0)
    return Service(volume=volume_of(law), wanted=future[:, lead_time:].sum(axis=1), short=short)


def foreseen(law: Law, levels: Floats, *, lead_time: int, review: int) -> Service:
    """E[D_R] per item, and ESC at each column of `levels` (see `leadtime`)."""
    share = lead_time / (lead_time + review)
    short = survival.expected_short(law.mean, law.variance, levels)
    short = short - survival.expected_short(
        law.mean * share, law.variance * share, levels, volume=law.mean
    )
    return Service(
        volume=volume_of(law), wanted=law.mean * (1 - share), short=np.maximum(short, 0.0)
    )
