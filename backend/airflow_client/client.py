"""One client for Airflow's REST API, in both of its forms.

Promises: every failure is one of errors.py; every request carries a correlation id; no secret
enters a log line or an error. A POST is never repeated by itself: whether to ask again is decided
by who knows the intent (backend.runs.delivery).
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from urllib.parse import quote

import httpx

from backend.airflow_client import parsing
from backend.airflow_client.dialects import Dialect, DialectV1, DialectV2, json_of
from backend.airflow_client.errors import (
    AirflowAuthFailed,
    AirflowRunNotFound,
    AirflowUnavailable,
    AirflowWrongBase,
    DagNotFound,
    InvalidConf,
    RunConflict,
)
from backend.airflow_client.tokens import TokenSource
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

log = logging.getLogger(__name__)

CORRELATION_HEADER = "X-Correlation-Id"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request as `--verbose` shows it: nothing secret is in it."""

    method: str
    url: str
    status: int | None
    seconds: float
    error: str = ""


class AirflowClient:
    """Speaks for one user at one Airflow. Safe to share between threads."""

    def __init__(
        self,
        base: str,
        *,
        username: str,
        password: str,
        timeout: float = 10.0,
        observe: Callable[[Exchange], None] | None = None,
        guard: Callable[[], None] = lambda: None,
    ) -> None:
        """`guard` runs before every request, also that for a token, and may raise."""
        self.base = base.rstrip("/")
        self._root = self.base.removesuffix("/api/v1").removesuffix("/api/v2")
        self._observe = observe
        self._http = httpx.Client(
            timeout=httpx.Timeout(timeout, connect=min(timeout, 3.0)),
            event_hooks={"request": [lambda _request: guard()]},
        )
        self._dialect: Dialect
        if self.base.endswith("/api/v2"):
            tokens = TokenSource(self._http, root=self._root, username=username, password=password)
            self._dialect = DialectV2(tokens)
        else:
            self._dialect = DialectV1(username, password=password)

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
            settings.airflow_api_base,
            username=settings.airflow_username,
            password=settings.airflow_password,
            timeout=timeout,
            observe=observe,
            guard=lambda: _require_ours(settings.airflow_api_base),
        )

    def close(self) -> None:
        self._http.close()

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
        body = self._dialect.trigger_body(run_id=run_id, conf=conf)
        response = self._send(
            "POST", f"/dags/{_part(dag_id)}/dagRuns", json=body, correlation_id=correlation_id
        )
        if response.status_code == 404:
            raise self._missing_dag(dag_id)
        if response.status_code == 409:
            raise RunConflict(f"Airflow has a run {run_id} of {dag_id} already.", run_id=run_id)
        self._raise_for(response)
        return parsing.run(self._object(response))

    def get_run(self, dag_id: str, *, run_id: str, correlation_id: str = "") -> AirflowRun:
        """Raises AirflowRunNotFound, and DagNotFound when there is no such DAG."""
        response = self._send(
            "GET",
            f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}",
            correlation_id=correlation_id,
        )
        if response.status_code == 404:
            self.get_dag(dag_id)
            raise AirflowRunNotFound(f"Airflow has no run {run_id} of {dag_id}.", run_id=run_id)
        self._raise_for(response)
        return parsing.run(self._object(response))

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
            "order_by": self._dialect.run_order,
        }
        if updated_since is not None:
            params["updated_at_gte"] = updated_since.isoformat()
        path = "/dags/~/dagRuns" if dag_id == "~" else f"/dags/{_part(dag_id)}/dagRuns"
        body = self._get(path, params=params)
        return tuple(parsing.run(item) for item in body.get("dag_runs", []))

    def cancel_run(self, dag_id: str, *, run_id: str) -> None:
        """Sets a run to failed; its processes end some seconds later."""
        response = self._send(
            "PATCH",
            f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}",
            json={"state": "failed"},
        )
        if response.status_code == 404:
            raise AirflowRunNotFound(f"Airflow has no run {run_id} of {dag_id}.", run_id=run_id)
        self._raise_for(response)

    def list_tasks(self, dag_id: str, *, run_id: str) -> tuple[AirflowTask, ...]:
        """The tasks of one run, up to 1,000."""
        path = f"/dags/{_part(dag_id)}/dagRuns/{_part(run_id)}/taskInstances"
        tasks: list[AirflowTask] = []
        while len(tasks) < 1000:
            body = self._get(path, params={"limit": 100, "offset": len(tasks)})
            page = [parsing.task(item) for item in body.get("task_instances", [])]
            tasks.extend(page)
            if not page or len(tasks) >= int(body.get("total_entries", 0)):
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
        response = self._send("GET", path, params={"map_index": map_index, "full_content": "true"})
        if response.status_code == 404:
            raise AirflowRunNotFound(f"Airflow has no such log of {run_id}.", run_id=run_id)
        self._raise_for(response)
        return self._dialect.task_log(response)

    # DAGs and the whole

    def get_dag(self, dag_id: str) -> AirflowDag:
        """Raises DagNotFound."""
        response = self._send("GET", f"/dags/{_part(dag_id)}")
        if response.status_code == 404:
            raise self._missing_dag(dag_id)
        self._raise_for(response)
        return parsing.dag(self._object(response))

    def set_paused(self, dag_id: str, *, paused: bool) -> AirflowDag:
        """Pauses or releases a DAG."""
        response = self._send("PATCH", f"/dags/{_part(dag_id)}", json={"is_paused": paused})
        if response.status_code == 404:
            raise self._missing_dag(dag_id)
        self._raise_for(response)
        return parsing.dag(self._object(response))

    def import_errors(self) -> tuple[DagImportError, ...]:
        """DAG files that Airflow could not import."""
        body = self._get("/importErrors", params={"limit": 100})
        return tuple(
            DagImportError(file=str(e.get("filename", "")), trace=str(e.get("stack_trace", "")))
            for e in body.get("import_errors", [])
        )

    def health(self) -> AirflowHealth:
        """How Airflow's parts are. Needs no login."""
        response = self._plain_get(self._dialect.health_path)
        if response.status_code in (404, 405):
            raise self._wrong_base()
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

    # One request

    def _get(self, path: str, *, params: Mapping[str, Any] | None = None) -> dict[str, Any]:
        response = self._send("GET", path, params=params)
        if response.status_code == 404 and not self._speaks(self.base, self._dialect.health_path):
            raise self._wrong_base()
        self._raise_for(response)
        return self._object(response)

    def _send(
        self,
        method: str,
        path: str,
        *,
        json: dict[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        correlation_id: str = "",
    ) -> httpx.Response:
        """Sends, once more with a new token when the old one is refused (401 and 403)."""
        response: httpx.Response | None = None
        for renew in (False, True):
            try:
                headers = {"Authorization": self._dialect.authorization(renew=renew)}
            except AirflowWrongBase:
                raise self._wrong_base() from None
            if correlation_id:
                headers[CORRELATION_HEADER] = correlation_id
            response = self._request(method, path, headers=headers, json=json, params=params)
            if response.status_code not in (401, 403):
                return response
        raise AirflowAuthFailed(f"Airflow's user may not {method} {path.split('/')[1]}.")

    def _request(self, method: str, path: str, **more: Any) -> httpx.Response:
        began = time.perf_counter()
        status, failed = None, ""
        try:
            response = self._http.request(method, self.base + path, **more)
            status = response.status_code
        except httpx.TransportError as error:
            failed = type(error).__name__
            raise AirflowUnavailable(
                f"Airflow does not answer at {self.base} ({failed})."
            ) from error
        finally:
            seconds = time.perf_counter() - began
            if self._observe is not None:
                self._observe(
                    Exchange(
                        method=method,
                        url=self.base + path,
                        status=status,
                        seconds=seconds,
                        error=failed,
                    )
                )
        return response

    def _plain_get(self, path: str) -> httpx.Response:
        return self._request("GET", path)

    def _raise_for(self, response: httpx.Response) -> None:
        status = response.status_code
        if response.is_success:
            return
        if status >= 500 or status in (408, 425, 429):
            raise AirflowUnavailable(f"Airflow answered {status}.")
        if status in (404, 405):
            raise self._wrong_base()
        detail = self._dialect.detail(response) if status in (400, 422) else ""
        if not detail:
            # Not the words of Airflow's API: something between us and it. What is owed stays owed.
            raise AirflowUnavailable(f"Instead of Airflow's API something answered {status}.")
        raise InvalidConf(f"Airflow refused the request: {detail}")

    def _object(self, response: httpx.Response) -> dict[str, Any]:
        body = json_of(response)
        if not isinstance(body, dict):
            raise self._wrong_base()
        return body

    def _missing_dag(self, dag_id: str) -> DagNotFound | AirflowWrongBase | AirflowUnavailable:
        """A 404 means a missing DAG only where the API itself is the right one."""
        if self._speaks(self.base, self._dialect.health_path):
            return DagNotFound(f"Airflow has no DAG {dag_id}.", dag_id=dag_id)
        return self._wrong_base()

    def _wrong_base(self) -> AirflowWrongBase | AirflowUnavailable:
        """Asks the other form of the API, so that the error can say what would work."""
        for suffix, health in (
            (DialectV2.suffix, DialectV2.health_path),
            (DialectV1.suffix, DialectV1.health_path),
        ):
            candidate = self._root + suffix
            if candidate != self.base and self._speaks(candidate, health):
                return AirflowWrongBase(
                    f"AIRFLOW_API_BASE is {self.base}, but the Airflow there speaks {candidate}.",
                    next_step=f"Set AIRFLOW_API_BASE={candidate} and start again.",
                )
        return AirflowWrongBase(f"What answers at {self.base} is not Airflow's API.")

    def _speaks(self, base: str, health_path: str) -> bool:
        try:
            response = self._http.get(base + health_path)
        except httpx.TransportError:
            return False
        body = json_of(response)
        return response.is_success and isinstance(body, dict) and "metadatabase" in body


def _require_ours(base: str) -> None:
    """Raises AirflowUnavailable where a stranger listens for the Airflow of this machine."""
    try:
        require_own_airflow(base)
    except ServiceFailed as error:
        raise AirflowUnavailable(error.detail) from error


def _part(text: str) -> str:
    return quote(text, safe="")
