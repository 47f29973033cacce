"""Which of an organization's tables are sales, stock and facts, and what is read from them."""

from __future__ import annotations

from datetime import date, datetime, timedelta, timezone
from typing import Any

import numpy as np
import psycopg
import pytest

from supplyline import forecast
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import ForecastSettings, demand, masters, measures, sales_lines, sources
from supplyline.forecast.calendars import EPOCH
from tests.integration.forecast.test_masters import NOW

Connection = psycopg.Connection[tuple[Any, ...]]
MONDAY = date(2025, 12, 1)


def put(conn: Connection, table: str, columns: str, *rows: tuple[Any, ...]) -> None:
    conn.execute(f"CREATE TABLE {table} ({columns})")
    places = ", ".join(["%s"] * (columns.count(",") + 1))
    with conn.cursor() as cursor:
        cursor.executemany(f"INSERT INTO {table} VALUES ({places})", rows)
    conn.commit()


def sales(conn: Connection) -> None:
    put(conn, "sales", "sku text, sold_on date, qty int", ("a", MONDAY, 1), ("b", MONDAY, 2))


@pytest.mark.parametrize("column", ["created_at", "date", "timestamp", "updated_at"])
def test_a_product_table_with_a_date_still_has_its_terms(
    org: OrgId, conn: Connection, column: str
) -> None:
    sales(conn)
    columns = f"sku text, name text, unit_cost numeric, lead_time_days int, {column} date"
    put(
        conn, "products", columns,
        ("a", "new", 3, 40, date(2025, 1, 1)), ("a", "old", 2, 7, date(2020, 1, 1)),
    )  # fmt: skip
    facts = masters.read_facts(conn, sources.find(conn))["a"]
    assert set(facts) == {"name", "unit_cost", "lead_time_days"}
    if column != "updated_at":  # no day that is known: any of the two
        assert facts == {"name": "new", "unit_cost": "3", "lead_time_days": "40"}


@pytest.mark.parametrize(
    ("table", "columns"),
    [
        ("ordered", "po_number text, sku text, qty int, order_date date"),
        ("ordered", "id text, sku text, supplier_id text, qty int, order_date date, eta date"),
        ("purchases", "id text, sku text, qty int, order_date date, price numeric"),
    ],
)
def test_orders_to_suppliers_are_no_sales(
    org: OrgId, conn: Connection, table: str, columns: str
) -> None:
    kinds = {"text": "a", "int": 900, "date": MONDAY, "numeric": 5}
    row = tuple(kinds[c.split()[-1]] for c in columns.split(","))
    put(conn, table, columns, *[row] * 9)
    with pytest.raises(NotEnoughHistory):
        sources.find(conn)
    sales(conn)
    found = sources.find(conn)
    assert found.sales.table == "sales"
    assert found.unread == {table: "orders to suppliers"}


def test_a_second_table_of_sales_is_named_as_not_read(org: OrgId, conn: Connection) -> None:
    sales(conn)
    put(conn, "sales_2024", "sku text, sold_on date, qty int", ("a", MONDAY, 1))
    assert sources.find(conn).unread == {"sales_2024": "sales is larger"}


def test_lines_with_a_day_of_arrival_are_sales_where_nothing_else_is(
    org: OrgId, conn: Connection
) -> None:
    columns = "order_id text, order_date date, sku text, qty int, delivery_date date"
    put(conn, "lines", columns, ("1", MONDAY, "a", 1, MONDAY))
    assert sources.find(conn).sales.table == "lines"
    sales(conn)
    found = sources.find(conn)
    assert (found.sales.table, [s.table for s in found.receipts]) == ("sales", ["lines"])


def test_one_table_of_sales_and_stock_is_both(org: OrgId, conn: Connection) -> None:
    put(
        conn, "panel", "date date, store_id text, product_id text, units_sold int, on_hand int",
        *[(MONDAY + timedelta(days=d), s, "a", 5, 50 - d) for d in range(20) for s in "xy"],
    )  # fmt: skip
    found = sources.find(conn)
    assert found.sales.table == "panel"
    assert masters.read_facts(conn, found)["a"]["on_hand"] == "62"
    report = forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"))
    assert report.status == {"order": 1}


