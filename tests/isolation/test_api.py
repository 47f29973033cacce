"""The running backend, tried by two organizations' tokens over HTTP."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
import urllib.request
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.contracts import OrgId
from supplyline.isolation import http
from supplyline.isolation.probe import Subject
from supplyline.local.process import free_port
from supplyline.settings import Settings
from supplyline.tenancy.names import parse_org_id
from supplyline.tenancy.provisioning import drop
from tests.managing import managed_well
from tests.servers import PostgresServer

ROOT = Path(__file__).resolve().parents[2]


@dataclass(frozen=True)
class Backend:
    """A running backend with two organizations, each with a file and the run that it started."""

    url: str
    orgs: tuple[OrgId, OrgId]
    tokens: tuple[str, str]


@pytest.fixture(scope="module")
def backend(
    engine_env: dict[str, str], engine_settings: Settings, pg: PostgresServer
) -> Iterator[Backend]:
    env = {**os.environ, **engine_env, "DJANGO_SETTINGS_MODULE": "backend.config.settings"}
    with pg.connect(user=pg.app_user) as conn:
        name = engine_settings.control_db
        if not conn.execute("SELECT 1 FROM pg_database WHERE datname = %s", (name,)).fetchone():
            conn.execute(f'CREATE DATABASE "{name}"'.encode())
    orgs = [parse_org_id(f"{letter}{secrets.token_hex(4)}") for letter in "ab"]
    commands = [["migrate", "-v", "0"]]
    for org in orgs:
        commands += [
            ["create_organization", org],
            ["create_user", f"user-{org}", "--org-id", org, "--role", "owner",
             "--generate-password"],
            ["create_token", f"user-{org}"],
        ]  # fmt: skip
    tokens = managed_well(commands, env=env)[3::3]
    port = free_port()
    server = subprocess.Popen(
        [sys.executable, "-m", "granian", "--interface", "wsgi", "--host", "127.0.0.1",
         "--port", str(port), "backend.config.wsgi:application"],
        cwd=ROOT,
        env=env,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )  # fmt: skip
    try:
        url = f"http://127.0.0.1:{port}"
        wait_for(url, server)
        for token in tokens:
            upload(url, token)
        yield Backend(url=url, orgs=(orgs[0], orgs[1]), tokens=(tokens[0], tokens[1]))
    finally:
        server.terminate()
        server.wait(30)
        for org in orgs:
            drop(org, settings=engine_settings)


def wait_for(url: str, server: subprocess.Popen[bytes]) -> None:
    for _ in range(300):
        assert server.poll() is None, "the backend ended"
        try:
            urllib.request.urlopen(f"{url}/api/health/", timeout=5).close()
        except OSError:
            time.sleep(0.1)
        else:
            return
    pytest.fail("the backend did not begin to answer")


def upload(url: str, token: str) -> None:
    edge = uuid.uuid4().hex
    body = (
        f'--{edge}\r\nContent-Disposition: form-data; name="table"\r\n\r\nproducts\r\n'
        f'--{edge}\r\nContent-Disposition: form-data; name="file"; filename="p.csv"\r\n'
        f"Content-Type: text/csv\r\n\r\nsku,name\n1,a\n\r\n--{edge}--\r\n"
    )
    request = urllib.request.Request(
        f"{url}/api/files/upload/",
        data=body.encode(),
        headers={
            "Content-Type": f"multipart/form-data; boundary={edge}",
            "Authorization": f"Bearer {token}",
        },
    )
    with urllib.request.urlopen(request, timeout=60) as answer:
        assert answer.status == 202


@pytest.mark.parametrize("attacker", [0, 1])
def test_nothing_of_the_other_is_reached_through_the_api(
    backend: Backend, engine_settings: Settings, attacker: int
) -> None:
    subject = Subject(
        attacker=backend.orgs[attacker],
        victim=backend.orgs[1 - attacker],
        settings=engine_settings,
        api=backend.url,
        attacker_token=backend.tokens[attacker],
        victim_token=backend.tokens[1 - attacker],
    )
    found = list(http.probes(subject))
    assert [f"{a.what}: {a.evidence}" for a in found if a.outcome == "crossed"] == []
    untested = [a for a in found if a.outcome == "untested"]
    nothing_there = ("both are shown the same", "table_not_found")
    assert [a for a in untested if not any(n in a.evidence for n in nothing_there)] == []
    assert sum(a.outcome == "refused" for a in found) >= 20


def test_the_command_tries_the_api_too(backend: Backend) -> None:
    (a, b), (token_a, token_b) = backend.orgs, backend.tokens
    result = CliRunner().invoke(
        cli,
        ["isolation-check", "--org", a, "--org", b, "--api", backend.url, "--json",
         "--token-a", token_a, "--token-b", token_b],
    )  # fmt: skip
    assert result.exit_code == 0, result.output
    verdict = json.loads(result.output)
    assert not any("--api" in one for one in verdict["not_tried"])
    assert {attempt["area"] for attempt in verdict["attempts"]} >= {"api", "postgresql", "files"}
    assert token_a not in result.output
    assert token_b not in result.output
