"""What can go wrong between us and Airflow, each with the next step."""

from __future__ import annotations

from supplyline.errors import Terminal, Transient


class AirflowUnavailable(Transient):
    """No connection, a timeout, or an answer of 5xx. Whether a POST took effect is unknown."""

    code = "airflow_unavailable"
    next_step = (
        "Check that Airflow runs and that AIRFLOW_API_BASE is right (`supplyline status`); "
        "accepted runs start by themselves when it is back."
    )


class AirflowAuthFailed(Transient):
    """Transient, since a person corrects it on either side while runs wait."""

    code = "airflow_auth_failed"
    next_step = (
        "Verify AIRFLOW_USERNAME and AIRFLOW_PASSWORD and that this user may trigger DAGs; "
        "accepted runs start by themselves afterwards."
    )


class AirflowWrongBase(Transient):
    """Something answers at AIRFLOW_API_BASE, but not with this version of the API."""

    code = "airflow_wrong_base"
    next_step = (
        "Set AIRFLOW_API_BASE to Airflow's address with /api/v2 (Airflow 3) or /api/v1 "
        "(Airflow 2) at its end."
    )


class DagNotFound(Transient):
    """Airflow is there, the DAG is not (yet): deployments take a while to be parsed."""

    code = "dag_not_found"
    next_step = (
        "Deploy the files of airflow/dags to Airflow and look for import errors in its web page; "
        "accepted runs start by themselves when the DAG is there."
    )


class AirflowRunNotFound(Terminal):
    code = "airflow_run_not_found"
    next_step = "The run was deleted in Airflow, or never reached it: trigger again."


class RunConflict(Terminal):
    """A run of that id exists already; whether it is ours, only a GET tells."""

    code = "run_conflict"
    next_step = "Trigger again: the new run gets a new id."


class InvalidConf(Terminal):
    """Airflow refused the request's content, mostly against the DAG's Params."""

    code = "invalid_conf"
    next_step = "Correct the values that are named and trigger again."
