"""The certificate names the cells that kept a column from being what it nearly was."""

from __future__ import annotations

import pytest

from tests.integration.load.house import TABLE, House, take_back

NUMBERS = [[f"s{n}", str(n)] for n in range(200)]


@pytest.mark.parametrize("at", [0, 3, 200])
def test_a_first_file_with_one_word_in_a_column_of_numbers_says_where(
    house: House, at: int
) -> None:
    house.land(["sku", "n"], [*NUMBERS[:at], ["x", "n/a"], *NUMBERS[at:]])
    (certificate,) = house.load(keys=[("sku",)], batch_rows=50)
    (remark,) = certificate.remarks
    assert remark.startswith(
        "n: left as text: 1 of 201 values of products.csv is no `bigint`:"
        f" 'n/a' in row {at + 1} (line {at + 2})."
    )
    assert house.rows("SELECT remark FROM supplyline.column_types WHERE column_name = 'n'") == [
        (remark.removeprefix("n: "),)
    ]


@pytest.mark.parametrize("keyed", [True, False])
def test_a_later_file_that_makes_a_column_text_says_which_cells_did(
    house: House, *, keyed: bool
) -> None:
    keys = [("sku",)] if keyed else []
    house.land(["sku", "n"], NUMBERS)
    house.load(keys=keys)
    later = house.land(["sku", "n"], [["s1", "7"], ["s2", "8 pcs"], ["s3", "none"]])
    (certificate,) = house.load(keys=keys, batch_rows=2)
    (remark,) = (r for r in certificate.remarks if r.startswith("n: "))
    assert remark.startswith(
        "n: it was `bigint` and is text now: 2 of 3 values of products.csv are no `bigint`:"
        " '8 pcs' in row 2 (line 3), 'none' in row 3 (line 4)."
    )
    take_back(house, later.file_id)
    assert house.rows("SELECT pg_typeof(n)::text FROM products LIMIT 1") == [("bigint",)]


def test_a_later_file_that_writes_every_cell_in_another_way_says_so(house: House) -> None:
    house.land(["sku", "day"], [["a", "31/01/2024"], ["b", "01/02/2024"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "day"], [["a", "2024-01-31"]])
    (certificate,) = house.load(keys=[("sku",)])
    (remark,) = (r for r in certificate.remarks if r.startswith("day: "))
    assert "is text now: its values are `date` in this file." in remark


def test_columns_that_are_text_for_good_say_nothing(house: House) -> None:
    house.land(["sku", "n"], NUMBERS)
    house.load(keys=[("sku",)])
    house.land(["sku", "n"], [["s1", "none"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "n"], [*NUMBERS[:90], ["s1", "none"]])
    (certificate,) = house.load(keys=[("sku",)])
    assert certificate.remarks == ()
    assert house.rows(f"SELECT count(*) FROM {TABLE}") == [(200,)]
