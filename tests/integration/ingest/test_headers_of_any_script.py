"""Columns are found by what their headers say, in any script, wherever they stand."""

from __future__ import annotations

import pytest

from tests.integration.ingest.conftest import Shop


@pytest.mark.parametrize(
    ("first", "second", "query"),
    [
        (
            "id,数量,価格\n1,5,900\n",
            "id,価格,数量\n2,800,4\n",
            'SELECT id, "数量", "価格" FROM sales',
        ),
        ("id,цена,имя\n1,5,900\n", "id,имя,цена\n2,800,4\n", "SELECT id, цена, имя FROM sales"),
        (
            "id,Price $,Price €\n1,5,900\n",
            "id,Price €,Price $\n2,800,4\n",
            "SELECT id, price_usd, price_eur FROM sales",
        ),
    ],
)
def test_a_file_with_its_columns_in_another_order(
    shop: Shop, first: str, second: str, query: str
) -> None:
    for file_id, text in (("f1", first), ("f2", second)):
        shop.put(file_id, text, name=f"{file_id}.csv")
        shop.ingest(file_id)
        shop.load()

    assert shop.rows(f"{query} ORDER BY id") == [(1, 5, 900), (2, 4, 800)]
    assert shop.certificate("f2").verdict == "success"
