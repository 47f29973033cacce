"""What a person asks of the services: start, stop, how are they. Speaks with the supervisor
through its files and signals, and looks for itself wherever it can."""

from __future__ import annotations

import os
import signal
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from typing import Any

from supplyline.errors import ServiceFailed, SupplylineError
from supplyline.local import environment, logs, supervise, units
from supplyline.local import home as homes
from supplyline.local.home import Home
from supplyline.local.listening import require_ours
from supplyline.local.places import ROOT
from supplyline.local.process import Identity, Program, memory, start

Tell = Callable[[str], None]


@dataclass(frozen=True, kw_only=True)
class Health:
    """One service as it is at this moment; memory in bytes (PSS), uptime in seconds."""

    name: str
    healthy: bool
    phase: str
    pid: int | None
    port: int | None
    uptime: float | None
    restarts: int
    memory: int | None
    detail: str = ""

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def supervisor_of(home: Home) -> Identity | None:
    """The living supervisor of this home, if there is one."""
    about = homes.read_state(home).get("supervisor") or {}
    identity = Identity.recorded(about)
    return identity if identity is not None and identity.alive else None


def up(
    home: Home,
    *,
    ports: dict[str, int | None],
    only: Sequence[str] = (),
    seconds: float = 240,
    tell: Tell = lambda _line: None,
) -> bool:
    """Starts the services and returns when all are ready; False when they ran already.

    Raises ServiceFailed, with everything stopped again, when one of them cannot start.
    """
    running = supervisor_of(home)
    if running is None:
        homes.make(home)
        log = logs.path(home, "supervisor")
        command = [sys.executable, "-m", supervise.__name__, "--home", str(home.path)]
        command += [part for name in only for part in ("--only", name)]
        command += [p for n, v in ports.items() if v is not None for p in ("--port", f"{n}={v}")]
        env = dict(os.environ) | {"PYTHONUNBUFFERED": "1"}
        process = start(Program(argv=command, env=env, cwd=ROOT), log=log)
        _wait_for_state(home, process.pid, seconds=30)
    else:
        _require_running(home, only)
    _wait_until_ready(home, seconds=seconds, tell=tell)
    return running is None


def _require_running(home: Home, only: Sequence[str]) -> None:
    """Raises ServiceFailed when the services that run are not all that are asked for."""
    there = set(homes.read_state(home).get("units", {}))
    asked = {unit.name for unit in units.build(_instance(home), only) if unit.program is not None}
    if there and asked - there:
        raise ServiceFailed(
            f"Services run already, but without {', '.join(sorted(asked - there))}.",
            next_step="Run `supplyline down`, then `supplyline up` again.",
        )


def _instance(home: Home) -> environment.Instance:
    """The instance as it was started, under what is set in the environment now."""
    known: dict[str, Any] = homes.read_environment(home)
    return environment.describe(home, {**known, **{k: v for k, v in os.environ.items() if v}})


