"""A run costs what changed: the rest is carried over, unchanged to the last digit."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from supplyline import forecast, stages
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import ForecastSettings, read
from supplyline.settings import Settings

Connection = psycopg.Connection[tuple[Any, ...]]
FIRST = date(2025, 1, 6)
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def shop(conn: Connection, *, items: int = 12, days: int = 280, every: int = 3) -> None:
    """`items` articles that sell every third day or so, with stock."""
    conn.execute("CREATE TABLE sales (sku text, sold_on date, quantity int)")
    conn.execute("CREATE TABLE products (sku text, on_hand int, lead_time_days int, unit_cost int)")
    for n in range(items):
        conn.execute(
            "INSERT INTO sales SELECT %s, %s::date + d, 2 + (d * 7 + %s) %% 5"
            " FROM generate_series(0, %s, %s) d WHERE d %% 11 <> %s",
            (f"i{n:02}", FIRST, n, days - 1, every, n),
        )
    # one more sale so that the last day is the same whatever the items do
    conn.execute("INSERT INTO sales VALUES ('last', %s, 1)", (FIRST + timedelta(days=days - 1),))
    conn.execute(
        "INSERT INTO products SELECT DISTINCT sku, 20, 14, 3 FROM sales WHERE sku <> 'last'"
    )
    conn.commit()


def run(org: OrgId, conn: Connection, name: str, **settings: Any) -> dict[str, int]:
    """One run; answers items by what was done with them."""
    report = forecast.run_all(
        org,
        conn=conn,
        now=NOW + timedelta(hours=int(name)),
        run=RunRef(run_id=name),
        settings=ForecastSettings(**settings),
    )
    changes: dict[str, int] = report.report["changes"]
    return changes


def rows(conn: Connection, run_id: str) -> dict[str, tuple[Any, ...]]:
    """Item → plan and forecast, without what names the run or compares items."""
    plan = conn.execute(
        "SELECT item, (to_jsonb(p) - 'run_id' - 'urgency')::text FROM inventory_plan p"
        " WHERE run_id = %s",
        (run_id,),
    ).fetchall()
    ahead = dict(
        conn.execute(
            "SELECT item, array_agg((to_jsonb(f) - 'run_id')::text ORDER BY step)"
            " FROM inventory_forecast f WHERE run_id = %s GROUP BY item",
            (run_id,),
        ).fetchall()
    )
    return {item: (text, ahead.get(item)) for item, text in plan}


def test_without_change_everything_is_carried_over(org: OrgId, conn: Connection) -> None:
    shop(conn)
    assert run(org, conn, "1") == {"fit": 13}
    assert run(org, conn, "2") == {"keep": 13}
    assert rows(conn, "2") == rows(conn, "1")
    assert {r["computed_in"] for r in forecast.read_plan(conn)} == {"1"}
    assert [r["urgency"] for r in forecast.read_plan(conn)] == list(range(1, 14))
    assert run(org, conn, "3") == {"keep": 13}


def test_only_the_item_that_changed_is_forecast(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1")
    conn.execute("UPDATE sales SET quantity = 30 WHERE sku = 'i03' AND sold_on = %s", (FIRST,))
    conn.commit()
    changes = run(org, conn, "2")
    assert changes["fit"] == 1
    before, after = rows(conn, "1"), rows(conn, "2")
    assert before["i03"] != after["i03"]
    assert {i for i in before if before[i] != after[i]} == {"i03"}


def test_stock_and_settings_plan_anew_from_the_same_forecast(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1")
    conn.execute("UPDATE products SET on_hand = 500 WHERE sku = 'i05'")
    conn.commit()
    assert run(org, conn, "2") == {"keep": 12, "replan": 1}
    before, after = rows(conn, "1"), rows(conn, "2")
    assert before["i05"][1] == after["i05"][1]
    plan = forecast.explain(conn, item="i05")["plan"]
    assert (plan["on_hand"], plan["order_quantity"], plan["computed_in"]) == (500, 0, "2")
    assert run(org, conn, "3", review_days=14.0) == {"replan": 13}
    assert rows(conn, "3")["i01"][1] == before["i01"][1]
    assert run(org, conn, "4", review_days=14.0, horizon=9) == {"fit": 13}


def test_a_week_counts_when_it_is_over(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1", bucket="week")
    (first,) = conn.execute("SELECT as_of FROM supplyline.forecast_run").fetchone() or ()
    for extra, done in ((3, "replan"), (7, "fit")):
        conn.execute("INSERT INTO sales VALUES ('i01', %s, 3)", (first + timedelta(days=extra),))
        conn.commit()
        changes = run(org, conn, str(extra), bucket="week")
        assert set(changes) <= {done, "keep"}, (extra, changes)
        assert changes[done] >= 12
    as_of = conn.execute(
        "SELECT as_of FROM supplyline.forecast_run ORDER BY published_at"
    ).fetchall()
    assert [a for (a,) in as_of] == [first, first, first + timedelta(days=7)]


def test_a_daily_forecast_is_used_on_while_sales_are_as_expected(
    org: OrgId, conn: Connection
) -> None:
    shop(conn, every=1)
    run(org, conn, "1", bucket="day", refit_days=5)
    before = rows(conn, "1")
    for n in range(12):
        conn.execute(
            "INSERT INTO sales VALUES (%s, %s, %s)",
            (f"i{n:02}", FIRST + timedelta(days=280), 4000 if n == 4 else 4),
        )
    conn.commit()
    changes = run(org, conn, "2", bucket="day", refit_days=5)
    assert changes["roll"] >= 7
    assert changes["roll"] + changes["fit"] == 13
    actions: dict[str, str] = dict(
        conn.execute(
            "SELECT item, action FROM supplyline.forecast_history WHERE run_id = '2'"
        ).fetchall()
    )
    assert actions["i04"] == "fit"
    rolled = [i for i, a in actions.items() if a == "roll"]
    for item in rolled:
        old = conn.execute(
            "SELECT f.period, f.mean, g.mean, f.hi_95, g.hi_95 FROM inventory_forecast f"
            " JOIN inventory_forecast g USING (item, period)"
            " WHERE f.run_id = '1' AND g.run_id = '2' AND item = %s",
            (item,),
        ).fetchall()
        assert len(old) == 27
        assert all(a == b and c == d for _, a, b, c, d in old)
        ahead = conn.execute(
            "SELECT count(*) FROM inventory_forecast WHERE run_id = '2' AND item = %s", (item,)
        ).fetchone()
        assert ahead == (28,)
    assert set(before) == set(rows(conn, "2"))
    for day in range(281, 286):
        conn.execute("INSERT INTO sales VALUES ('i00', %s, 4)", (FIRST + timedelta(days=day),))
    conn.commit()
    assert run(org, conn, "3", bucket="day", refit_days=5) == {"fit": 13}


def test_another_engine_makes_everything_due(
    org: OrgId, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(conn)
    run(org, conn, "1")
    monkeypatch.setattr("supplyline.forecast.changes.engine_version", lambda: "another")
    assert run(org, conn, "2") == {"fit": 13}


def test_what_is_missing_is_not_published(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1")
    conn.execute("UPDATE products SET on_hand = 500 WHERE sku < 'i05'")
    conn.commit()
    ref = RunRef(run_id="2")
    prepared = forecast.prepare(
        org, conn=conn, now=NOW, run=ref, settings=ForecastSettings(chunk_items=2)
    )
    assert prepared.changes == {"keep": 8, "replan": 5}
    assert prepared.chunks == (0, 1, 2)
    for chunk in prepared.chunks[:-1]:
        forecast.forecast_chunk(org, conn=conn, run=ref, chunk=chunk)
    with pytest.raises(NotEnoughHistory, match="1 of 13 items"):
        forecast.publish(org, conn=conn, now=NOW, run=ref)
    conn.rollback()
    assert {r["run_id"] for r in forecast.read_plan(conn)} == {"1"}
    forecast.forecast_chunk(org, conn=conn, run=ref, chunk=2)
    forecast.publish(org, conn=conn, now=NOW, run=ref)
    assert len(rows(conn, "2")) == 13


def test_rows_that_a_run_under_way_carries_over_are_not_forgotten(
    org: OrgId, conn: Connection
) -> None:
    shop(conn)
    run(org, conn, "1", keep_runs=1)
    waiting = RunRef(run_id="waiting")
    settings = ForecastSettings(keep_runs=2)
    began = NOW + timedelta(minutes=90)
    (chunk,) = forecast.prepare(org, conn=conn, now=began, run=waiting, settings=settings).chunks
    conn.execute("UPDATE products SET on_hand = 500")
    conn.commit()
    run(org, conn, "2", keep_runs=1)
    forecast.forecast_chunk(org, conn=conn, run=waiting, chunk=chunk)
    forecast.publish(org, conn=conn, now=NOW + timedelta(days=1), run=waiting)
    assert len(rows(conn, "waiting")) == len(rows(conn, "2")) == 13
    assert rows(conn, "1") == {}
    assert {r["run_id"] for r in forecast.read_plan(conn)} == {"2"}  # it read the data last


def test_fits_that_nobody_uses_are_forgotten(org: OrgId, conn: Connection) -> None:
    shop(conn)
    for n in range(1, 4):
        conn.execute(
            "UPDATE sales SET quantity = %s WHERE sku = 'i03' AND sold_on = %s", (n, FIRST)
        )
        conn.commit()
        run(org, conn, str(n), keep_runs=2)
    assert conn.execute("SELECT count(*) FROM supplyline.forecast_fit").fetchone() == (14,)
    assert conn.execute(
        "SELECT count(DISTINCT run_id) FROM supplyline.forecast_history"
    ).fetchone() == (2,)


def test_a_plan_that_is_not_kept_is_no_empty_plan(org: OrgId, conn: Connection) -> None:
    shop(conn, items=3)
    run(org, conn, "1", keep_runs=1)
    run(org, conn, "2", keep_runs=1)
    assert read.plan_page(conn, limit=1, offset=0, run_id="2")["count"] == 4
    for ask in (
        lambda: read.plan_page(conn, limit=1, offset=0, run_id="1"),
        lambda: read.plan_summary(conn, run_id="1"),
        lambda: list(read.plan_rows(conn, run_id="1")),
        lambda: list(read.period_rows(conn, run_id="1")),
        lambda: forecast.explain(conn, item="i01", run_id="1"),
    ):
        with pytest.raises(read.NoForecastYet, match="not kept any more") as gone:
            ask()
        assert "keep_runs" in gone.value.advice


def test_a_retried_preparation_compares_with_what_is_published(
    org: OrgId, conn: Connection
) -> None:
    shop(conn)
    run(org, conn, "1")
    ref = RunRef(run_id="2")
    for attempt in (1, 2):
        newer = replace(ref, attempt=attempt)
        prepared = forecast.prepare(org, conn=conn, now=NOW, run=newer)
        assert prepared.changes == {"keep": 13}


def test_what_a_crash_took_out_of_staging_is_done_again(
    org: OrgId, conn: Connection, engine_settings: Settings
) -> None:
    shop(conn)
    ref = RunRef(run_id="1")
    client = f"org_{org}"
    parts = stages.prepare_forecast(client_id=client, run=ref, settings=engine_settings)
    done = [
        stages.forecast_part(client_id=client, part=p, run=ref, settings=engine_settings)
        for p in parts
    ]
    # unlogged tables are empty when PostgreSQL starts after a crash
    conn.execute("DELETE FROM supplyline.plan_stage")
    conn.execute("DELETE FROM supplyline.forecast_stage")
    conn.commit()
    report = stages.publish_forecast(
        client_id=client, parts=done, run=ref, settings=engine_settings
    )
    assert sum(report["status"].values()) == 13
    again = RunRef(run_id="2")
    parts = stages.prepare_forecast(client_id=client, run=again, settings=engine_settings)
    assert len(parts) == 1  # one part even without work, so that Airflow maps over something
    stages.forecast_part(client_id=client, part=parts[0], run=again, settings=engine_settings)
    report = stages.publish_forecast(
        client_id=client, parts=parts, run=again, settings=engine_settings
    )
    assert report["report"]["changes"] == {"keep": 13}
