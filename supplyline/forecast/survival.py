"""P(demand > level) of the distributions that levels are set by.

From `scipy.special` alone: importing `scipy.stats` takes longer than planning some hundred items.
Negative binomial by the regularised incomplete beta function, Poisson and gamma by the incomplete
gamma functions (Abramowitz and Stegun 1964, 26.5.24 and 26.4.21).
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from supplyline.forecast.series import Floats


def negative_binomial(level: Floats, *, size: npt.ArrayLike, chance: npt.ArrayLike) -> Floats:
    """Failures before `size` successes, each of probability `chance`; 1 below zero."""
    from scipy import special

    whole = np.floor(level)
    above = special.betainc(np.maximum(whole, 0.0) + 1, size, 1 - np.asarray(chance))
    return np.where(whole < 0, 1.0, above)


def poisson(level: Floats, *, mean: float) -> Floats:
    from scipy import special

    whole = np.floor(level)
    return np.where(whole < 0, 1.0, special.gammainc(np.maximum(whole, 0.0) + 1, mean))


def gamma(level: Floats, *, shape: npt.ArrayLike, scale: npt.ArrayLike) -> Floats:
    from scipy import special

    return np.asarray(special.gammaincc(shape, np.maximum(level, 0.0) / scale), dtype=float)
