"""Crossings over HTTP: one organization's token against another's runs, files and status.

A refusal is 401, 403 or 404; 400 is none, since it says nothing about rights. Where the victim has
nothing to ask for (no run yet, no such endpoint), the attempt is `untested`.
"""

from __future__ import annotations

import json
import secrets
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

from supplyline.errors import Transient
from supplyline.isolation.probe import Attempt, Outcome, Subject

AREA = "api"
DAGS = (
    "enhanced_org_aware_ingest_dag",
    "enhanced_mongo_to_postgres_dag",
    "forecast_inventory_dag",
)
READ = (
    "/api/airflow/pipeline-status/",
    "/api/airflow/status/forecast_inventory_dag/",
    "/api/pipeline/certificates/",
    "/api/pipeline/audit/",
    "/api/pipeline/quality/?table=sales",
    "/api/forecast/plan/",
)
READ_BY_ID = (
    "/api/files/",
    "/api/tables/",
    "/api/tables/sales/",
    "/api/tables/sales/rejected/",
    "/api/tables/sales/drift/",
    "/api/forecast/summary/",
    "/api/forecast/runs/",
    "/api/forecast/settings/",
    "/api/forecast/overrides/",
)
"""Paths that take `org_id`, if they take an organization at all."""
_NOTHING_THERE = frozenset({"table_not_found", "dag_not_found"})
_REFUSED = frozenset({401, 403, 404})


class ApiUnavailable(Transient):
    code = "api_unavailable"
    next_step = "Check that the backend runs (`supplyline status`) and the address of --api."


def probes(subject: Subject) -> Iterator[Attempt]:
    """Every attempt; without `api` only that nothing was tried. Raises ApiUnavailable."""
    if not subject.api:
        yield _attempt("runs, files, tables, forecasts", "untested", "no address: give --api")
        return
    attacker, victim = subject.attacker_token, subject.victim_token
    yield from _controls(subject)
    # 1. What can be read, in every way in which a view may take an organization.
    for path in READ:
        for field in ("org_id", "org", "client_id"):
            attempt = _read(subject, f"{path}{'&' if '?' in path else '?'}{field}={subject.victim}")
            # A parameter that the API does not know is no way in, and nothing to try.
            if field == "org_id" or attempt.outcome != "untested":
                yield attempt
    for path in READ_BY_ID:
        yield _read(subject, f"{path}?org_id={subject.victim}")
    yield _organizations(subject)
    yield _cached(subject)
    # 2. Triggers and changes in the other's name.
    for method, path, body in _changes(subject.victim):
        yield _call(subject, method, path, token=attacker, body=body)
    # 3. The other's runs: by id, with and without the right DAG, and in lists.
    runs = [(dag, run) for dag in DAGS for run in _runs(subject, dag, token=victim)][:5]
    if not runs:
        yield _attempt("asks for the other's runs", "untested", "the other has no run yet")
    for dag, run in runs:
        for other in {dag, DAGS[0]}:
            yield _call(subject, "GET", f"/api/airflow/status/{other}/{run}/", token=attacker)
    theirs = {run for _, run in runs}
    for dag in DAGS:
        common = theirs & set(_runs(subject, dag, token=attacker))
        yield _attempt(
            f"lists the runs of {dag}",
            "crossed" if common else "refused",
            "the other's runs are in the list" if common else "none of the other's is in the list",
        )
    # 4. The other's files.
    yield from _files(subject)
    yield from _half_uploaded(subject)
    # 5. No token, and one that was never given out.
    for token in ("", secrets.token_hex(32)):
        yield _call(subject, "GET", "/api/airflow/pipeline-status/", token=token)


def _controls(subject: Subject) -> Iterator[Attempt]:
    for name, token in (("attacker", subject.attacker_token), ("victim", subject.victim_token)):
        status, _ = _request(subject, "GET", "/api/airflow/pipeline-status/", token=token)
        ok = status == 200
        yield _attempt(
            f"the {name}'s token shows its own status",
            "control" if ok else "crossed",
            f"{status}" if ok else f"{status}: the token works nowhere, so nothing is proved",
        )


