"""Starting and ending operating-system processes, and knowing them again later.

Promises: a process is named by its pid *and* its start time, so that a pid which the system has
given away again is never mistaken for ours, and nothing is ended that we did not start.
Linux only: it reads /proc.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from supplyline.errors import ServiceFailed


@dataclass(frozen=True, kw_only=True)
class Identity:
    """One process for certain: its pid and when it began (clock ticks since the machine's boot)."""

    pid: int
    started: int

    @classmethod
    def of(cls, pid: int) -> Identity | None:
        """The identity of a living process; None when there is none (or only its zombie)."""
        stat = _stat(pid)
        return None if stat is None else cls(pid=pid, started=int(stat[19]))

    @classmethod
    def recorded(cls, entry: Mapping[str, Any]) -> Identity | None:
        """The process that an entry of the state file names, alive or not."""
        pid, started = entry.get("pid"), entry.get("started")
        return None if pid is None or started is None else cls(pid=pid, started=started)

    @property
    def alive(self) -> bool:
        return Identity.of(self.pid) == self

    def signal(self, number: int) -> None:
        """Sends a signal, unless the process is gone."""
        if self.alive:
            try:
                os.kill(self.pid, number)
            except ProcessLookupError:
                return

    def uptime(self) -> float:
        """Seconds since the process began."""
        boot = float(Path("/proc/uptime").read_text().split()[0])
        return max(0.0, boot - self.started / os.sysconf("SC_CLK_TCK"))


def _stat(pid: int) -> list[str] | None:
    """The fields of /proc/PID/stat behind the command's name (index 0 is the state)."""
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return None
    fields = text.rpartition(")")[2].split()
    return None if fields[0] in "ZX" else fields


def descendants(pid: int) -> list[Identity]:
    """All living processes below one, parents first."""
    parents: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None:
                parents.setdefault(int(stat[1]), []).append(int(entry.name))
    found, queue = [], [pid]
    while queue:
        for child in parents.get(queue.pop(0), []):
            queue.append(child)
            identity = Identity.of(child)
            if identity is not None:
                found.append(identity)
    return found


def memory(pid: int) -> int:
    """Bytes of memory that a process and everything below it use (proportional set size)."""
    total = 0
    for one in (pid, *(d.pid for d in descendants(pid))):
        try:
            rollup = Path(f"/proc/{one}/smaps_rollup").read_text()
        except OSError:
            continue
        for line in rollup.splitlines():
            if line.startswith("Pss:"):
                total += int(line.split()[1]) * 1024
    return total


@dataclass(frozen=True, kw_only=True)
class Program:
    """What is started and how: `user` and `group` are numbers to change to, None to stay."""

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: Path = Path("/")
    user: int | None = None
    group: int | None = None


def start(program: Program, *, log: Path | None = None) -> subprocess.Popen[bytes]:
    """Starts a program in a session of its own, its output appended to `log`."""
    output = subprocess.DEVNULL if log is None else os.open(log, _APPEND, 0o600)
    try:
        return subprocess.Popen(  # noqa: S603 - argv is made by this package, no shell
            list(program.argv),
            env=dict(program.env),
            cwd=program.cwd,
            user=program.user,
            group=program.group,
            extra_groups=None if program.user is None else [],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
    except OSError as error:
        raise ServiceFailed(f"{program.argv[0]} cannot be started: {error}.") from error
    finally:
        if output != subprocess.DEVNULL:
            os.close(output)


def run(program: Program, *, log: Path) -> None:
    """Runs a program to its end. Raises ServiceFailed when that is not a success."""
    process = start(program, log=log)
    code = process.wait()
    if code != 0:
        what = " ".join(program.argv[1:])
        raise ServiceFailed(f"`{what}` ended with {code}; its words are in {log}.")


def session_members(pid: int) -> list[Identity]:
    """Living processes of the session that a process began: it, and what it left behind."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            stat = _stat(int(entry.name))
            if stat is not None and int(stat[3]) == pid:
                found.append(Identity(pid=int(entry.name), started=int(stat[19])))
    return found


_APPEND = os.O_WRONLY | os.O_CREAT | os.O_APPEND


def stop(
    process: Identity,
    *,
    polite: int = signal.SIGTERM,
    patience: float = 10.0,
    sleep: Callable[[float], None] = time.sleep,
    clock: Callable[[], float] = time.monotonic,
) -> bool:
    """Ends a process and everything below it; True when it went by itself on `polite`.

    What is still there after `patience` seconds, or was left behind by its parent, is killed.
    """
    family = descendants(process.pid)
    if process.alive or not Path(f"/proc/{process.pid}").exists():
        # Not when the pid has been given to a stranger, who may lead a session too.
        family += [m for m in session_members(process.pid) if m.started >= process.started]
    process.signal(polite)
    deadline = clock() + patience
    while process.alive and clock() < deadline:
        sleep(0.02)
    went = not process.alive
    for one in (process, *family):
        one.signal(signal.SIGKILL)
    while any(one.alive for one in (process, *family)) and clock() < deadline + 5:
        sleep(0.02)
    return went


def free_port(preferred: int | None = None) -> int:
    """A TCP port on loopback that nobody listens on; `preferred` when that one is free."""
    for candidate in (preferred, 0):
        if candidate is None:
            continue
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", candidate))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    raise ServiceFailed("No free port on 127.0.0.1.")
