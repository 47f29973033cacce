"""Starts the services in order, restarts what dies, and stops them in reverse.

Promises: every child is in the state file with pid and start time; a service that dies comes back,
after a pause that grows from half a second to half a minute; a start that cannot succeed stops
everything again; a service is ready only when it is itself that answers on its port; when `run`
returns, nothing that it began is at work any more, no step either.
"""

from __future__ import annotations

import logging
import os
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager

from supplyline.errors import ServiceFailed, SupplylineError
from supplyline.local import home as homes
from supplyline.local import logs
from supplyline.local.entry import Entry
from supplyline.local.home import Home
from supplyline.local.listening import PortTaken, require_ours
from supplyline.local.process import Identity, start, stop
from supplyline.local.units import Unit

log = logging.getLogger("supplyline.local.supervisor")

_TRIES = 3
"""Deaths before the first sign of life after which a start is given up."""
_STEADY = 60.0
"""Seconds after which earlier deaths of a service are forgiven."""


class StopRequest:
    """Whether somebody has asked for a stop; `ask` may be a signal's handler.

    A plain attribute: a handler that runs while this thread holds an Event's lock waits for it
    for ever.
    """

    def __init__(self) -> None:
        self.asked = False

    def ask(self, *_: object) -> None:
        self.asked = True


