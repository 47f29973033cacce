"""A table without a row has no key that must stay: the first rows decide it, whichever file has
them."""

from __future__ import annotations

from dataclasses import replace

import pytest

from supplyline.contracts import Drift, TableSettings
from supplyline.errors import SchemaDrift
from supplyline.load import rebuild
from supplyline.load.keys import actual_key
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.verification import verify_table
from tests.integration.ingest.conftest import Shop
from tests.integration.load.books import said
from tests.integration.load.house import (
    NOW,
    RUN,
    SHAPE,
    TABLE,
    House,
    check,
    everything,
    take_back,
)

KEYS = [("sku", "day"), ("sku",)]
SETTINGS = (
    "SELECT settings ->> 'key', settings ->> 'key_source' FROM supplyline.table_settings"
    " ORDER BY version DESC LIMIT 1"
)


def key(house: House) -> tuple[str, ...]:
    found = actual_key(house.conn, TABLE)
    house.conn.commit()
    return found


def after_a_header(house: House, *rows: list[str | None]) -> str:
    """Loads a header, then rows; answers the header's file id."""
    header = house.land(["sku", "n", "day"], [])
    (empty,) = house.load(keys=KEYS)
    assert "the next file with rows proposes it" in " ".join(empty.remarks)
    house.land(["sku", "n"], list(rows))
    house.load(keys=KEYS)
    return header.file_id


def test_a_file_with_a_header_alone_leaves_the_key_to_the_next(house: House) -> None:
    after_a_header(house, ["7", "1"], ["8", "2.5"])
    assert key(house) == ("sku",)
    assert house.rows(SETTINGS) == [('["sku"]', "proposed")]
    kinds = "SELECT pg_typeof(sku)::text, pg_typeof(n)::text FROM products LIMIT 1"
    assert house.rows(kinds) == [("bigint", "numeric")]
    last = house.land(["sku", "n", "day"], [["8", "3", "2024-01-31"], ["9", "1", ""]])
    (certificate,) = house.load(keys=KEYS)
    assert (certificate.inserted, certificate.updated, certificate.verdict) == (1, 1, "success")
    assert check(house, last) == ()


def test_headers_alone_never_decide_it(house: House) -> None:
    house.land(["sku", "n"], [])
    house.land(["sku", "n", "more"], [])
    assert len(house.load(keys=KEYS)) == 2
    assert house.rows("SELECT count(*) FROM supplyline.table_settings") == [(0,)]
    house.land(["sku", "n"], [["a", "1"], ["a", "2"]])
    (certificate,) = house.load(keys=KEYS)
    assert (key(house), certificate.inserted) == ((), 2)
    assert house.rows(SETTINGS) == [("[]", "none")]  # decided now: rows stay rows
    house.land(["sku", "n"], [["b", "1"]])
    house.load(keys=KEYS)
    assert key(house) == ()


def test_undo_takes_the_key_back_with_the_rows_that_gave_it(house: House) -> None:
    header = house.land(["sku", "n"], [])
    house.load(keys=KEYS)
    before = house.rows(SHAPE)
    nullable = "SELECT attnotnull FROM pg_attribute WHERE attname = 'sku'"
    first = house.land(["sku", "n", "day"], [["a", "1", "2024-01-31"]])
    house.load(keys=KEYS)
    assert key(house) == ("sku", "day")
    take_back(house, first.file_id)
    assert (key(house), house.rows(SHAPE)) == ((), before)
    assert house.rows(nullable) == [(False,), (False,)]
    assert house.rows(SETTINGS) == [(None, "")]
    assert check(house, header) == ()
    house.land(["sku", "n"], [["a", "1"], ["b", "1"]])
    (certificate,) = house.load(keys=KEYS)
    assert (key(house), certificate.verdict) == (("sku",), "success")


@pytest.mark.parametrize("which", [0, 1])
def test_later_files_come_back_with_the_key_that_they_had(house: House, which: int) -> None:
    files = [after_a_header(house, ["a", "1"]), "f2"]
    house.land(["sku", "n"], [["a", "2"], ["b", "1"]])
    house.load(keys=KEYS)
    take_back(house, files[which], "replay")
    assert key(house) == ("sku",)
    assert house.rows("SELECT sku, n FROM products ORDER BY 1") == [("a", 2), ("b", 1)]


def test_after_undo_of_all_loads_the_next_file_proposes_anew(house: House) -> None:
    header = after_a_header(house, ["a", "1"])
    take_back(house, header, "cascade")
    house.land(["sku", "n", "day"], [["a", "1", "2024-01-31"], ["a", "2", "2024-02-29"]])
    house.load(keys=KEYS)
    assert key(house) == ("sku", "day")


