"""A whole instance of the product for end-to-end tests: real Airflow, PostgreSQL, MongoDB, HTTP."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import httpx
import psycopg

from supplyline.local import control
from supplyline.local import home as homes
from supplyline.settings import VARIABLES, Settings, read
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import parse_org_id
from tests.managing import managed_well
from tests.servers import Watchdog

ROOT = Path(__file__).resolve().parents[2]
FINISHED = ("success", "partial", "failed", "refused")
PASSWORD = "a-long-Passphrase-17"


@dataclass
class House:
    home: homes.Home
    variables: dict[str, str]
    tokens: dict[str, str] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return read(self.variables)

    def manage(self, *arguments: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        env = {**os.environ, **self.variables, "SUPPLYLINE_NEW_PASSWORD": PASSWORD}
        done = subprocess.run(
            [sys.executable, "manage.py", *arguments],
            cwd=ROOT, env=env, capture_output=True, text=True, check=False, timeout=120,
        )  # fmt: skip
        assert done.returncode == 0 or not check, f"{done.returncode}: {done.stdout}{done.stderr}"
        return done

    def client(self, user: str | None) -> httpx.Client:
        headers = {"Authorization": f"Bearer {self.tokens[user]}"} if user else {}
        return httpx.Client(
            base_url=self.variables["SUPPLYLINE_API"], headers=headers, timeout=30, trust_env=False
        )

    def log_in(self, user: str) -> None:
        answer = self.client(None).post(
            "/api/auth/token/", json={"username": user, "password": PASSWORD}
        )
        self.tokens[user] = answer.json()["token"]

    def upload(
        self, user: str, name: str, content: bytes, *, table: str | None = None, **query: str
    ) -> httpx.Response:
        data = {"table": table} if table else {}
        with self.client(user) as client:
            return client.post(
                "/api/files/upload/", files={"file": (name, content)}, data=data, params=query
            )

    def get(self, user: str, path: str, **params: Any) -> httpx.Response:
        with self.client(user) as client:
            return client.get(path, params=params)

    def post(self, user: str, path: str, body: Any, **headers: str) -> httpx.Response:
        with self.client(user) as client:
            return client.post(path, json=body, headers=headers)

    def finished(self, user: str, status_url: str, *, seconds: float = 120) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            answer = self.get(user, status_url)
            body = answer.json()
            return body if answer.is_success and body["state"] in FINISHED else None

        return until(look, seconds=seconds, what=status_url)

    def certificate(self, user: str, file_id: str, *, seconds: float = 120) -> dict[str, Any]:
        def look() -> dict[str, Any] | None:
            found = self.get(user, f"/api/pipeline/certificates/{file_id}/").json()["results"]
            return found[0] if found else None

        return until(look, seconds=seconds, what=f"certificate of {file_id}")

    def rows(self, org: str, sql: str) -> list[tuple[Any, ...]]:
        with connect(parse_org_id(org), settings=self.settings) as conn:
            return conn.execute(sql.encode()).fetchall()

    def control_rows(self, sql: str) -> list[tuple[Any, ...]]:
        s = self.settings
        with psycopg.connect(
            host=s.pg_host, port=s.pg_port, dbname=s.control_db, user=s.app_db_user,
            password=s.app_db_password,
        ) as conn:  # fmt: skip
            return conn.execute(sql.encode()).fetchall()

    def kill(self, service: str) -> None:
        """SIGKILL to a service's process, by the id that `status` tells."""
        told = supplyline(self.home, "status", "--json").stdout
        (pid,) = [s["pid"] for s in json.loads(told)["services"] if s["name"] == service]
        os.kill(pid, signal.SIGKILL)


def supplyline(home: homes.Home, *arguments: str) -> subprocess.CompletedProcess[str]:
    """The command for this home, without the addresses that other tests put into os.environ."""
    env = {k: v for k, v in os.environ.items() if k not in VARIABLES}
    return subprocess.run(
        [sys.executable, "-m", "supplyline.cli", *arguments],
        cwd=ROOT, env={**env, "SUPPLYLINE_HOME": str(home.path)},
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip


def until(look: Callable[[], Any], *, seconds: float, what: str) -> Any:
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        try:
            found = look()
        except (httpx.TransportError, psycopg.Error):
            found = None
        if found:
            return found
        time.sleep(0.25)
    raise AssertionError(f"{what}: not within {seconds:.0f} s")


def start_house(watchdog: Watchdog) -> House:
    """`supplyline up` in a folder of its own; two organizations and three users."""
    folder = watchdog.folder()
    home = homes.Home(path=folder / "run")
    up = supplyline(home, "up", "--quiet")
    if up.returncode:
        raise RuntimeError(f"up failed: {up.stdout} {up.stderr}")
    identity = control.supervisor_of(home)
    if identity is not None:
        watchdog._note("process", asdict(identity))
    house = House(home, {k: str(v) for k, v in homes.read_json(home.environment).items()})
    users = (
        ("alice", "123", "owner", ["--user-id", "user_789"]),
        ("bob", "123", "viewer", []),
        ("charlie", "124", "owner", []),
    )
    managed_well(
        [
            *(["create_organization", org] for org in ("123", "124")),
            *(["create_user", name, "--org-id", org, "--role", role, *more]
              for name, org, role, more in users),
            ["create_user", "dora"],
        ],
        env={**house.variables, "SUPPLYLINE_NEW_PASSWORD": PASSWORD},
    )  # fmt: skip
    for user in ("alice", "bob", "charlie", "dora"):
        house.log_in(user)
    return house


def stop_house(house: House) -> None:
    supplyline(house.home, "down")


def as_json(done: subprocess.CompletedProcess[str]) -> Any:
    return json.loads(done.stdout)
