"""Landing is lost, or is a copy of yesterday: the tables stay, and landing is made again. And bytes
that changed in storage before they were landed never become rows."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplyline.errors import FileOfOtherTable, LandingDamaged, StoredFileDamaged
from supplyline.operations import rebuild_table
from supplyline.stages import open_landing
from supplyline.storage import Storage
from supplyline.tenancy.names import parse_table_name
from tests.integration.ingest.conftest import Shop

ROWS = "SELECT * FROM stock ORDER BY sku"
TABLE = parse_table_name("stock")


def arrive(shop: Shop, file_id: str, text: str) -> None:
    shop.put(file_id, text, name=f"{file_id}.csv")
    shop.ingest(file_id, table="stock")
    shop.load(table="stock")


def test_landing_that_was_lost_is_made_again_from_storage_in_the_same_order(shop: Shop) -> None:
    shop.agree(table="stock", key=("sku",), key_source="configured")
    arrive(shop, "monday", "sku,qty,bin\nA1,1,x\nB2,2,y\n")
    arrive(shop, "tuesday", "sku,qty\nA1,10\n")
    with open_landing(shop.settings) as landing:
        landing.erase(shop.org)
    arrive(shop, "wednesday", "sku,qty\nB2,30\n")
    expected = shop.rows(ROWS)
    assert [row[:2] for row in expected] == [("A1", 10), ("B2", 30)]
    with pytest.raises(LandingDamaged, match="monday, tuesday"):
        rebuild_table(shop.org, table=TABLE, user="a", settings=shop.settings)
    assert shop.rows(ROWS) == expected

    for file_id in ("tuesday", "monday"):
        shop.ingest(file_id, table="stock")
    shop.load(table="stock")
    assert shop.rows(ROWS) == expected
    done, _ = rebuild_table(shop.org, table=TABLE, user="a", settings=shop.settings)
    assert [c.file_id for c in done.certificates] == ["monday", "tuesday", "wednesday"]
    assert [row[:3] for row in shop.rows(ROWS)] == [row[:3] for row in expected]


def test_a_file_is_not_silently_left_out_of_another_table(shop: Shop) -> None:
    arrive(shop, "monday", "sku,qty\nA1,1\n")
    with pytest.raises(FileOfOtherTable, match=r"landed in the table stock, not in sales\."):
        shop.ingest("monday", table="sales")


@pytest.mark.parametrize("harm", ["sku,qty\nA1,9\n", "sku,qty\n"])
def test_bytes_that_changed_after_their_upload_are_refused_until_they_are_restored(
    shop: Shop, harm: str
) -> None:
    sent = "sku,qty\nA1,1\n"
    shop.put("monday", sent, name="monday.csv")
    stored = Path(Storage(shop.settings.storage_url).find(shop.org, "monday").url)
    stored.write_text(harm)
    with pytest.raises(StoredFileDamaged, match="not those that were uploaded"):
        shop.ingest("monday", table="stock")
    with open_landing(shop.settings) as landing:
        assert landing.manifests(shop.org) == []

    stored.write_text(sent)
    shop.ingest("monday", table="stock")
    shop.load(table="stock")
    assert shop.rows("SELECT sku, qty FROM stock") == [("A1", 1)]
