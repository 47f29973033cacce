"""Relays and backends as processes, and a proxy that loses answers."""

from __future__ import annotations

import os
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import httpx

from backend.airflow_client import AirflowClient
from backend.airflow_client.transport import Transport
from supplyline.local.process import Program
from tests.servers import Watchdog

ROOT = Path(__file__).resolve().parents[2]


def start_program(
    watchdog: Watchdog, *arguments: str, variables: Mapping[str, str]
) -> subprocess.Popen[bytes]:
    """One of our own programs, in a session of its own."""
    folder = watchdog.folder()
    env = {**os.environ, **variables, "PYTHONPATH": str(ROOT), "SUPPLYLINE_HOME": str(folder)}
    program = Program(argv=[sys.executable, *arguments], env=env, cwd=ROOT)
    return watchdog.start(program, log=folder / "log")


def start_relay(watchdog: Watchdog, variables: Mapping[str, str]) -> subprocess.Popen[bytes]:
    return start_program(watchdog, "manage.py", "run_relay", variables=variables)


Answer = Callable[[str, str], tuple[int, bytes]]
"""Method and path → status and body."""


def signing_in(status: int) -> Answer:
    return lambda _method, _path: (status, b"<html>sign in</html>")


class _Answering(BaseHTTPRequestHandler):
    def give(self, status: int, body: bytes, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        return


@contextmanager
def something_else(answer: Answer, *, headers: Mapping[str, str] | None = None) -> Iterator[int]:
    """Its port: gives a token as Airflow does, and answers everything else as it likes."""

    class Handler(_Answering):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            token = self.path == "/auth/token"
            status, body = (
                (201, b'{"access_token": "a.b.c"}') if token else answer(self.command, self.path)
            )
            more = {} if token or not headers else headers
            self.give(status, body, {"Location": "/login", **more})

        do_GET = do_PATCH = do_POST  # noqa: N815 - the base class looks for these names

    with _served(Handler) as own:
        yield own


def client_at(port: int) -> AirflowClient:
    """For whoever answers in place of Airflow at a port of this machine."""
    base = f"http://127.0.0.1:{port}/api/v2"
    return AirflowClient(Transport(base, username="u", password="p", timeout=5.0))


@contextmanager
def losing_answers(port: int) -> Iterator[tuple[int, list[bytes]]]:
    """A proxy before `port` that passes each trigger on and cuts the line instead of answering.

    Gives its own port and the request lines whose answers were lost.
    """
    lost: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))
    stopped = threading.Event()

    def serve() -> None:
        while not stopped.is_set():
            try:
                caller, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=_pass_on, args=(caller, port, lost), daemon=True).start()

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    try:
        yield listener.getsockname()[1], lost
    finally:
        stopped.set()
        listener.close()


def _pass_on(caller: socket.socket, port: int, lost: list[bytes]) -> None:
    with caller, socket.create_connection(("127.0.0.1", port)) as server:
        state: dict[str, Any] = {"cut": b""}

        def forward() -> None:
            while data := caller.recv(65536):
                line = data.split(b"\r\n", 1)[0]
                if line.startswith(b"POST") and b"/dagRuns" in line:
                    state["cut"] = line
                server.sendall(data)

        threading.Thread(target=_quietly, args=(forward,), daemon=True).start()
        while data := server.recv(65536):
            if state["cut"]:
                lost.append(state["cut"])
                return
            caller.sendall(data)


def _quietly(work: Any) -> None:
    try:
        work()
    except OSError:
        return


FATES: Mapping[str, tuple[int, bytes]] = {
    "lost before": (0, b""),
    "lost after": (0, b""),
    "fails": (500, b"<html>"),
    "signs in": (200, b"<html>sign in</html>"),
    "empty": (200, b"{}"),
    "another run": (200, b'{"dag_id": "x", "dag_run_id": "another", "state": "success"}'),
    "login ran out": (401, b'{"detail": "expired"}'),
    "is busy": (429, b"{}"),
    "knows it already": (409, b'{"detail": {}}'),
    "is not there": (404, b"<html>"),
}


@contextmanager
def moody(port: int, rng: random.Random) -> Iterator[int]:
    """A proxy before an Airflow that answers half of all requests about runs as it likes."""

    class Handler(_Answering):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length") or 0))
            fate = rng.choice(list(FATES)) if "/dagRuns" in self.path else ""
            status, body = 0, b""
            if fate in ("", "lost after") or rng.random() < 0.5:
                answer = httpx.request(
                    self.command, f"http://127.0.0.1:{port}{self.path}", content=sent, timeout=30,
                    headers={n: v for n, v in self.headers.items() if n.lower() != "host"},
                )  # fmt: skip
                status, body = answer.status_code, answer.content
            elif fate:
                status, body = FATES[fate]
            if fate == "lost after" or not status:
                self.close_connection = True
                return
            self.give(status, body, {"Content-Type": "application/json"})

        do_GET = do_PATCH = do_POST  # noqa: N815 - the base class looks for these names

    with _served(Handler) as own:
        yield own


@contextmanager
def _served(handler: type[BaseHTTPRequestHandler]) -> Iterator[int]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        server.server_close()
