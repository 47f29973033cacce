"""Processes of our own programs that a test may stop and kill, started in some milliseconds.

They are real processes: forked from a server that has imported the product and done nothing else,
since a new interpreter spends more than a second on its imports. `tests.e2e` starts the programs
as users do.
"""

from __future__ import annotations

import ctypes
import multiprocessing
import os
import runpy
import signal
import subprocess
import sys
import tempfile
from multiprocessing import forkserver
from typing import Self

_SERVER = multiprocessing.get_context("forkserver")
_SERVER.set_forkserver_preload(["tests.forked_imports"])
_PR_SET_PDEATHSIG = 1


class Forked:
    """A module run as a program; what one may ask of it is as in subprocess.Popen."""

    def __init__(self, module: str, *arguments: str, env: dict[str, str]) -> None:
        self.name = " ".join((module, *arguments))
        # Files without a name: nothing is left of them, however this process ends.
        self._out, self._err = (tempfile.TemporaryFile() for _ in range(2))  # noqa: SIM115 - read later
        paths = [f"/proc/{os.getpid()}/fd/{f.fileno()}" for f in (self._out, self._err)]
        self._process = _SERVER.Process(target=_run, args=(module, arguments, env, paths))
        self._process.start()

    @property
    def pid(self) -> int:
        return self._process.pid or 0

    @property
    def returncode(self) -> int | None:
        """The exit code, or minus the signal that ended it; None while it runs."""
        return self._process.exitcode

    def wait(self, timeout: float | None = None) -> int:
        self._process.join(timeout)
        if self.returncode is None:
            raise subprocess.TimeoutExpired(self.name, timeout or 0)
        return self.returncode

    def communicate(self, timeout: float | None = None) -> tuple[bytes, bytes]:
        """Waits for the end; answers what it wrote to its output and to its error output."""
        self.wait(timeout)
        for file in (self._out, self._err):
            file.seek(0)
        return self._out.read(), self._err.read()

    def send_signal(self, number: int) -> None:
        if self.returncode is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        self.send_signal(signal.SIGKILL)
        self._process.join()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.kill()


def _run(module: str, arguments: tuple[str, ...], env: dict[str, str], paths: list[str]) -> None:
    # It goes with the server, also when it is stopped, and so does not keep it from going with the
    # test run, whose end the server sees when this is closed everywhere.
    os.close(forkserver._forkserver._forkserver_alive_fd)
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
    for number, path in enumerate(paths, start=1):
        os.dup2(os.open(path, os.O_WRONLY | os.O_APPEND), number)
    os.environ.clear()
    os.environ.update(env)
    sys.argv = [module, *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)
