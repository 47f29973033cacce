"""Whatever path the schema documents, now or later: closed without a token, closed to strangers."""

from __future__ import annotations

import re
from typing import Any

import pytest
from drf_spectacular.generators import SchemaGenerator
from rest_framework.test import APIClient

from backend.runs.models import Run
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send

OPEN = {"/api/auth/token/", "/api/health/", "/api/schema/", "/api/docs/"}
METHODS = ("get", "post", "put", "patch", "delete", "head")


def documented() -> list[tuple[str, str]]:
    """(method, path) of the whole API, from the document that it serves itself."""
    paths: dict[str, dict[str, Any]] = SchemaGenerator().get_schema(public=True)["paths"]
    return [
        (method, path)
        for path, operations in sorted(paths.items())
        for method in operations
        if method in METHODS and path not in OPEN
    ]


def fill(path: str, values: dict[str, str]) -> str:
    return re.sub(r"\{(\w+)\}", lambda match: values.get(match[1], "csv"), path)


@pytest.mark.django_db
def test_no_path_answers_without_a_good_token() -> None:
    found = documented()
    assert len(found) > 18
    for method, path in found:
        client = APIClient(headers={"Authorization": "Bearer sl_nonsense"})
        answer = getattr(client, method)(fill(path, {}), {}, format="json")
        assert answer.status_code == 401, (method, path)


def test_no_path_says_or_does_anything_with_what_is_anothers(
    alice: Person, charlie: Person
) -> None:
    """Alice's ids in every place of every path: for Charlie they do not exist, on any method."""
    rows = b"sku,name\nALICE-SKU,Alicething\n"
    file_id = send(alice, rows, name="alices.csv", table="products").json()["file_id"]
    run = Run.objects.get(org_id=alice.org)
    mine = {
        "file_id": file_id, "dag_id": run.dag_id, "dag_run_id": run.dag_run_id,
        "table": "alicetable", "item": "ALICE-SKU", "upload_id": file_id,
    }  # fmt: skip
    never_shown = (str(alice.user.pk), "Alicething", "alices.csv")
    for method, path in documented():
        if path == "/api/auth/token/revoke/":
            continue  # it takes no id: Charlie would only end his own session
        full, strict = fill(path, mine), "{file_id}" in path or "{dag_run_id}" in path
        for query in ("", f"?org_id={alice.org}"):
            body = {"org_id": alice.org, "client_id": f"org_{alice.org}", "file_id": file_id}
            answer = getattr(charlie.client, method)(
                full + query, body if method in ("post", "put", "patch") else None, format="json"
            )
            said = answer.getvalue().decode(errors="replace")
            assert answer.status_code != 401, "Charlie's own token is good"
            assert [text for text in never_shown if text in said] == [], (method, full + query)
            if strict:
                assert answer.status_code in (400, 403, 404, 405, 415), (method, full + query)
    assert [run.pk for run in Run.objects.filter(org_id=alice.org)] == [run.pk]
