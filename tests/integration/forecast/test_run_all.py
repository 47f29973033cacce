"""From the organization's tables to a published plan."""

from __future__ import annotations

from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from supplyline import forecast
from supplyline.audit.chain import verify
from supplyline.audit.events import events
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory, StaleWorker
from supplyline.forecast.explain_text import render

Connection = psycopg.Connection[tuple[Any, ...]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
RUN = RunRef(run_id="run-1", user_id="alice")


def shop(conn: Connection, *, text: bool = False) -> None:
    """Two years of days: `007` sells daily, `008` now and then, `009` never, POST is postage."""
    kind = ("text", "text", "text") if text else ("date", "int", "numeric")
    conn.execute(
        "CREATE TABLE sales (invoice_no text, stock_code text, description text,"
        f" invoice_date {kind[0]}, quantity {kind[1]}, unit_price {kind[2]}, customer_id text)"
    )
    day = date(2024, 1, 1)
    rows = []
    for n in range(730):
        when: Any = day + timedelta(days=n)
        when = f"{when:%m/%d/%Y}" if text else when
        rows.append((f"i{n}", "007", "Lamp", when, 3 + n % 7, "9.99", "c1"))
        if n % 25 == 0:
            rows.append((f"i{n}", "008", "Shade", when, 2, "50", "c2"))
        if n % 10 == 0:
            rows.append((f"i{n}", "POST", "POSTAGE", when, 1, "4", "c2"))
    rows.append(("C1", "008", "Shade", when, -2, "50", "c2"))
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO sales VALUES (%s, %s, %s, %s, %s, %s, %s)", rows)
    conn.execute(
        "CREATE TABLE products (stock_code text, name text, on_hand int, on_order int,"
        " lead_time_days int, min_order_qty int, pack_size int, unit_cost numeric)"
    )
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO products VALUES (%s, %s, %s, %s, %s, %s, %s, %s)",
            [
                ("007", "Lamp", 10, 0, 14, 24, 12, 5),
                ("008", "Shade", 50, 0, 14, None, None, 25),
                ("009", "Unsold", 7, 0, 14, None, None, 1),
            ],
        )
    conn.commit()


@pytest.mark.parametrize("text", [False, True], ids=["typed", "text"])
def test_every_item_gets_a_row_with_a_plan_or_the_reason(
    org: OrgId, conn: Connection, text: bool
) -> None:
    shop(conn, text=text)
    report = forecast.run_all(org, conn=conn, now=NOW, run=RUN)
    plan = {row["item"]: row for row in forecast.read_plan(conn)}
    assert set(plan) == {"007", "008", "009", "POST"}
    assert report.items == 4
    assert plan["009"]["status"] == "no_history"
    assert plan["POST"]["status"] == "not_a_product"
    assert report.report["not_products"] == [
        {"item": "POST", "name": "POSTAGE", "lines": 73, "quantity": 73.0}
    ]
    lamp = plan["007"]
    assert lamp["status"] == "order"
    assert lamp["urgency"] == 1
    assert lamp["demand_per_day"] == pytest.approx(6, rel=0.15)
    assert lamp["order_quantity"] % 12 == 0
    assert lamp["order_quantity"] >= lamp["reorder_point"] - 10
    assert lamp["stockout_date"] == date(2026, 1, 1)
    assert plan["008"]["status"] in ("ok", "dead")
    assert plan["008"]["order_quantity"] == 0


def test_a_return_takes_back_its_sale(org: OrgId, conn: Connection) -> None:
    shop(conn)
    report = forecast.run_all(org, conn=conn, now=NOW, run=RUN)
    assert report.report["lines"]["returns_matched"] == 1
    assert report.report["lines"]["lines"] == 730 + 30 + 73 + 1


def test_the_event_is_in_the_chain_and_the_forecast_is_there(org: OrgId, conn: Connection) -> None:
    shop(conn)
    report = forecast.run_all(org, conn=conn, now=NOW, run=RUN)
    (event,) = events(conn, kind="forecast")
    assert (event.kind, event.actor, event.subject) == ("forecast.published", "alice", "run-1")
    assert verify(conn).ok
    found = forecast.explain(conn, item="007")
    assert len(found["forecast"]) == report.horizon
    for row in found["forecast"]:
        assert row["lo_95"] <= row["lo_80"] <= row["mean"] <= row["hi_80"] <= row["hi_95"]
    assert found["plan"]["explanation"]["formula"]["values"]["S"] == found["plan"]["order_up_to"]


