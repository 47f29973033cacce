"""One embedded MongoDB wire server (SecantusDB): a folder, a loopback port, a password.

It is a program of its own that ours only speaks to over the wire; production means a real MongoDB
(docs/operations.md says why). Promises: 127.0.0.1 only; nobody reads without the password; the
URI carries `journal=true`, without which acknowledged rows are lost when the server is killed.
"""

from __future__ import annotations

import signal
import subprocess
import time
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import quote_plus

import pymongo
from pymongo.errors import PyMongoError

from supplyline.errors import ServiceFailed
from supplyline.local import places
from supplyline.local.process import Identity, Program, free_port, start, stop

HOST = "127.0.0.1"
USER = "supplyline"
STOP_SIGNAL = signal.SIGTERM
_PROVISIONED = "supplyline-user-made"


@dataclass(frozen=True, kw_only=True)
class Mongo:
    """A server that may or may not run. One process per folder."""

    data: Path
    port: int
    password: str
    cache: str = "256M"

    @property
    def uri(self) -> str:
        """For every client; carries the password and the write concern that keeps rows."""
        return (
            f"mongodb://{USER}:{quote_plus(self.password)}@{HOST}:{self.port}"
            "/?authSource=admin&journal=true"
        )


def initialize(server: Mongo) -> bool:
    """Makes the folder and its one user if there is none; True when it did."""
    if (server.data / _PROVISIONED).exists():
        return False
    server.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    (server.data / "secantusd.toml").touch()
    private = replace(server, port=free_port())
    process = start(_program(private, auth=False))
    try:
        uri = f"mongodb://{HOST}:{private.port}/?journal=true"
        _wait(uri, process, seconds=60)
        with _client(uri) as client:
            client.admin.command("createUser", USER, pwd=server.password, roles=["root"])
    finally:
        identity = Identity.of(process.pid)
        if identity is not None:
            stop(identity)
        process.wait()
    (server.data / _PROVISIONED).touch()
    return True


def program(server: Mongo) -> Program:
    """The server as a foreground process; it ends in order on STOP_SIGNAL."""
    return _program(server, auth=True)


def _program(server: Mongo, *, auth: bool) -> Program:
    python, script = places.mongo_program()
    return Program(
        argv=[
            python,
            script,
            # Naming a file keeps the server from picking up somebody's own settings.
            f"--config={server.data / 'secantusd.toml'}",
            f"--host={HOST}",
            f"--port={server.port}",
            f"--storage-path={server.data / 'db'}",
            "--standalone",
            f"--cache-size={server.cache}",
            *(["--auth"] if auth else []),
        ],
        env={"PATH": "/usr/bin:/bin", "HOME": str(server.data), "LC_ALL": "C.UTF-8"},
        cwd=server.data,
    )


def _wait(uri: str, process: subprocess.Popen[bytes] | None, *, seconds: float) -> None:
    deadline = time.monotonic() + seconds
    while True:
        try:
            ping(uri)
        except PyMongoError as error:
            if process is not None and process.poll() is not None:
                raise ServiceFailed(
                    f"The MongoDB wire server ended with {process.returncode} while starting.",
                    next_step="Read its log with `supplyline logs mongo`.",
                ) from error
            if time.monotonic() > deadline:
                raise ServiceFailed(f"The MongoDB server does not answer: {error}") from error
            time.sleep(0.05)
        else:
            return


def ping(uri: str, *, milliseconds: int = 1000) -> None:
    """One authenticated round trip. Raises PyMongoError when the server is away."""
    with _client(uri, milliseconds) as client:
        client.admin.command("listDatabases", nameOnly=True)


def _client(uri: str, milliseconds: int = 2000) -> pymongo.MongoClient:
    return pymongo.MongoClient(
        uri,
        serverSelectionTimeoutMS=milliseconds,
        connectTimeoutMS=milliseconds,
        socketTimeoutMS=10_000,
    )
