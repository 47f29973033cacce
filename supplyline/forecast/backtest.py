"""Rolling origins for many series: what every method foretold, what came, and the weights.

Promises: a series' weights and forecast depend on itself and on what `Calibration` carries, never
on its neighbours in a batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from supplyline.forecast.classes import Pattern, classify
from supplyline.forecast.methods import level
from supplyline.forecast.pools import (
    POOLS,
    SHARES,
    bounded,
    least_length,
    pool_of,
    recent,
    season_in,
    seasonal_naive,
)
from supplyline.forecast.series import Floats

ORIGINS = 3
"""Backtests per series, each a horizon earlier than the one after it."""
TRUST = 2.0
"""How many backtests' worth of trust the equal weights have against the series' own errors
(forecast combinations: equal weights are hard to beat, Claeskens et al. 2016)."""


@dataclass(frozen=True, kw_only=True)
class Fit:
    """A series' point forecast and what the backtest saw. `errors` and `errors_naive` are (origins,
    horizon), NaN for periods that have not come; `spread` is what errors are measured in, now and,
    as (origins,), at each origin; `weights`: method → share of the forecast."""

    pattern: Pattern
    pool: str
    mean: Floats
    scale: float
    spread: float
    errors: Floats
    errors_naive: Floats
    past_means: Floats
    past_spreads: Floats
    non_negative: bool
    weights: dict[str, float]


@dataclass(frozen=True, kw_only=True)
class View:
    """What the methods said after the first `seen` periods: (methods, horizon)."""

    seen: int
    methods: Floats
    error: float
    evidence: Floats


@dataclass(frozen=True, kw_only=True)
class Raw:
    """A series before its methods are weighed: the view of today and of each backtest."""

    values: Floats
    pattern: Pattern
    pool: str
    names: tuple[str, ...]
    now: View
    past: tuple[View, ...]


def origins(n: int, *, horizon: int, least: int) -> list[int]:
    """Lengths of history at which the backtest stands, latest first: at least half of the history,
    as forecasts from much less miss by more than today's will; one with a part of the horizon
    where the history is too short for the whole of it."""
    found = [n - k * horizon for k in range(1, ORIGINS + 1)]
    found = [o for o in found if o >= max(least, n / 2)]
    last = max(least, n - horizon)
    return found or ([last] if n - last >= 2 else [])


def scale_of(values: Floats, season: int) -> float:
    """What one step usually moves: mean absolute difference, of neighbours or of seasons."""
    if values.size < 2:
        return float(abs(values[-1])) if values.size else 0.0
    near = float(np.abs(np.diff(values)).mean())
    if season > 1 and values.size > 2 * season:
        near = min(near, float(np.abs(values[season:] - values[:-season]).mean()))
    return near or float(values.std())


def spread_of(past: Floats, mean: Floats, *, pool: str, error: float, season: int) -> float:
    """What errors of one series are measured in, so that series can lend one another theirs.

    Slow movers: the standard deviation of a count with the foretold mean and the past's variance
    to mean. Others: a geometric mean of the error one step ahead, the movement against last
    season, that within the last season, and the level, which together foretell the size of errors
    over a horizon better than any of them does. NaN before the first demand, which gives no unit.
    """
    size = float(np.abs(past).mean()) or float("nan")
    if pool in ("slow", "flat"):
        expected = abs(float(mean.mean())) + 0.02 * size
        apart = float(past.var()) / size if past.size > 1 else size
        return float(np.sqrt(expected * max(apart, 0.05 * size)))
    year = max(season, 8)
    lag = past[season:] - past[:-season] if past.size > season + 4 else np.diff(past)
    parts = (
        (0.4, error),
        (0.3, float(np.abs(lag).mean())),
        (0.2, float(past[-year:].std())),
        (0.1, size),
    )
    return float(np.exp(sum(w * np.log(max(v, 1e-4 * size)) for w, v in parts)))


def run_methods(histories: Sequence[Floats], *, horizon: int, season: int) -> list[Raw]:
    """Every method of its pool on every history and every origin of its backtest."""
    patterns = [classify(v) for v in histories]
    pools = [pool_of(v, p, season) for v, p in zip(histories, patterns, strict=True)]
    cuts = [
        [(v.size, pool), *_stages(v.size, horizon=horizon, pool=pool, season=season)]
        for v, pool in zip(histories, pools, strict=True)
    ]
    names: list[tuple[str, ...]] = [() for _ in histories]
    views: list[list[View]] = [[] for _ in histories]
    for depth in range(ORIGINS + 1):
        for pool, methods in POOLS.items():
            who = [i for i, c in enumerate(cuts) if depth < len(c) and c[depth][1] == pool]
            if not who:
                continue
            pasts = [recent(histories[i][: cuts[i][depth][0]], pool, season) for i in who]
            found = methods(pasts, horizon, season)
            evidence = np.empty((len(who), 0)) if found.evidence is None else found.evidence
            none = np.full((len(who), horizon), np.nan)
            for row, i in enumerate(who):
                names[i] = names[i] or tuple(found.methods)
                view = View(
                    seen=cuts[i][depth][0],
                    methods=np.stack([found.methods.get(n, none)[row] for n in names[i]]),
                    error=float(found.error[row]),
                    evidence=evidence[row],
                )
                views[i].append(view)
    return [
        Raw(
            values=values,
            pattern=patterns[i],
            pool=pools[i],
            names=names[i],
            now=views[i][0],
            past=tuple(views[i][1:]),
        )
        for i, values in enumerate(histories)
    ]


def _stages(n: int, *, horizon: int, pool: str, season: int) -> list[tuple[int, str]]:
    """Origins, each with the pool whose methods a history of that length has: where no whole
    horizon fits behind the least that a season needs, the methods without season are tested, as
    they would have been used then."""
    least = least_length(pool, season)
    if n - horizon < least and season_in(pool, season) > 1:
        at = origins(n, horizon=horizon, least=least_length("regular", season))
        return [(o, pool if o >= least else "regular") for o in at]
    return [(o, pool) for o in origins(n, horizon=horizon, least=least)]


def slow_prior(raws: Sequence[Raw]) -> Floats:
    """What the slow movers among these show about the candidates of `methods.level`."""
    rows = [r.now.evidence for r in raws if r.pool == "slow"]
    return level.similar_items(np.stack(rows)) if rows else np.zeros(len(level.CANDIDATES))


def weigh(raw: Raw, *, season: int, prior: Floats) -> Fit:
    """One series' forecast and backtest from its methods."""
    m = season_in(raw.pool, season)
    horizon = raw.now.methods.shape[1]
    actuals = [_padded(raw.values[v.seen : v.seen + horizon], horizon) for v in raw.past]
    own = _own_errors(raw, actuals)
    shape = (len(raw.past), horizon)
    means, naive, spreads = np.empty(shape), np.empty(shape), np.empty(len(raw.past))
    for k, view in enumerate(raw.past):
        # An origin's weights rest on the other origins, so that they are not chosen in hindsight.
        weights = _weights(raw, view, np.delete(own, k, axis=0), prior)
        past = raw.values[: view.seen]
        means[k] = bounded(_mixed(view.methods, weights), past)
        naive[k] = seasonal_naive(past, horizon, m)
        spreads[k] = spread_of(past, means[k], pool=raw.pool, error=view.error, season=m)
    weights = _weights(raw, raw.now, own, prior)
    mean = bounded(_mixed(raw.now.methods, weights), raw.values)
    came = np.reshape(actuals, shape)
    return Fit(
        pattern=raw.pattern,
        pool=raw.pool,
        mean=mean,
        scale=scale_of(raw.values, season),
        spread=spread_of(raw.values, mean, pool=raw.pool, error=raw.now.error, season=m),
        errors=came - means,
        errors_naive=came - naive,
        past_means=means,
        past_spreads=spreads,
        non_negative=bool(raw.values.min() >= 0),
        weights={n: float(w) for n, w in zip(raw.names, weights, strict=True)},
    )


