"""An organization that leaves: its people, uploads and runs go with its data, also from Airflow."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backend.accounts.models import Organization, Role, User
from backend.accounts.services import create_organization
from backend.airflow_client.errors import AirflowRunNotFound
from backend.files.models import ResumableUpload, Upload
from backend.forecasts.models import Schedule
from backend.runs.delivery import deliver_due
from backend.runs.models import Outbox, Run
from backend.runs.services import INGEST
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.storage import Storage
from supplyline.tenancy.names import role_name
from tests.airflow_server import AirflowServer
from tests.faults.trigger_tools import ROOT
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send
from tests.servers import PostgresServer

People = Callable[..., Person]


@pytest.fixture
def leaving(new_org: Callable[..., OrgId], person: People) -> Person:
    """Somebody of an organization with an upload, one half sent, a run that waits, a schedule."""
    org = new_org()
    Organization.objects.create(pk=org, state=Organization.State.ACTIVE, name="Leaving Ltd")
    made = person(f"leaving-{org}", org=org, role=Role.OWNER)
    send(made, table="products")
    begun = {"HTTP_TUS_RESUMABLE": "1.0.0", "HTTP_UPLOAD_LENGTH": "40"}
    assert made.client.post("/api/files/tus/", **begun).status_code == 201
    Schedule.objects.create(org_id=org, at="01:00", next_due=timezone.now() + timedelta(days=1))
    return made


def erase(org: str, *, code: int = 0) -> Any:
    out = StringIO()
    options: dict[str, Any] = {"yes_erase": org, "json": True, "stdout": out, "stderr": StringIO()}
    if code:
        with pytest.raises(SystemExit):
            call_command("erase_organization", org, **options)
    else:
        call_command("erase_organization", org, **options)
    return json.loads(out.getvalue())


def test_everything_of_it_goes_and_nothing_of_others(
    leaving: Person, alice: Person, engine_settings: Settings
) -> None:
    org = leaving.org
    send(alice, table="products")
    proof = erase(org)
    assert (proof["gone"], proof["found"]) == (True, True)
    assert proof["was"]["rows"] == {
        "organizations": 1, "users": 1, "tokens": 1, "uploads": 1, "uploads_begun": 1, "runs": 1,
        "schedules": 1,
    }  # fmt: skip
    assert not any(proof["left"].values())
    assert leaving.client.get("/api/auth/me/").status_code == 401
    for rows in (ResumableUpload, Upload, Run, Schedule, User):
        assert not rows.objects.filter(org_id=org).exists()
    assert Outbox.objects.count() == Run.objects.count() == Upload.objects.count() == 1
    assert alice.client.get("/api/files/").json()["count"] == 1
    assert Storage(engine_settings.storage_url).everything(OrgId(org)) == []
    assert erase(org)["found"] is False


def test_one_that_comes_under_the_same_id_is_a_new_one(
    leaving: Person, person: People, engine_settings: Settings
) -> None:
    org = leaving.org
    erase(org)
    create_organization(org, name="Another", settings=engine_settings)
    other = person("another", org=org, role=Role.OWNER)
    assert leaving.client.get("/api/files/").status_code == 401
    assert other.client.get("/api/files/").json()["results"] == []
    assert other.client.get(f"/api/airflow/status/{INGEST}/").json()["results"] == []
    events = other.client.get("/api/pipeline/audit/").json()["events"]
    assert [e["kind"] for e in events] == ["organization.provisioned"]


def test_as_long_as_something_is_left_the_door_stays_closed(
    leaving: Person, person: People, engine_settings: Settings, pg: PostgresServer
) -> None:
    org = leaving.org
    role = role_name(OrgId(org), prefix=engine_settings.pg_db_prefix)
    with pg.connect() as admin:
        admin.execute(f"GRANT CONNECT ON DATABASE postgres TO {role}".encode())
        proof = erase(org, code=1)
        assert (proof["left"]["role"], proof["left"]["rows"], proof["gone"]) == (1, 1, False)
        assert Organization.objects.get(pk=org).state == "suspended"
        admin.execute(f"REVOKE CONNECT ON DATABASE postgres FROM {role}".encode())
    assert erase(org)["gone"]
    assert not Organization.objects.filter(pk=org).exists()


def test_with_airflow_away_nothing_is_erased_and_the_door_is_closed(leaving: Person) -> None:
    Run.objects.filter(org_id=leaving.org).update(state="queued", delivered_at=timezone.now())
    with pytest.raises(CommandError, match="nothing is erased yet") as caught:
        erase(leaving.org)
    assert caught.value.returncode == 4
    assert leaving.client.get("/api/files/").status_code == 403
    assert Upload.objects.filter(org_id=leaving.org).count() == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("point", ["erase.files_gone", "erase.rows_gone"])
def test_an_erasure_that_was_killed_is_completed_with_the_whole_proof(
    leaving: Person, engine_env: dict[str, str], point: str
) -> None:
    org = leaving.org
    command = [sys.executable, "manage.py", "erase_organization", org, "--yes-erase", org]
    env = {**os.environ, **engine_env, "SUPPLYLINE_FAULT": f"{point}:1", "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=Path(ROOT), env=env, capture_output=True, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    assert leaving.client.get("/api/files/").status_code in (401, 403)
    proof = erase(org)
    assert proof["gone"]
    assert proof["was"]["files"] > 0
    assert (proof["was"]["rows"]["users"], proof["was"]["rows"]["uploads"]) == (1, 1)


@pytest.mark.airflow
@pytest.mark.slow
def test_its_runs_go_from_airflow_too(
    leaving: Person,
    alice: Person,
    airflow: AirflowServer,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from supplyline import settings as supplyline_settings

    other = send(alice, table="products").json()
    with airflow.client() as client:
        deliver_due(client, now=timezone.now())
        run = Run.objects.get(org_id=leaving.org)
        assert client.get_run(INGEST, run_id=run.dag_run_id).state == "queued"
        for name, value in airflow.variables().items():
            monkeypatch.setenv(name, value)
        supplyline_settings.get.cache_clear()
        try:
            assert erase(leaving.org)["gone"]
        finally:
            monkeypatch.undo()
            supplyline_settings.get.cache_clear()
        with pytest.raises(AirflowRunNotFound):
            client.get_run(INGEST, run_id=run.dag_run_id)
        assert client.get_run(INGEST, run_id=other["dag_run_id"]).state == "queued"
