"""The API's probes pass a backend that refuses, and find one that does not.

What answers here is a small real HTTP server that keeps to the documented paths; the backend itself
is tried by the same probes in its own tests and by `supplyline isolation-check --api`.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from supplyline import settings as environment
from supplyline.contracts import OrgId
from supplyline.isolation import http
from supplyline.isolation.probe import Attempt, Subject

TOKENS = {"token-a": "a", "token-b": "b"}
RUNS = {"a": ["run-a"], "b": ["run-b1", "run-b2"]}
FILES = {"a": ["file-a"], "b": ["file-b"]}


@dataclass
class Front:
    """Who may see what; `leak` names one thing that is done wrong."""

    leak: str = ""

    def answer(
        self, method: str, path: str, token: str, body: dict[str, str]
    ) -> tuple[int, object]:
        org = TOKENS.get(token)
        if org is None and self.leak == "token":
            org = "a"
        if org is None:
            return 401, {"code": "not_authenticated"}
        path, _, query = path.partition("?")
        parts = path.strip("/").split("/")
        if path == "/api/airflow/pipeline-status/":
            asked = query.partition("=")[2] or org
            if asked != org and self.leak != "status":
                return (200, {"org_id": org}) if self.leak == "ignored" else (404, {})
            return 200, {"org_id": asked}
        if parts[:3] == ["api", "airflow", "status"]:
            if query:
                return (404, {"code": "org_not_found"}) if "org_id=" in query else (400, {})
            return self._runs(org, parts[4:])
        if parts[:3] == ["api", "airflow", "trigger"]:
            asked = (body.get("org_id") or body.get("client_id") or "").removeprefix("org_")
            foreign = asked != org or body.get("file_id", "x1") not in ["x1", *FILES[org]]
            refused = foreign and self.leak != f"trigger {parts[3]}"
            return (404, {}) if refused else (202, {"success": True})
        if parts[:2] == ["api", "files"]:
            if len(parts) == 2:
                return 200, {"results": [{"file_id": f} for f in FILES[org]]}
            return (200, {}) if parts[2] in FILES[org] or self.leak == "files" else (404, {})
        return 404, {}

    def _runs(self, org: str, rest: list[str]) -> tuple[int, object]:
        if not rest:
            shown = RUNS[org] + (RUNS["b"] if self.leak == "list" else [])
            return 200, {"runs": [{"dag_run_id": run} for run in shown]}
        return (200, {}) if rest[0] in RUNS[org] or self.leak == "run" else (404, {})


@contextmanager
def serving(front: Front) -> Iterator[str]:
    class Handler(BaseHTTPRequestHandler):
        def _go(self) -> None:
            length = int(self.headers.get("Content-Length") or 0)
            body = json.loads(self.rfile.read(length) or b"{}")
            token = (self.headers.get("Authorization") or "").removeprefix("Bearer ")
            status, data = front.answer(self.command, self.path, token, body)
            text = json.dumps(data).encode()
            self.send_response(status)
            self.send_header("Content-Length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def do_GET(self) -> None:
            self._go()

        def do_POST(self) -> None:
            self._go()

        def do_PATCH(self) -> None:
            self._go()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def attempts(leak: str = "", *, attacker_token: str = "token-a") -> list[Attempt]:
    with serving(Front(leak=leak)) as url:
        subject = Subject(
            attacker=OrgId("a"),
            victim=OrgId("b"),
            settings=environment.read({}),
            api=url,
            attacker_token=attacker_token,
            victim_token="token-b",
        )
        return list(http.probes(subject))


def crossed(found: list[Attempt]) -> list[str]:
    return [attempt.what for attempt in found if attempt.outcome == "crossed"]


@pytest.mark.parametrize("leak", ["", "ignored"])
def test_a_backend_that_refuses_passes(leak: str) -> None:
    found = attempts(leak)
    assert crossed(found) == []
    assert sum(a.outcome == "refused" for a in found) >= 15


@pytest.mark.parametrize(
    ("leak", "where"),
    [
        ("status", "pipeline-status"),
        ("run", "run-b1"),
        ("list", "lists the runs"),
        ("files", "file-b"),
        ("token", "a token that is none"),
        ("trigger enhanced-ingest", "enhanced-ingest"),
        ("trigger mongo-to-postgres", "mongo-to-postgres"),
        ("trigger forecast-inventory", "forecast-inventory"),
    ],
)
def test_a_leak_is_found(leak: str, where: str) -> None:
    assert any(where in what for what in crossed(attempts(leak)))


def test_a_token_that_works_nowhere_proves_nothing() -> None:
    assert "the attacker's token shows its own status" in crossed(
        attempts(attacker_token="expired")
    )


def test_a_backend_that_is_away_is_no_refusal() -> None:
    subject = Subject(
        attacker=OrgId("a"),
        victim=OrgId("b"),
        settings=environment.read({}),
        api="http://127.0.0.1:1",
    )
    with pytest.raises(http.ApiUnavailable):
        list(http.probes(subject))


def test_without_an_address_nothing_is_tried() -> None:
    subject = Subject(attacker=OrgId("a"), victim=OrgId("b"), settings=environment.read({}))
    (said,) = http.probes(subject)
    assert said.outcome == "untested"