def _padded(values: Floats, size: int) -> Floats:
    return np.concatenate([values, np.full(size - values.size, np.nan)])


def _own_errors(raw: Raw, actuals: Sequence[Floats]) -> Floats:
    """Mean absolute error by origin and method, NaN where a method had no forecast."""
    out = np.full((len(actuals), raw.now.methods.shape[0]), np.nan)
    for k, (view, actual) in enumerate(zip(raw.past, actuals, strict=True)):
        came = np.isfinite(actual)
        out[k] = np.abs(view.methods[:, came] - actual[came]).mean(axis=1)
    return out


def _weights(raw: Raw, view: View, own: Floats, prior: Floats) -> Floats:
    """Shares of the methods: by the evidence for slow movers, else between equal ones and those
    inverse to the series' own errors."""
    if raw.pool == "slow":
        return np.asarray(level.weights(view.evidence[None, :], prior)[0], dtype=float)
    usable = np.isfinite(view.methods).all(axis=1)
    share = np.where(usable, [SHARES.get(n, 1.0) for n in raw.names], 0.0)
    equal = share / max(float(share.sum()), 1.0)
    if usable.sum() < 2 or not own.size:
        return np.asarray(equal, dtype=float)
    seen = np.isfinite(own)
    error = np.where(seen, own, 0.0).sum(axis=0) / np.maximum(seen.sum(axis=0), 1)
    error = np.where(seen.any(axis=0), error, error.max())
    floor = 0.05 * float(error.mean()) + 1e-12
    inverse = share / np.maximum(error, floor)
    trust = own.shape[0] / (own.shape[0] + TRUST)
    return np.asarray(trust * inverse / inverse.sum() + (1 - trust) * equal, dtype=float)


def _mixed(methods: Floats, weights: Floats) -> Floats:
    """The weighted mean; where a method has no forecast the others take its share."""
    known = np.isfinite(methods)
    share = np.where(known, weights[:, None], 0.0)
    if not (share.sum(axis=0) > 0).all():
        share = known.astype(float)
    total = (share * np.where(known, methods, 0.0)).sum(axis=0)
    return np.asarray(total / share.sum(axis=0), dtype=float)
