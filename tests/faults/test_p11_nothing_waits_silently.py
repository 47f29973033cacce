"""P11: every unfinished run has a deadline, and the reconciler settles it."""

from __future__ import annotations

import secrets
from datetime import timedelta

import pytest
from django.utils import timezone

from backend.accounts.models import Organization
from backend.runs.delivery import deliver_due
from backend.runs.models import Run
from backend.runs.reconciler import reconcile
from backend.runs.services import LOAD, request_run
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from tests.airflow_server import AirflowServer, unique_table
from tests.integration.backend.conftest import Person

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def delivered(person: Person, airflow: AirflowServer) -> Run:
    conf = {"org_id": person.org, "table": unique_table(), "triggered_by": "api"}
    run = request_run(OrgId(person.org), dag_id=LOAD, conf=conf, user_id="u", source="api")
    with airflow.client() as client:
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert run.state == "queued"
    return run


def test_a_run_past_its_deadline_is_ended_in_airflow_and_here(
    alice: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    run = delivered(alice, airflow)
    late = run.deadline + timedelta(seconds=1)
    with airflow.client() as client:
        reconcile(client, settings=engine_settings, now=late - timedelta(minutes=1))
        run.refresh_from_db()
        assert run.state == "queued"
        reconcile(client, settings=engine_settings, now=late)
        run.refresh_from_db()
        assert client.get_run(LOAD, run_id=run.dag_run_id).state == "failed"
    assert (run.state, run.error_code) == ("failed", "run_overdue")
    assert run.next_step


def test_a_run_that_reaches_airflow_after_a_long_outage_has_its_time_then(
    alice: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    conf = {"org_id": alice.org, "table": unique_table(), "triggered_by": "api"}
    long_ago = timezone.now() - timedelta(hours=30)
    run = request_run(
        OrgId(alice.org), dag_id=LOAD, conf=conf, user_id="u", source="api", now=long_ago
    )
    with airflow.client() as client:
        deliver_due(client, now=timezone.now())
        reconcile(client, settings=engine_settings, now=timezone.now())
        assert client.get_run(LOAD, run_id=run.dag_run_id).state == "queued"
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("queued", "")


def test_a_run_that_an_operator_clears_in_airflow_is_followed_again(
    alice: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    run = delivered(alice, airflow)
    with airflow.client() as client:
        client.cancel_run(LOAD, run_id=run.dag_run_id)
        reconcile(client, settings=engine_settings, now=timezone.now())
        run.refresh_from_db()
        assert run.state == "failed"
        path = f"/dags/{LOAD}/dagRuns/{run.dag_run_id}"
        assert client._api.send("PATCH", path, json={"state": "queued"}).is_success
        late = run.deadline + timedelta(hours=1)
        for _ in range(2):
            reconcile(client, settings=engine_settings, now=late)
    run.refresh_from_db()
    assert (run.state, run.error_code, run.ended_at) == ("queued", "", None)


def test_an_intent_that_waits_past_its_deadline_is_shown_as_overdue_and_not_dropped(
    alice: Person,
) -> None:
    conf = {"org_id": alice.org, "table": "products", "triggered_by": "api"}
    run = request_run(OrgId(alice.org), dag_id=LOAD, conf=conf, user_id="u", source="api")
    Run.objects.filter(pk=run.pk).update(deadline=timezone.now() - timedelta(seconds=1))
    told = alice.client.get(f"/api/airflow/status/{LOAD}/{run.dag_run_id}/").json()
    assert (told["state"], told["overdue"]) == ("pending", True)


def test_a_run_that_airflow_does_not_know_is_settled(
    alice: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    run = delivered(alice, airflow)
    Run.objects.filter(pk=run.pk).update(dag_run_id="load__gone")
    with airflow.client() as client:
        reconcile(client, settings=engine_settings, now=timezone.now())
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "airflow_run_not_found")


def test_a_run_started_in_airflow_itself_is_adopted_by_its_conf(
    alice: Person, charlie: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    run_id = f"manual__{secrets.token_hex(6)}"
    conf = {"org_id": charlie.org, "table": unique_table(), "triggered_by": "operator"}
    with airflow.client() as client:
        client.trigger(LOAD, run_id=run_id, conf=conf)
        client.trigger(LOAD, run_id=f"{run_id}-x", conf={**conf, "org_id": "nobody"})
        reconcile(client, settings=engine_settings, now=timezone.now())
    url = f"/api/airflow/status/{LOAD}/{run_id}/"
    assert charlie.client.get(url).status_code == 200
    assert alice.client.get(url).status_code == 404
    assert not Run.objects.filter(dag_run_id=f"{run_id}-x").exists()
    assert Run.objects.get(dag_run_id=run_id).parent_run_id == ""


def test_runs_of_an_erased_organization_are_not_those_of_a_new_one_with_its_id(
    charlie: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    old, load_of_old, new = (f"{kind}__{secrets.token_hex(6)}" for kind in ("a", "load__a", "b"))
    conf = {"org_id": charlie.org, "table": unique_table(), "triggered_by": "operator"}
    with airflow.client() as client:
        for run_id in (old, load_of_old):
            client.trigger(LOAD, run_id=run_id, conf=conf)
        Organization.objects.filter(pk=charlie.org).update(created_at=timezone.now())
        client.trigger(LOAD, run_id=new, conf=conf)
        reconcile(client, settings=engine_settings, now=timezone.now())
    assert not Run.objects.filter(dag_run_id__in=[old, load_of_old]).exists()
    assert Run.objects.get(dag_run_id=new).org_id == charlie.org


def test_a_paused_dag_is_named_in_the_status(
    alice: Person,
    airflow: AirflowServer,
    engine_settings: Settings,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from supplyline import settings as supplyline_settings

    run = delivered(alice, airflow)
    for name, value in airflow.variables().items():
        monkeypatch.setenv(name, value)
    supplyline_settings.get.cache_clear()
    try:
        airflow.set_paused(LOAD, paused=True)
        told = alice.client.get(f"/api/airflow/status/{LOAD}/{run.dag_run_id}/").json()
    finally:
        airflow.set_paused(LOAD, paused=False)
        monkeypatch.undo()
        supplyline_settings.get.cache_clear()
    assert told["state"] == "queued"
    assert told["paused"] is True
    assert "unpause" in told["next_step"]


def test_a_run_that_waits_for_a_paused_dag_says_so_until_it_is_released(
    alice: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    run, later = delivered(alice, airflow), timezone.now() + timedelta(minutes=1)
    with airflow.client() as client:
        try:
            airflow.set_paused(LOAD, paused=True)
            reconcile(client, settings=engine_settings, now=later)
        finally:
            airflow.set_paused(LOAD, paused=False)
        run.refresh_from_db()
        assert (run.state, run.error_code) == ("queued", "dag_paused")
        stage = alice.client.get("/api/airflow/pipeline-status/").json()["stages"][1]
        assert "Unpause" in stage["next_step"]
        reconcile(client, settings=engine_settings, now=later)
    run.refresh_from_db()
    assert (run.state, run.error_code, run.next_step) == ("queued", "", "")


def test_however_many_runs_were_started_meanwhile_all_are_adopted(
    charlie: Person, airflow: AirflowServer, engine_settings: Settings
) -> None:
    table = unique_table()
    conf = {"org_id": charlie.org, "table": table, "triggered_by": "operator"}
    with airflow.client() as client:
        for number in range(120):
            client.trigger(LOAD, run_id=f"manual__{table}_{number}", conf=conf)
        reconcile(client, settings=engine_settings, now=timezone.now())
    assert Run.objects.filter(org_id=charlie.org, conf__table=table).count() == 120