class Supervisor:
    """Runs the units of one home until told to stop."""

    def __init__(self, home: Home, plan: Sequence[Unit], *, stopping: StopRequest) -> None:
        self.home = home
        self.entries = {unit.name: Entry(unit=unit) for unit in plan}
        self.phase = "starting"
        self.error = ""
        self.lost = ""
        """The service whose port a stranger took before all were ready."""
        self._pool = ThreadPoolExecutor(max_workers=len(plan) + 1)
        self._stopping = stopping
        self._written: object = None
        self._short_of = ""

    def run(self) -> int:
        """Until a stop is requested (0), or the start has failed or lost a port (1)."""
        trimmed = time.monotonic()
        while not self._stopping.asked:
            for entry in self.entries.values():
                self._advance(entry)
            self._judge()
            self._tell()
            if self.phase in ("failed", "moving"):
                break
            if time.monotonic() - trimmed > 10:
                trimmed = time.monotonic()
                with self._room("logs not trimmed"):
                    logs.trim(self.home)
            time.sleep(0.05)
        self.stop_all()
        return 1 if self.error or self.lost else 0

    def _judge(self) -> None:
        failed = next((e for e in self.entries.values() if e.phase == "failed"), None)
        if self.lost:
            self.phase = "moving"
        elif failed is not None:
            self.phase, self.error = "failed", f"{failed.unit.name}: {failed.error}"
        elif self.phase == "starting" and all(
            e.phase == "done" or e.was_ready for e in self.entries.values()
        ):
            self.phase = "running"
            log.info("event=all_ready")

    def _advance(self, entry: Entry) -> None:
        if entry.phase == "waiting":
            if all(self._satisfied(need) for need in entry.unit.needs):
                self._begin(entry)
        elif entry.unit.action is not None:
            self._advance_step(entry)
        elif entry.phase == "pausing":
            if time.monotonic() >= entry.retry_at:
                entry.restarts += 1
                self._begin(entry)
        elif entry.phase in ("starting", "ready"):
            self._advance_service(entry)

    def _satisfied(self, need: str) -> bool:
        entry = self.entries.get(need)
        return entry is None or entry.phase == "done" or entry.was_ready

    def _begin(self, entry: Entry) -> None:
        entry.phase, entry.since, entry.task = "starting", time.time(), None
        unit = entry.unit
        if unit.action is not None:
            log.info("event=step unit=%s", unit.name)
            entry.task = self._pool.submit(unit.action)
            return
        if unit.program is None:
            raise ServiceFailed(f"{unit.name} has nothing to run.")
        try:
            program = unit.program()
            entry.process = start(program, log=logs.path(self.home, unit.name))
        except (SupplylineError, OSError) as error:  # no room, no memory: it may pass
            self._pause(entry, str(error))
            return
        entry.identity = Identity.of(entry.process.pid)
        self._tell()
        log.info("event=start unit=%s pid=%s", unit.name, entry.process.pid)

    def _advance_step(self, entry: Entry) -> None:
        if entry.task is None or not entry.task.done():
            return
        error = entry.task.exception()
        entry.task = None
        if error is None:
            entry.phase = "done"
            log.info("event=done unit=%s seconds=%.1f", entry.unit.name, time.time() - entry.since)
        else:
            entry.phase, entry.error = "failed", str(error)
            log.error("event=failed unit=%s error=%s", entry.unit.name, error)

    def _advance_service(self, entry: Entry) -> None:
        if entry.process is not None and entry.process.poll() is not None:
            self._died(entry, entry.process.returncode)
        elif entry.phase == "starting":
            if entry.task is None:
                entry.task = self._pool.submit(_probe, entry.unit, entry.identity, entry.since)
            elif entry.task.done():
                error, entry.task = entry.task.exception(), None
                if error is None:
                    entry.phase, entry.was_ready, entry.error = "ready", True, ""
                    seconds = time.time() - entry.since
                    log.info("event=ready unit=%s seconds=%.1f", entry.unit.name, seconds)
                else:
                    entry.error = str(error)
                    if isinstance(error, PortTaken):
                        self._lose(entry)
        elif entry.deaths and time.time() - entry.since > _STEADY:
            entry.deaths = 0

    def _died(self, entry: Entry, code: int) -> None:
        entry.error = f"ended with {code}"
        entry.task = None
        if entry.identity is not None:
            stop(entry.identity, patience=0)  # what it left behind
            try:
                require_ours(entry.unit.port, entry.identity)
            except PortTaken as error:
                entry.error = str(error)
                self._lose(entry)
        self._pause(entry, entry.error)

    def _pause(self, entry: Entry, error: str) -> None:
        """It is tried again later and later; a start that never succeeded is given up."""
        entry.deaths += 1
        entry.error = error
        if not entry.was_ready and entry.deaths >= _TRIES:
            entry.phase = "failed"
            log.error("event=gave_up unit=%s error=%r", entry.unit.name, error)
            return
        pause = min(30.0, 0.5 * 2 ** (entry.deaths - 1))
        entry.phase, entry.retry_at = "pausing", time.monotonic() + pause
        log.warning("event=died unit=%s error=%r restart_in=%s", entry.unit.name, error, pause)

    @contextmanager
    def _room(self, what: str) -> Iterator[None]:
        """A full disk must not end who restarts the services: said once, tried again each round."""
        try:
            yield
        except OSError as error:
            said = f"{what}: {error.strerror or error}"
            if said != self._short_of:
                self._short_of = said
                log.warning("event=no_room what=%r", said)
        else:
            if self._short_of.startswith(what):
                self._short_of = ""

    def _tell(self) -> None:
        with self._room("state not written"):
            self.write()

    def _lose(self, entry: Entry) -> None:
        """During the start another port is chosen; later the others know this one, so it waits."""
        if self.phase == "starting" and not entry.was_ready:
            self.lost = self.lost or entry.unit.name

    def write(self) -> None:
        """Brings the state file up to date, when something has changed."""
        me = Identity.of(os.getpid())
        state = {
            "supervisor": {"pid": os.getpid(), "started": me.started if me else None},
            "phase": self.phase,
            "error": self.error,
            "units": {name: entry.as_json() for name, entry in self.entries.items()},
        }
        if state != self._written:
            homes.write_state(self.home, state)
            self._written = state

    def stop_all(self) -> None:
        """Everything, in reverse order; what nobody else needs any more ends side by side."""
        left = {name: e for name, e in self.entries.items() if e.identity is not None}
        if self.phase not in ("failed", "moving"):
            self.phase = "stopping"
        self._tell()
        if self.lost:  # the next start must not find a step of this one at work
            for entry in self.entries.values():
                if entry.unit.action is not None and entry.task is not None:
                    wait([entry.task])
        while left:
            needed = {need for name in left for need in self._needs(name)}
            layer = [entry for name, entry in left.items() if name not in needed]
            list(self._pool.map(self._end, layer))
            for entry in layer:
                left.pop(entry.unit.name)
            self._tell()
        self._pool.shutdown(cancel_futures=True)
        if not self.lost:
            self.phase = "failed" if self.error else "stopped"
        self._tell()

    def _needs(self, name: str) -> set[str]:
        """All that a unit stands on, also through others."""
        found: set[str] = set()
        queue = [name]
        while queue:
            entry = self.entries.get(queue.pop())
            for need in entry.unit.needs if entry else ():
                if need not in found:
                    found.add(need)
                    queue.append(need)
        return found

    def _end(self, entry: Entry) -> None:
        if entry.identity is None:
            return
        polite = stop(entry.identity, polite=entry.unit.stop_signal, patience=entry.unit.patience)
        if entry.process is not None:
            entry.process.wait()
        if entry.phase != "failed":
            entry.phase = "stopped"
        entry.identity = None
        log.info("event=stopped unit=%s polite=%s", entry.unit.name, polite)


def _probe(unit: Unit, process: Identity | None, since: float) -> None:
    """The service's own probe, once it is certain that nobody else would answer it."""
    if process is not None:
        require_ours(unit.port, process)
    unit.probe(since)
