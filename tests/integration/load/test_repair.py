"""Verify, undo, rebuild, and corrected files of tables without a key."""

from __future__ import annotations

from datetime import timedelta

import pytest

from supplyline.contracts import Manifest
from supplyline.errors import UndoRefused
from supplyline.load import rebuild, undo, verify
from tests.integration.load.test_landing_and_load import NOW, RUN, TABLE, House, house

__all__ = ["house"]

STATE = (
    "SELECT (SELECT json_agg(t ORDER BY t::text)::text FROM products t),"
    " (SELECT json_agg(h ORDER BY h::text)::text FROM products_history h)"
)


def check(house: House, manifest: Manifest) -> tuple[str, ...]:
    found = verify(
        house.conn,
        manifest=manifest,
        stream=lambda m: house.landing.stream(house.org, manifest=m),
    )
    house.conn.commit()
    return found.differences


def take_back(house: House, file_id: str) -> None:
    undo(house.org, conn=house.conn, table=TABLE, file_id=file_id, run=RUN,
         now=NOW + timedelta(hours=1))  # fmt: skip
    house.conn.commit()


def test_undo_of_a_merge_gives_back_the_exact_table_and_history(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    before = house.rows(STATE)
    second = house.land(["sku", "qty"], [["b", "3"], ["c", "4.50"], ["a", "1"]])
    house.load()
    assert house.rows(STATE) != before
    take_back(house, second.file_id)
    after = house.rows(STATE)
    assert after == before
    assert house.load() == []  # an undone file is not loaded again by itself


def test_only_the_newest_load_is_undone(house: House) -> None:
    first = house.land(["sku", "qty"], [["a", "1"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "qty"], [["a", "2"]])
    house.load()
    with pytest.raises(UndoRefused):
        take_back(house, first.file_id)


def test_verify_holds_for_every_file_also_after_later_ones(house: House) -> None:
    files = [
        house.land(["sku", "qty"], rows)
        for rows in ([["a", "1"], ["b", "2"]], [["a", "7"], ["c", ""]], [["b", "x"], ["b", "y"]])
    ]
    house.load(keys=[("sku",)])
    assert [check(house, m) for m in files] == [(), (), ()]


def test_verify_sees_a_value_that_was_changed_by_hand(house: House) -> None:
    file = house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    house.rows("UPDATE products SET qty = 5 WHERE sku = 'a' RETURNING 1")
    assert check(house, file) == ("1 rows were changed without a load",)
    house.rows("DELETE FROM products WHERE sku = 'b' RETURNING 1")
    assert any("neither in the table" in d for d in check(house, file))


def test_rebuild_from_landing_gives_the_same_rows(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.land(["sku", "qty"], [["b", "3"]])
    house.load(keys=[("sku",)])
    before = house.rows(STATE)
    again = rebuild(
        house.org, conn=house.conn, table=TABLE,
        manifests=house.landing.manifests(house.org, table=TABLE),
        stream=lambda m: house.landing.stream(house.org, manifest=m), run=RUN, now=lambda: NOW,
    )  # fmt: skip
    house.conn.commit()
    assert [c.verdict for c in again] == ["success", "success"]
    assert house.rows(STATE) == before


def test_rebuild_without_the_key_keeps_every_line(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "qty"], [["a", "5"], ["a", "6"]])
    (second,) = house.load()
    assert second.verdict == "partial"
    rebuild(
        house.org, conn=house.conn, table=TABLE, key=(),
        manifests=house.landing.manifests(house.org, table=TABLE),
        stream=lambda m: house.landing.stream(house.org, manifest=m), run=RUN, now=lambda: NOW,
    )  # fmt: skip
    house.conn.commit()
    assert house.rows("SELECT count(*) FROM products") == [(4,)]


def test_a_corrected_file_replaces_its_rows_in_a_table_without_key(house: House) -> None:
    house.land(["d", "q"], [["x", "1"], ["x", "1"], ["y", "2"]])
    house.load()
    before = house.rows(STATE)
    second = house.land(["d", "q"], [["x", "1"], ["x", "1"], ["y", "20"]])
    (certificate,) = house.load()
    assert (certificate.inserted, certificate.deleted, certificate.verdict) == (3, 3, "success")
    assert house.rows("SELECT sum(q), count(*) FROM products") == [(22, 3)]
    take_back(house, second.file_id)
    assert house.rows(STATE) == before


def test_the_next_delivery_under_the_same_name_is_added(house: House) -> None:
    house.land(["d", "q"], [["mon", "1"], ["mon", "1"]])
    house.land(["d", "q"], [["tue", "1"], ["tue", "1"]])
    _, second = house.load()
    assert (second.inserted, second.deleted) == (2, 0)
    assert house.rows("SELECT count(*) FROM products") == [(4,)]
