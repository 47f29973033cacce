"""A real Airflow 3 for tests: its API server on the shared PostgreSQL, with the project's DAGs.

Without a scheduler the runs stay queued, which is what tests of delivery want; `start_scheduler`
adds one.
"""

from __future__ import annotations

import secrets
import subprocess
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from backend.airflow_client import AirflowClient
from supplyline.errors import ServiceFailed
from supplyline.local import airflow
from supplyline.local.environment import Instance, describe
from supplyline.local.home import Home, load_ports
from supplyline.local.process import Identity, free_port, start, stop
from tests.servers import PostgresServer, Watchdog


@dataclass
class AirflowServer:
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
            "AIRFLOW_API_BASE": f"http://127.0.0.1:{port or self.port}/api/v2",
            "AIRFLOW_USERNAME": self.instance.variables["AIRFLOW_USERNAME"],
            "AIRFLOW_PASSWORD": self.password,
        }

    def client(
        self, *, port: int | None = None, suffix: str = "/api/v2", password: str | None = None
    ) -> AirflowClient:
        return AirflowClient(
            f"http://127.0.0.1:{port or self.port}{suffix}",
            username=self.instance.variables["AIRFLOW_USERNAME"],
            password=password or self.password,
            timeout=20.0,
        )

    def start(self) -> None:
        """Starts the API server, unless it runs, and waits until workers could speak with it."""
        if "api-server" in self.running:
            return
        self._start_part("api-server")
        wait_for(self._answers, seconds=120, what="Airflow's API server")

    def start_scheduler(self) -> None:
        for part in ("scheduler", "dag-processor"):
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
        process = start(
            airflow.program(self.instance, *arguments), log=self.folder / "commands.log"
        )
        if process.wait(180) != 0:
            raise ServiceFailed((self.folder / "commands.log").read_text()[-3000:])

    def _start_part(self, part: str) -> None:
        self.running[part] = self.watchdog.start(
            airflow.program(self.instance, part), log=self.folder / f"{part}.log"
        )

    def _answers(self) -> bool:
        if self.running["api-server"].poll() is not None:
            raise ServiceFailed((self.folder / "api-server.log").read_text()[-3000:])
        try:
            airflow.probe_api(self.instance)
        except ServiceFailed:
            return False
        return True


def make_airflow(watchdog: Watchdog, pg: PostgresServer, env: dict[str, str]) -> AirflowServer:
    """Metadata migrated and the project's DAGs known; nothing is running yet."""
    if not (airflow.environment_folder() / "bin" / "airflow").exists():
        pytest.skip("Airflow is not installed (make setup)")
    folder = watchdog.folder()
    home = Home(path=folder)
    load_ports(home, {"airflow": free_port()})
    given = {k: v for k, v in env.items() if not k.startswith("AIRFLOW_")}
    given["SUPPLYLINE_HOME"] = str(folder)
    instance = describe(home, given)
    home.airflow.mkdir(parents=True, exist_ok=True)
    with pg.connect() as admin:
        admin.execute(f"CREATE DATABASE {airflow.DATABASE} OWNER {pg.app_user}".encode())
        # As supplyline.local makes it: other tests try to enter it as an organization's role.
        admin.execute(f"REVOKE ALL ON DATABASE {airflow.DATABASE} FROM PUBLIC".encode())
    server = AirflowServer(watchdog=watchdog, instance=instance, folder=folder)
    server.run("db", "migrate")
    server.run("dags", "reserialize")
    return server


def wait_for(condition: Callable[[], object], *, seconds: float, what: str) -> None:
    """Asks until the condition holds. The time is a limit against hanging, not a measurement."""
    ends = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > ends:
            pytest.fail(f"{what}: not within {seconds:.0f} s")
        time.sleep(0.1)


def unique_table() -> str:
    """A table name that no other test uses, to find its runs by."""
    return f"t{secrets.token_hex(6)}"
