"""Order-up-to levels for many items at once, tuned inside the history to reach the fill rate.

Promises: a level for every item that holds a value, from nothing but its history and that of the
others; higher targets never get less stock.

Method: demand over lead time plus review is negative binomial (Syntetos, Lengu and Babai 2013)
with the item's mean (see `methods.level`) and a dispersion shrunk to what
items of that mean usually show. All items get the quantile with the same tail probability, which
holds the fewest units for a volume fill rate (equal marginal shortage: Silver, Pyke and Thomas
2017, ch. 6; Sherbrooke 2004); with prices the tail is in proportion to the price, within bounds, so
that dear items are not starved. The tail is the geometric mean of two: the one whose expected fill
rate under the model is the target, and the one whose simulated fill rate on the last part of the
history, decided before it, was. Too few items: the formula of `leadtime` per item.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from supplyline.forecast.classes import classify
from supplyline.forecast.leadtime import order_up_to, spans
from supplyline.forecast.methods import level
from supplyline.forecast.methods.panel import panel_of
from supplyline.forecast.series import Floats, Series, without_negatives

Levels = dict[str, dict[float, float]]

ENOUGH_ITEMS = 30
TAILS = np.geomspace(0.6, 0.0002, 28)
"""Tail probabilities tried, loose to tight."""
PRICE_BOUNDS = (0.25, 2.0)
"""How far a price may move an item's tail from the common one."""


def demand_rates(histories: Sequence[Floats], *, periods: int) -> Floats:
    """Expected demand per period over the next `periods`, per history of at least one value."""
    if not histories:
        return np.empty(0)
    panel = panel_of(histories)
    found, evidence = level.levels(panel, periods)
    weights = level.weights(evidence, level.similar_items(evidence))
    mean = panel.restore((weights * found).sum(axis=1))
    return np.asarray(np.maximum(mean, 0.0), dtype=float)


def plan_levels(
    batch: Sequence[Series],
    *,
    lead_time: int,
    review: int,
    targets: tuple[float, ...],
    prices: Mapping[str, float],
) -> tuple[Levels, dict[str, list[str]]]:
    """Item → target → S, and what is to be said per item."""
    notes: dict[str, list[str]] = {}
    clean = [without_negatives(s) for s in batch if s.values.size]
    for one in clean:
        said = list(one.notes)
        pattern = classify(one.values)
        if pattern.name in ("new", "dead", "insufficient"):
            said.append(pattern.why)
        if said:
            notes[one.id] = said
    for one in batch:
        if not one.values.size:
            notes[one.id] = [*one.notes]
    window = _window(clean, lead_time=lead_time, review=review)
    past = [s.values[:-window] for s in clean] if window else []
    usable = [i for i, p in enumerate(past) if p.size >= 8 and p.any()]
    histories = [s.values for s in clean]
    if len(usable) < ENOUGH_ITEMS:
        return _one_by_one(clean, lead_time=lead_time, review=review, targets=targets), notes
    weight = _price_weights([s.id for s in clean], prices)
    mean, variance = _moments([past[i] for i in usable], lead_time=lead_time, review=review)
    grid = _levels(mean, variance, np.clip(weight[usable, None] * TAILS, 1e-5, 0.9))
    future = np.stack([histories[i][-window:] for i in usable])
    fill = np.maximum.accumulate(_fills(future, grid, lead_time=lead_time, review=review))
    mean, variance = _moments(histories, lead_time=lead_time, review=review)
    grid = _levels(mean, variance, np.clip(weight[:, None] * TAILS, 1e-5, 0.9))
    model = np.maximum.accumulate(
        _expected_fills(mean, variance, grid, lead_time=lead_time, review=review)
    )
    log_tail = [
        0.5 * np.interp(t, fill, np.log(TAILS)) + 0.5 * np.interp(t, model, np.log(TAILS))
        for t in targets
    ]
    tails = np.clip(weight[:, None] * np.exp(log_tail), 1e-5, 0.9)
    final = _levels(mean, variance, tails)
    levels = {
        s.id: {t: float(v) for t, v in zip(targets, row, strict=True)}
        for s, row in zip(clean, final, strict=True)
    }
    return levels, notes


def _one_by_one(
    clean: Sequence[Series], *, lead_time: int, review: int, targets: tuple[float, ...]
) -> Levels:
    out: Levels = {}
    rates = demand_rates([s.values for s in clean], periods=lead_time + review)
    for one, expected in zip(clean, rates, strict=True):
        dead = classify(one.values).name == "dead"
        rate = 0.0 if dead else float(expected)
        out[one.id] = order_up_to(
            one.values, rate=rate, lead_time=lead_time, review=review, targets=targets
        )
    return out


