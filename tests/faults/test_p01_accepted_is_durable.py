"""P1: after a 202 the intent survives kill -9 of any process of ours and any outage of Airflow."""

from __future__ import annotations

import os
import signal

import httpx
import pytest
from django.db import connection

from backend.accounts.services import create_token
from backend.runs.models import Outbox, Run
from backend.runs.services import INGEST
from supplyline.local.process import free_port
from tests.airflow_server import AirflowServer
from tests.faults.trigger_tools import start_program, start_relay
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import CSV, send
from tests.servers import PostgresServer, Watchdog
from tests.waiting import wait_for

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.django_db(transaction=True)]


def runs_in_airflow(airflow: AirflowServer, file_id: str) -> list[str]:
    with airflow.client() as client:
        return [r.run_id for r in client.list_runs(INGEST) if r.conf.get("file_id") == file_id]


def test_airflow_stopped_then_upload_then_started_gives_exactly_one_run(
    alice: Person, airflow: AirflowServer, watchdog: Watchdog
) -> None:
    airflow.stop()
    told = send(alice, table="products").json()
    assert told["state"] == "pending"
    relay = start_relay(watchdog, airflow.variables())
    wait_for(
        lambda: Run.objects.get(dag_run_id=told["dag_run_id"]).error_code == "airflow_unavailable",
        seconds=60,
        what="the reason at the run",
    )
    os.kill(relay.pid, signal.SIGKILL)
    relay.wait()
    assert Outbox.objects.count() == 1

    airflow.start()
    relay = start_relay(watchdog, airflow.variables())
    try:
        wait_for(lambda: not Outbox.objects.exists(), seconds=120, what="delivery")
    finally:
        relay.terminate()
        relay.wait(30)
    assert runs_in_airflow(airflow, told["file_id"]) == [told["dag_run_id"]]
    run = Run.objects.get(dag_run_id=told["dag_run_id"])
    assert (run.state, run.error_code) == ("queued", "")


def test_the_backend_killed_after_its_answer_loses_nothing(
    alice: Person, airflow: AirflowServer, watchdog: Watchdog
) -> None:
    token, _ = create_token(alice.user)
    port = free_port()
    backend = start_program(
        watchdog,
        "-m",
        "granian",
        "--interface=wsgi",
        "--host=127.0.0.1",
        f"--port={port}",
        "backend.config.wsgi:application",
        variables=airflow.variables(),
    )
    base = f"http://127.0.0.1:{port}"
    wait_for(lambda: _answers(base), seconds=60, what="the backend")
    answer = httpx.post(
        f"{base}/api/files/upload/",
        files={"file": ("products.csv", CSV)},
        data={"table": "products"},
        headers={"Authorization": f"Bearer {token}"},
        timeout=60,
    )
    os.killpg(backend.pid, signal.SIGKILL)
    backend.wait()
    assert answer.status_code == 202, answer.text
    told = answer.json()
    assert runs_in_airflow(airflow, told["file_id"]) == []

    relay = start_relay(watchdog, airflow.variables())
    try:
        wait_for(lambda: not Outbox.objects.exists(), seconds=120, what="delivery")
    finally:
        relay.terminate()
        relay.wait(30)
    assert runs_in_airflow(airflow, told["file_id"]) == [told["dag_run_id"]]


def _answers(base: str) -> bool:
    try:
        return httpx.get(f"{base}/api/auth/me/", timeout=5).status_code == 401
    except httpx.TransportError:
        return False


def test_the_relay_outlives_the_end_of_its_sessions_in_postgresql(
    alice: Person, airflow: AirflowServer, watchdog: Watchdog, pg: PostgresServer
) -> None:
    mine = connection.connection.info.backend_pid
    relay = start_relay(watchdog, airflow.variables())

    def sessions(what: str) -> int:
        with pg.connect() as admin:
            (count,) = admin.execute(
                f"SELECT count({what}) FROM pg_stat_activity WHERE pid <> {mine}"
                " AND application_name = 'supplyline-backend' AND query LIKE '%runs_%'".encode()
            ).fetchone() or (0,)
            return int(count)

    try:
        wait_for(lambda: sessions("pid") > 0, seconds=60, what="the relay's sessions")
        sessions("pg_terminate_backend(pid)")
        told = send(alice, table="products").json()
        wait_for(lambda: not Outbox.objects.exists(), seconds=120, what="delivery")
        assert relay.poll() is None
    finally:
        relay.terminate()
        relay.wait(30)
    assert runs_in_airflow(airflow, told["file_id"]) == [told["dag_run_id"]]
