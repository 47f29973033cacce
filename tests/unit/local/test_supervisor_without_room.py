"""A supervisor whose files cannot be written goes on, and says so once there is room again."""

from __future__ import annotations

import sys
import threading
from collections.abc import Callable

from supplyline.local import home as homes
from supplyline.local.home import Home
from supplyline.local.process import Identity, Program, stop
from supplyline.local.supervisor import StopRequest, Supervisor
from supplyline.local.units import Unit
from tests.waiting import wait_for

ASLEEP = Program(argv=[sys.executable, "-c", "import time; time.sleep(600)"], env={})


def sleeper(program: Callable[[], Program] = lambda: ASLEEP) -> Unit:
    return Unit(name="sleeper", program=program, probe=lambda _since: None)


def test_what_dies_is_restarted_while_the_state_cannot_be_written(home: Home) -> None:
    home.state.mkdir()  # a state file cannot take its place, as on a full disk
    stopping = StopRequest()
    supervisor = Supervisor(home, [sleeper()], stopping=stopping)
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        entry = supervisor.entries["sleeper"]
        wait_for(lambda: entry.phase == "ready", what="the first start")
        first = entry.identity
        assert first is not None
        stop(first, patience=0)
        wait_for(lambda: entry.restarts == 1 and entry.phase == "ready", what="the restart")
        home.state.rmdir()
        wait_for(
            lambda: homes.read_json(home.state).get("phase") == "running", what="the state file"
        )
    finally:
        stopping.ask()
        running.join()
    assert homes.read_json(home.state)["phase"] == "stopped"
    assert not Identity.recorded(homes.read_json(home.state)["units"]["sleeper"])


def test_a_service_that_cannot_be_started_again_at_once_is_tried_later(home: Home) -> None:
    starts = iter([None, OSError(28, "No space left on device"), None])

    def program() -> Program:
        if (problem := next(starts)) is not None:
            raise problem
        return ASLEEP

    stopping = StopRequest()
    supervisor = Supervisor(home, [sleeper(program)], stopping=stopping)
    running = threading.Thread(target=supervisor.run)
    running.start()
    try:
        entry = supervisor.entries["sleeper"]
        wait_for(lambda: entry.phase == "ready", what="the first start")
        assert entry.identity is not None
        stop(entry.identity, patience=0)
        wait_for(lambda: entry.restarts == 2 and entry.phase == "ready", what="a later try")
    finally:
        stopping.ask()
        running.join()
