"""Files that correct, or seem to correct, an earlier one, in tables without a key."""

from __future__ import annotations

from tests.integration.ingest.conftest import Shop
from tests.integration.load.house import STATE, House, take_back


def test_a_corrected_file_replaces_its_rows_in_a_table_without_key(house: House) -> None:
    columns, day = ["day", "sku", "qty"], "2025-01-01"
    house.land(columns, [[day, "x", "1"], [day, "x", "1"], [day, "y", "2"]])
    house.load()
    before = house.rows(STATE)
    second = house.land(columns, [[day, "x", "1"], [day, "x", "1"], [day, "y", "20"]])
    (certificate,) = house.load()
    assert (certificate.inserted, certificate.deleted, certificate.verdict) == (3, 3, "success")
    assert house.rows("SELECT sum(qty), count(*) FROM products") == [(22, 3)]
    take_back(house, second.file_id)
    assert house.rows(STATE) == before


def test_the_next_delivery_under_the_same_name_is_added(house: House) -> None:
    house.land(["d", "q"], [["mon", "1"], ["mon", "1"]])
    house.land(["d", "q"], [["tue", "1"], ["tue", "1"]])
    _, second = house.load()
    assert (second.inserted, second.deleted) == (2, 0)
    assert house.rows("SELECT count(*) FROM products") == [(4,)]


def test_a_delivery_that_may_be_an_earlier_one_written_otherwise_is_named(house: House) -> None:
    house.land(["day", "sku", "qty"], [["2025-01-01", "x", "1"], ["2025-01-02", "y", "2"]])
    house.load()
    house.land(["day", "sku", "qty"], [["01.01.2025", "x", "1"], ["02.01.2025", "y", "2"]])
    (certificate,) = house.load()
    assert (certificate.inserted, certificate.deleted) == (2, 0)
    assert any(
        "2 of the 2 lines of the earlier file f1" in said and "undo --table products" in said
        for said in certificate.remarks
    )
    house.land(["day", "sku", "qty"], [["03.01.2025", "x", "5"], ["04.01.2025", "y", "2"]])
    (certificate,) = house.load()
    assert certificate.remarks == ()


def test_the_same_bytes_read_otherwise_replace_what_was_read_of_them(shop: Shop) -> None:
    lines = "day,sku,qty\n2025-01-01,x,1\n2025-01-02,y,2\n"
    shop.agree(key=(), rules={"qty": {"required": True}})
    shop.put("f1", lines, name="monday.csv")
    shop.ingest("f1")
    shop.load()
    shop.agree(rules={})
    shop.put("f2", lines, name="copy.csv")
    shop.ingest("f2")
    shop.load()
    assert shop.rows("SELECT sum(qty), count(*) FROM sales") == [(3, 2)]
    (remark,) = shop.certificate("f2").remarks
    assert "earlier file f1 of this content" in remark
