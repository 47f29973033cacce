"""A night on which nothing changed needs no run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import psycopg
import pytest

from supplyline import forecast
from supplyline.contracts import OrgId, RunRef
from supplyline.forecast import decisions, overrides
from supplyline.forecast.news import reason_to_run
from tests.integration.forecast.test_changes import shop

Connection = psycopg.Connection[tuple[Any, ...]]


def run(org: OrgId, conn: Connection, name: str) -> None:
    forecast.run_all(org, conn=conn, now=datetime.now(UTC), run=RunRef(run_id=name))


def test_a_run_is_worth_it_when_something_happened(
    org: OrgId, conn: Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop(conn, items=3)
    assert "no published" in reason_to_run(conn, now=datetime.now(UTC))
    run(org, conn, "1")
    assert reason_to_run(conn, now=datetime.now(UTC)) == ""
    now = datetime.now(UTC)
    overrides.set_override(
        conn, org, item="i01", kind="lead_time_days", value=9, reason="x", actor="a", now=now
    )
    conn.commit()
    assert "1 override.set" in reason_to_run(conn, now=datetime.now(UTC))
    run(org, conn, "2")
    assert reason_to_run(conn, now=datetime.now(UTC)) == ""
    decisions.save_settings(conn, org, data={"review_days": 14}, version=0, actor="a", now=now)
    conn.commit()
    assert "forecast_settings.saved" in reason_to_run(conn, now=datetime.now(UTC))
    run(org, conn, "3")
    assert forecast.explain(conn, item="i01")["plan"]["computed_in"] == "3"
    monkeypatch.setattr("supplyline.forecast.changes.engine_version", lambda: "newer")
    assert "another version" in reason_to_run(conn, now=datetime.now(UTC))


def test_days_that_are_over_by_now_are_worth_a_run(org: OrgId, conn: Connection) -> None:
    conn.execute("CREATE TABLE sales (sku text, sold_on date, qty int)")
    conn.execute(
        "INSERT INTO sales SELECT 'a', d::date, 5 FROM generate_series('2025-09-01'::date,"
        " '2025-12-20', interval '1 day') d"
    )
    conn.commit()
    noon = datetime(2025, 12, 20, 12, tzinfo=UTC)
    forecast.run_all(org, conn=conn, now=noon, run=RunRef(run_id="1"))
    assert reason_to_run(conn, now=noon) == ""
    night = datetime(2025, 12, 21, 3, tzinfo=UTC)
    assert "not over" in reason_to_run(conn, now=night)
    forecast.run_all(org, conn=conn, now=night, run=RunRef(run_id="2"))
    assert reason_to_run(conn, now=datetime(2026, 1, 5, tzinfo=UTC)) == ""


def test_readers_see_the_run_that_read_the_data_last(org: OrgId, conn: Connection) -> None:
    shop(conn, items=3)
    old, new = RunRef(run_id="old"), RunRef(run_id="new")
    began = datetime.now(UTC)
    first = forecast.prepare(org, conn=conn, now=began, run=old)
    later = began + timedelta(minutes=1)
    second = forecast.prepare(org, conn=conn, now=later, run=new)
    for run_ref, prepared in ((new, second), (old, first)):
        for chunk in prepared.chunks:
            forecast.forecast_chunk(org, conn=conn, run=run_ref, chunk=chunk)
    forecast.publish(org, conn=conn, now=later, run=new)
    forecast.publish(org, conn=conn, now=later + timedelta(minutes=1), run=old)
    assert {r["run_id"] for r in forecast.read_plan(conn)} == {"new"}
