"""Tables as shops and bookkeeping programs export them are read as they are meant."""

from __future__ import annotations

from datetime import date, timedelta
from typing import Any

import psycopg
import pytest

from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import explain, masters, run_all, sources
from supplyline.forecast.explain_text import render
from supplyline.forecast.options import ForecastSettings
from tests.integration.forecast.test_masters import NOW
from tests.integration.forecast.test_sources import put

Connection = psycopg.Connection[tuple[Any, ...]]
DAYS = [date(2025, 12, 1) + timedelta(days=n) for n in range(28)]


def sold(org: OrgId, conn: Connection, item: str) -> tuple[float, list[str]]:
    """Units that a forecast counts as demand, and what it says of the item."""
    run_all(
        org, conn=conn, now=NOW, run=RunRef(run_id="1"), settings=ForecastSettings(bucket="day")
    )
    told = explain(conn, item=item)
    return sum(h["demand"] for h in told["history"]), told["plan"]["explanation"]["data"]["notes"]


def test_what_stands_on_an_orders_first_line_holds_for_all_of_it(
    org: OrgId, conn: Connection
) -> None:
    rows = []
    for n, day in enumerate(DAYS):
        gone = "refunded" if n in (3, 4) else "paid"
        when = f"{day} 10:00:00 -0500" if n == 7 else ""
        rows += [(f"#{n}", gone, when, day, "x", 1), (f"#{n}", "", "", day, "a", 2)]
    columns = "name text, financial_status text, cancelled_at text, created_at date,"
    put(conn, "sales", f"{columns} lineitem_sku text, lineitem_quantity int", *rows)
    conn.execute("ALTER TABLE sales ADD lineitem_name text")
    units, notes = sold(org, conn, "a")
    assert units == 2 * 25
    assert "1 line of 2 units with cancelled_at = 'a day' left out." in notes


def test_a_status_of_single_lines_holds_for_these_alone(org: OrgId, conn: Connection) -> None:
    rows = []
    for n, day in enumerate(DAYS):
        rows += [(n, day, "x", 1, "cancelled" if n % 2 else ""), (n, day, "a", 2, "")]
    put(conn, "sales", "order_id int, day date, sku text, qty int, line_status text", *rows)
    assert sold(org, conn, "a")[0] == 2 * 28


def test_returns_that_are_told_by_their_type_come_off(org: OrgId, conn: Connection) -> None:
    rows = [(n, day, "SALE", "a", 3) for n, day in enumerate(DAYS)]
    rows += [(99, DAYS[9], "RETURN", "a", 3), (98, DAYS[9], "QUOTE", "a", 50)]
    put(conn, "sales", "receipt_no int, day date, type text, sku text, qty int", *rows)
    assert sold(org, conn, "a")[0] == 3 * 27


def test_a_ledger_of_stock_movements_holds_the_demand_that_went_out(
    org: OrgId, conn: Connection
) -> None:
    rows = [("Sale", day, "a", -3) for day in DAYS]
    rows += [
        ("Purchase", DAYS[5], "a", 500),
        ("Sale", DAYS[6], "a", 3),
        ("Transfer", DAYS[7], "a", -9),
    ]
    put(conn, "entries", "entry_type text, posting_date date, item_no text, quantity int", *rows)
    assert sold(org, conn, "a")[0] == 3 * 27


def test_lines_without_a_code_are_planned_by_their_name(org: OrgId, conn: Connection) -> None:
    rows = [(day, "tea", "", 3) for day in DAYS] + [(day, "pot", "P1", 1) for day in DAYS]
    put(conn, "sales", "date date, item text, sku text, qty int", *rows)
    assert sold(org, conn, "tea")[0] == 84
    report = conn.execute("SELECT report FROM supplyline.forecast_run").fetchone()
    assert report is not None
    assert report[0]["notes"] == ["28 lines have no sku: they are planned by their item."]


def test_all_lots_of_a_place_are_on_hand(org: OrgId, conn: Connection) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", *[("a", day, 1) for day in DAYS])
    old, new = date(2025, 12, 1), date(2025, 12, 20)
    lots = [("a", "n", "L1", 0, new), ("a", "n", "L2", 7, new), ("a", "n", "L2", 50, old)]
    put(conn, "stock", "sku text, warehouse text, lot text, on_hand int, as_of date", *lots)
    found = sources.find(conn)
    assert masters.read_facts(conn, found)["a"]["on_hand"] == "7"
    assert masters.stockouts(conn, found) == {}


