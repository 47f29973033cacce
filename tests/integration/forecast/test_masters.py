"""Stock, terms and lead times from the organization's tables go into the plan, and are said."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from supplyline import forecast
from supplyline.contracts import OrgId, RunRef
from supplyline.forecast import ForecastSettings, masters, sources

Connection = psycopg.Connection[tuple[Any, ...]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST = date(2025, 1, 6)
DAYS = 350


def sales(conn: Connection, *items: str, units: int = 4) -> None:
    conn.execute("CREATE TABLE IF NOT EXISTS sales (sku text, sold_on date, qty int)")
    for item in items:
        conn.execute(
            "INSERT INTO sales SELECT %s, %s::date + d, %s + d %% 3 FROM generate_series(0, %s) d",
            (item, FIRST, units, DAYS - 1),
        )
    conn.commit()


def plan(org: OrgId, conn: Connection, name: str = "1", **settings: Any) -> dict[str, Any]:
    conn.commit()
    chosen = ForecastSettings(bucket="week", **settings)
    forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id=name), settings=chosen)
    return {r["item"]: r for r in forecast.read_plan(conn)}


def test_stock_is_the_newest_count_of_each_place_added_up(org: OrgId, conn: Connection) -> None:
    sales(conn, "a", "b")
    conn.execute(
        "CREATE TABLE stock (sku text, warehouse text, on_hand int, on_order int, date date)"
    )
    conn.execute(
        "INSERT INTO stock VALUES ('a', 'north', 5, 1, '2025-12-01'), ('a', 'north', 70, 2,"
        " '2025-12-20'), ('a', 'south', 30, NULL, '2025-12-10'), ('b', 'north', 0, 0, '2025-12-20')"
    )
    rows = plan(org, conn)
    assert (rows["a"]["on_hand"], rows["a"]["on_order"]) == (100, 2)
    assert (rows["b"]["on_hand"], rows["b"]["status"]) == (0, "order")


def test_of_counts_whose_days_stayed_text_the_one_that_came_last_counts(
    org: OrgId, conn: Connection
) -> None:
    sales(conn, "a")
    conn.execute("CREATE TABLE stock (sku text, on_hand int, date text)")
    conn.execute("INSERT INTO stock VALUES ('a', 5, '12/11/2025'), ('a', 70, '01/12/2025')")
    assert plan(org, conn)["a"]["on_hand"] == 70


def test_the_suppliers_terms_hold_where_the_item_says_nothing(org: OrgId, conn: Connection) -> None:
    sales(conn, "a", "b", "c")
    conn.execute("CREATE TABLE products (sku text, supplier text, lead_time int, moq int)")
    conn.execute("INSERT INTO products VALUES ('a', 'S1', NULL, NULL), ('b', 'S1', 3, 50)")
    conn.execute("INSERT INTO products VALUES ('c', 'S2', NULL, NULL)")
    conn.execute("CREATE TABLE suppliers (supplier text, lead_time_days int, moq int)")
    conn.execute("INSERT INTO suppliers VALUES ('S1', 28, 200)")
    rows = plan(org, conn)
    assert {i: r["lead_time_days"] for i, r in rows.items()} == {"a": 28, "b": 3, "c": 14}
    values = {i: r["explanation"]["formula"]["values"] for i, r in rows.items()}
    assert {i: v["lead_time_from"] for i, v in values.items()} == {
        "a": "supplier", "b": "item", "c": "settings",
    }  # fmt: skip
    assert (values["a"]["minimum_order"], values["b"]["minimum_order"]) == (200, 50)
    assert rows["a"]["reorder_point"] > rows["b"]["reorder_point"]
    notes = rows["c"]["explanation"]["data"]["notes"]
    assert any("14 days are assumed" in n for n in notes)


def test_lead_times_are_learned_from_orders_that_arrived(org: OrgId, conn: Connection) -> None:
    sales(conn, "a", "b", "c")
    conn.execute(
        "CREATE TABLE purchases (po text, sku text, supplier text, qty int, order_date date,"
        " received_date date)"
    )
    for n in range(10):
        for item, days in (("a", 10), ("b", 10 + 20 * (n % 2))):
            ordered = date(2025, 3, 1) + timedelta(days=14 * n)
            conn.execute(
                "INSERT INTO purchases VALUES (%s, %s, 'S', 9, %s, %s)",
                (f"{item}{n}", item, ordered, ordered + timedelta(days=days)),
            )
    conn.execute("INSERT INTO purchases VALUES ('c', 'c', 'S', 9, '2025-03-01', '2025-09-01')")
    conn.execute("CREATE TABLE products (sku text, lead_time_days int)")
    conn.execute("INSERT INTO products VALUES ('a', 30)")
    conn.commit()
    found = masters.lead_times(conn, sources.find(conn))
    assert found["item", "b"] == masters.LeadTime(
        mean=20, sd=pytest.approx(10.54, abs=0.01), orders=10
    )
    rows = plan(org, conn)
    assert {i: r["lead_time_days"] for i, r in rows.items()} == {"a": 30, "b": 20, "c": 14}
    assert any("took 10.0 days" in n for n in rows["a"]["explanation"]["data"]["notes"])
    steady = rows["b"]["reorder_point"]
    conn.execute("UPDATE purchases SET received_date = order_date + 20 WHERE sku = 'b'")
    assert plan(org, conn, "2")["b"]["reorder_point"] < steady


def test_demand_without_stock_is_estimated_and_said(org: OrgId, conn: Connection) -> None:
    sales(conn, "a", "b")
    gone = (FIRST + timedelta(days=200), FIRST + timedelta(days=228))
    conn.execute("DELETE FROM sales WHERE sku = 'a' AND sold_on >= %s AND sold_on < %s", gone)
    conn.execute("CREATE TABLE stock (sku text, on_hand int, as_of date)")
    conn.execute(
        "INSERT INTO stock SELECT s, CASE WHEN s = 'a' AND d >= %s AND d < %s THEN 0 ELSE 50 END,"
        " d::date FROM unnest(ARRAY['a', 'b']) s,"
        " generate_series(%s::date, %s::date, interval '1 day') d",
        (*gone, FIRST, FIRST + timedelta(days=DAYS - 1)),
    )
    rows = plan(org, conn)
    history = {i: forecast.explain(conn, item=i)["history"] for i in ("a", "b")}
    lowest = min(h["demand"] for h in history["a"])
    assert lowest > 0.9 * min(h["demand"] for h in history["b"])
    (note,) = [n for n in rows["a"]["explanation"]["data"]["notes"] if "Out of stock" in n]
    assert "instead of" in note
    assert not [n for n in rows["b"]["explanation"]["data"]["notes"] if "Out of stock" in n]
    assert rows["a"]["demand_per_day"] == pytest.approx(rows["b"]["demand_per_day"], rel=0.05)


def test_lots_holding_cost_and_service_of_one_item(org: OrgId, conn: Connection) -> None:
    sales(conn, "a", "b")
    conn.execute(
        "CREATE TABLE products (sku text, on_hand int, unit_cost numeric, order_cost numeric,"
        " holding_rate numeric, service_level numeric, review_days int)"
    )
    conn.execute("INSERT INTO products VALUES ('a', 0, 2, 50, 25, 99.5, 14)")
    conn.execute("INSERT INTO products VALUES ('b', 0, 2, NULL, NULL, NULL, NULL)")
    rows = plan(org, conn)
    yearly = rows["a"]["demand_per_day"] * 365.25
    lot = (2 * 50 * yearly / (0.25 * 2)) ** 0.5
    values = rows["a"]["explanation"]["formula"]["values"]
    assert values["economic_lot"] == pytest.approx(lot, rel=1e-3)
    assert values["R_periods"] == 2
    assert rows["a"]["fill_rate"] == 0.995
    expected = rows["a"]["reorder_point"] + lot - rows["a"]["demand_per_day"] * 14
    assert rows["a"]["order_up_to"] == pytest.approx(expected, rel=1e-3)
    assert rows["b"]["order_up_to"] == rows["b"]["reorder_point"]
    assert rows["b"]["fill_rate"] == 0.98


def test_dead_stock_is_told_in_money_and_stock_counts_from_its_day(
    org: OrgId, conn: Connection
) -> None:
    sales(conn, "a", "b")
    conn.execute(
        "DELETE FROM sales WHERE sku = 'b' AND sold_on > %s", (FIRST + timedelta(days=60),)
    )
    conn.execute("CREATE TABLE products (sku text, on_hand int, unit_cost numeric)")
    conn.execute("INSERT INTO products VALUES ('a', 100, 2), ('b', 40, 3), ('never', 10, 7)")
    rows = plan(org, conn)
    assert (rows["b"]["status"], rows["b"]["excess_value"]) == ("dead", 120)
    assert (rows["never"]["status"], rows["never"]["excess_value"]) == ("no_history", 70)
    days = rows["a"]["days_of_cover"]
    assert days == pytest.approx(100 / rows["a"]["demand_per_day"], rel=0.02)
    monthly = forecast.run_all(
        org, conn=conn, now=NOW + timedelta(hours=1), run=RunRef(run_id="2"),
        settings=ForecastSettings(bucket="month"),
    )  # fmt: skip
    assert monthly.as_of == "2025-11-30"
    last = FIRST + timedelta(days=DAYS - 1)
    out = {r["item"]: r for r in forecast.read_plan(conn)}["a"]["stockout_date"]
    assert abs((out - last).days - 100 / 5) <= 2
