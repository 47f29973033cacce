"""P3 to P6 and P8 of undo and rebuild: killed, cut off, at the same time, of somebody else."""

from __future__ import annotations

import signal
import subprocess
from collections import Counter

import pytest

from supplyline.tenancy.connections import connect
from tests.faults.house import TABLE, FaultyHouse, random_rows
from tests.forked import Forked
from tests.waiting import wait_stopped

KILLED, REFUSED, AWAY = -9, 3, 4
WHOLE = (
    f"SELECT (SELECT md5(string_agg(t::text, '|' ORDER BY t::text)) FROM {TABLE} t),"
    f" (SELECT md5(string_agg(h::text, '|' ORDER BY h::text)) FROM {TABLE}_history h),"
    " (SELECT string_agg(file_id || coalesce(undone_at::text, ''), ',' ORDER BY ordinal)"
    " FROM supplyline.loads), (SELECT count(*) FROM supplyline.audit_events)"
)


def state(house: FaultyHouse) -> object:
    with connect(house.org, settings=house.settings) as conn:
        return conn.execute(WHOLE.encode()).fetchone()


@pytest.fixture
def loaded(faulty: FaultyHouse) -> FaultyHouse:
    """Three files in a table: plain, widening, and one more."""
    files = [
        faulty.upload([("c1", "A", "1", "x"), ("c2", "B", "2", "")], name="a.csv"),
        faulty.upload(random_rows(5, count=40), name="b.csv"),
        faulty.upload([("c9", "A", "1.50", "y"), ("c8", "", "n/a", "")], name="c.csv"),
    ]
    for file_id in files:
        assert faulty.work("ingest", file_id) == 0
        assert faulty.work("load", run=f"load-{file_id}") == 0
    return faulty


def expected(house: FaultyHouse, *gone: str) -> Counter[tuple[str, ...]]:
    rows = (Counter(r) for f, r in house.written.items() if f not in gone)
    return sum(rows, Counter())


def repair(house: FaultyHouse, *arguments: str, fault: str = "") -> int:
    process = house.command(*arguments, fault=fault)
    return process.wait(120)


@pytest.mark.parametrize(
    ("later", "point"),
    [
        ("--cascade", "undo.taken_back:2"),
        ("--replay", "undo.taken_back:1"),
        ("--replay", "undo.before_commit:1"),
    ],
)
def test_an_undo_that_dies_has_undone_nothing(loaded: FaultyHouse, later: str, point: str) -> None:
    before = state(loaded)
    assert repair(loaded, "undo", "--file", "f2", later, fault=point) == KILLED
    assert state(loaded) == before
    loaded.check(expected=expected(loaded))
    assert repair(loaded, "undo", "--file", "f2", later) == 0
    gone = ("f2",) if later == "--replay" else ("f2", "f3")
    assert loaded.current_rows() == expected(loaded, *gone)
    assert repair(loaded, "verify") == 0


def test_an_undo_that_dies_after_its_commit_is_done_once(loaded: FaultyHouse) -> None:
    assert repair(loaded, "undo", "--file", "f3", fault="undo.after_commit:1") == KILLED
    assert loaded.current_rows() == expected(loaded, "f3")
    assert repair(loaded, "undo", "--file", "f3") == REFUSED
    assert loaded.current_rows() == expected(loaded, "f3")
    assert loaded.work("load", run="again") == 0  # nothing to do: not loaded again by itself
    assert loaded.current_rows() == expected(loaded, "f3")


@pytest.mark.parametrize("point", ["load.published:2", "rebuild.before_commit:1"])
def test_a_rebuild_that_dies_leaves_the_old_table(loaded: FaultyHouse, point: str) -> None:
    before = state(loaded)
    assert repair(loaded, "rebuild", fault=point) == KILLED
    assert state(loaded) == before
    for _ in range(2):  # P4: again is the same
        assert repair(loaded, "rebuild") == 0
        assert loaded.current_rows() == expected(loaded)
    assert repair(loaded, "verify") == 0


def test_a_rebuild_whose_session_is_ended_leaves_the_old_table(loaded: FaultyHouse, pg) -> None:
    before = state(loaded)
    frozen = loaded.command("rebuild", fault="rebuild.dropped:1:stop")
    try:
        wait_stopped(frozen.pid)
        with pg.connect() as admin:
            admin.execute(
                "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename LIKE %s",
                (f"%{loaded.org}",),
            )
        frozen.send_signal(signal.SIGCONT)
        frozen.communicate(timeout=60)
    finally:
        frozen.kill()
    assert frozen.returncode == AWAY
    assert state(loaded) == before


def test_an_undo_and_a_load_at_once_take_turns(loaded: FaultyHouse) -> None:
    assert loaded.work("ingest", loaded.upload(random_rows(6, count=30), name="d.csv")) == 0
    undo = loaded.command("undo", "--file", "f3", fault="undo.taken_back:1:stop")
    load: Forked | None = None
    try:
        wait_stopped(undo.pid)
        load = loaded.start("load", run="meanwhile")
        with pytest.raises(subprocess.TimeoutExpired):
            load.wait(timeout=5)  # waits for the lock
        undo.send_signal(signal.SIGCONT)
        undo.communicate(timeout=60)
        load.communicate(timeout=60)
    finally:
        undo.kill()
        if load is not None:
            load.kill()
    assert (undo.returncode, load.returncode) == (0, 0)
    assert loaded.current_rows() == expected(loaded, "f3")
    assert repair(loaded, "verify") == 0


def test_a_file_of_another_organization_cannot_be_undone(loaded: FaultyHouse) -> None:
    other = FaultyHouse(loaded.settings, loaded.env)
    assert other.work("ingest", other.upload([("z", "Z", "1", "")])) == other.work("load") == 0
    before = state(loaded)
    other_id = "f3"  # an id that only the first organization has
    assert repair(other, "undo", "--file", other_id, "--cascade") == REFUSED
    assert state(loaded) == before
    assert repair(other, "rebuild") == 0
    assert state(loaded) == before
