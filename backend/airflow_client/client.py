"""One client for Airflow's REST API, in both of its forms.

Promises: every failure is one of errors.py; a request for a run carries its correlation id; no
secret enters an error. A POST is never repeated by itself: whether to ask again is decided by who
knows the intent (backend.runs.delivery).
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from backend.airflow_client import parsing
from backend.airflow_client.dialects import json_of
from backend.airflow_client.errors import AirflowRunNotFound, AirflowUnavailable, RunConflict
from backend.airflow_client.transport import Exchange, Transport
from backend.airflow_client.values import (
    AirflowDag,
    AirflowHealth,
    AirflowRun,
    AirflowTask,
    DagImportError,
)
from supplyline.errors import ServiceFailed
from supplyline.local.listening import require_own_airflow
from supplyline.settings import Settings


class AirflowClient:
    """Speaks for one user at one Airflow. Safe to share between threads."""

    def __init__(self, api: Transport) -> None:
        self._api = api

    @classmethod
    def of(
        cls,
        settings: Settings,
        *,
        timeout: float = 10.0,
        observe: Callable[[Exchange], None] | None = None,
    ) -> AirflowClient:
        """The client for the Airflow of these settings."""
        return cls(
            Transport(
                settings.airflow_api_base,
                username=settings.airflow_username,
                password=settings.airflow_password,
                timeout=timeout,
                observe=observe,
                guard=lambda: _require_ours(settings.airflow_api_base),
            )
        )

    def close(self) -> None:
        self._api.close()

    def __enter__(self) -> AirflowClient:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    # Runs

    def trigger(
        self, dag_id: str, *, run_id: str, conf: dict[str, Any], correlation_id: str = ""
    ) -> AirflowRun:
        """Asks for one run. A paused DAG answers too: its run stays queued.

        Raises RunConflict when the id is taken, InvalidConf, DagNotFound, AirflowAuthFailed,
        AirflowWrongBase; AirflowUnavailable leaves open whether the run was made.
        """
        body = self._api.dialect.trigger_body(run_id=run_id, conf=conf)
        response = self._api.send(
            "POST", f"/dags/{_part(dag_id)}/dagRuns", json=body, correlation_id=correlation_id
        )
        if response.status_code == 404:
            raise self._api.missing_dag(dag_id)
        if response.status_code == 409:
            raise RunConflict(f"Airflow has a run {run_id} of {dag_id} already.", run_id=run_id)
        self._api.raise_for(response)
        return self._of(run_id, response)

    def get_run(self, dag_id: str, *, run_id: str, correlation_id: str = "") -> AirflowRun:
        """Raises AirflowRunNotFound, and DagNotFound when there is no such DAG."""
        response = self._api.send(
            "GET",
            f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}",
            correlation_id=correlation_id,
        )
        if response.status_code == 404:
            self.get_dag(dag_id)
            raise AirflowRunNotFound(f"Airflow has no run {run_id} of {dag_id}.", run_id=run_id)
        self._api.raise_for(response)
        return self._of(run_id, response)

    def _of(self, run_id: str, response: httpx.Response) -> AirflowRun:
        """The run that was asked for; an answer about anything else is none of Airflow's."""
        found = self._api.read(response, parsing.run)
        if found.run_id != run_id:
            raise self._api.wrong_base()
        return found

    def list_runs(
        self,
        dag_id: str = "~",
        *,
        updated_since: datetime | None = None,
        limit: int = 100,
        offset: int = 0,
    ) -> tuple[AirflowRun, ...]:
        """Runs of a DAG (`~`: of all), newest first. No filter here keeps organizations apart."""
        params: dict[str, Any] = {
            "limit": limit,
            "offset": offset,
            "order_by": self._api.dialect.run_order,
        }
        if updated_since is not None:
            params["updated_at_gte"] = updated_since.isoformat()
        path = "/dags/~/dagRuns" if dag_id == "~" else f"/dags/{_part(dag_id)}/dagRuns"
        return tuple(self._api.read(self._api.get(path, params=params), parsing.runs))

    def cancel_run(self, dag_id: str, *, run_id: str) -> None:
        """Sets a run to failed; its processes end some seconds later."""
        response = self._api.send(
            "PATCH",
            f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}",
            json={"state": "failed"},
        )
        if response.status_code == 404:
            raise AirflowRunNotFound(f"Airflow has no run {run_id} of {dag_id}.", run_id=run_id)
        self._api.raise_for(response)

    def delete_run(self, dag_id: str, *, run_id: str) -> None:
        """Removes a run that has ended, with its tasks and what they handed to one another."""
        response = self._api.send("DELETE", f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}")
        if response.status_code == 404:
            raise AirflowRunNotFound(f"Airflow has no run {run_id} of {dag_id}.", run_id=run_id)
        self._api.raise_for(response)

    def list_tasks(self, dag_id: str, *, run_id: str) -> tuple[AirflowTask, ...]:
        """The tasks of one run, up to 1,000."""
        path = f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}/taskInstances"
        tasks: list[AirflowTask] = []
        while len(tasks) < 1000:
            response = self._api.get(path, params={"limit": 100, "offset": len(tasks)})
            page, total = self._api.read(response, parsing.tasks)
            tasks.extend(page)
            if not page or len(tasks) >= total:
                break
        return tuple(tasks)

    def task_log(
        self, dag_id: str, *, run_id: str, task_id: str, try_number: int = 1, map_index: int = -1
    ) -> str:
        """The log of one try of a task, as text."""
        path = (
            f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}/taskInstances/{_part(task_id)}"
            f"/logs/{try_number}"
        )
        response = self._api.send(
            "GET", path, params={"map_index": map_index, "full_content": "true"}
        )
        if response.status_code == 404:
            raise AirflowRunNotFound(f"Airflow has no such log of {run_id}.", run_id=run_id)
        self._api.raise_for(response)
        return self._api.dialect.task_log(response)

    # DAGs and the whole

    def get_dag(self, dag_id: str) -> AirflowDag:
        """Raises DagNotFound."""
        response = self._api.send("GET", f"/dags/{_part(dag_id)}")
        if response.status_code == 404:
            raise self._api.missing_dag(dag_id)
        self._api.raise_for(response)
        return self._api.read(response, parsing.dag)

    def import_errors(self) -> tuple[DagImportError, ...]:
        """DAG files that Airflow could not import."""
        response = self._api.get("/importErrors", params={"limit": 100})
        return tuple(
            DagImportError(file=str(e.get("filename", "")), trace=str(e.get("stack_trace", "")))
            for e in self._api.read(response, lambda body: parsing.items(body, "import_errors"))
        )

    def health(self) -> AirflowHealth:
        """How Airflow's parts are. Needs no login."""
        response = self._api.request("GET", self._api.dialect.health_path)
        if response.status_code in (404, 405):
            raise self._api.wrong_base()
        body = json_of(response)
        if not response.is_success or not isinstance(body, dict):
            raise AirflowUnavailable(f"Airflow's health answers {response.status_code}.")
        return AirflowHealth(
            components={
                name: str(part.get("status") or "unknown")
                for name, part in body.items()
                if isinstance(part, dict)
            }
        )


def _require_ours(base: str) -> None:
    """Raises AirflowUnavailable where a stranger listens for the Airflow of this machine."""
    try:
        require_own_airflow(base)
    except ServiceFailed as error:
        raise AirflowUnavailable(error.detail) from error


def _part(text: str) -> str:
    return quote(text, safe="")
