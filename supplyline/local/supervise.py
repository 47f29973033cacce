"""The supervisor's own program: one per home, from clearing up to the end of the last service.

Promises: one supervisor per home (a lock that the system drops with the process); after `kill -9`
of one, the next ends the old children and nothing else; a port that a stranger took before the
start was through is chosen anew; a stop asked for at any moment, also while it clears up or moves
to another port, ends with nothing running.
"""

from __future__ import annotations

import argparse
import fcntl
import logging
import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from supplyline.errors import ServiceFailed, SupplylineError
from supplyline.local import environment, units
from supplyline.local import home as homes
from supplyline.local.home import Home
from supplyline.local.process import Identity, stop
from supplyline.local.supervisor import StopRequest, Supervisor

log = logging.getLogger("supplyline.local.supervisor")

_MOVES = 5
"""How often a start is begun again because a port was lost."""


def take_lock(home: Home) -> int | None:
    """The lock's descriptor, to be kept open; None when a supervisor lives already."""
    descriptor = os.open(home.lock, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        os.close(descriptor)
        return None
    return descriptor


def end_leftovers(home: Home) -> list[str]:
    """Ends children that a killed supervisor left behind; the names of those that still ran."""
    state = homes.read_state(home)
    ended = []
    for name, entry in reversed(list(state.get("units", {}).items())):
        old = Identity.recorded(entry)
        if old is None:
            continue
        if old.alive:
            ended.append(name)
        stop(old, polite=entry["stop_signal"], patience=entry["patience"])
    return ended


def main(arguments: Sequence[str] | None = None) -> int:
    """The supervisor's own program; `supplyline up` starts it."""
    stopping = StopRequest()
    signal.signal(signal.SIGTERM, stopping.ask)
    signal.signal(signal.SIGINT, stopping.ask)
    parser = argparse.ArgumentParser(prog="python -m supplyline.local.supervise")
    parser.add_argument("--home", required=True, type=Path)
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("--port", action="append", default=[], metavar="NAME=NUMBER")
    options = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s", stream=sys.stderr
    )
    home = Home(path=options.home)
    homes.make(home)
    lock = take_lock(home)
    if lock is None:
        return 0
    try:
        return _supervise(home, options, stopping)
    finally:
        os.close(lock)


def _supervise(home: Home, options: argparse.Namespace, stopping: StopRequest) -> int:
    fixed = {name: int(number) for name, _, number in (p.partition("=") for p in options.port)}
    me = Identity.of(os.getpid())
    about = {"pid": os.getpid(), "started": me.started if me else None}
    # Said at once, the old children still named: ending them may take a while.
    before = homes.read_state(home)
    homes.write_state(
        home, {"units": {}, **before, "supervisor": about, "phase": "clearing", "error": ""}
    )
    for name in end_leftovers(home):
        log.warning("event=ended_leftover unit=%s", name)
    try:
        for _ in range(_MOVES):
            if stopping.asked:
                break
            for name, (old, new) in homes.move_taken_ports(home, fixed).items():
                log.warning("event=port_moved unit=%s old=%s new=%s", name, old, new)
            instance = environment.describe(home)
            plan = units.build(instance, options.only)
            homes.write_json(home.environment, dict(instance.variables))
            supervisor = Supervisor(home, plan, stopping=stopping)
            code = supervisor.run()
            if not supervisor.lost:
                return code
            log.warning("event=port_lost unit=%s", supervisor.lost)
        if stopping.asked:
            homes.write_state(home, {"supervisor": about, "phase": "stopped", "units": {}})
            return 0
        raise ServiceFailed(f"The port of {supervisor.lost} is taken by others again and again.")
    except SupplylineError as error:
        log.error("event=failed error=%s", error)  # noqa: TRY400 - a sentence, not a traceback
        homes.write_state(
            home,
            {
                "supervisor": about,
                "phase": "failed",
                "error": str(error),
                "problem": {"detail": error.detail, "next_step": error.advice},
                "units": {},
            },
        )
        return 1


if __name__ == "__main__":
    raise SystemExit(main())