def test_stock_of_several_places_in_a_column_of_text_is_added_up(
    org: OrgId, conn: Connection
) -> None:
    sales(conn)
    put(
        conn, "stock", "sku text, warehouse text, on_hand text, as_of date",
        ("a", "n", "50", MONDAY), ("a", "s", "1,070", MONDAY), ("b", "n", "n/a", MONDAY),
        ("b", "s", "3", MONDAY), ("a", "n", "9", date(2025, 1, 1)),
    )  # fmt: skip
    facts = masters.read_facts(conn, sources.find(conn))
    assert {i: float(f["on_hand"]) for i, f in facts.items()} == {"a": 1120, "b": 3}


def test_a_place_that_is_not_counted_today_still_has_its_stock(
    org: OrgId, conn: Connection
) -> None:
    sales(conn)
    days = [MONDAY + timedelta(days=7 * n) for n in range(4)]
    counts = [("a", "north", 0, d) for d in days]
    counts += [
        ("a", "south", u, d + timedelta(days=3)) for u, d in zip((5, 5, 0, 2), days, strict=True)
    ]
    put(conn, "stock", "sku text, warehouse text, on_hand int, as_of date", *counts)
    found = masters.stockouts(conn, sources.find(conn))["a"]
    thursday, monday, following = (date(2025, 12, d) for d in (18, 22, 25))
    assert found[-2:] == [(thursday, monday), (monday, following)]
    assert found[:-2] == [(MONDAY, MONDAY + timedelta(days=3))]  # before south was ever counted


def test_a_spell_without_stock_ends_with_the_next_sale() -> None:
    a, b = date(2025, 1, 10), date(2025, 1, 20)
    day = (a - EPOCH).days

    def ended(*sold: int) -> list[tuple[int, int]]:
        found = demand.until_sold([(a, b)], np.asarray([day + s for s in sold], dtype=np.int64))
        return [((x - a).days, (y - a).days) for x, y in found]

    assert ended() == [(0, 10)]
    assert ended(-3, 4, 7) == [(0, 4)]
    assert ended(0, 12) == [(1, 10)]
    assert ended(0, 1) == []


def test_the_days_on_which_items_sold_are_those_of_their_own_lines() -> None:
    item = np.array([2, 0, 1, 2, 0, 2, 0])
    one = np.ones(item.size)
    lines = demand.Lines(
        items=("a", "b", "c", "d"), names={}, item=item, day=np.array([9, 4, 1, 3, 2, 9, 4]),
        quantity=one, price=one, customer=item, order=item,
    )  # fmt: skip
    found = demand.days_sold(lines, {"a", "c", "d", "unknown"})
    assert {i: d.tolist() for i, d in found.items()} == {"a": [2, 4], "c": [3, 9], "d": []}


def test_weeks_that_were_loaded_as_numbers_are_weeks_in_every_block(
    org: OrgId, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sales_lines, "BLOCK_ROWS", 10)
    weeks = [y * 100 + w for y in (2024, 2025) for w in range(1, 53)]
    put(conn, "sales", "sku text, date int, qty int", *(("a", w, 1) for w in weeks))
    found = forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"))
    assert (found.bucket, found.as_of) == ("week", "2025-12-28")


def test_a_day_begins_where_the_organization_is(org: OrgId, conn: Connection) -> None:
    late = [
        datetime(2025, 11, d, 23, 30, tzinfo=timezone(timedelta(hours=-5))) for d in range(1, 30)
    ]
    put(conn, "sales", "sku text, sold_at timestamptz, qty int", *[("a", t, 1) for t in late])
    for name, zone, last in (("1", "UTC", "2025-11-30"), ("2", "America/New_York", "2025-11-29")):
        chosen = ForecastSettings(timezone=zone, bucket="day")
        report = forecast.run_all(
            org, conn=conn, now=NOW + timedelta(hours=int(name)), run=RunRef(run_id=name),
            settings=chosen,
        )  # fmt: skip
        assert report.as_of == last


