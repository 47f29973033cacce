"""Nobody speaks to a stranger on a port that was ours to be."""

from __future__ import annotations

import os
import socket
import sys
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from supplyline.errors import ServiceFailed
from supplyline.local import home as homes
from supplyline.local import http
from supplyline.local.control import _health
from supplyline.local.home import Home
from supplyline.local.listening import owner, require_own_airflow
from supplyline.local.process import Identity, Program, free_port, start, stop
from supplyline.local.supervisor import StopRequest, Supervisor
from supplyline.local.units import Unit

SERVER = "import http.server as h; h.test(h.SimpleHTTPRequestHandler, port={}, bind='127.0.0.1')"


@pytest.fixture
def stranger() -> Iterator[int]:
    """A port on which another program listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        yield taken.getsockname()[1]


def web(port: int) -> Unit:
    """A service that answers on a port, as Airflow's does."""
    return Unit(
        name="web",
        program=lambda: Program(argv=[sys.executable, "-c", SERVER.format(port)], env={}),
        probe=lambda _since: probe(port),
        port=port,
    )


def probe(port: int) -> None:
    http.get(port, "/", seconds=2)


def me() -> Identity:
    found = Identity.of(os.getpid())
    assert found is not None
    return found


def test_who_listens_is_told_by_process(stranger: int) -> None:
    other = start(Program(argv=[sys.executable, "-c", "import time; time.sleep(60)"], env={}))
    identity = Identity.of(other.pid)
    assert identity is not None
    assert owner(stranger, me()) == "ours"
    assert owner(stranger, identity) == "stranger"
    assert owner(free_port(), identity) == "nobody"
    stop(identity, patience=0)
    other.wait()


def test_a_child_that_listens_for_its_parent_is_ours(home: Home) -> None:
    port = free_port()
    code = (
        "import subprocess, sys, time\n"
        f"subprocess.Popen([sys.executable, '-c', {SERVER.format(port)!r}])\n"
        "time.sleep(600)\n"
    )
    parent = start(Program(argv=[sys.executable, "-c", code], env={}))
    identity = Identity.of(parent.pid)
    assert identity is not None
    while owner(port, identity) == "nobody":
        pass
    assert owner(port, identity) == "ours"
    stop(identity)
    parent.wait()


def test_a_port_lost_before_the_start_ends_it_and_says_which(home: Home) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        answering = threading.Thread(target=_answer_everything, args=(taken,), daemon=True)
        answering.start()
        port = taken.getsockname()[1]
        supervisor = Supervisor(home, [web(port)], stopping=StopRequest())
        assert supervisor.run() == 1
        assert (supervisor.lost, supervisor.entries["web"].was_ready) == ("web", False)
        state = homes.read_json(home.state)
        assert state["phase"] == "moving"


def _answer_everything(listening: socket.socket) -> None:
    while True:
        try:
            connection, _ = listening.accept()
        except OSError:
            return
        with connection:
            connection.recv(1000)
            connection.sendall(b"HTTP/1.0 200 OK\r\n\r\n{}")


def test_health_is_not_what_a_stranger_answers(home: Home, stranger: int) -> None:
    other = start(Program(argv=[sys.executable, "-c", "import time; time.sleep(60)"], env={}))
    identity = Identity.of(other.pid)
    assert identity is not None
    entry: dict[str, Any] = {"pid": identity.pid, "started": identity.started, "since": 0.0}
    health = _health(Unit(name="web", probe=lambda _since: None, port=stranger), entry)
    assert (health.healthy, health.detail) == (
        False,
        f"Port {stranger} is taken by another program.",
    )
    stop(identity, patience=0)
    other.wait()


def test_credentials_go_to_our_own_airflow_alone(home: Home, stranger: int) -> None:
    base = f"http://127.0.0.1:{stranger}/api/v2"
    environ = {"SUPPLYLINE_HOME": str(home.path)}
    require_own_airflow(base, environ)  # an Airflow that is not this instance's
    homes.write_json(home.ports, {"airflow": stranger})
    with pytest.raises(ServiceFailed, match="does not run"):
        require_own_airflow(base, environ)
    other = start(Program(argv=[sys.executable, "-c", "import time; time.sleep(60)"], env={}))
    for identity, fine in ((me(), True), (Identity.of(other.pid), False)):
        assert identity is not None
        unit = {"pid": identity.pid, "started": identity.started}
        homes.write_json(home.state, {"units": {"airflow-api": unit}})
        if fine:
            require_own_airflow(base, environ)
        else:
            with pytest.raises(ServiceFailed, match="taken by another program"):
                require_own_airflow(base, environ)
            stop(identity, patience=0)
    other.wait()
