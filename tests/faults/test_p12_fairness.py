"""P12: however much one organization has queued, another's next run reaches Airflow at once."""

from __future__ import annotations

import pytest
from django.utils import timezone

from backend.runs.delivery import IN_AIRFLOW, deliver_due
from backend.runs.models import Outbox, Run
from backend.runs.reconciler import reconcile
from backend.runs.services import FORECAST, LOAD, request_run
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from tests.airflow_server import AirflowServer, unique_table
from tests.integration.backend.conftest import Person

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def ask(person: Person) -> Run:
    conf = {"org_id": person.org, "table": unique_table(), "triggered_by": "api"}
    return request_run(OrgId(person.org), dag_id=LOAD, conf=conf, user_id="u", source="api")


def in_airflow(person: Person) -> int:
    return Run.objects.filter(org_id=person.org, delivered_at__isnull=False).count()


def test_a_thousand_runs_of_one_organization_hold_up_none_of_another(
    alice: Person, charlie: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    many = [ask(alice) for _ in range(1000)]
    theirs = ask(charlie)
    with airflow.client() as client:
        while deliver_due(client, now=timezone.now()):
            pass
        theirs.refresh_from_db()
        assert theirs.state == "queued"
        assert in_airflow(alice) == IN_AIRFLOW

        # What has ended in Airflow makes room for the next ones, in the order of their coming.
        for run in many[:3]:
            client.cancel_run(LOAD, run_id=run.dag_run_id)
        reconcile(client, settings=engine_settings, now=timezone.now())
        later = ask(charlie)
        while deliver_due(client, now=timezone.now()):
            pass
        later.refresh_from_db()
        assert later.state == "queued"
    delivered = Run.objects.filter(pk__in=[r.pk for r in many], delivered_at__isnull=False)
    assert set(delivered) == set(many[: IN_AIRFLOW + 3])
    assert Outbox.objects.count() == 1000 - IN_AIRFLOW - 3


def test_files_that_wait_hold_up_no_forecast(alice: Person, airflow: AirflowServer) -> None:
    for _ in range(IN_AIRFLOW + 1):
        ask(alice)
    conf = {"client_id": f"org_{alice.org}"}
    forecast = request_run(OrgId(alice.org), dag_id=FORECAST, conf=conf, user_id="u", source="api")
    with airflow.client() as client:
        deliver_due(client, now=timezone.now())
    forecast.refresh_from_db()
    assert (forecast.state, in_airflow(alice)) == ("queued", IN_AIRFLOW + 1)


def test_what_waits_behind_a_paused_dag_is_told_why(
    alice: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    for _ in range(IN_AIRFLOW + 1):
        ask(alice)
    with airflow.client() as client:
        deliver_due(client, now=timezone.now())
        Run.objects.filter(delivered_at__isnull=False).update(
            error_code="dag_paused", next_step="Unpause the DAG in Airflow."
        )
    stage = alice.client.get("/api/airflow/pipeline-status/").json()["stages"][1]
    assert (stage["unfinished"], stage["state"]) == (IN_AIRFLOW + 1, "pending")
    assert "Unpause" in stage["next_step"]