def test_pieces_are_ordered_whole_also_where_demand_without_stock_is_estimated(
    org: OrgId, conn: Connection
) -> None:
    days = [date(2025, 9, 1) + timedelta(days=n) for n in range(122)]
    out = [n % 14 in (3, 4, 5) for n in range(122)]
    rows = [("a", d, 3 + n % 4) for n, d in enumerate(days) if not out[n]]
    put(conn, "sales", "sku text, sold_on date, qty int", *rows)
    counts = [("a", 0 if gone else 5, d) for gone, d in zip(out, days, strict=True)]
    put(conn, "stock", "sku text, on_hand int, as_of date", *counts)
    settings = ForecastSettings(bucket="week")
    forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"), settings=settings)
    (row,) = forecast.read_plan(conn)
    assert any("Out of stock" in n for n in row["explanation"]["data"]["notes"])
    assert row["order_quantity"] > 0
    assert row["order_quantity"] % 1 == row["reorder_point"] % 1 == 0
    said = row["explanation"]["formula"]["values"]
    assert said["reorder_point"] == row["reorder_point"]
    assert row["reorder_point"] % said["unit"] == 0


def test_an_old_count_of_stock_is_said(org: OrgId, conn: Connection) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(20)]
    put(conn, "sales", "sku text, sold_on date, qty int", *[(i, d, 3) for i in "ab" for d in days])
    put(
        conn, "stock", "sku text, on_hand int, as_of date",
        ("a", 5, date(2025, 11, 1)), ("b", 5, date(2025, 12, 1)),
    )  # fmt: skip
    forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"))
    notes = {r["item"]: r["explanation"]["data"]["notes"] for r in forecast.read_plan(conn)}
    said = "Stock was last counted on 2025-11-01, sales go on to later: count it again."
    assert said in notes["a"]
    assert not [n for n in notes["b"] if "counted" in n]


def test_mixed_currencies_and_units_are_said_and_not_converted(
    org: OrgId, conn: Connection
) -> None:
    rows = [
        ("a", 1, "EUR", "pc"),
        ("a", 2, "USD", "pc"),
        ("b", 3, "eur ", "pc"),
        ("b", 4, "", "pc"),
    ]
    put(
        conn, "sales",
        "sku text, sold_on date, qty int, unit_price numeric, currency text, uom text",
        *[(i, MONDAY + timedelta(days=n), n, 5, c, u) for i, n, c, u in rows],
    )  # fmt: skip
    run, items = measures.mixed(conn, sources.find(conn))
    assert run == (
        "sales.currency holds several currencies: EUR (2 rows), USD (1 rows). Money is added up as "
        "it stands.",
    )
    assert items == {
        "a": ("Rows of this item are in several currencies (EUR, USD) and added up as they stand.",)
    }
    report = forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"))
    assert report.report["notes"] == list(run)
    assert items["a"][0] in forecast.explain(conn, item="a")["plan"]["explanation"]["data"]["notes"]


def test_facts_that_are_no_numbers_are_said(org: OrgId, conn: Connection) -> None:
    days = [MONDAY + timedelta(days=n) for n in range(20)]
    put(conn, "sales", "sku text, sold_on date, qty int", *[(i, d, 3) for i in "ab" for d in days])
    columns = "sku text, lead_time_days text, unit_cost text, on_hand text"
    put(conn, "products", columns, ("a", "2 weeks", "-3", "9"), ("b", "7", "1.5", "9"))
    forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="1"))
    plan = {r["item"]: r for r in forecast.read_plan(conn)}
    notes = plan["a"]["explanation"]["data"]["notes"]
    assert (
        "No number that could be used, so left out: unit_cost '-3', lead_time_days '2 weeks'."
        in notes
    )
    assert (plan["b"]["lead_time_days"], plan["b"]["unit_cost"], plan["b"]["on_hand"]) == (
        7,
        1.5,
        9,
    )
    assert not [n for n in plan["b"]["explanation"]["data"]["notes"] if "left out" in n]
