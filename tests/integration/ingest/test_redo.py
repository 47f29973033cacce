"""A file understood otherwise after its load: from the kept bytes, in the place of the first."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest

from supplyline.contracts import ParseOptions
from supplyline.errors import UnreadableFile
from tests.integration.ingest.conftest import Shop

PRICES = [("A", Decimal("1.5")), ("B", Decimal("2.5"))]
WRONG = "sku;price\nA;1,5\nB;2,5\n"


def redo(shop: Shop, file_id: str, *, new: str, **options: Any) -> None:
    stored = shop.storage.find(shop.org, file_id)
    shop.storage.again(stored, file_id=new, options=ParseOptions(**options))
    shop.ingest(new)
    shop.load()


def test_remembered_options_are_used_by_the_next_file_of_the_table(shop: Shop) -> None:
    shop.agree(options=ParseOptions(delimiter=";"))
    shop.put("f1", WRONG)
    shop.ingest("f1")
    shop.load()

    assert shop.rows("SELECT sku, price FROM sales ORDER BY sku") == PRICES


def test_the_second_reading_takes_the_place_of_the_first(shop: Shop) -> None:
    shop.put("f1", WRONG, options=ParseOptions(delimiter=",", header_row=1))
    shop.ingest("f1")
    shop.load()
    assert [len(r) for r in shop.rows("SELECT sku_price FROM sales")] == [1, 1]

    redo(shop, "f1", new="f1b", delimiter=";")

    assert shop.rows("SELECT sku, price FROM sales ORDER BY sku") == PRICES
    columns = shop.rows(
        "SELECT column_name FROM information_schema.columns WHERE table_name = 'sales'"
    )
    assert "sku_price" not in {c for (c,) in columns}
    assert shop.certificate("f1b").verdict == "success"


def test_the_bytes_are_kept_once(shop: Shop) -> None:
    shop.put("f1", WRONG)
    stored = shop.storage.find(shop.org, "f1")
    again = shop.storage.again(stored, file_id="f1b", options=ParseOptions(delimiter=";"))

    found = shop.storage.find(shop.org, "f1b")
    assert found == again
    assert (found.url, found.sha256) == (stored.url, stored.sha256)
    third = shop.storage.again(found, file_id="f1c", options=ParseOptions())
    assert third.origin == "f1"


def test_other_files_keep_their_rows_their_order_and_undone_files_stay_out(shop: Shop) -> None:
    shop.agree(key=("sku",), key_source="configured")
    shop.put("f1", "sku,qty\nA,1\nB,1\n", name="one.csv")
    shop.put("f2", "sku,qty\nB,2\nC,2\n", name="two.csv")
    for file_id in ("f1", "f2"):
        shop.ingest(file_id)
        shop.load()

    redo(shop, "f1", new="f1b", header_row=1)

    assert shop.rows("SELECT sku, qty FROM sales ORDER BY sku") == [("A", 1), ("B", 2), ("C", 2)]
    assert shop.load()["files"] == 0


def test_a_redo_that_cannot_be_read_leaves_the_first_reading(shop: Shop) -> None:
    shop.put("f1", "sku,qty\nA,1\n")
    shop.ingest("f1")
    shop.load()
    stored = shop.storage.find(shop.org, "f1")
    shop.storage.again(stored, file_id="f1b", options=ParseOptions(header_row=99))

    with pytest.raises(UnreadableFile):
        shop.ingest("f1b")
    shop.load()

    assert shop.rows("SELECT sku, qty FROM sales") == [("A", 1)]


def test_two_redos_at_once_leave_one_reading(shop: Shop) -> None:
    shop.put("f1", WRONG, options=ParseOptions(delimiter=",", header_row=1))
    shop.ingest("f1")
    shop.load()
    stored = shop.storage.find(shop.org, "f1")
    for new in ("f1b", "f1c"):
        shop.storage.again(stored, file_id=new, options=ParseOptions(delimiter=";"))
        shop.ingest(new)
    shop.load()
    shop.load()

    assert shop.rows("SELECT count(*) FROM sales") == [(2,)]
