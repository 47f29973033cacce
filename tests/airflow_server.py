"""A real Airflow for tests: its API server on the shared PostgreSQL, with the project's DAGs.

Without a scheduler the runs stay queued, which is what tests of delivery want; `start_scheduler`
adds one.
"""

from __future__ import annotations

import os
import secrets
import subprocess
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import ClassVar

import pytest

from backend.airflow_client import AirflowClient
from backend.airflow_client.transport import Transport
from supplyline.errors import ServiceFailed
from supplyline.local import airflow, http
from supplyline.local.environment import Instance, describe
from supplyline.local.home import Home, load_ports
from supplyline.local.places import ROOT
from supplyline.local.process import Identity, Program, free_port, start, stop
from tests.servers import PostgresServer, Watchdog
from tests.waiting import wait_for


@dataclass
class AirflowServer:
    """Airflow 3; `Airflow2Server` overrides what the older one does otherwise."""

    API_PART: ClassVar[str] = "api-server"
    PARTS: ClassVar[tuple[str, ...]] = ("scheduler", "dag-processor")
    SUFFIX: ClassVar[str] = "/api/v2"
    OTHER_SUFFIX: ClassVar[str] = "/api/v1"
    DATABASE: ClassVar[str] = airflow.DATABASE

    watchdog: Watchdog
    instance: Instance
    folder: Path
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    @property
    def port(self) -> int:
        return self.instance.ports["airflow"]

    @property
    def password(self) -> str:
        return self.instance.variables["AIRFLOW_PASSWORD"]

    def variables(self, *, port: int | None = None) -> dict[str, str]:
        """What a process needs in order to speak with this Airflow."""
        return {
            "AIRFLOW_API_BASE": f"http://127.0.0.1:{port or self.port}{self.SUFFIX}",
            "AIRFLOW_USERNAME": self.instance.variables["AIRFLOW_USERNAME"],
            "AIRFLOW_PASSWORD": self.password,
        }

    def client(
        self, *, port: int | None = None, suffix: str = "", password: str | None = None
    ) -> AirflowClient:
        return AirflowClient(
            Transport(
                f"http://127.0.0.1:{port or self.port}{suffix or self.SUFFIX}",
                username=self.instance.variables["AIRFLOW_USERNAME"],
                password=password or self.password,
                timeout=20.0,
            )
        )

    def set_paused(self, dag_id: str, *, paused: bool) -> bool:
        """Pauses or releases a DAG, as its operators do; answers what it is now."""
        with self.client() as client:
            answer = client._api.send("PATCH", f"/dags/{dag_id}", json={"is_paused": paused})
            client._api.raise_for(answer)
            return bool(answer.json()["is_paused"])

    def start(self) -> None:
        """Starts the API server, unless it runs, and waits until workers could speak with it."""
        if self.API_PART in self.running:
            return
        self._start_part(self.API_PART)
        wait_for(self._answers, seconds=120, what="Airflow's API server")

    def start_scheduler(self) -> None:
        for part in self.PARTS:
            if part not in self.running:
                self._start_part(part)

    def stop(self) -> None:
        """Ends all parts and everything that they have started."""
        for process in self.running.values():
            identity = Identity.of(process.pid)
            if identity:
                stop(identity, patience=5)
            process.wait(30)
        self.running.clear()

    def run(self, *arguments: str) -> None:
        """One `airflow` command, to its end."""
        process = start(self._program(*arguments), log=self.folder / "commands.log")
        if process.wait(180) != 0:
            raise ServiceFailed((self.folder / "commands.log").read_text()[-3000:])

    def _start_part(self, part: str) -> None:
        self.running[part] = self.watchdog.start(
            self._program(part), log=self.folder / f"{part}.log"
        )

    def prepare(self) -> None:
        """What must be there before the first part starts."""
        self.run("db", "migrate")
        self.run("dags", "reserialize")

    def _program(self, *arguments: str) -> Program:
        return airflow.program(self.instance, *arguments)

    def _probe(self) -> None:
        airflow.probe_api(self.instance)

    def _answers(self) -> bool:
        if self.running[self.API_PART].poll() is not None:
            raise ServiceFailed((self.folder / f"{self.API_PART}.log").read_text()[-3000:])
        try:
            self._probe()
        except ServiceFailed:
            return False
        return True