def _window(clean: Sequence[Series], *, lead_time: int, review: int) -> int:
    """Periods kept back for tuning: a third of the usual history, 0 when that is too short."""
    if not clean:
        return 0
    usual = int(np.median([s.values.size for s in clean]))
    window = min(usual // 3, max(16, 5 * (lead_time + review)))
    return window if window >= lead_time + review + 2 else 0


def _price_weights(items: Sequence[str], prices: Mapping[str, float]) -> Floats:
    """Factor on the tail probability per item: its price over the median price, bounded."""
    price = np.array([prices.get(i, np.nan) for i in items], dtype=float)
    known = np.isfinite(price)
    if not known.any():
        return np.ones(len(items))
    ratio = np.where(known, price / np.median(price[known]), 1.0)
    return np.asarray(np.clip(ratio, *PRICE_BOUNDS), dtype=float)


def _moments(histories: Sequence[Floats], *, lead_time: int, review: int) -> tuple[Floats, Floats]:
    """Mean and variance of demand over L + R per item; dispersion shrunk to the items' own law.

    log(variance / mean) is regressed on log(mean) over all items; an item's own value counts by
    its number of periods with demand against SHRINK.
    """
    shrink = 8.0
    rate = demand_rates(histories, periods=lead_time + review)
    mean = rate * (lead_time + review)
    own = np.array(
        [
            spans(v, rate=r, lead_time=lead_time, review=review)[1].variance
            for v, r in zip(histories, rate, strict=True)
        ]
    )
    good = (mean > 0) & (own > 0)
    if good.sum() < 5:
        return mean, np.maximum(own, mean)
    x, y = np.log(mean[good]), np.log(own[good] / mean[good])
    slope, level = np.polyfit(x, y, 1)
    seen = np.array([np.count_nonzero(v) for v in histories], dtype=float)[good]
    trust = seen / (seen + shrink)
    variance = mean.copy()
    variance[good] = mean[good] * np.exp(trust * y + (1 - trust) * (level + slope * x))
    return mean, np.maximum(variance, mean)


def _levels(mean: Floats, variance: Floats, tails: Floats) -> Floats:
    """Quantiles of shape (items, tails): negative binomial, gamma where quantities are large."""
    from scipy import stats

    mu = np.maximum(mean, 1e-9)[:, None]
    var = np.maximum(variance[:, None], mu * 1.001)
    p = mu / var
    out = np.zeros(np.broadcast_shapes(mu.shape, tails.shape))
    few = (mean <= 300) & (mean > 0)
    if few.any():
        size = mu[few] * p[few] / (1 - p[few])
        out[few] = stats.nbinom.isf(tails[few], size, p[few])
    many = mean > 300
    if many.any():
        scale = var[many] / mu[many]
        out[many] = stats.gamma.isf(tails[many], mu[many] / scale, scale=scale)
    return np.nan_to_num(out)


def _fills(future: Floats, levels: Floats, *, lead_time: int, review: int) -> Floats:
    """Volume fill rate over all items for each column of `levels`, by order-up-to with backorders.

    Events in a period: arrivals, demand (what waits is served first), review. The first lead time
    is not counted, as the shelf begins full.
    """
    on_hand = levels.copy()
    waiting = np.zeros_like(levels)
    pipeline = [np.zeros_like(levels) for _ in range(lead_time + 1)]
    served, wanted = np.zeros(levels.shape[1]), 0.0
    for t in range(future.shape[1]):
        on_hand = on_hand + pipeline.pop(0)
        pipeline.append(np.zeros_like(levels))
        back = np.minimum(on_hand, waiting)
        on_hand, waiting = on_hand - back, waiting - back
        asked = future[:, t, None]
        now = np.minimum(on_hand, asked)
        on_hand, waiting = on_hand - now, waiting + asked - now
        if t >= lead_time:
            served += now.sum(axis=0)
            wanted += float(asked.sum())
        if t % review == 0:
            position = on_hand - waiting + np.sum(pipeline, axis=0)
            pipeline[lead_time] = pipeline[lead_time] + np.maximum(0.0, levels - position)
    return np.asarray(served / wanted if wanted else np.ones(levels.shape[1]), dtype=float)


def _expected_fills(
    mean: Floats, variance: Floats, levels: Floats, *, lead_time: int, review: int
) -> Floats:
    """1 - ESC / E[D_R] over all items for each column of `levels` (see `leadtime`)."""
    share = lead_time / (lead_time + review)
    short = _short(mean, variance, levels) - _short(mean * share, variance * share, levels)
    wanted = float(mean.sum()) * (1 - share)
    total = np.asarray(np.maximum(short, 0.0).sum(axis=0), dtype=float)
    return 1 - total / wanted if wanted else np.ones(levels.shape[1])


def _short(mean: Floats, variance: Floats, levels: Floats) -> Floats:
    """E[(D - S)+] in closed form: k P(D = k) of a negative binomial with size r is mean times the
    probability of k - 1 with size r + 1, and alike for the gamma."""
    from scipy import stats

    mu = np.maximum(mean, 1e-9)[:, None]
    var = np.maximum(variance[:, None], mu * 1.001)
    p = mu / var
    size = mu * p / (1 - p)
    few = mu * stats.nbinom.sf(levels - 2, size + 1, p) - levels * stats.nbinom.sf(
        levels - 1, size, p
    )
    shape, scale = mu**2 / var, var / mu
    many = mu * stats.gamma.sf(levels, shape + 1, scale=scale) - levels * stats.gamma.sf(
        levels, shape, scale=scale
    )
    return np.asarray(np.where(mu > 300, many, few), dtype=float)