@pytest.mark.parametrize(
    ("columns", "row", "free"),
    [
        ("on_hand int, reserved int", (100, 90), "10"),
        ("stock int, qty_allocated text", (100, "90"), "10"),
        ("on_hand int, available int, committed int", (100, 5, 90), "10"),
        ("on_hand int, available int", (100, 5), "5"),
        ("on_hand int, available boolean", (100, True), "100"),
        ("afn_fulfillable_quantity int, afn_reserved_quantity int", (10, 90), "10"),
        ("quantity int, reserved_quantity int, available_quantity int", (100, 90, 10), "10"),
    ],
)
def test_what_is_reserved_is_not_on_hand(
    org: OrgId, conn: Connection, columns: str, row: tuple[Any, ...], free: str
) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", *[("a", day, 1) for day in DAYS])
    put(conn, "inventory", f"sku text, {columns}", ("a", *row))
    assert masters.read_facts(conn, sources.find(conn))["a"]["on_hand"] == free
    if "reserved int" in columns:
        assert (
            "90 of what is on hand are reserved for orders and not counted."
            in sold(org, conn, "a")[1]
        )


def test_stock_of_other_codes_than_those_sold_is_said(org: OrgId, conn: Connection) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", *[("a1", day, 1) for day in DAYS])
    put(conn, "stock", "product text, on_hand int", ("[a1] Tea", 100), ("[a2] Pot", 3))
    sold(org, conn, "a1")
    report = conn.execute("SELECT report FROM supplyline.forecast_run").fetchone()
    assert report is not None
    (note,) = report[0]["notes"]
    assert note.startswith("0 of 2 items with stock were ever sold")


def test_an_item_that_the_newest_file_of_stock_lacks_is_said(org: OrgId, conn: Connection) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", *[(i, d, 1) for d in DAYS for i in "ab"])
    put(conn, "stock", "sku text, on_hand int, _seq int", ("a", 5, 1), ("a", 9, 2), ("b", 6, 1))
    notes = sold(org, conn, "a")[1]
    told = explain(conn, item="b")["plan"]
    assert told["on_hand"] == 6
    assert any("of an earlier file" in n for n in told["explanation"]["data"]["notes"])
    assert not any("of an earlier file" in n for n in notes)


def test_a_count_that_is_called_quantity_is_stock(org: OrgId, conn: Connection) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", *[("a", day, 1) for day in DAYS])
    put(conn, "counts", "snapshot_date date, sku text, qty int", (DAYS[-1], "a", 8))
    found = sources.find(conn)
    assert (found.sales.table, found.stock[0].columns["on_hand"]) == ("sales", "qty")


def test_months_as_columns_are_sales(org: OrgId, conn: Connection) -> None:
    columns = "sku text, product_name text, oct_2025 text, nov_2025 text, dec_2025 text, _seq int"
    put(
        conn, "sheet", columns, ("a", "Tea", "9", "1,200", "", 1), ("a", "Tea", "8", None, "7", 2),
        ("a", "Tea", "1", "", "", 2), ("Total", "", "18", "1,200", "7", 2),
    )  # fmt: skip
    run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"))
    told = explain(conn, item="a")
    assert [h["demand"] for h in told["history"]] == [9, 1200, 7]  # the later sheet's 8 + 1
    assert (told["plan"]["name"], told["run"]["bucket"]) == ("Tea", "month")
    assert explain(conn, item="Total")["plan"]["status"] == "not_a_product"


def test_lines_below_the_first_of_an_order_belong_to_it(org: OrgId, conn: Connection) -> None:
    columns = "order_reference text, order_date date, status text, product text, quantity int,"
    rows: list[tuple[Any, ...]] = []
    for n, day in enumerate(DAYS):
        rows.append((f"S{n}", day, "cancelled" if n < 2 else "done", "x", 1, "f", 2 * n))
        rows.append((None, None, None, "a", 2, "f", 2 * n + 1))
    put(conn, "sales", f"{columns} _file text, _row int", *rows)
    assert sold(org, conn, "a")[0] == 2 * 26
    report = conn.execute("SELECT report FROM supplyline.forecast_run").fetchone()
    assert report is not None
    assert report[0]["notes"] == [
        "28 lines without order and date are read as those of the order above them."
    ]


