"""Decimal commas and points in columns of text: no amount is read a thousand times too large."""

from __future__ import annotations

import pytest

from supplyline.forecast.cells import numbers


@pytest.mark.parametrize(
    ("cells", "values"),
    [
        (["0,125", "0,250"], [0.125, 0.25]),
        (["3,14159", "12,5"], [3.14159, 12.5]),
        (["12,345", "0,5"], [12.345, 0.5]),
        (["1 234,5", "7"], [1234.5, 7.0]),
        (["1.234,567", "2.000,1"], [1234.567, 2000.1]),
        (["1.234.567", "1.000"], [1234567.0, 1000.0]),
        (["1,234", "12,500"], [1234.0, 12500.0]),
        (["1,234.5", "0.125"], [1234.5, 0.125]),
        (["1'234.5", "€5", "(5)", "5-"], [1234.5, 5.0, -5.0, -5.0]),
        (["12,34,567.5", "1,234"], [1234567.5, 1234.0]),
        (["-0,5", "1,25-", "1e3"], [-0.5, -1.25, 1000.0]),
    ],
)
def test_the_column_tells_decimal_commas_from_thousands(
    cells: list[str], values: list[float]
) -> None:
    assert numbers(cells) == pytest.approx(dict(zip(cells, values, strict=True)))


def test_what_fits_the_columns_way_in_no_way_is_no_number() -> None:
    assert numbers(["1.5", "2.25", "3.75", "1,2", "1,23,4"]) == {
        "1.5": 1.5,
        "2.25": 2.25,
        "3.75": 3.75,
    }
