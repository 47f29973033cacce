"""Events are appended in order, whatever happens at once, and read back as they were."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import psycopg
import pytest

from supplyline.audit.chain import verify
from supplyline.audit.events import append, events
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.tenancy.connections import connect, session

T0 = datetime(2026, 3, 29, 1, 59, 59, 123456, tzinfo=UTC)


@pytest.fixture
def org(new_org: Callable[..., OrgId]) -> OrgId:
    return new_org()


def test_an_event_comes_back_as_it_was(org: OrgId, engine_settings: Settings) -> None:
    with session(org, settings=engine_settings) as conn:
        made = append(
            conn,
            org=org,
            kind="load.published",
            actor="user 7",
            subject="a\x00b \ud800 größe.csv",
            detail={"n": 10**30, "f": 1e300, "d": Decimal("1.50"), "on": date(2026, 1, 2), "ü": []},
            run_id="run 1",
            correlation_id="c",
            now=lambda: T0.astimezone(UTC) + timedelta(0),
        )
    with session(org, settings=engine_settings) as conn:
        assert events(conn)[0] == made
        assert made.at == T0
        assert made.subject == "a\\x00b \\ud800 größe.csv"
        assert made.detail["d"] == "1.50"
        assert verify(conn).ok


def test_appends_at_once_form_one_chain(org: OrgId, engine_settings: Settings) -> None:
    def work(worker: int) -> None:
        for n in range(10):
            with session(org, settings=engine_settings) as conn:
                append(conn, org=org, kind="t.e", actor=f"w{worker}", subject=str(n), detail={})

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    with session(org, settings=engine_settings) as conn:
        report = verify(conn)
    assert report.ok
    assert report.events == 41


def test_an_append_behind_a_stale_snapshot_is_refused(
    org: OrgId, engine_settings: Settings
) -> None:
    with connect(org, settings=engine_settings) as stale:
        stale.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
        stale.execute("SELECT 1")
        with session(org, settings=engine_settings) as conn:
            append(conn, org=org, kind="t.e", actor="a", subject="", detail={})
        with pytest.raises(psycopg.errors.SerializationFailure):
            append(stale, org=org, kind="t.e", actor="b", subject="", detail={})
        stale.rollback()


def test_an_event_outside_a_transaction_is_refused(org: OrgId, engine_settings: Settings) -> None:
    with (
        connect(org, settings=engine_settings, autocommit=True) as conn,
        pytest.raises(ValueError, match="transaction"),
    ):
        append(conn, org=org, kind="t.e", actor="a", subject="", detail={})


def test_events_page_and_filter(org: OrgId, engine_settings: Settings) -> None:
    with session(org, settings=engine_settings) as conn:
        for n, kind in enumerate(["load.published", "load.undone", "loader.x", "load"]):
            append(
                conn,
                org=org,
                kind=kind,
                actor="a",
                subject=str(n),
                detail={},
                now=lambda n=n: T0 + timedelta(days=n),
            )
        assert [e.subject for e in events(conn, kind="load")] == ["3", "1", "0"]
        page = events(conn, limit=2)
        assert [e.seq for e in page] == [5, 4]
        assert [e.seq for e in events(conn, limit=2, before=page[-1].seq)] == [3, 2]
        recent = events(conn, since=T0 + timedelta(days=2), kind="load")
        assert [e.subject for e in recent] == ["3"]
