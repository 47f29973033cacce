"""Throw-away servers for tests: a real PostgreSQL and a real MongoDB wire server.

They begin when a test first asks, listen on free loopback ports, and are cleaned away even when
the test run is ended with SIGKILL: a small watchdog process waits for the end of a pipe that only
the test run holds, then ends what is noted and removes the folders.
"""

from __future__ import annotations

import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from pathlib import Path

import psycopg
from pymongo.errors import PyMongoError

from supplyline.local import mongo, postgres
from supplyline.local.process import Identity, Program, free_port, start, stop

APP_USER = "supplyline"


class Watchdog:
    """Cleans up behind this process, however it ends."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.servers"],
            cwd=Path(__file__).resolve().parents[1],
            stdin=subprocess.PIPE,
            start_new_session=True,
        )

    def _note(self, kind: str, value: object) -> None:
        pipe = self._process.stdin
        if pipe is None:
            raise RuntimeError("the watchdog has no pipe")
        pipe.write(json.dumps([kind, value]).encode() + b"\n")
        pipe.flush()

    def folder(self) -> Path:
        """A new folder in the system's temporary folder, open for others to pass through."""
        folder = Path(tempfile.mkdtemp(prefix="supplyline-test-"))
        folder.chmod(0o711)
        self._note("folder", str(folder))
        return folder

    def start(self, program: Program, *, log: Path) -> subprocess.Popen[bytes]:
        process = start(program, log=log)
        identity = Identity.of(process.pid)
        if identity is not None:
            self._note("process", asdict(identity))
        return process

    def close(self) -> None:
        """Ends everything noted and returns when it is gone.

        On a busy disk the folders of thousands of databases may take longer than a test may: they
        go on being removed then.
        """
        if self._process.stdin:
            self._process.stdin.close()
        with suppress(subprocess.TimeoutExpired):
            self._process.wait(120)


def watch() -> None:
    """The watchdog's own program: nothing that is noted is of use to anybody any more."""
    notes = [json.loads(line) for line in sys.stdin]
    noted = [Identity(**value) for kind, value in notes if kind == "process"]
    for one in noted:
        if one.alive:
            # To PostgreSQL this says: at once, without a checkpoint.
            stop(one, polite=signal.SIGQUIT, patience=5)
    for one in _left_behind(noted):
        one.signal(signal.SIGKILL)
    for kind, value in notes:
        if kind == "folder":
            shutil.rmtree(value, ignore_errors=True)


def _left_behind(noted: list[Identity]) -> list[Identity]:
    """What processes that are gone have left in their sessions, found by one look at all."""
    gone = {one.pid: one for one in noted if not Path(f"/proc/{one.pid}").exists()}
    found = []
    for entry in Path("/proc").iterdir():
        try:
            leader = gone.get(os.getsid(int(entry.name))) if entry.name.isdigit() else None
        except ProcessLookupError:
            continue
        member = Identity.of(int(entry.name)) if leader else None
        if leader and member and member.started >= leader.started:
            found.append(member)
    return found


def until_ready(
    process: subprocess.Popen[bytes], ask: Callable[[], object], silent: type[Exception]
) -> None:
    """Returns when a server answers; fails when it ends or stays silent for a minute."""
    deadline = time.monotonic() + 60
    while True:
        try:
            ask()
        except silent:
            if process.poll() is not None or time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return


@dataclass
class PostgresServer:
    """A running PostgreSQL with an app role that may create databases and roles."""

    watchdog: Watchdog
    server: postgres.Postgres
    log: Path
    process: subprocess.Popen[bytes] | None = None
    host: str = postgres.HOST
    superuser: str = postgres.SUPERUSER
    app_user: str = APP_USER
    app_password: str = ""

    @property
    def port(self) -> int:
        return self.server.port

    @property
    def superuser_password(self) -> str:
        return self.server.password

    def connect(self, dbname: str = "postgres", *, user: str | None = None) -> psycopg.Connection:
        """As the superuser, or as the app role with `user=pg.app_user`. Autocommit."""
        if user is None:
            return self.server.connect(dbname)
        return psycopg.connect(
            host=self.host,
            port=self.port,
            user=user,
            password=self.app_password,
            dbname=dbname,
            autocommit=True,
        )

    def start(self) -> None:
        self.process = self.watchdog.start(postgres.program(self.server), log=self.log)
        self.wait_ready()

    def wait_ready(self) -> None:
        if self.process:
            ask = self.server.connect
            until_ready(self.process, lambda: ask().close(), psycopg.OperationalError)

    def stop(self) -> None:
        """Fast shutdown: sessions are cut, nothing is lost."""
        if self.process:
            self.process.send_signal(postgres.STOP_SIGNAL)
            self.process.wait(30)
            self.process = None

    def kill(self) -> None:
        """SIGKILL for the server and all of its sessions (data is lost if it was not durable)."""
        if self.process:
            identity = Identity.of(self.process.pid)
            if identity:
                stop(identity, patience=0)
            self.process.wait(30)
            self.process = None