def _read(subject: Subject, path: str) -> Attempt:
    status, body = _request(subject, "GET", path, token=subject.attacker_token)
    if status == 400:
        return _attempt(f"GET {path}", "untested", "400: the API knows no such parameter")
    named = _organizations_in(body)
    if status == 200 and subject.victim not in named and subject.attacker in named:
        return _attempt(f"GET {path}", "refused", "200, but of its own organization")
    plain = path.rpartition("?")[0]
    if status == 200 and subject.victim not in named and "&" not in path:
        _, own = _request(subject, "GET", plain, token=subject.attacker_token)
        _, theirs = _request(subject, "GET", plain, token=subject.victim_token)
        if own == theirs:
            return _attempt(f"GET {path}", "untested", "200, and both are shown the same")
        if body == own:
            return _attempt(f"GET {path}", "refused", "200, but what it is shown anyway")
    return _judge(f"GET {path}", status, body)


def _cached(subject: Subject) -> Attempt:
    """The other's answer to the same address, asked for a moment before."""
    path = "/api/airflow/pipeline-status/"
    what = f"GET {path} right after the other"
    _request(subject, "GET", path, token=subject.victim_token)
    status, body = _request(subject, "GET", path, token=subject.attacker_token)
    if status == 200 and subject.victim in _organizations_in(body):
        return _attempt(what, "crossed", "200, the other's answer")
    if status == 200:
        return _attempt(what, "refused", "200, an answer of its own")
    return _judge(what, status, body)


def _half_uploaded(subject: Subject) -> Iterator[Attempt]:
    """An upload that the victim has begun (tus); it is given up again."""
    tus = {"Tus-Resumable": "1.0.0"}
    begun = {**tus, "Upload-Length": "4",
             "Upload-Metadata": "filename cC5jc3Y=,table cHJvZHVjdHM="}  # fmt: skip
    status, place = _bare(subject, "POST", "/api/files/tus/", subject.victim_token, begun)
    what = "the other's upload that is half sent"
    if status != 201 or not place:
        yield _attempt(what, "untested", f"the other could not begin one: {status}")
        return
    path = "/api/files/tus/" + place.rstrip("/").rpartition("/")[2] + "/"
    written = {**tus, "Upload-Offset": "0", "Content-Type": "application/offset+octet-stream"}
    try:
        for method, headers in (("HEAD", tus), ("PATCH", written), ("DELETE", tus)):
            status, _ = _bare(subject, method, path, subject.attacker_token, headers)
            yield _judge(f"{method} of {what}", status, None)
    finally:
        _bare(subject, "DELETE", path, subject.victim_token, tus)