def _wait_for_state(home: Home, pid: int, *, seconds: float) -> None:
    """Until the new supervisor (or a twin that was quicker) has written its first state."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        about = homes.read_state(home).get("supervisor") or {}
        if about.get("pid") == pid or supervisor_of(home) is not None:
            return
        time.sleep(0.05)
    raise ServiceFailed(
        "The supervisor does not begin.",
        next_step="Read its log with `supplyline logs supervisor`.",
    )


def _wait_until_ready(home: Home, *, seconds: float, tell: Tell) -> None:
    deadline = time.monotonic() + seconds
    told: dict[str, str] = {}
    while True:
        state = homes.read_state(home)
        for name, entry in state.get("units", {}).items():
            if told.get(name) != entry["phase"]:
                told[name] = entry["phase"]
                if entry["phase"] in ("starting", "ready", "done", "pausing", "failed"):
                    tell(f"{name}: {entry['phase']}")
        if state.get("phase") == "running":
            return
        if state.get("phase") in ("failed", "stopping", "stopped") or supervisor_of(home) is None:
            raise _failure(home, state)
        if time.monotonic() > deadline:
            slow = [n for n, e in state["units"].items() if e["phase"] not in ("ready", "done")]
            raise ServiceFailed(
                f"Not ready after {seconds:.0f} s: {', '.join(slow)}.",
                next_step="See `supplyline status` and `supplyline logs`; `supplyline down` stops.",
            )
        time.sleep(0.05)


def _failure(home: Home, state: dict[str, Any]) -> ServiceFailed:
    problem = state.get("problem")
    if problem:
        return ServiceFailed(problem["detail"], next_step=problem["next_step"])
    name, _, detail = str(state.get("error") or "supervisor: it ended").partition(": ")
    log = logs.path(home, name)
    last = "\n".join(logs.tail(log, 15)) if log.exists() else ""
    deadline = time.monotonic() + 60
    while supervisor_of(home) is not None and time.monotonic() < deadline:
        time.sleep(0.05)
    words = f"\nLast lines of {log}:\n{last}" if last else ""
    return ServiceFailed(f"{name} could not be started: {detail}{words}")


def down(home: Home, *, seconds: float = 90) -> list[str]:
    """Stops everything; the names of what ran. Nothing runs afterwards, whatever happens."""
    deadline = time.monotonic() + seconds
    ran: list[str] = []
    while True:
        state = homes.read_state(home)
        ran = ran or [n for n, e in state.get("units", {}).items() if e["pid"] is not None]
        chief = supervisor_of(home)
        if chief is not None:
            _end(chief, deadline)
        with _locked(home) as free:
            if free:
                left = supervise.end_leftovers(home)
                if homes.read_state(home):
                    homes.write_state(home, {"phase": "stopped", "units": {}})
                return ran if chief is not None else left
        # A supervisor has just begun and has not said so yet: it is ended as soon as it has.
        if time.monotonic() > deadline + 30:
            raise ServiceFailed(
                "Another `supplyline up` is starting the services at this moment.",
                next_step="Wait for it, then run `supplyline down` again.",
            )
        time.sleep(0.1)


def _end(chief: Identity, deadline: float) -> None:
    """Asks a supervisor to stop everything; by force when it has not by then."""
    chief.signal(signal.SIGTERM)
    while chief.alive and time.monotonic() < deadline:
        time.sleep(0.05)
    if chief.alive:
        chief.signal(signal.SIGKILL)
        while chief.alive:
            time.sleep(0.05)


@contextmanager
def _locked(home: Home) -> Iterator[bool]:
    """Keeps a supervisor from starting meanwhile; False where one holds the lock."""
    if not home.path.exists():
        yield True
        return
    descriptor = supervise.take_lock(home)
    if descriptor is None:
        yield False
        return
    try:
        yield True
    finally:
        os.close(descriptor)


def status(home: Home) -> list[Health]:
    """Each service, asked directly; what the supervisor believes only adds the restarts."""
    if not homes.read_json(home.ports):
        return []
    state = homes.read_state(home)
    instance = _instance(home)
    entries = {n: e for n, e in state.get("units", {}).items() if not e["step"]}
    plan = [
        unit
        for unit in units.build(instance)
        if unit.program is not None and (not entries or unit.name in entries)
    ]
    with ThreadPoolExecutor(max_workers=max(1, len(plan))) as pool:
        return list(pool.map(lambda unit: _health(unit, entries.get(unit.name, {})), plan))


def _health(unit: units.Unit, entry: dict[str, Any]) -> Health:
    identity = Identity.recorded(entry)
    if identity is not None and not identity.alive:
        identity = None
    detail = ""
    if identity is None:
        detail = entry.get("error") or "not running"
    else:
        try:
            require_ours(unit.port, identity)
            unit.probe(float(entry["since"]))
        except SupplylineError as error:
            detail = error.detail
    return Health(
        name=unit.name,
        healthy=identity is not None and not detail,
        phase=entry.get("phase", "stopped"),
        pid=identity.pid if identity else None,
        port=unit.port,
        uptime=round(identity.uptime(), 1) if identity else None,
        restarts=entry.get("restarts", 0),
        memory=memory(identity.pid) if identity else None,
        detail=detail,
    )
