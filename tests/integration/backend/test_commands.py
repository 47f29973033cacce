"""manage_enhanced_pipeline: the promised actions, exit codes, --json and --verbose."""

from __future__ import annotations

import io
import json
import re
from dataclasses import replace
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone

from backend.api.management.commands._watch import places
from backend.backend_scripts.data_pipeline_manager import DataPipelineManager
from backend.runs.models import Run
from backend.runs.services import FORECAST, INGEST, LOAD
from supplyline.settings import Settings
from supplyline.settings import get as get_settings
from supplyline.tenancy.connections import connect_admin
from supplyline.tenancy.names import database_name, parse_org_id
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send
from tests.managing import managed

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
    with pytest.raises(SystemExit) as caught:  # nobody listens where Airflow is looked for
        run("status")
    assert caught.value.code == 4


def test_nothing_is_said_of_what_a_store_that_is_away_would_know(
    alice: Person, charlie: Person, engine_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    Run.objects.create(
        org_id="1", dag_id=LOAD, dag_run_id="load__1", state=Run.State.SUCCESS, conf={},
        created_at=timezone.now(),
        deadline=timezone.now(),
    )  # fmt: skip
    monkeypatch.setenv("MONGO_URI", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=200")
    get_settings.cache_clear()
    out = io.StringIO()
    try:
        with pytest.raises(SystemExit) as caught:
            call_command(COMMAND, "status", "--org-id", "1", "--json", stdout=out)
        everything = DataPipelineManager().get_overall_status()
    finally:
        get_settings.cache_clear()

    assert caught.value.code == 4
    told = json.loads(out.getvalue())
    assert told["problem"]["code"] == "database_unavailable"
    assert [s["counts"] for s in told["stages"]] == [{}, {}, {}]
    assert "MONGO_URI" in told["stages"][1]["next_step"]
    assert [one["problem"] for one in everything["organizations"]] == [told["problem"]] * 2


def test_audit_ends_with_1_when_the_chain_is_broken(
    alice: Person, engine_settings: Settings
) -> None:
    assert run("audit", "--org-id", "1")["chain"]["ok"]
    database = database_name(parse_org_id("1"), prefix=engine_settings.pg_db_prefix)
    with connect_admin(settings=engine_settings, dbname=database, autocommit=False) as admin:
        admin.execute("ALTER TABLE supplyline.audit_events DISABLE TRIGGER USER")
        admin.execute("UPDATE supplyline.audit_events SET actor = 'x' || actor WHERE seq = 1")
        admin.commit()
        try:
            with pytest.raises(SystemExit) as caught:
                call_command(COMMAND, "audit", "--org-id", "1", stdout=(out := io.StringIO()))
        finally:
            admin.execute("UPDATE supplyline.audit_events SET actor = substr(actor, 2) WHERE seq=1")
            admin.execute("ALTER TABLE supplyline.audit_events ENABLE TRIGGER USER")
    assert caught.value.code == 1
    assert "BROKEN at event 1" in out.getvalue()


def test_options_out_of_bounds_are_wrong_usage(engine_env: dict[str, str]) -> None:
    asked = (
        ("quality", "--org-id", "1", "--table", "x", "--days", "999999999"),
        ("quality", "--org-id", "1", "--table", "x", "--days", "0"),
        ("audit", "--org-id", "1", "--limit", "-1"),
        ("status", "--org-id", ""),
        ("trigger-ingest", "--org-id", "1", "--table", "x", "--file-id", "f",
         "--user-id", "u" * 65),
        ("trigger-postgres-load", "--org-id", "1", "--table", "x", "--idempotency-key", "k" * 201),
    )  # fmt: skip
    done = managed([(COMMAND, *arguments) for arguments in asked], env=engine_env)
    assert [one.code for one in done] == [2] * len(asked), done


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("mongodb://u:secret@h1:1,h2:2/?replicaSet=r&password=secret", "h1:1,h2:2"),
        ("mongodb+srv://u:secret@h.x/", "h.x"),
    ],
)
def test_any_address_of_mongodb_is_shown_without_its_secret(
    engine_settings: Settings, uri: str, host: str
) -> None:
    shown = "\n".join(places(replace(engine_settings, mongo_uri=uri)))
    assert "secret" not in shown
    assert host in shown


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
    assert re.search(r"mongodb \w+ in \d+ ms", shown)
    assert re.search(r"postgresql \w+_1: connected in \d+ ms, used for \d+ ms", shown)
    assert re.search(r"control database: \d+ statements in \d+ ms", shown)
    for secret in (engine_settings.app_db_password, engine_settings.airflow_password):
        assert secret not in shown
    assert engine_settings.mongo_uri not in shown