def _bare(
    subject: Subject, method: str, path: str, token: str, headers: dict[str, str]
) -> tuple[int, str]:
    """Status and Location of a request without JSON."""
    request = urllib.request.Request(  # noqa: S310 - `_request` was called, and checked it
        subject.api.rstrip("/") + path,
        method=method,
        data=b"a\n1\n" if method == "PATCH" else None,
        headers={**headers, "Authorization": f"Bearer {token}"},
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return answer.status, answer.headers.get("Location") or ""
    except urllib.error.HTTPError as error:
        with error:
            return error.code, ""
    except OSError as error:
        raise ApiUnavailable(f"{subject.api} did not answer: {error}.") from error


def _organizations(subject: Subject) -> Attempt:
    status, body = _request(subject, "GET", "/api/organizations/", token=subject.attacker_token)
    what = "GET /api/organizations/"
    if status == 200 and subject.victim not in json.dumps(body).split('"'):
        return _attempt(what, "refused", "200, the other is not in the list")
    return _judge(what, status, body)


def _organizations_in(body: Any) -> set[str]:
    """The ids of the organizations that an answer speaks of."""
    found: set[str] = set()

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            for key, inner in value.items():
                if key in {"org", "org_id", "organization_id", "client_id"}:
                    found.add(str(inner).removeprefix("org_"))
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(body)
    return found


def _changes(org: str) -> Iterator[tuple[str, str, dict[str, str]]]:
    base = "/api/airflow/trigger/"
    yield "POST", f"{base}enhanced-ingest/", {"org_id": org, "table": "products", "file_id": "x1"}
    yield "POST", f"{base}mongo-to-postgres/", {"org_id": org, "table": "products"}
    yield "POST", f"{base}forecast-inventory/", {"client_id": org}
    yield "POST", f"{base}forecast-inventory/", {"client_id": f"org_{org}"}
    yield "PATCH", "/api/tables/sales/", {"org_id": org, "drift": "freeze"}
    yield "POST", "/api/tables/sales/undo/", {"org_id": org, "file_id": "x1"}


def _files(subject: Subject) -> Iterator[Attempt]:
    status, body = _request(subject, "GET", "/api/files/", token=subject.victim_token)
    rows = body.get("results", body.get("files", [])) if isinstance(body, dict) else body
    ids = [
        str(row.get("file_id") or row.get("id"))
        for row in (rows if status == 200 and isinstance(rows, list) else [])
        if isinstance(row, dict)
    ][:3]
    if not ids:
        yield _attempt("asks for the other's files", "untested", "the other shows no file")
    for file_id in ids:
        for path in (
            f"/api/files/{file_id}/",
            f"/api/files/{file_id}/preview/",
            f"/api/files/{file_id}/quarantine/",
            f"/api/files/{file_id}/quarantine/csv/",
            f"/api/tables/products/drift/?file_id={file_id}",
            f"/api/pipeline/certificates/{file_id}/",
        ):
            yield _call(subject, "GET", path, token=subject.attacker_token)
        for path in (f"/api/files/{file_id}/dry-run/", f"/api/files/{file_id}/reingest/"):
            yield _call(subject, "POST", path, token=subject.attacker_token, body={})
        body_ = {"org_id": subject.attacker, "table": "products", "file_id": file_id}
        path = "/api/airflow/trigger/enhanced-ingest/"
        yield _call(subject, "POST", path, token=subject.attacker_token, body=body_)


def _runs(subject: Subject, dag: str, *, token: str) -> list[str]:
    status, body = _request(subject, "GET", f"/api/airflow/status/{dag}/", token=token)
    if status != 200:
        return []
    found: list[str] = []

    def walk(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("dag_run_id"):
                found.append(str(value["dag_run_id"]))
            for inner in value.values():
                walk(inner)
        elif isinstance(value, list):
            for inner in value:
                walk(inner)

    walk(body)
    return found


def _call(
    subject: Subject, method: str, path: str, *, token: str, body: dict[str, str] | None = None
) -> Attempt:
    status, answer = _request(subject, method, path, token=token, body=body)
    shown = f" {json.dumps(body)}" if body else ""
    who = "" if token == subject.attacker_token else " with a token that is none"
    return _judge(f"{method} {path}{shown}{who}", status, answer)


def _judge(what: str, status: int, body: Any) -> Attempt:
    code = str(body.get("code", "")) if isinstance(body, dict) else ""
    if code in _NOTHING_THERE:
        # Missing for its owner too: that says nothing about who may see it.
        return _attempt(what, "untested", f"{status} {code}")
    if status in _REFUSED:
        return _attempt(what, "refused", f"{status} {code}".strip())
    return _attempt(what, "crossed", f"{status}, expected 401, 403 or 404")


def _request(
    subject: Subject, method: str, path: str, *, token: str, body: dict[str, str] | None = None
) -> tuple[int, Any]:
    if not subject.api.startswith(("http://", "https://")):
        raise ApiUnavailable(f"{subject.api!r} is no http(s) address.")
    request = urllib.request.Request(  # noqa: S310 - the scheme was checked one line above
        subject.api.rstrip("/") + path,
        method=method,
        data=json.dumps(body).encode() if body is not None else None,
        headers={"Content-Type": "application/json", "Accept": "application/json"}
        | ({"Authorization": f"Bearer {token}"} if token else {}),
    )
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            return answer.status, _json(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, _json(error.read())
    except OSError as error:
        raise ApiUnavailable(f"{subject.api} did not answer: {error}.") from error


def _json(data: bytes) -> Any:
    try:
        return json.loads(data or b"null")
    except ValueError:
        return None  # a page of HTML: only its status counts


def _attempt(what: str, outcome: Outcome, evidence: str) -> Attempt:
    return Attempt(area=AREA, what=what, outcome=outcome, evidence=evidence)