@dataclass
class MongoServer:
    """A running MongoDB wire server; `uri` carries the password and journal=true."""

    watchdog: Watchdog
    server: mongo.Mongo
    log: Path
    process: subprocess.Popen[bytes] | None = None

    @property
    def uri(self) -> str:
        return self.server.uri

    @property
    def port(self) -> int:
        return self.server.port

    def start(self) -> None:
        self.process = self.watchdog.start(mongo.program(self.server), log=self.log)
        until_ready(self.process, lambda: mongo.ping(self.uri), PyMongoError)

    def stop(self) -> None:
        if self.process:
            self.process.send_signal(mongo.STOP_SIGNAL)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:  # it may hang on its way out, as in production:
                self.process.kill()  # the supervisor uses force then, too
                self.process.wait(30)
            self.process = None

    def kill(self) -> None:
        """SIGKILL; what was acknowledged with journal=true is still there after `start`."""
        if self.process:
            self.process.kill()
            self.process.wait(30)
            self.process = None


def start_postgres(watchdog: Watchdog, *, durable: bool = False) -> PostgresServer:
    """A new server in a folder of its own."""
    folder = watchdog.folder()
    server = postgres.Postgres(
        data=folder / "postgres",
        port=free_port(),
        password=secrets.token_hex(12),
        durable=durable,
    )
    postgres.initialize(server)
    running = PostgresServer(
        watchdog=watchdog,
        server=server,
        log=folder / "postgres.log",
        app_password=secrets.token_hex(12),
    )
    running.start()
    postgres.ensure_role(
        server, APP_USER, password=running.app_password, createdb=True, createrole=True
    )
    # As the embedded server does it: organizations' roles enter no database but their own.
    with running.connect() as admin:
        admin.execute("REVOKE CONNECT ON DATABASE postgres, template1 FROM PUBLIC")
        admin.execute(f"GRANT CONNECT ON DATABASE postgres TO {APP_USER}".encode())
    return running


def start_mongo(watchdog: Watchdog) -> MongoServer:
    """A new server in a folder of its own."""
    folder = watchdog.folder()
    server = mongo.Mongo(data=folder / "mongo", port=0, password=secrets.token_hex(12))
    mongo.initialize(server)
    running = MongoServer(
        watchdog=watchdog, server=replace(server, port=free_port()), log=folder / "mongo.log"
    )
    running.start()
    return running


def engine_environment(
    pg: PostgresServer, mongo_uri: str, *, storage: Path, name: str
) -> dict[str, str]:
    """The promised environment variables for these servers; `name` keeps test runs apart."""
    return {
        "MONGO_URI": mongo_uri,
        "MONGO_DATABASE": f"test_{name}",
        "PG_HOST": pg.host,
        "PG_PORT": str(pg.port),
        "PG_DB_PREFIX": f"t{name}_",
        "APP_DB_USER": pg.app_user,
        "APP_DB_PASSWORD": pg.app_password,
        "SUPPLYLINE_CONTROL_DB": f"control_{name}",
        "SUPPLYLINE_STORAGE_URL": storage.as_uri(),
        "SUPPLYLINE_SECRET_KEY": "only-for-tests-" + name,
        # Both named, so that nothing is taken over from an instance that runs beside the tests.
        "SUPPLYLINE_TENANT_SECRET": "tenants-of-" + name,
        "SUPPLYLINE_HOME": str(storage.parent / "no-instance"),
        # Nobody listens there: a test that needs Airflow starts one and names it.
        "AIRFLOW_API_BASE": "http://127.0.0.1:9/api/v2",
        "AIRFLOW_USERNAME": "airflow",
        "AIRFLOW_PASSWORD": "no-airflow-here",
    }


if __name__ == "__main__":
    os.chdir("/")
    watch()
