"""What order-up-to levels would have served, and what they are foreseen to serve, per item."""

from __future__ import annotations

from collections.abc import Callable, Sequence
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


def nothing(plans: int) -> Service:
    """What no item tells of so many plans."""
    return Service(volume=np.empty(0), wanted=np.empty(0), short=np.empty((0, plans)))


PART = 1024
"""Items reckoned at a time, so that memory does not grow with items times plans times lead time."""


def in_parts(count: int, work: Callable[[slice], Service]) -> Service:
    """The service of `count` items, one at least, from that of slices of them."""
    parts = [work(slice(first, first + PART)) for first in range(0, count, PART)]
    return Service(
        volume=np.concatenate([p.volume for p in parts]),
        wanted=np.concatenate([p.wanted for p in parts]),
        short=np.concatenate([p.short for p in parts]),
    )


def volume_of(law: Law) -> Floats:
    return np.asarray(np.log(np.maximum(law.mean, 1e-9)), dtype=float)


def happened(
    law: Law, future: Floats, levels: Sequence[Floats], *, every: int, lead_time: int, review: int
) -> Service:
    """What order-up-to with backorders would have left short at each column of `levels`, of which
    the next (items, plans) hold `every` so many periods.

    Events in a period: arrivals, demand (what waits is served first), review. The first lead time
    is not counted, as the shelf begins full. `net` is what is on hand less what waits.
    """
    net, position = levels[0].copy(), levels[0].copy()
    pipeline = [np.zeros_like(net) for _ in range(lead_time)]
    short = np.zeros_like(net)
    for t in range(future.shape[1]):
        asked = future[:, t, None]
        if t >= lead_time:
            short += np.clip(asked - net, 0.0, asked)
        net -= asked
        position -= asked
        aim = levels[min((t + 1) // every, len(levels) - 1)]
        ordered = np.maximum(0.0, aim - position) if t % review == 0 else np.zeros_like(net)
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
