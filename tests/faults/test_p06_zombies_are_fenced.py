"""P6. Zombies are fenced: a worker that froze and wakes up after its successor commits nothing."""

from __future__ import annotations

import json
import signal
from collections import Counter

from supplyline.contracts import RunRef
from supplyline.load import claim_attempt
from supplyline.tenancy.connections import connect, session
from tests.faults.house import FaultyHouse, random_rows
from tests.waiting import wait_stopped


def test_a_worker_frozen_before_publishing_is_refused_when_it_wakes(faulty: FaultyHouse) -> None:
    assert faulty.work("ingest", faulty.upload(random_rows(1, count=50))) == 0
    frozen = faulty.start("load", fault="load.staged:1:stop")
    try:
        wait_stopped(frozen.pid)
        # The successor must not wait for the lock that the frozen one holds.
        assert faulty.work("load", attempt=2) == 0
        frozen.send_signal(signal.SIGCONT)
        out, _ = frozen.communicate(timeout=60)
    finally:
        frozen.kill()
    assert frozen.returncode != 0
    assert json.loads(out)["code"] in ("stale_worker", "database_unavailable")
    faulty.check(expected=Counter(faulty.written["f1"]))


def test_an_older_attempt_that_starts_late_is_refused(faulty: FaultyHouse) -> None:
    assert faulty.work("ingest", faulty.upload(random_rows(2, count=50))) == 0
    assert faulty.work("load", attempt=2) == 0
    late = faulty.upload(random_rows(3, count=50), name="late.csv")
    assert faulty.work("ingest", late) == 0
    assert faulty.work("load", attempt=1) != 0
    assert faulty.work("load", attempt=3) == 0
    faulty.check(expected=sum((Counter(r) for r in faulty.written.values()), Counter()))


def test_whoever_has_the_pid_of_an_older_attempt_now_is_not_ended(faulty: FaultyHouse) -> None:
    with (
        connect(faulty.org, settings=faulty.settings) as stranger,
        session(faulty.org, settings=faulty.settings) as conn,
    ):
        conn.execute(
            "INSERT INTO supplyline.load_attempts (run_id, attempt, pid, backend_start)"
            " VALUES ('run', 1, %s, now() - interval '1 day')",
            (stranger.info.backend_pid,),
        )
        claim_attempt(conn, RunRef(run_id="run", attempt=2))
        assert stranger.execute("SELECT 1").fetchone() == (1,)
