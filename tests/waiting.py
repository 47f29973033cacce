"""Waiting for what a test cannot know the moment of."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest


def wait_for(
    condition: Callable[[], object], *, what: str, seconds: float = 60, every: float = 0.05
) -> None:
    """Asks until the condition holds. The time is a limit against hanging, not a measurement."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            pytest.fail(f"{what}: not within {seconds:.0f} s")
        time.sleep(every)


def wait_stopped(pid: int) -> None:
    """Returns when the child process is stopped by a signal; fails when it ends before."""

    def stopped() -> bool:
        try:
            state = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0]
        except FileNotFoundError:
            state = "Z"
        assert state != "Z", "the worker ended before it came to its point"
        return state == "T"

    wait_for(stopped, what="the worker at its point")
