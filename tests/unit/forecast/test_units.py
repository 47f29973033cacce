"""Grams or tonnes: a forecast is the same whatever unit a history is counted in."""

from __future__ import annotations

import numpy as np
import pytest

from supplyline.forecast.engine import forecast_batch
from supplyline.forecast.series import Series


def histories() -> list[np.ndarray]:
    """Regular, seasonal and slow items, some of which begin with zeros, one with nothing else."""
    rng = np.random.default_rng(8)
    season = 1 + 0.3 * np.sin(np.arange(48) * np.pi / 6)
    slow = [rng.poisson(0.3, 51).astype(float) for _ in range(12)]
    late = [np.r_[np.zeros(30 + 3 * k), rng.poisson(0.6, 21 - 3 * k), 1.0] for k in range(5)]
    return [*(rng.gamma(9, 10, 48) * season for _ in range(6)), *slow, *late, np.zeros(40)]


@pytest.mark.parametrize("factor", [2.0**-30, 2.0**-10, 2.0**30])
def test_the_unit_of_a_history_changes_nothing(factor: float) -> None:
    plain = [Series(id=str(k), values=y) for k, y in enumerate(histories())]
    other = [Series(id=s.id, values=s.values * factor) for s in plain]
    for a, b in zip(
        *(forecast_batch(batch, horizon=9, season=12) for batch in (plain, other)), strict=True
    ):
        for p, q in (
            (a.mean, b.mean),
            *((a.lo[k], b.lo[k]) for k in (80, 95)),
            (a.hi[95], b.hi[95]),
        ):
            assert q / factor == pytest.approx(p, rel=1e-6, abs=1e-9)
