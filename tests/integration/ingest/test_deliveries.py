"""Files one after the other without a word from anybody: what replaces what, and what is said."""

from __future__ import annotations

import pytest

from supplyline.contracts import Certificate
from tests.integration.ingest.conftest import Shop


def deliver(shop: Shop, *texts: str, table: str = "sales", name: str = "sales.csv") -> Certificate:
    """Uploads and loads each text as a file of the same name; the last one's certificate."""
    for text in texts:
        file_id = f"f{shop.runs}"
        shop.put(file_id, text, name=name)
        shop.ingest(file_id, table=table)
        shop.load(table=table)
    return shop.certificate(file_id)


def lines(shop: Shop, table: str = "sales") -> int:
    return int(shop.rows(f"SELECT count(*) FROM {table}")[0][0])


LATER_LINES = [
    ("retail", "invoice,stock_code,description,quantity", "1,A,x,5\n2,B,y,3", "1,A,x,2\n1,C,z,9"),
    ("orders", "order_id,sku,quantity", "1,A,5\n2,B,3", "1,B,9\n2,A,9"),
    ("sales", "order_id,date,product,qty", "1,2025-01-01,A,5",
     "1,2025-01-02,A,1\n3,2025-01-02,C,1"),
]  # fmt: skip


@pytest.mark.parametrize(("table", "header", "first", "second"), LATER_LINES)
def test_another_line_of_the_same_document_is_a_line_of_its_own(
    shop: Shop, table: str, header: str, first: str, second: str
) -> None:
    deliver(shop, f"{header}\n{first}\n", table=table, name="a.csv")
    deliver(shop, f"{header}\n{second}\n", table=table, name="b.csv")
    assert lines(shop, table) == len((first + "\n" + second).split("\n"))


def test_what_a_proposed_key_replaces_is_said(shop: Shop) -> None:
    text = "order_id,line_no,sku,qty\n1,1,A,5\n1,2,B,3\n"
    found = deliver(shop, text, text.replace("A,5", "C,9"))
    assert (found.updated, found.verdict) == (1, "success")
    assert "1 row took the place of a row of an earlier file" in found.remarks[-1]
    assert "order_id, line_no" in found.remarks[-1]
    shop.agree(key=("order_id", "line_no"), key_source="configured")
    assert not any("took the place" in r for r in deliver(shop, text.replace("A,5", "D,1")).remarks)


def test_the_next_days_file_of_which_half_the_lines_are_alike_is_added(shop: Shop) -> None:
    found = deliver(
        shop, "item,qty,till\nA,1,1\nB,1,1\nC,7,2\nD,9,2\n", "item,qty,till\nA,1,1\nB,1,1\nE,3,1\n"
    )
    assert (found.inserted, found.deleted, lines(shop)) == (3, 0, 7)
    assert "2 of the 4 lines" in found.remarks[-1]
    assert "--replay" in found.remarks[-1]


def test_the_same_items_of_a_file_without_a_date_are_no_proof(shop: Shop) -> None:
    found = deliver(shop, "item,qty\nA,1\nB,4\n", "item,qty\nA,3\nB,2\n")
    assert (found.deleted, lines(shop)) == (0, 4)
    assert "2 with the same item" in found.remarks[-1]


def test_another_day_is_another_delivery_and_nothing_is_said(shop: Shop) -> None:
    found = deliver(
        shop, "day,item,qty\n2025-01-01,A,1\n2025-01-01,B,4\n",
        "day,item,qty\n2025-01-02,A,1\n2025-01-02,B,4\n",
    )  # fmt: skip
    assert (found.deleted, lines(shop), found.remarks) == (0, 4, ())


CORRECTED = [
    ("item,price\nA,1\nB,2\nC,3\n", "item,price\nA,1.10\nB,2.20\nC,3.30\n"),
    ("item,price\nA,1\nB,2\nC,3\n", "item,price,x\nA,1,q\nB,2,q\nC,3,q\n"),
    ("item,price,x\nA,1,q\nB,2,q\n", "item,price\nA,1\nB,2\n"),
    ("day,item,qty\n2025-01-01,A,1\n2025-01-01,B,4\n",
     "day,item,qty\n2025-01-01,A,3\n2025-01-01,B,2\n2025-01-01,C,2\n"),
    ("day,item,qty\n2025-01-01,A,1\n", "day,item,qty\n2025-01-01,A,1\n2025-01-02,A,7\n"),
]  # fmt: skip


@pytest.mark.parametrize(("first", "second"), CORRECTED)
def test_a_corrected_file_takes_the_place_of_the_first(shop: Shop, first: str, second: str) -> None:
    shop.agree(key=(), key_source="none")
    found = deliver(shop, first, second)
    assert (found.deleted, lines(shop)) == (first.count("\n") - 1, second.count("\n") - 1)
    assert "taken for a correction" in found.remarks[-1]
