"""What the client says of Airflow is what a real Airflow does: 3.3, and 2.11 in the long form."""

from __future__ import annotations

import secrets

import pytest

from backend.airflow_client.dialects import DialectV2
from backend.airflow_client.errors import (
    AirflowAuthFailed,
    AirflowRunNotFound,
    AirflowUnavailable,
    AirflowWrongBase,
    DagNotFound,
    InvalidConf,
    RunConflict,
)
from backend.runs.services import DAGS, FORECAST, LOAD
from tests.airflow_server import AirflowServer, unique_table

pytestmark = pytest.mark.airflow


def conf() -> dict[str, str]:
    return {"org_id": "1", "table": unique_table(), "triggered_by": "contract_test"}


def new_id() -> str:
    return f"load__{secrets.token_hex(16)}"


def test_every_dag_of_the_project_is_there_and_imports(airflow: AirflowServer) -> None:
    with airflow.client() as client:
        assert {client.get_dag(dag_id).dag_id for dag_id in DAGS} == set(DAGS)
        assert client.import_errors() == ()


def test_a_trigger_makes_a_run_of_that_id_and_conf(airflow: AirflowServer) -> None:
    run_id, wanted = new_id(), conf()
    with airflow.client() as client:
        made = client.trigger(LOAD, run_id=run_id, conf=wanted, correlation_id="c-1")
        seen = client.get_run(LOAD, run_id=run_id)
        listed = client.list_runs(LOAD)
        everywhere = client.list_runs()
    assert (made.run_id, made.state) == (run_id, "queued")
    assert seen.conf == wanted
    assert run_id in {r.run_id for r in listed}
    assert run_id in {r.run_id for r in everywhere}


def test_the_same_id_again_is_a_conflict(airflow: AirflowServer) -> None:
    run_id = new_id()
    with airflow.client() as client:
        client.trigger(LOAD, run_id=run_id, conf=conf())
        with pytest.raises(RunConflict):
            client.trigger(LOAD, run_id=run_id, conf=conf())


def test_conf_against_the_params_is_refused(airflow: AirflowServer) -> None:
    with airflow.client() as client, pytest.raises(InvalidConf):
        client.trigger(LOAD, run_id=new_id(), conf={"org_id": 5})


def test_an_unknown_dag_and_an_unknown_run_are_told_apart(airflow: AirflowServer) -> None:
    with airflow.client() as client:
        with pytest.raises(DagNotFound):
            client.trigger("no_such_dag", run_id=new_id(), conf={})
        with pytest.raises(DagNotFound):
            client.get_run("no_such_dag", run_id="x")
        with pytest.raises(AirflowRunNotFound):
            client.get_run(LOAD, run_id="no-such-run")


def test_a_wrong_password_is_said_so(airflow: AirflowServer) -> None:
    with airflow.client(password="wrong") as client, pytest.raises(AirflowAuthFailed):
        client.get_dag(LOAD)


def test_a_login_that_airflow_no_longer_takes_is_renewed(airflow: AirflowServer) -> None:
    with airflow.client() as client:
        client.get_dag(LOAD)
        dialect = client._api.dialect
        if not isinstance(dialect, DialectV2):
            pytest.skip("basic auth: nothing expires")
        dialect._tokens._token = "a.b.c"  # as after a restart with a new secret
        assert client.get_dag(LOAD).dag_id == LOAD


def test_the_other_base_gets_an_error_that_names_the_right_one(airflow: AirflowServer) -> None:
    with airflow.client(suffix=airflow.OTHER_SUFFIX) as client:
        for call in (lambda: client.get_dag(LOAD), client.health, client.list_runs):
            with pytest.raises(AirflowWrongBase) as caught:
                call()
            assert f"http://127.0.0.1:{airflow.port}{airflow.SUFFIX}" in caught.value.advice


def test_nobody_at_the_port_is_unavailable(airflow: AirflowServer) -> None:
    with airflow.client(port=9) as client, pytest.raises(AirflowUnavailable):
        client.get_dag(LOAD)


def test_a_paused_dag_takes_a_run_that_stays_queued(airflow: AirflowServer) -> None:
    with airflow.client() as client:
        try:
            assert airflow.set_paused(FORECAST, paused=True)
            run = client.trigger(
                FORECAST, run_id=f"forecast__{secrets.token_hex(8)}", conf={"client_id": "org_1"}
            )
            assert run.state == "queued"
        finally:
            assert not airflow.set_paused(FORECAST, paused=False)


def test_a_run_can_be_ended(airflow: AirflowServer) -> None:
    run_id = new_id()
    with airflow.client() as client:
        client.trigger(LOAD, run_id=run_id, conf=conf())
        client.cancel_run(LOAD, run_id=run_id)
        assert client.get_run(LOAD, run_id=run_id).state == "failed"
        client.list_tasks(LOAD, run_id=run_id)


def test_health_names_the_parts(airflow: AirflowServer) -> None:
    with airflow.client() as client:
        assert client.health().components["metadatabase"] == "healthy"
