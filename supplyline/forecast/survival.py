"""P(demand > level) and E[(demand - level)+] of the distributions that levels are set by.

From `scipy.special` alone: importing `scipy.stats` takes longer than planning some hundred items.
Negative binomial by the regularised incomplete beta function, gamma by the incomplete gamma
function (Abramowitz and Stegun 1964, 26.5.24 and 26.4.21).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from supplyline.forecast.series import Floats

MANY = 300.0
"""Mean demand above which the gamma distribution stands for the negative binomial."""


def expected_short(
    mean: Floats, variance: Floats, levels: Floats, *, volume: Floats | None = None
) -> Floats:
    """E[(D - S)+] in units, (items, plans), for D of `mean` and `variance`, each (items,), at
    `levels` (items, plans), or one row for all items.

    D is negative binomial, at least nearly Poisson, and gamma where `volume` (the mean, unless
    said) exceeds MANY; a difference of two spans needs one `volume` for both. Closed form: k
    P(D = k) of a negative binomial with size r is the mean times the probability of k - 1 with
    size r + 1, and alike for the gamma.
    """
    mu = np.maximum(mean, 1e-9)[:, None]
    var = np.maximum(variance[:, None], mu * 1.001)
    levels = np.broadcast_to(levels, (mu.size, levels.shape[1]))
    many = (mean if volume is None else volume) > MANY
    out = np.empty(levels.shape)
    for part, loss in ((~many, _negative_binomial_loss), (many, _gamma_loss)):
        if part.any():
            out[part] = loss(mu[part], var[part], levels[part])
    return np.where(mean[:, None] > 0, out, np.maximum(-levels, 0.0))  # where none comes: no tail


def _negative_binomial_loss(mu: Floats, var: Floats, levels: Floats) -> Floats:
    p = mu / var
    size = mu * p / (1 - p)
    whole = np.ceil(levels)
    beyond = mu * negative_binomial(whole - 2, size=size + 1, chance=p)
    return np.asarray(beyond - levels * negative_binomial(whole - 1, size=size, chance=p))


def _gamma_loss(mu: Floats, var: Floats, levels: Floats) -> Floats:
    shape, scale = mu**2 / var, var / mu
    beyond = mu * gamma(levels, shape=shape + 1, scale=scale)
    return np.asarray(beyond - levels * gamma(levels, shape=shape, scale=scale))


def negative_binomial(level: Floats, *, size: npt.ArrayLike, chance: npt.ArrayLike) -> Floats:
    """Failures before `size` successes, each of probability `chance`; 1 below zero."""
    from scipy import special

    whole = np.floor(level)
    above = special.betainc(np.maximum(whole, 0.0) + 1, size, 1 - np.asarray(chance))
    return np.where(whole < 0, 1.0, above)


def gamma(level: Floats, *, shape: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    from scipy import special

    return np.asarray(special.gammaincc(shape, np.maximum(level, 0.0) / scale), dtype=float)
