"""One odd file never keeps the others of its table from loading, and says why it is not loaded."""

from __future__ import annotations

import io

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import xlsxwriter

from supplyline.errors import FileNotLoaded, UnreadableFile
from supplyline.stages import open_landing
from supplyline.tenancy.connections import connect
from tests.integration.ingest.conftest import Shop

GOOD = "sku,qty\nA,1\nB,2\n"


def rows(shop: Shop, table: str = "sales") -> list[tuple[object, ...]]:
    with connect(shop.org, settings=shop.settings) as conn:
        return conn.execute(f"SELECT * FROM {table} ORDER BY sku").fetchall()  # type: ignore[arg-type] # a name of this test


def test_broken_rows_behind_the_header_are_counted_in_the_certificate(shop: Shop) -> None:
    shop.put("f1", b"sku,qty\n" + b"A,\x001\n" * 3 + b"B,2\n")
    answer = shop.ingest("f1")
    assert (answer["rows_read"], answer["landed"], answer["quarantined"]) == (4, 1, 3)
    assert shop.load()["verdict"] == "partial"


@pytest.mark.parametrize("text", ["\n\n\n", ",".join(f"c{n}" for n in range(1600)) + "\n"])
def test_what_no_table_can_hold_is_refused_at_ingest(shop: Shop, text: str) -> None:
    shop.put("bad", text)
    shop.put("good", GOOD)
    with pytest.raises(UnreadableFile, match=r"neither a header|1,600 columns"):
        shop.ingest("bad")
    shop.ingest("good")
    assert shop.load()["verdict"] == "success"
    assert len(rows(shop)) == 2


def test_columns_called_as_postgresql_calls_its_own_are_loaded(shop: Shop) -> None:
    names = ["ctid", "xmin", "xmax", "cmin", "cmax", "tableoid", "_row", "_file", "_raw", "CTID"]
    shop.put("f1", "sku," + ",".join(names) + "\nA," + ",".join("x" * len(names)) + "\n")
    shop.ingest("f1")
    assert shop.load()["verdict"] == "success"
    assert rows(shop)[0][:11] == ("A", *"x" * 10)


def test_a_file_that_postgresql_cannot_hold_is_refused_alone(shop: Shop) -> None:
    wide = [f"c{n}" for n in range(1400)]
    shop.put("one", GOOD)
    # Each is narrow enough, but a row of this many texts fits on no page.
    shop.put("wide", "sku," + ",".join(wide) + "\nC," + ",".join(["a long text"] * 1400) + "\n")
    shop.put("two", "sku,qty\nD,4\n")
    for file_id in ("one", "wide", "two"):
        shop.ingest(file_id)

    with pytest.raises(FileNotLoaded, match=r"row is too big") as error:
        shop.load()

    assert list(error.value.reasons) == ["wide"]
    assert [r[0] for r in rows(shop)] == ["A", "B", "D"]
    with open_landing(shop.settings) as landing:
        manifest = landing.manifest(shop.org, "wide")
    assert manifest is not None
    assert (manifest.state, "row is too big" in manifest.refusal) == ("refused", True)
    shop.put("three", "sku,qty\nE,5\n")
    shop.ingest("three")
    assert shop.load()["verdict"] == "success"
    assert [r[0] for r in rows(shop)] == ["A", "B", "D", "E"]


def test_a_nul_in_parquet_costs_its_row_and_no_other(shop: Shop) -> None:
    out = io.BytesIO()
    pq.write_table(pa.table({"sku": ["A", "B\0", "C"], "qty": [1, 2, 3]}), out)
    shop.put("f1", out.getvalue(), name="sales.parquet")
    answer = shop.ingest("f1")
    assert (answer["rows_read"], answer["landed"], answer["quarantined"]) == (3, 2, 1)
    assert shop.load()["verdict"] == "partial"
    assert [r[0] for r in rows(shop)] == ["A", "C"]
    (aside,) = shop.quarantine("f1")
    assert (aside.row, aside.column, aside.code, aside.raw) == (2, "sku", "nul_character", "B\0,2")


def test_both_values_of_a_repeated_key_are_loaded(shop: Shop) -> None:
    shop.put("f1", b'{"sku":"A","qty":1,"qty":2}\n', name="sales.jsonl")
    shop.ingest("f1")
    assert shop.load()["verdict"] == "success"
    assert rows(shop)[0][:3] == ("A", 1, 2)


def test_a_file_without_a_row_says_so_and_which_sheets_were_left_out(shop: Shop) -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as book:
        book.add_worksheet("Data").write_row(0, 0, ["sku", "qty"])
        hidden = book.add_worksheet("Old")
        hidden.hide()
        hidden.write_row(0, 0, ["x", "y"])
    shop.put("f1", out.getvalue(), name="sales.xlsx")
    expected = [
        "no row came out of sheet 'Data': it has a header and nothing below it",
        "not read: 'Old' (hidden, 1 row); name another with `sheet`",
    ]
    assert shop.ingest("f1")["remarks"] == expected
    shop.load()
    assert list(shop.certificate("f1").remarks)[:2] == expected
