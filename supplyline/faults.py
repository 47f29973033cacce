"""Named points at which a test may kill this process; nothing happens otherwise.

`SUPPLYLINE_FAULT=load.before_commit:2` sends SIGKILL to this process when it reaches that point for
the second time. `SUPPLYLINE_FAULT=load.before_commit:1:stop` sends SIGSTOP instead: a worker that
freezes and may wake up later. Only tests set the variable.
"""

from __future__ import annotations

import os
import signal
from collections import Counter

POINTS = (
    "land.before_batch",
    "land.after_batch",
    "land.before_close",
    "land.after_close",
    "load.staged",
    "load.published",
    "load.before_commit",
    "load.after_commit",
    "undo.taken_back",
    "undo.before_commit",
    "undo.after_commit",
    "rebuild.dropped",
    "rebuild.before_commit",
    "rebuild.after_commit",
    "release.recorded",
    "release.begun",
    "release.deleted",
    "erase.files_gone",
    "erase.documents_gone",
    "erase.rows_gone",
)

_reached: Counter[str] = Counter()


def reach(point: str) -> None:
    """Marks that the process has come to a point of `POINTS`."""
    wanted = os.environ.get("SUPPLYLINE_FAULT")
    if wanted is None:
        return
    name, nth, *how = wanted.split(":")
    _reached[point] += 1
    if name == point and _reached[point] == int(nth):
        os.kill(os.getpid(), signal.SIGSTOP if how == ["stop"] else signal.SIGKILL)
