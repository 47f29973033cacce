"""P2: one intent, one run, whatever is lost or done twice on the way to Airflow."""

from __future__ import annotations

import random
from contextlib import suppress
from datetime import timedelta

import pytest
from django.utils import timezone

from backend.runs.delivery import deliver_due
from backend.runs.models import Outbox, Run
from backend.runs.reconciler import reconcile
from backend.runs.services import LOAD, request_run
from supplyline.contracts import OrgId
from supplyline.errors import SupplylineError
from supplyline.settings import Settings
from tests.airflow_server import AirflowServer, unique_table
from tests.faults.trigger_tools import (
    client_at,
    losing_answers,
    moody,
    signing_in,
    something_else,
    start_relay,
)
from tests.integration.backend.conftest import Person
from tests.servers import Watchdog
from tests.waiting import wait_for

pytestmark = [pytest.mark.airflow, pytest.mark.slow]


def ask(person: Person, table: str) -> Run:
    conf = {"org_id": person.org, "table": table, "triggered_by": "api"}
    return request_run(
        OrgId(person.org), dag_id=LOAD, conf=conf, user_id=person.user.pk, source="api"
    )


def runs_for(airflow: AirflowServer, table: str) -> list[str]:
    with airflow.client() as client:
        return [r.run_id for r in client.list_runs(LOAD) if r.conf.get("table") == table]


def test_a_lost_answer_still_means_one_run(alice: Person, airflow: AirflowServer) -> None:
    run = ask(alice, table := unique_table())
    with losing_answers(airflow.port) as (port, lost), airflow.client(port=port) as client:
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert len(lost) == 1
    assert (run.state, run.error_code) == ("pending", "airflow_unavailable")
    assert runs_for(airflow, table) == [run.dag_run_id]

    with airflow.client() as client:
        deliver_due(client, now=timezone.now() + timedelta(minutes=2))
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("queued", "")
    assert runs_for(airflow, table) == [run.dag_run_id]
    assert not Outbox.objects.exists()


def test_somebody_elses_run_under_our_id_is_never_taken_for_ours(
    alice: Person, airflow: AirflowServer
) -> None:
    run = ask(alice, unique_table())
    with airflow.client() as client:
        client.trigger(LOAD, run_id=run.dag_run_id, conf={**run.conf, "table": unique_table()})
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("refused", "invalid_conf")
    assert run.next_step
    assert not Outbox.objects.exists()


def test_a_missing_dag_and_a_wrong_password_keep_the_run_waiting(
    alice: Person, airflow: AirflowServer
) -> None:
    run = ask(alice, table := unique_table())
    with airflow.client(password="wrong") as client:
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("pending", "airflow_auth_failed")

    Run.objects.filter(pk=run.pk).update(dag_id="not_deployed_yet")
    with airflow.client() as client:
        deliver_due(client, now=timezone.now() + timedelta(minutes=2))
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("pending", "dag_not_found")

    Run.objects.filter(pk=run.pk).update(dag_id=LOAD)
    with airflow.client() as client:
        deliver_due(client, now=timezone.now() + timedelta(minutes=4))
    assert runs_for(airflow, table) == [run.dag_run_id]


def test_what_airflow_refuses_is_refused_for_good(alice: Person, airflow: AirflowServer) -> None:
    run = ask(alice, unique_table())
    Run.objects.filter(pk=run.pk).update(conf={"org_id": 5})
    with airflow.client() as client:
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("refused", "invalid_conf")
    assert not Outbox.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_two_relays_at_once_make_each_run_once(
    alice: Person, airflow: AirflowServer, watchdog: Watchdog
) -> None:
    asked = {table: ask(alice, table) for table in (unique_table() for _ in range(8))}
    relays = [start_relay(watchdog, airflow.variables()) for _ in range(2)]
    try:
        wait_for(lambda: not Outbox.objects.exists(), seconds=120, what="delivery")
    finally:
        for relay in relays:
            relay.terminate()
        for relay in relays:
            relay.wait(30)
    for table, run in asked.items():
        assert runs_for(airflow, table) == [run.dag_run_id]
        run.refresh_from_db()
        assert run.state == "queued"


@pytest.mark.parametrize("status", [200, 302, 400, 413, 503])
def test_what_answers_in_place_of_airflow_costs_no_intent(
    alice: Person, airflow: AirflowServer, status: int
) -> None:
    """A login page, a proxy's limit: not Airflow's words, so the run stays owed (P1)."""
    run = ask(alice, table := unique_table())
    with something_else(signing_in(status)) as port, airflow.client(port=port) as client:
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert run.state == "pending"
    assert run.error_code in ("airflow_unavailable", "airflow_wrong_base")
    with airflow.client() as client:
        deliver_due(client, now=timezone.now() + timedelta(minutes=2))
    assert runs_for(airflow, table) == [run.dag_run_id]


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"{}", {}),
        (b'{"status": "ok"}', {}),
        (b'{"dag_id": "x", "dag_run_id": "another", "state": "queued"}', {}),
        (b"[" * 100_000, {}),
        (b"no gzip", {"Content-Encoding": "gzip"}),
    ],
)
def test_an_answer_that_is_none_of_airflows_delivers_nothing(
    alice: Person, body: bytes, headers: dict[str, str]
) -> None:
    run = ask(alice, unique_table())
    with something_else(lambda *_: (200, body), headers=headers) as port, client_at(port) as client:
        deliver_due(client, now=timezone.now())
    run.refresh_from_db()
    assert run.state == "pending"
    assert run.error_code in ("airflow_unavailable", "airflow_wrong_base")
    assert Outbox.objects.count() == 1


def test_a_clock_that_runs_ahead_delays_no_run(alice: Person, airflow: AirflowServer) -> None:
    """The backend's, when the run was accepted; then a relay's, which died with its claim."""
    for ahead in ("due_at", "leased_until"):
        run = ask(alice, table := unique_table())
        Outbox.objects.filter(run=run).update(**{ahead: timezone.now() + timedelta(hours=1)})
        with airflow.client() as client:
            deliver_due(client, now=timezone.now())
        assert runs_for(airflow, table) == [run.dag_run_id]


@pytest.mark.parametrize("seed", range(3))
def test_whatever_airflow_answers_on_the_way_each_intent_becomes_one_run(
    alice: Person, charlie: Person, airflow: AirflowServer, engine_settings: Settings, seed: int
) -> None:
    """Answers lost, made up, refused and repeated, in any order; then a quiet hour."""
    rng, now = random.Random(seed), timezone.now()
    asked = {t: ask(p, t) for p in (alice, charlie) for t in (unique_table() for _ in range(5))}
    with moody(airflow.port, rng) as port, airflow.client(port=port) as client:
        for _ in range(12):
            now += timedelta(minutes=2)
            deliver_due(client, now=now)
            with suppress(
                SupplylineError
            ):  # the list of runs may be made up; the relay goes on too
                reconcile(client, settings=engine_settings, now=now)
    with airflow.client() as client:
        deliver_due(client, now=now + timedelta(minutes=2))
        reconcile(client, settings=engine_settings, now=now + timedelta(minutes=2))
        there = [(r.run_id, r.conf.get("table")) for r in client.list_runs(LOAD)]
    assert not Outbox.objects.exists()
    for table, run in asked.items():
        assert [run_id for run_id, its in there if its == table] == [run.dag_run_id]
        run.refresh_from_db()
        assert (run.state, run.error_code) == ("queued", "")
