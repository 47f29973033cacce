"""P5. Readers never see half: a load that dies before its commit was never there."""

from __future__ import annotations

from collections import Counter

import pytest

from supplyline.tenancy.connections import connect
from tests.faults.house import TABLE, FaultyHouse, random_rows
from tests.waiting import wait_stopped


@pytest.mark.parametrize("point", ["load.staged", "load.published", "load.before_commit"])
def test_before_the_commit_nothing_is_visible(faulty: FaultyHouse, point: str) -> None:
    first = faulty.upload(random_rows(1, count=100), name="a.csv")
    assert faulty.work("ingest", first) == faulty.work("load") == 0
    before = faulty.current_rows()
    second = faulty.upload(random_rows(2, count=100), name="b.csv")
    assert faulty.work("ingest", second) == 0
    assert faulty.work("load", fault=f"{point}:1") == -9
    assert faulty.current_rows() == before
    with connect(faulty.org, settings=faulty.settings) as conn:
        receipts = conn.execute("SELECT file_id FROM supplyline.loads").fetchall()
        history = conn.execute(f"SELECT count(*) FROM {TABLE}_history".encode()).fetchone()
    assert (receipts, history) == ([(first,)], (0,))
    assert faulty.work("load", attempt=2) == 0
    faulty.check(expected=sum((Counter(r) for r in faulty.written.values()), Counter()))


def test_the_first_load_killed_leaves_no_table(faulty: FaultyHouse) -> None:
    assert faulty.work("ingest", faulty.upload(random_rows(3, count=50))) == 0
    assert faulty.work("load", fault="load.before_commit:1") == -9
    assert not faulty.table_exists()


def test_sessions_terminated_in_the_middle_can_be_repeated(faulty: FaultyHouse, pg) -> None:
    assert faulty.work("ingest", faulty.upload(random_rows(4, count=50))) == 0
    frozen = faulty.start("load", fault="load.published:1:stop")
    try:
        wait_stopped(frozen.pid)
        with pg.connect() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
                " WHERE application_name = 'supplyline load' AND usename LIKE %s",
                (f"%{faulty.org}",),
            )
        frozen.send_signal(18)
        out, _ = frozen.communicate(timeout=60)
        assert b"database_unavailable" in out
    finally:
        frozen.kill()
    assert not faulty.table_exists()
    assert faulty.work("load", attempt=2) == 0
    faulty.check(expected=Counter(faulty.written["f1"]))
