"""A stop that is asked for at any moment of a start ends with nothing at work."""

from __future__ import annotations

import os
import signal
import socket
import threading
import time
from collections.abc import Iterator

import pytest

from supplyline.local import home as homes
from supplyline.local import supervise
from supplyline.local.home import Home
from supplyline.local.process import Program
from supplyline.local.supervisor import StopRequest, Supervisor
from supplyline.local.units import Unit


@pytest.fixture
def _own_handlers() -> Iterator[None]:
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


def test_a_stop_waits_for_the_step_that_is_at_work(home: Home) -> None:
    stopping, asked, told = StopRequest(), threading.Event(), []

    def step() -> None:
        stopping.ask()
        asked.wait(1)  # nobody sets it: the step goes on after the stop was asked for
        told.append(homes.read_json(home.state)["phase"])

    supervisor = Supervisor(home, [Unit(name="step", action=step)], stopping=stopping)
    assert supervisor.run() == 0
    assert told == ["stopping"]
    assert homes.read_json(home.state)["phase"] == "stopped"


@pytest.mark.usefixtures("_own_handlers")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_stop_that_comes_before_the_first_unit_begins_none(
    home: Home, monkeypatch: pytest.MonkeyPatch, number: signal.Signals
) -> None:
    real = homes.move_taken_ports

    def interrupted(*arguments: object) -> object:
        signal.raise_signal(number)
        return real(*arguments)

    for elsewhere in ("PG_HOST", "PG_PORT"):
        monkeypatch.delenv(elsewhere, raising=False)  # where other tests have their servers
    monkeypatch.setattr(homes, "move_taken_ports", interrupted)
    assert supervise.main(["--home", str(home.path), "--only", "postgres"]) == 0
    state = homes.read_json(home.state)
    assert state["phase"] == "stopped"
    assert {unit["phase"] for unit in state["units"].values()} == {"waiting"}
    assert not home.postgres.exists()


@pytest.mark.usefixtures("_own_handlers")
def test_a_stop_that_comes_during_the_last_move_is_a_stop(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    def step() -> None:
        while homes.read_json(home.state).get("phase") != "moving":
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    with socket.create_server(("127.0.0.1", 0)) as stranger:
        units = [
            Unit(name="step", action=step),
            Unit(
                name="late",
                program=lambda: Program(argv=["/bin/sleep", "60"]),
                port=stranger.getsockname()[1],
            ),
        ]
        monkeypatch.setattr(supervise.units, "build", lambda *_: units)
        monkeypatch.setattr(supervise, "_MOVES", 1)
        assert supervise.main(["--home", str(home.path)]) == 0
    assert homes.read_json(home.state)["phase"] == "stopped"
