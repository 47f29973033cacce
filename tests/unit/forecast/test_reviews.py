"""A shorter review never needs the higher level; none at all is one every day."""

from __future__ import annotations

from datetime import date

import numpy as np
import pytest
from scipy import stats

from supplyline.forecast.leadtime import level_for, stockout
from supplyline.forecast.terms import Facts, Terms, terms_of

RNG = np.random.default_rng(12)
HISTORIES = {
    "poisson": RNG.poisson(3.0, 80).astype(float),
    "rare": (RNG.random(80) < 0.1) * RNG.poisson(4.0, 80).astype(float),
    "lumpy": RNG.negative_binomial(0.3, 0.05, 80).astype(float),
    "alternating": np.tile([2.0, 40.0], 40),
    "fast": np.round(RNG.normal(5000.0, 900.0, 80)),
    "measured": RNG.gamma(2.0, 0.01, 80),
}


def level(values: np.ndarray, *, review: float, lead_time: float = 2.0, sd: float = 0.0) -> float:
    return level_for(
        values, rate=float(values.mean()), lead_time=lead_time, review=review, target=0.95,
        lead_time_sd=sd,
    ).amount  # fmt: skip


@pytest.mark.parametrize("name", HISTORIES)
@pytest.mark.parametrize(("lead_time", "sd"), [(2.0, 0.0), (1.4, 0.5), (0.0, 0.0)])
def test_a_shorter_review_never_needs_more(name: str, lead_time: float, sd: float) -> None:
    values = HISTORIES[name]
    reviews = [1 / 30, 1 / 7, 0.5, 1.0, 1.5, 2.0, 4.0]
    found = [level(values, review=r, lead_time=lead_time, sd=sd) for r in reviews]
    assert found == sorted(found)
    assert found[-1] < 12 * values.mean() + 12 * values.std()


def test_a_review_of_no_days_is_one_every_day() -> None:
    terms = Terms(
        as_of=date(2026, 1, 1), bucket="week", bucket_days=7.0, review_days=0.0, lead_time_days=14.0
    )
    assert terms_of(Facts(), terms).review == pytest.approx(1 / 7)
    assert terms_of(Facts(review_days=0.0), terms).review == pytest.approx(1 / 7)
    assert terms_of(Facts(review_days=7.0), terms).review == 1.0


@pytest.mark.parametrize("name", HISTORIES)
def test_a_level_is_what_its_parts_say(name: str) -> None:
    values = HISTORIES[name]
    found = level_for(values, rate=float(values.mean()), lead_time=2.0, review=1.0, target=0.9)
    assert found.fill >= 0.9 - 1e-9
    assert found.mean == pytest.approx(3 * values.mean())
    assert found.mean + found.factor * found.sd == pytest.approx(found.amount)


def test_the_risk_does_not_depend_on_the_unit() -> None:
    values = HISTORIES["poisson"]
    common = {"lead_time": 2.0, "lead_time_sd": 0.0}
    whole = stockout(5.0, values, rate=3.0, **common)
    parts = stockout(0.005, values / 1000, rate=0.003, **common)
    assert parts.chance == pytest.approx(whole.chance)
    assert parts.short * 1000 == pytest.approx(whole.short)
    assert 0.4 < whole.chance < 0.8
    assert (whole.mean, parts.mean * 1000) == (6, pytest.approx(6))


def test_the_risk_of_a_fast_mover_is_the_tail_of_the_demand_that_is_named() -> None:
    values = np.round(np.random.default_rng(3).normal(20_000.0, 1_000.0, 80))
    risk = stockout(40_000.0, values, rate=20_000.0, lead_time=2.0, lead_time_sd=0.0)
    shape = (risk.mean / risk.sd) ** 2
    named = stats.gamma.sf(40_000.0, shape, scale=risk.mean / shape)
    assert risk.chance == pytest.approx(named, abs=0.002)