class Airflow2Server(AirflowServer):
    """Airflow 2.11: a webserver with basic auth, a scheduler that reads the DAG files itself."""

    API_PART = "webserver"
    PARTS = ("scheduler",)
    SUFFIX = "/api/v1"
    OTHER_SUFFIX = "/api/v2"
    DATABASE = "airflow2"

    def prepare(self) -> None:
        super().prepare()
        user = self.instance.variables["AIRFLOW_USERNAME"]
        self.run("users", "create", "--username", user, "--password", self.password,
                 "--role", "Admin", "--firstname", "x", "--lastname", "x",
                 "--email", "x@localhost")  # fmt: skip

    def _program(self, *arguments: str) -> Program:
        program = airflow.program(self.instance, *arguments)
        server = program.env["AIRFLOW__DATABASE__SQL_ALCHEMY_CONN"].rpartition("/")[0]
        env = program.env | {
            "PATH": f"{AIRFLOW_2 / 'bin'}:{program.env['PATH']}",
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"{server}/{self.DATABASE}",
            "AIRFLOW__API__AUTH_BACKENDS": "airflow.api.auth.backend.basic_auth",
            "AIRFLOW__WEBSERVER__WEB_SERVER_HOST": "127.0.0.1",
            "AIRFLOW__WEBSERVER__WEB_SERVER_PORT": str(self.port),
            "AIRFLOW__WEBSERVER__WORKERS": "1",
            "AIRFLOW__WEBSERVER__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__SCHEDULER__MIN_FILE_PROCESS_INTERVAL": "5",
        }
        python, script = AIRFLOW_2 / "bin" / "python", AIRFLOW_2 / "bin" / "airflow"
        return replace(program, argv=[str(python), str(script), *arguments], env=env)

    def _probe(self) -> None:
        http.get_json(self.port, "/health", seconds=20)


AIRFLOW_2 = Path(os.environ.get("SUPPLYLINE_AIRFLOW2_ENV") or ROOT / ".venv-airflow2")


def make_airflow(watchdog: Watchdog, pg: PostgresServer, env: dict[str, str]) -> AirflowServer:
    """Metadata migrated and the project's DAGs known; nothing is running yet."""
    return _make(AirflowServer, airflow.environment_folder(), watchdog, pg, env)


def make_airflow2(watchdog: Watchdog, pg: PostgresServer, env: dict[str, str]) -> AirflowServer:
    """The same with Airflow 2.11, of `scripts/setup.sh airflow2`."""
    return _make(Airflow2Server, AIRFLOW_2, watchdog, pg, env)


def _make(
    kind: type[AirflowServer],
    installed: Path,
    watchdog: Watchdog,
    pg: PostgresServer,
    env: dict[str, str],
) -> AirflowServer:
    if not (installed / "bin" / "airflow").exists():
        pytest.skip(f"no Airflow in {installed.name} (scripts/setup.sh)")
    folder = watchdog.folder()
    home = Home(path=folder)
    load_ports(home, {"airflow": free_port()})
    given = {k: v for k, v in env.items() if not k.startswith("AIRFLOW_")}
    given["SUPPLYLINE_HOME"] = str(folder)
    instance = describe(home, given)
    home.airflow.mkdir(parents=True, exist_ok=True)
    with pg.connect() as admin:
        admin.execute(f"CREATE DATABASE {kind.DATABASE} OWNER {pg.app_user}".encode())
        # As supplyline.local makes it: other tests try to enter it as an organization's role.
        admin.execute(f"REVOKE ALL ON DATABASE {kind.DATABASE} FROM PUBLIC".encode())
    server = kind(watchdog=watchdog, instance=instance, folder=folder)
    server.prepare()
    return server


def unique_table() -> str:
    """A table name that no other test uses, to find its runs by."""
    return f"t{secrets.token_hex(6)}"
