"""ABC classes rest on what was sold, not on what was typed wrong."""

from __future__ import annotations

from datetime import date

import numpy as np

from supplyline.forecast.calendars import EPOCH
from supplyline.forecast.demand import Bucket, Lines
from supplyline.forecast.items import Beside, collect
from supplyline.forecast.options import ForecastSettings

WEEKS = 60
BUCKET = Bucket(name="week", periods=WEEKS, as_of=date(2026, 1, 4))


def grades(quantity: np.ndarray, price: np.ndarray) -> dict[str, str]:
    """Class per item of `quantity`, (items, weeks), each sold at its price, (items,)."""
    items = quantity.shape[0]
    day = (BUCKET.start(0) - EPOCH).days + 7 * np.arange(WEEKS, dtype=np.int64)
    lines = Lines(
        items=tuple(f"i{k:02}" for k in range(items)),
        names={},
        item=np.repeat(np.arange(items, dtype=np.int64), WEEKS),
        day=np.tile(day, items),
        quantity=quantity.astype(float).ravel(),
        price=np.repeat(price, WEEKS),
        customer=np.full(quantity.size, -1, dtype=np.int64),
        order=np.full(quantity.size, -1, dtype=np.int64),
    )
    found, _ = collect(
        lines, lines, bucket=BUCKET, beside=Beside(facts={}), chosen=ForecastSettings()
    )
    return {i.item: i.facts.abc for i in found}


def test_one_slip_of_the_keys_does_not_make_everybody_else_c() -> None:
    quantity = np.random.default_rng(1).poisson(5.0, (20, WEEKS)) + 1
    price = np.full(20, 9.0)
    plain = grades(quantity, price)
    quantity[3, 40] = 5_000_000
    typed = grades(quantity, price)
    assert sum(a != b for a, b in zip(plain.values(), typed.values(), strict=True)) <= 2
    assert list(plain.values()).count("A") >= 14


def test_an_item_without_a_price_is_not_counted_as_if_it_cost_one() -> None:
    quantity = np.full((10, WEEKS), 5)
    price = np.full(10, 100.0)
    price[0] = np.nan
    quantity[0] = 40
    assert grades(quantity, price)["i00"] == "A"
