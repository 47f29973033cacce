"""The reconciler's rounds go on, whatever answers at Airflow's address and whoever has trouble; and
where no relay goes round, it is said."""

from __future__ import annotations

import json
from datetime import timedelta
from typing import Any

import pytest
from django.db.models.functions import Now
from django.utils import timezone

from backend.airflow_client.errors import AirflowWrongBase
from backend.forecasts import schedule
from backend.forecasts.models import Schedule
from backend.runs.beat import RECONCILE, is_silent
from backend.runs.models import RelayBeat, Run
from backend.runs.reconciler import reconcile
from backend.runs.services import LOAD, request_run
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.tenancy.connections import connect_admin
from supplyline.tenancy.names import database_name
from tests.faults.trigger_tools import client_at, something_else, start_relay
from tests.integration.backend.conftest import Person
from tests.servers import Watchdog
from tests.waiting import wait_for


def in_airflow(person: Person, *, minutes_ago: int = 1) -> Run:
    """A run that was delivered, without the delivery."""
    conf = {"org_id": person.org, "table": "products", "triggered_by": "api"}
    run = request_run(OrgId(person.org), dag_id=LOAD, conf=conf, user_id="u", source="api")
    at = timezone.now() - timedelta(minutes=minutes_ago)
    Run.objects.filter(pk=run.pk).update(state="queued", created_at=at, delivered_at=at)
    return run


def as_airflow(run: Run, state: str) -> dict[str, Any]:
    return {"dag_id": LOAD, "dag_run_id": run.dag_run_id, "state": state, "conf": run.conf}


@pytest.mark.parametrize(
    "told",
    [
        {"dag_runs": None},
        {"dag_runs": [1]},
        {"dag_runs": [{"dag_id": LOAD}]},
        {"dag_runs": [{"dag_id": LOAD, "dag_run_id": "x", "state": "queued", "start_date": "?"}]},
    ],
)
def test_what_is_none_of_airflows_words_is_said_to_be_none(
    alice: Person, engine_settings: Settings, told: dict[str, Any]
) -> None:
    run, body = in_airflow(alice), json.dumps(told).encode()
    with (
        something_else(lambda *_: (200, body)) as port,
        client_at(port) as client,
        pytest.raises(AirflowWrongBase),
    ):
        reconcile(client, settings=engine_settings, now=timezone.now())
    run.refresh_from_db()
    assert run.state == "queued"


def test_a_run_that_airflow_cannot_tell_of_keeps_none_of_the_others_waiting(
    alice: Person, charlie: Person, engine_settings: Settings
) -> None:
    sick, well, late = (in_airflow(p) for p in (alice, charlie, charlie))
    Run.objects.filter(pk=late.pk).update(deadline=timezone.now() - timedelta(minutes=1))

    def answer(method: str, path: str) -> tuple[int, bytes]:
        if sick.dag_run_id in path:
            return 500, b"{}"
        for run in (well, late):
            if run.dag_run_id in path:
                state = "failed" if method == "PATCH" else "running"
                return 200, json.dumps(as_airflow(run, state)).encode()
        about = {"dag_runs": [], "dag_id": LOAD, "is_paused": False, "metadatabase": {}}
        return 200, json.dumps(about).encode()

    with something_else(answer) as port, client_at(port) as client:
        assert reconcile(client, settings=engine_settings, now=timezone.now()) == 2
    states = {run: Run.objects.get(pk=run.pk).state for run in (sick, well, late)}
    assert states == {sick: "queued", well: "running", late: "failed"}


def test_many_runs_that_wait_keep_no_newer_one_from_its_end(
    alice: Person, charlie: Person, engine_settings: Settings
) -> None:
    first = in_airflow(alice, minutes_ago=60)
    Run.objects.bulk_create(
        Run(org_id=alice.org, dag_id=LOAD, dag_run_id=f"load__{n}", conf=first.conf, state="queued",
            source="api", created_at=first.created_at, delivered_at=first.created_at,
            deadline=first.deadline)
        for n in range(510)
    )  # fmt: skip
    newest = in_airflow(charlie)

    def answer(_method: str, path: str) -> tuple[int, bytes]:
        found = [as_airflow(newest, "running")] if "dags/~/" in path else []
        waiting = {"dag_id": LOAD, "state": "queued", "is_paused": True, "metadatabase": {}}
        waiting["dag_run_id"] = path.rpartition("/")[2]
        return 200, json.dumps({"dag_runs": found, **waiting}).encode()

    with something_else(answer) as port, client_at(port) as client:
        reconcile(client, settings=engine_settings, now=timezone.now())
    newest.refresh_from_db()
    assert newest.state == "running"


def test_one_organizations_database_keeps_no_others_schedule_waiting(
    alice: Person, charlie: Person, engine_settings: Settings
) -> None:
    now = timezone.now()
    for person, minutes in ((alice, 2), (charlie, 1)):
        due = now - timedelta(minutes=minutes)
        Schedule.objects.create(org_id=person.org, at="01:00", next_due=due)
    name = database_name(OrgId(alice.org), prefix=engine_settings.pg_db_prefix)
    with connect_admin(settings=engine_settings, dbname=name, autocommit=False) as admin:
        admin.execute("LOCK TABLE supplyline.forecast_run IN ACCESS EXCLUSIVE MODE")
        assert schedule.start_due(settings=engine_settings, now=now) == 2
    assert set(Run.objects.values_list("org_id", flat=True)) == {alice.org, charlie.org}


@pytest.mark.django_db(transaction=True)
def test_without_a_relay_what_waits_says_so(alice: Person, watchdog: Watchdog) -> None:
    conf = {"org_id": alice.org, "table": "products", "triggered_by": "api"}
    run = request_run(OrgId(alice.org), dag_id=LOAD, conf=conf, user_id="u", source="api")

    def told() -> tuple[bool, bool]:
        one = alice.client.get(f"/api/airflow/status/{LOAD}/{run.dag_run_id}/").json()
        stage = alice.client.get("/api/airflow/pipeline-status/").json()["stages"][1]
        return "run_relay" in one.get("next_step", ""), "run_relay" in stage["next_step"]

    assert told() == (True, True)
    relay = start_relay(watchdog, {})  # its Airflow is away: it goes round all the same
    try:
        wait_for(lambda: not is_silent(), seconds=60, what="both halves of the relay")
    finally:
        relay.terminate()
        relay.wait(30)
    assert told() == (False, False)
    RelayBeat.objects.filter(half=RECONCILE).update(at=Now() - timedelta(minutes=4))
    assert is_silent()
