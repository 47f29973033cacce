"""The two forms of Airflow's REST API, chosen by how AIRFLOW_API_BASE ends.

`/api/v1`, Airflow 2: basic auth, problem+json errors, `logical_date` left out.
`/api/v2`, Airflow 3: a token from POST /auth/token, `{"detail": …}` errors, `logical_date` null.
Only what differs is here; paths that both share are in client.py.
"""

from __future__ import annotations

from typing import Any, Protocol

import httpx

from backend.airflow_client.errors import AirflowAuthFailed
from backend.airflow_client.tokens import TokenSource


class Dialect(Protocol):
    """What the client asks of a version of the API."""

    name: str
    suffix: str
    health_path: str
    run_order: str

    def authorization(self, *, renew: bool = False) -> str: ...
    def trigger_body(self, *, run_id: str, conf: dict[str, Any]) -> dict[str, Any]: ...
    def detail(self, response: httpx.Response) -> str: ...
    def task_log(self, response: httpx.Response) -> str: ...


class DialectV1:
    """Airflow 2.x."""

    name = "v1"
    suffix = "/api/v1"
    health_path = "/health"
    run_order = "-execution_date"

    def __init__(self, username: str, *, password: str) -> None:
        self._basic = httpx.BasicAuth(username, password)

    def authorization(self, *, renew: bool = False) -> str:
        """The header's value. Basic auth cannot be renewed: a refusal is final."""
        if renew:
            raise AirflowAuthFailed("Airflow refused the user name and password.")
        request = httpx.Request("GET", "http://unused.invalid")
        signed = next(self._basic.auth_flow(request))
        return str(signed.headers["Authorization"])

    def trigger_body(self, *, run_id: str, conf: dict[str, Any]) -> dict[str, Any]:
        return {"dag_run_id": run_id, "conf": conf}

    def detail(self, response: httpx.Response) -> str:
        body = json_of(response)
        if isinstance(body, dict):
            return str(body.get("detail") or body.get("title") or "")[:2000]
        return ""

    def task_log(self, response: httpx.Response) -> str:
        body = json_of(response)
        return str(body.get("content", "")) if isinstance(body, dict) else response.text


class DialectV2:
    """Airflow 3.x."""

    name = "v2"
    suffix = "/api/v2"
    health_path = "/monitor/health"
    run_order = "-run_after"

    def __init__(self, tokens: TokenSource) -> None:
        self._tokens = tokens

    def authorization(self, *, renew: bool = False) -> str:
        return f"Bearer {self._tokens.get(renew=renew)}"

    def trigger_body(self, *, run_id: str, conf: dict[str, Any]) -> dict[str, Any]:
        return {"dag_run_id": run_id, "conf": conf, "logical_date": None}

    def detail(self, response: httpx.Response) -> str:
        """`detail` is a string, a list of field errors, or a dictionary, depending on the error."""
        body = json_of(response)
        found = body.get("detail") if isinstance(body, dict) else None
        if isinstance(found, list):
            return "; ".join(
                f"{'.'.join(str(p) for p in item.get('loc', ()))}: {item.get('msg', '')}"
                for item in found
                if isinstance(item, dict)
            )[:2000]
        if isinstance(found, dict):
            return str(found.get("reason") or found.get("statement") or "")[:2000]
        return str(found or "")[:2000]

    def task_log(self, response: httpx.Response) -> str:
        body = json_of(response)
        content = body.get("content", []) if isinstance(body, dict) else []
        if isinstance(content, str):
            return content
        return "\n".join(
            f"{line.get('timestamp') or ''} {line.get('level') or ''} {line.get('event') or ''}"
            if isinstance(line, dict)
            else str(line)
            for line in content
        )


def json_of(response: httpx.Response) -> Any:
    """The body as JSON; None when it is none."""
    try:
        return response.json()
    except (ValueError, RecursionError):
        return None