def test_so_it_does_where_a_view_keeps_the_table(house: House) -> None:
    first = house.land(["sku", "n"], [["a", "1"]])
    house.load(keys=KEYS)
    house.conn.execute("CREATE VIEW mine AS SELECT sku FROM products")
    assert take_back(house, first.file_id)["kept"] != []
    assert house.rows(SETTINGS) == [(None, "")]
    house.land(["sku", "n", "day"], [["a", "1", "2024-01-31"], ["a", "2", "2024-02-29"]])
    (certificate,) = house.load(keys=KEYS)
    assert (key(house), certificate.inserted) == (("sku", "day"), 2)


def test_a_key_that_was_left_behind_is_proposed_before_it_holds_again(house: House) -> None:
    first = house.land(["sku", "n"], [["a", "1"]])
    house.load(keys=KEYS)
    house.conn.execute("CREATE VIEW mine AS SELECT sku FROM products")
    take_back(house, first.file_id)
    house.land(["sku", "n"], [["a", "1"], ["b", "2"]])
    house.load(keys=KEYS)
    assert (key(house), house.rows(SETTINGS)) == (("sku",), [('["sku"]', "proposed")])


def test_a_key_that_somebody_refers_to_is_not_taken_away_and_it_is_said(house: House) -> None:
    house.land(["sku", "n"], [])
    house.load(keys=KEYS)
    house.conn.execute(
        "CREATE TABLE mine (f text, r bigint, FOREIGN KEY (f, r) REFERENCES products (_file, _row))"
    )
    house.conn.commit()
    house.land(["sku", "n"], [["a", "1"]])
    with pytest.raises(SchemaDrift, match="cannot drop constraint") as refused:
        house.load(keys=KEYS)
    assert "Drop it, load" in refused.value.advice


def test_a_key_that_is_set_while_there_are_no_rows_is_taken(house: House) -> None:
    house.land(["sku", "n"], [])
    house.load(keys=KEYS)
    set_ = TableSettings(table=TABLE, key=("n",), key_source="configured")
    save_table_settings(house.conn, set_, actor="t")
    house.conn.commit()
    first = house.land(["sku", "n"], [["a", "1"], ["a", "2"]])
    (certificate,) = house.load(keys=KEYS)
    assert (key(house), certificate.inserted) == (("n",), 2)
    take_back(house, first.file_id)
    assert (key(house), house.rows(SETTINGS)) == ((), [('["n"]', "configured")])


@pytest.mark.parametrize("drift", ["freeze", "quarantine"])
def test_a_table_that_does_not_evolve_is_keyed_all_the_same(house: House, drift: Drift) -> None:
    house.land(["sku", "n"], [])
    house.load(keys=KEYS)
    wanted = replace(table_settings(house.conn, TABLE), drift=drift)
    save_table_settings(house.conn, wanted, actor="t")
    house.conn.commit()
    house.land(["sku", "n"], [["a", "1"], ["b", "2"]])
    (certificate,) = house.load(keys=KEYS)
    assert (key(house), certificate.inserted) == (("sku",), 2)


def test_a_table_whose_rows_are_gone_keeps_its_key(house: House) -> None:
    house.land(["sku", "n"], [["a", "1"], ["b", "2"]])
    house.load(keys=KEYS)
    house.rows("WITH d AS (DELETE FROM products RETURNING 1) SELECT count(*) FROM d")
    house.land(["sku", "n", "day"], [["a", "1", "2024-01-31"], ["a", "2", "2024-02-29"]])
    house.load(keys=KEYS)
    assert key(house) == ("sku",)


def test_made_again_it_is_the_same(house: House) -> None:
    after_a_header(house, ["7", "1"], ["8", "2.5"])
    before = everything(house)
    rebuild(
        house.org, conn=house.conn, table=TABLE, run=RUN, now=lambda: NOW,
        manifests=lambda: house.landing.manifests(house.org, table=TABLE),
        stream=lambda m: house.landing.stream(house.org, manifest=m),
        key_candidates=lambda columns: [k for k in KEYS if {*k} <= {*columns}],
    )  # fmt: skip
    house.conn.commit()
    assert everything(house) == before


def test_made_anew_it_is_the_same(shop: Shop) -> None:
    shop.put("h", b"sku,n\n", name="h.csv")
    shop.ingest("h", table="products")
    shop.load(table="products")
    shop.put("r", b"sku,n\n7,1\n8,2.5\n", name="r.csv")
    shop.ingest("r", table="products")
    shop.load(table="products")
    found = verify_table(shop.org, table=TABLE, settings=shop.settings, anew=True)
    assert said(found) == ""
    assert shop.rows("SELECT sku FROM products ORDER BY 1") == [(7,), (8,)]
