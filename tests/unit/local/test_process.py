"""A process is ended only when it is certainly ours."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace

from supplyline.local.process import Identity, Program, descendants, start, stop


def _sleeper(code="import time; time.sleep(600)"):
    return start(Program(argv=[sys.executable, "-c", code], env={}))


def test_a_process_with_another_start_time_is_left_alone():
    process = _sleeper()
    mine = Identity.of(process.pid)
    stranger = replace(mine, started=mine.started + 1)
    stop(stranger, patience=0)
    assert process.poll() is None
    assert stop(mine)
    process.wait()


def test_a_zombie_counts_as_gone():
    process = subprocess.Popen([sys.executable, "-c", ""])
    identity = Identity.of(process.pid)
    while identity is not None and identity.alive:
        pass
    assert Identity.of(process.pid) is None
    process.wait()


def test_who_does_not_listen_is_killed_with_all_its_children():
    code = (
        "import signal, subprocess, sys, time\n"
        "signal.signal(signal.SIGTERM, signal.SIG_IGN)\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)\n"
    )
    process = _sleeper(code)
    identity = Identity.of(process.pid)
    while not (family := descendants(process.pid)):
        pass
    assert not stop(identity, patience=0.1)
    process.wait()
    assert not any(one.alive for one in family)


def test_children_left_behind_by_a_killed_parent_are_ended_too():
    code = (
        "import subprocess, sys, time\n"
        "subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(600)'])\n"
        "time.sleep(600)\n"
    )
    process = _sleeper(code)
    identity = Identity.of(process.pid)
    while not (family := descendants(process.pid)):
        pass
    process.kill()
    process.wait()
    assert family[0].alive
    stop(identity, patience=0)
    assert not family[0].alive