def test_readers_see_nothing_before_publishing(org: OrgId, conn: Connection) -> None:
    shop(conn)
    prepared = forecast.prepare(org, conn=conn, now=NOW, run=RUN)
    for chunk in prepared.chunks:
        forecast.forecast_chunk(org, conn=conn, run=RUN, chunk=chunk)
    assert forecast.read_plan(conn) == []
    assert conn.execute("SELECT count(*) FROM inventory_plan").fetchone() == (0,)


def test_a_chunk_done_twice_is_there_once(org: OrgId, conn: Connection) -> None:
    shop(conn)
    prepared = forecast.prepare(org, conn=conn, now=NOW, run=RUN)
    for chunk in (*prepared.chunks, *prepared.chunks):
        forecast.forecast_chunk(org, conn=conn, run=RUN, chunk=chunk)
    forecast.publish(org, conn=conn, now=NOW, run=RUN)
    forecast.publish(org, conn=conn, now=NOW, run=RUN)
    assert len(forecast.read_plan(conn)) == 4
    assert len(events(conn, kind="forecast")) == 1


def test_an_older_attempt_cannot_publish(org: OrgId, conn: Connection) -> None:
    shop(conn)
    prepared = forecast.prepare(org, conn=conn, now=NOW, run=RUN)
    for chunk in prepared.chunks:
        forecast.forecast_chunk(org, conn=conn, run=RUN, chunk=chunk)
    newer = RunRef(run_id="run-1", attempt=2, user_id="alice")
    prepared = forecast.prepare(org, conn=conn, now=NOW, run=newer)
    for chunk in prepared.chunks:
        forecast.forecast_chunk(org, conn=conn, run=newer, chunk=chunk)
    with pytest.raises(StaleWorker):
        forecast.publish(org, conn=conn, now=NOW, run=RUN)
    forecast.publish(org, conn=conn, now=NOW, run=newer)


def test_without_sales_the_answer_says_what_to_do(org: OrgId, conn: Connection) -> None:
    with pytest.raises(NotEnoughHistory, match="date and a quantity"):
        forecast.run_all(org, conn=conn, now=NOW, run=RUN)


def test_lines_find_their_dates_in_the_table_of_orders(org: OrgId, conn: Connection) -> None:
    conn.execute("CREATE TABLE orders (order_id int, customer_id text, order_date date)")
    conn.execute("CREATE TABLE order_details (order_id int, product_id int, quantity int)")
    conn.execute(
        "INSERT INTO orders SELECT n, 'c', date '2025-01-01' + n FROM generate_series(1, 300) n"
    )
    conn.execute("INSERT INTO order_details SELECT n, 11, 2 FROM generate_series(1, 300) n")
    conn.commit()
    forecast.run_all(org, conn=conn, now=NOW, run=RUN)
    (row,) = forecast.read_plan(conn)
    assert row["item"] == "11"
    assert row["demand_per_day"] == pytest.approx(2, rel=0.1)


def test_cancelled_lines_are_no_demand_and_are_said(org: OrgId, conn: Connection) -> None:
    """An item that sells 8 a week, with a cancelled line of 200 a week; one only ever cancelled."""
    conn.execute(
        "CREATE TABLE sales (invoice_no text, stock_code text, invoice_date date, quantity int,"
        " order_status text)"
    )
    rows: list[tuple[Any, ...]] = []
    for n in range(104):
        day = date(2024, 1, 1) + timedelta(days=7 * n)
        rows += [(f"i{n}", "008", day, 8, "Completed"), (f"j{n}", "008", day, 200, "Cancelled")]
        rows.append((f"k{n}", "009", day, 3, "Cancelled"))
        rows.append((f"l{n}", "010", day, 4, "Parked"))
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO sales VALUES (%s, %s, %s, %s, %s)", rows)
    conn.commit()
    done = forecast.run_all(org, conn=conn, now=NOW, run=RUN)
    assert done.report["statuses"] == {
        "left_out": [
            {"column": "order_status", "status": "Cancelled", "lines": 208, "units": 21112.0}
        ],
        "unknown_counted": [
            {"column": "order_status", "status": "Parked", "lines": 104, "units": 416.0}
        ],
    }
    plan = {row["item"]: row for row in forecast.read_plan(conn)}
    assert plan["008"]["demand_per_day"] == pytest.approx(8 / 7, rel=0.1)
    assert "104 lines of 20800 units" in render(forecast.explain(conn, item="008"))
    assert plan["009"]["status"] == "no_history"
    assert "104 lines of 312 units" in plan["009"]["why"]
    assert "which is not known" in render(forecast.explain(conn, item="010"))
