"""Files that come late, and files that a frozen table refuses: the table, and the table rebuilt."""

from __future__ import annotations

from typing import Any

import pytest

from supplyline.errors import SchemaDrift
from supplyline.operations import rebuild_table
from supplyline.stages import open_landing
from supplyline.tenancy.names import parse_table_name
from tests.integration.ingest.conftest import Shop

STATE = (
    "SELECT (SELECT json_agg(t ORDER BY t::text)::text FROM sales t), (SELECT json_agg(to_jsonb(h)"
    " - '_valid_from' - '_valid_to' ORDER BY h._load, h._row)::text FROM sales_history h)"
)


def arrive(shop: Shop, file_id: str, text: str, name: str = "", *, load: bool = True) -> None:
    shop.put(file_id, text, name=name or f"{file_id}.csv")
    shop.ingest(file_id)
    if load:
        shop.load()


def landing_state(shop: Shop, file_id: str, state: str) -> None:
    """As if the file were landing still, or had just finished."""
    with open_landing(shop.settings) as landing:
        landing._manifests(shop.org).update_one({"_id": file_id}, {"$set": {"state": state}})


def rebuilt(shop: Shop) -> dict[str, str]:
    done, _ = rebuild_table(
        shop.org, table=parse_table_name("sales"), user="a", settings=shop.settings
    )
    return done.left_out


def late(shop: Shop, first: str, second: str, name: str) -> list[Any]:
    """The second file is loaded while the first one is landing."""
    arrive(shop, "a", first, name, load=False)
    landing_state(shop, "a", "open")
    arrive(shop, "b", second, name)
    landing_state(shop, "a", "closed")
    shop.load()
    return shop.rows(STATE)


def test_a_late_file_keeps_the_values_that_only_it_has(shop: Shop) -> None:
    shop.agree(key=("id",), key_source="configured")
    state = late(shop, "id,a,c\n1,x,10\n2,y,20\n", "id,a\n1,xx\n3,z\n", "")
    assert shop.rows("SELECT id, a, c FROM sales ORDER BY 1") == [
        (1, "xx", 10), (2, "y", 20), (3, "z", None),
    ]  # fmt: skip
    assert shop.rows("SELECT id, a, c FROM sales_history") == [(1, "x", 10)]
    assert rebuilt(shop) == {}
    assert shop.rows(STATE) == state


def test_a_late_file_that_was_corrected_meanwhile_is_not_added(shop: Shop) -> None:
    text = "day,item,qty\n2025-01-01,A,1\n2025-01-01,B,4\n"
    state = late(shop, text, text.replace("A,1", "A,3"), "sales.csv")
    assert shop.rows("SELECT item, qty FROM sales ORDER BY 1") == [("A", 3), ("B", 4)]
    assert rebuilt(shop) == {}
    assert shop.rows(STATE) == state


@pytest.fixture
def frozen(shop: Shop) -> Shop:
    """A table that had grown before it was frozen, and has refused a file since."""
    shop.agree(key=("id",), key_source="configured")
    arrive(shop, "a", "id,a\n1,x\n")
    arrive(shop, "b", "id,a,b\n2,y,5\n")
    shop.agree(drift="freeze")
    with pytest.raises(SchemaDrift, match="new columns"):
        arrive(shop, "bad", "id,a,b,c\n3,z,6,7\n")
    return shop


def test_a_refused_file_is_recorded_and_later_files_load_without_a_word_of_it(
    frozen: Shop,
) -> None:
    with open_landing(frozen.settings) as landing:
        manifest = landing.manifest(frozen.org, "bad")
    assert manifest is not None
    assert (manifest.state, "freeze" in manifest.refusal) == ("refused", True)
    arrive(frozen, "good", "id,a,b\n4,w,8\n")
    assert frozen.rows("SELECT id FROM sales ORDER BY 1") == [(1,), (2,), (4,)]


def test_a_frozen_table_can_be_rebuilt(frozen: Shop) -> None:
    before = frozen.rows(STATE)
    assert rebuilt(frozen) == {}
    assert frozen.rows(STATE) == before
    landing_state(frozen, "bad", "closed")  # as refused files were before this was recorded
    assert "policy is freeze" in rebuilt(frozen)["bad"]
    assert frozen.rows(STATE) == before


def test_a_refused_file_is_loaded_when_it_comes_again_under_another_policy(frozen: Shop) -> None:
    frozen.agree(drift="evolve")
    arrive(frozen, "again", "id,a,b,c\n3,z,6,7\n")
    assert frozen.rows("SELECT a, b, c FROM sales WHERE id = 3") == [("z", 6, 7)]


def test_a_file_without_the_proposed_key_is_refused_alone(shop: Shop) -> None:
    arrive(shop, "a", "order_id,line_no,sku,qty\n1,1,A,5\n")
    with pytest.raises(SchemaDrift, match="lacks the key column line_no"):
        arrive(shop, "nokey", "order_id,sku,qty\n1,B,6\n")
    arrive(shop, "good", "order_id,line_no,sku,qty\n1,2,B,6\n")
    assert rebuilt(shop) == {}


@pytest.mark.parametrize("policy", ["evolve", "quarantine"])
def test_a_column_that_a_file_lacks_is_said(shop: Shop, policy: str) -> None:
    shop.agree(key=("id",), key_source="configured", drift=policy)
    arrive(shop, "a", "id,price,name\n1,10,x\n2,20,y\n")
    arrive(shop, "b", "id,unit_price,name\n1,,z\n")
    remarks = shop.certificate("b").remarks
    assert any(r.startswith("price: not in this file") for r in remarks)
    assert any(
        r.startswith("unit_price: ") and "it may be price under another name" in r for r in remarks
    ) == (policy == "evolve")
    assert shop.rows("SELECT price, name FROM sales ORDER BY id") == [(10, "z"), (20, "y")]


def test_a_frozen_table_refuses_a_file_that_lacks_a_column(frozen: Shop) -> None:
    with pytest.raises(SchemaDrift, match=r"lacks the columns \['b'\]"):
        arrive(frozen, "less", "id,a\n3,z\n")
    assert frozen.rows("SELECT count(*) FROM sales") == [(2,)]
