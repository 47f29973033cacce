"""A return comes off the demand it undoes, also when only a part comes back."""

from __future__ import annotations

import numpy as np
import pytest

from supplyline.forecast.demand import Lines
from supplyline.forecast.returns import without_returns


def sold(*rows: tuple[int, float, int, int], price: float = 5.0) -> Lines:
    """Rows of day, quantity, customer and order, all of one item."""
    day, quantity, customer, order = (np.asarray(c) for c in zip(*rows, strict=True))
    return Lines(
        items=("a",), names={}, item=np.zeros(day.size, dtype=np.int64), day=day.astype(np.int64),
        quantity=quantity.astype(float), price=np.full(day.size, price), customer=customer,
        order=order,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("rows", "left"),
    [
        # a part of the customer's latest sale before; others' sales are untouched
        ([(1, 100, 7, 1), (2, 50, 8, 2), (3, -98, 7, 9)], {1: 2.0, 2: 50.0}),
        # the order it names, though a later one is nearer
        ([(1, 100, 7, 1), (2, 100, 7, 2), (3, -30, 7, 1)], {1: 70.0, 2: 100.0}),
        # exactly as much goes before later
        ([(1, 30, 7, 1), (2, 100, 7, 2), (3, -30, 7, 9)], {2: 100.0}),
        # more than the latest sale: on to the one before
        ([(1, 100, 7, 1), (2, 10, 7, 2), (3, -30, 7, 9)], {1: 80.0}),
        # an unknown customer: the item's latest demand
        ([(1, 100, 7, 1), (2, 50, 8, 2), (3, -20, -1, -1)], {1: 100.0, 2: 30.0}),
        # nothing before it: nothing is taken off what comes after
        ([(1, -20, 7, 9), (2, 50, 7, 2)], {2: 50.0}),
        # never below zero
        ([(1, 10, 7, 1), (2, -50, 7, 9), (3, 4, 7, 3)], {3: 4.0}),
    ],
)
def test_units_come_off_the_sale_they_belong_to(
    rows: list[tuple[int, float, int, int]], left: dict[int, float]
) -> None:
    found, _ = without_returns(sold(*rows))
    assert dict(zip(found.day.tolist(), found.quantity.tolist(), strict=True)) == left


def test_it_is_counted_and_said() -> None:
    rows = [(1, 100, 7, 1), (2, -98, 7, 9), (3, 50, 8, 3), (4, -20, 9, 9), (5, -100, 9, 9)]
    found, report = without_returns(sold(*rows))
    assert report == {
        "returns_matched": 1, "returns_from_recent_demand": 2, "returns_without_sale": 0,
    }  # fmt: skip
    assert found.quantity.size == 0
    assert found.notes[0] == (
        "3 returns took 98 units off the sales they belong to, 52 off the latest demand before, "
        "their sale not being known, 68 off nothing, since no demand before them was left.",
    )


def test_a_correction_without_a_price_takes_nothing_off() -> None:
    rows = [(n, 10.0, 7, n) for n in range(1, 31)]
    lines = sold(*rows, (40, -200, -1, -1))
    lines.price[-1] = 0.0
    found, report = without_returns(lines)
    assert found.quantity.tolist() == [10.0] * 30
    assert report == {"corrections": 1}


def test_many_returns_of_one_item_cost_no_square() -> None:
    """Forty thousand sales and as many returns: minutes if each looked at all sales."""
    rows = [(n, 2.0, n % 50, n) for n in range(40_000)]
    rows += [(50_000, -1.0, n % 50, 1 << 40) for n in range(40_000)]
    found, _ = without_returns(sold(*rows))
    assert found.quantity.sum() == 40_000
