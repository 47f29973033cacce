"""One request to Airflow's REST API: login, sending, and what a refusal means.

Promises: whatever goes wrong is one of errors.py; a login that ran out is renewed once; a POST is
never repeated otherwise. Answers that are not Airflow's own words count as Airflow being away, and
a base address of the wrong form is told apart from a thing that is not there.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import httpx

from backend.airflow_client.dialects import Dialect, DialectV1, DialectV2, json_of
from backend.airflow_client.errors import (
    AirflowAuthFailed,
    AirflowUnavailable,
    AirflowWrongBase,
    DagNotFound,
    InvalidConf,
)
from backend.airflow_client.parsing import NotAirflow
from backend.airflow_client.tokens import TokenSource

T = TypeVar("T")
CORRELATION_HEADER = "X-Correlation-Id"


@dataclass(frozen=True, kw_only=True)
class Exchange:
    """One request as `--verbose` shows it: nothing secret is in it."""

    method: str
    url: str
    status: int | None
    seconds: float
    error: str = ""


class Transport:
    """The way to one Airflow, for one of its users. Safe to share between threads."""

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
        self.dialect: Dialect
        if self.base.endswith("/api/v2"):
            tokens = TokenSource(self._http, root=self._root, username=username, password=password)
            self.dialect = DialectV2(tokens)
        else:
            self.dialect = DialectV1(username, password=password)

    def close(self) -> None:
        self._http.close()

    def get(self, path: str, *, params: Mapping[str, Any] | None = None) -> httpx.Response:
        """The answer to a GET. Raises AirflowWrongBase where no such API is."""
        response = self.send("GET", path, params=params)
        if response.status_code == 404 and not self._speaks(self.base, self.dialect.health_path):
            raise self.wrong_base()
        self.raise_for(response)
        return response

    def send(
        self,
        method: str,
        path: str,
        *,
        json: dict[str, Any] | None = None,
        params: Mapping[str, Any] | None = None,
        correlation_id: str = "",
    ) -> httpx.Response:
        """Sends, once more with a new token when the old one is refused (401 and 403)."""
        for renew in (False, True):
            try:
                headers = {"Authorization": self.dialect.authorization(renew=renew)}
            except AirflowWrongBase:
                raise self.wrong_base() from None
            if correlation_id:
                headers[CORRELATION_HEADER] = correlation_id
            response = self.request(method, path, headers=headers, json=json, params=params)
            if response.status_code not in (401, 403):
                return response
        raise AirflowAuthFailed(f"Airflow's user may not {method} {path.split('/')[1]}.")

    def request(self, method: str, path: str, **more: Any) -> httpx.Response:
        """One exchange, without login. Raises AirflowUnavailable when nothing answers."""
        began = time.perf_counter()
        status, failed = None, ""
        try:
            response = self._http.request(method, self.base + path, **more)
            status = response.status_code
        except httpx.RequestError as error:  # also an answer that cannot be decoded
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

    def raise_for(self, response: httpx.Response) -> None:
        """What an answer that is no success means: Airflow away, wrong base, or InvalidConf."""
        status = response.status_code
        if response.is_success:
            return
        if status >= 500 or status in (408, 425, 429):
            raise AirflowUnavailable(f"Airflow answered {status}.")
        if status in (404, 405):
            raise self.wrong_base()
        detail = self.dialect.detail(response) if status in (400, 422) else ""
        if not detail:
            # Not the words of Airflow's API: something between us and it. What is owed stays owed.
            raise AirflowUnavailable(f"Instead of Airflow's API something answered {status}.")
        raise InvalidConf(f"Airflow refused the request: {detail}")

    def read(self, response: httpx.Response, parse: Callable[[dict[str, Any]], T]) -> T:
        """What `parse` makes of the answer's JSON object. Raises AirflowWrongBase when it is no
        object, or none of Airflow's."""
        body = json_of(response)
        if not isinstance(body, dict):
            raise self.wrong_base()
        try:
            return parse(body)
        except NotAirflow:
            raise self.wrong_base() from None

    def missing_dag(self, dag_id: str) -> DagNotFound | AirflowWrongBase | AirflowUnavailable:
        """A 404 means a missing DAG only where the API itself is the right one."""
        if self._speaks(self.base, self.dialect.health_path):
            return DagNotFound(f"Airflow has no DAG {dag_id}.", dag_id=dag_id)
        return self.wrong_base()

    def wrong_base(self) -> AirflowWrongBase | AirflowUnavailable:
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
        except httpx.RequestError:
            return False
        body = json_of(response)
        return response.is_success and isinstance(body, dict) and "metadatabase" in body