@pytest.mark.parametrize(
    ("columns", "row", "ended"),
    [
        ("status text", ("Discontinued",), True), ("status text", ("Active",), False),
        ("discontinued int", (1,), True), ("discontinued int", (0,), False),
        ("active boolean", (False,), True), ("is_active text", ("yes",), False),
        ("discontinued_at date", (date(2025, 11, 1),), True), ("eol text", (None,), False),
    ],
)  # fmt: skip
def test_what_is_not_bought_any_more_is_not_ordered(
    org: OrgId, conn: Connection, columns: str, row: tuple[Any, ...], ended: bool
) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", *[("a", day, 5) for day in DAYS])
    put(
        conn,
        "products",
        f"sku text, name text, lead_time_weeks int, {columns}",
        ("a", "x", 2, *row),
    )
    put(conn, "stock", "sku text, on_hand int", ("a", 3))
    notes = sold(org, conn, "a")[1]
    plan = explain(conn, item="a")["plan"]
    assert (plan["order_quantity"] == 0, plan["lead_time_days"]) == (ended, 14)
    assert any("Not bought any more" in n for n in notes) == ended
    assert ("not bought any more, so nothing is held" in render(explain(conn, item="a"))) == ended
    assert "14 days are assumed" not in " ".join(notes)


def test_where_no_sales_are_found_it_is_said_what_each_table_lacks(
    org: OrgId, conn: Connection
) -> None:
    put(conn, "lines", "day date, qty int, thing text", (DAYS[0], 1, "a"))
    with pytest.raises(NotEnoughHistory) as raised:
        sources.find(conn)
    assert "lines: date is day, quantity is qty; no item among thing." in raised.value.detail
    assert "/api/tables/<table>/contract/" in raised.value.advice


def test_of_amazons_settlements_only_the_principal_is_a_sale(org: OrgId, conn: Connection) -> None:
    parts = ("Principal", "Commission", "Tax")
    rows = [(day, "a", 2, part, "Order") for day in DAYS for part in parts]
    columns = "posted_date date, sku text, quantity_purchased int, amount_description text,"
    put(conn, "sales", f"{columns} transaction_type text", *rows)
    assert sold(org, conn, "a")[0] == 56


def test_other_columns_tell_what_a_mark_in_a_column_of_text_means(
    org: OrgId, conn: Connection
) -> None:
    rows = [(day, "a", "601", "5,000-", "12,50-") for day in DAYS]
    columns = "posting_date date, material text, bewegungsart text, menge text, betrag text"
    put(conn, "mb51", columns, *rows)
    put(conn, "stock", "sku text, on_hand text", ("a", "7,000"))
    assert sold(org, conn, "a")[0] == 5 * 28
    assert masters.read_facts(conn, sources.find(conn))["a"]["on_hand"] == "7000.0"
    conn.execute(
        "INSERT INTO supplyline.column_types (table_name, column_name, type, remark)"
        " VALUES ('other', 'x', 'numeric 1.234,5', '')"
    )
    assert masters.read_facts(conn, sources.find(conn))["a"]["on_hand"] == "7.0"


def test_an_item_above_its_lines_is_theirs(org: OrgId, conn: Connection) -> None:
    rows: list[tuple[Any, ...]] = []
    for item in ("Tea", "Pot"):
        rows.append((item, None, None))
        rows += [(None, day, 2 if item == "Tea" else 1) for day in DAYS]
        rows.append((f"Total for {item}", None, 56))
    numbered = [(*row, "f", n) for n, row in enumerate(rows)]
    columns = "column_1 text, transaction_date date, quantity int, _file text, _row int"
    put(conn, "sales_detail", columns, *numbered)
    assert sold(org, conn, "Tea")[0] == 56
    assert sum(h["demand"] for h in explain(conn, item="Pot")["history"]) == 28
