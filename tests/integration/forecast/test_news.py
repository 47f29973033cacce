"""A night on which nothing changed needs no run."""

from __future__ import annotations

from datetime import UTC, datetime
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
    assert "no published" in reason_to_run(conn)
    run(org, conn, "1")
    assert reason_to_run(conn) == ""
    now = datetime.now(UTC)
    overrides.set_override(
        conn, org, item="i01", kind="lead_time_days", value=9, reason="x", actor="a", now=now
    )
    conn.commit()
    assert "1 override.set" in reason_to_run(conn)
    run(org, conn, "2")
    assert reason_to_run(conn) == ""
    decisions.save_settings(conn, org, data={"review_days": 14}, version=0, actor="a", now=now)
    conn.commit()
    assert "forecast_settings.saved" in reason_to_run(conn)
    run(org, conn, "3")
    assert forecast.explain(conn, item="i01")["plan"]["computed_in"] == "3"
    monkeypatch.setattr("supplyline.forecast.changes.engine_version", lambda: "newer")
    assert "another version" in reason_to_run(conn)
