"""manage_enhanced_pipeline: the promised actions, exit codes, --json and --verbose."""

from __future__ import annotations

import io
import json
from typing import Any

import pytest
from django.core.management import CommandError, call_command

from backend.runs.models import Run
from backend.runs.services import FORECAST, INGEST, LOAD
from supplyline.settings import Settings
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send

COMMAND = "manage_enhanced_pipeline"


def run(*arguments: str) -> Any:
    out = io.StringIO()
    call_command(COMMAND, *arguments, "--json", stdout=out, stderr=io.StringIO())
    return json.loads(out.getvalue())


def test_the_triggers_make_the_runs_that_the_api_makes(alice: Person) -> None:
    file_id = send(alice, table="products").json()["file_id"]
    Run.objects.all().update(source="earlier")
    run("trigger-ingest", "--org-id", "1", "--table", "products", "--file-id", file_id)
    run("trigger-postgres-load", "--org-id", "1", "--table", "products")
    run("trigger-forecast", "--client-id", "org_1")

    made = {r.dag_id: r.conf for r in Run.objects.exclude(source="earlier")}
    assert set(made) == {INGEST, LOAD, FORECAST}
    assert made[INGEST]["file_id"] == file_id
    assert made[INGEST]["user_id"] == "system"
    assert made[FORECAST] == {"client_id": "org_1"}


def test_status_of_one_and_of_all(alice: Person) -> None:
    assert run("status", "--org-id", "1")["org_id"] == "1"
    assert run("status")


def test_quality_and_audit_answer(alice: Person) -> None:
    assert "chain" in run("audit", "--org-id", "1")


@pytest.mark.parametrize(
    "arguments",
    [
        ("status", "--org-id", "nobody"),
        ("trigger-ingest", "--org-id", "1", "--table", "products", "--file-id", "file_456"),
        ("trigger-postgres-load", "--org-id", "1", "--table", "Bad; name"),
        ("trigger-forecast", "--client-id", "org_nobody"),
    ],
)
def test_what_cannot_be_served_ends_with_3_and_a_next_step(
    alice: Person, arguments: tuple[str, ...]
) -> None:
    with pytest.raises(CommandError) as caught:
        run(*arguments)
    assert caught.value.returncode == 3
    assert "\n" in str(caught.value)


def test_verbose_shows_the_connections_and_masks_secrets(
    alice: Person, engine_settings: Settings
) -> None:
    err = io.StringIO()
    call_command(COMMAND, "status", "--org-id", "1", "--verbose", stdout=io.StringIO(), stderr=err)
    shown = err.getvalue()
    assert engine_settings.airflow_api_base in shown
    assert str(engine_settings.pg_port) in shown
    for secret in (engine_settings.app_db_password, engine_settings.airflow_password):
        assert secret not in shown
    assert engine_settings.mongo_uri not in shown
