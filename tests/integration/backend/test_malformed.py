"""What cannot be meant is a problem that says so, never a fault of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from backend.accounts.models import Role
from backend.files.models import Upload
from supplyline.settings import get as get_settings
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import CSV, URL, send

INGEST = "enhanced_org_aware_ingest_dag"


@pytest.mark.parametrize(
    "path",
    [
        "/api/files/a%00b/",
        "/api/files/a%00b/quarantine/",
        "/api/pipeline/certificates/a%00b/",
        f"/api/airflow/status/{INGEST}/a%00b/",
        f"/api/airflow/status/{INGEST}/?offset=99999999999999999999999",
        "/api/tables/products/contract/?version=99999999999",
    ],
)
def test_no_path_or_number_is_an_internal_error(alice: Person, path: str) -> None:
    answer = alice.client.get(path)
    assert answer.status_code in (400, 404), answer.content
    assert answer.json()["next_step"]


@pytest.mark.parametrize("path", ["/api/docs/", "/api/schema/"])
@pytest.mark.parametrize("method", ["post", "options", "put"])
def test_problems_are_json_where_answers_are_not(alice: Person, path: str, method: str) -> None:
    answer = getattr(alice.client, method)(path)
    if (method, path) == ("options", "/api/schema/"):
        assert answer.status_code == 200
        return
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")
    assert answer["Content-Type"] == "application/problem+json"


@pytest.mark.parametrize(
    ("path", "headers", "body", "named"),
    [
        ("files/tus/", {"Tus-Resumable": "1.0.0", "Upload-Length": "-1"}, "", "Upload-Length"),
        (
            "airflow/trigger/forecast-inventory/",
            {"Idempotency-Key": ""},
            '{"client_id": "1"}',
            "Key",
        ),
        ("airflow/trigger/forecast-inventory/", {}, "[]", "object"),
    ],
)
def test_errors_that_are_not_there_are_not_spoken_of(
    alice: Person, path: str, headers: dict[str, str], body: str, named: str
) -> None:
    answer = alice.client.generic(
        "POST", f"/api/{path}", body, content_type="application/json", headers=headers
    )
    problem = answer.json()
    assert (problem["code"], "errors" in problem) == ("invalid_payload", False)
    assert named in problem["detail"]
    assert "errors" not in problem["next_step"]


def test_json_nested_too_deeply_is_refused(alice: Person) -> None:
    answer = alice.client.generic(
        "POST",
        "/api/airflow/trigger/enhanced-ingest/",
        "[" * 100_000,
        content_type="application/json",
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")


@pytest.mark.parametrize("text", ['"\\ud800"', '"\\u0000"', '{"\\udfff": 1}', '[["a", "\\u0000"]]'])
def test_json_with_what_is_no_text_is_refused(alice: Person, text: str) -> None:
    for method, path, field in (
        ("PATCH", "/api/tables/products/", "drift"),
        ("PATCH", "/api/tables/products/", "types"),
        ("PUT", "/api/tables/products/contract/", "rules"),
    ):
        answer = alice.client.generic(
            method, path, f'{{"version": 0, "{field}": {text}}}', content_type="application/json"
        )
        assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")
        assert "NUL" in answer.json()["next_step"]


@pytest.mark.parametrize("path", ["files/{}/quarantine/pdf/", "forecast/plan/pdf/"])
def test_files_that_there_are_not_are_told_from_those_that_there_are(
    alice: Person, path: str
) -> None:
    file_id = send(alice).json()["file_id"]
    answer = alice.client.get(f"/api/{path.format(file_id)}")
    assert (answer.status_code, answer.json()["code"]) == (404, "unknown_file_type")
    assert "xlsx" in answer.json()["next_step"]


@pytest.mark.parametrize(
    ("fields", "query", "said"),
    [
        ({"delimeter": ";"}, "", {"delimeter": "This field is not known."}),
        ({"file_id": "mine"}, "", {"file_id": "Send it as a parameter of the address."}),
        ({}, "?table=products", {"table": "Send it as a field of the form."}),
        ({}, "?tabel=x&file_id=mine", {"tabel": "This field is not known."}),
    ],
)
def test_what_an_upload_says_is_never_passed_over(
    alice: Person, fields: dict[str, str], query: str, said: dict[str, str]
) -> None:
    body = {"file": SimpleUploadedFile("products.csv", CSV), **fields}
    answer = alice.client.post(URL + query, body, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")
    assert answer.json()["errors"] == {name: [text] for name, text in said.items()}
    assert not Upload.objects.exists()


def test_who_belongs_to_no_organization_hears_that(person: Callable[..., Person]) -> None:
    nobody = person("nobody", org=None, role=Role.VIEWER)
    load = {"org_id": "1", "table": "products"}
    answers = [
        nobody.client.post("/api/airflow/trigger/mongo-to-postgres/", load, format="json"),
        send(nobody),
        nobody.client.get("/api/files/"),
    ]
    assert {a.json()["code"] for a in answers} == {"user_without_org"}


def test_an_upload_without_a_length_is_told_to_give_one(alice: Person) -> None:
    answer = alice.client.generic(
        "POST",
        URL,
        CSV,
        content_type="multipart/form-data; boundary=b",
        headers={"Transfer-Encoding": "chunked"},
        CONTENT_LENGTH="",
    )
    assert (answer.status_code, answer.json()["code"]) == (411, "length_required")


def test_a_bad_boundary_is_not_called_bad_json(alice: Person) -> None:
    answer = alice.client.generic("POST", URL, CSV, content_type="multipart/form-data; boundary=")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")
    assert "multipart" in answer.json()["next_step"]


@pytest.mark.parametrize("name", ["sales_history.csv", "inventory_plan.csv", "pg_catalog.csv"])
def test_a_table_is_proposed_that_may_be_one(alice: Person, name: str) -> None:
    answer: Any = send(alice, b"colour,mood\nred,fine\n", name=name)
    assert answer.status_code == 202, answer.content
    assert answer.json()["table"].endswith("_data")


def test_a_blank_file_and_one_too_wide_are_refused(alice: Person) -> None:
    wide = b",".join(b"c%d" % n for n in range(1600)) + b"\n"
    for content, said in ((b"\n\n\n", "neither a header"), (wide, "1,600 columns")):
        answer = send(alice, content, table="poison")
        assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_file")
        assert said in answer.json()["detail"]


def test_the_quarantine_is_not_said_to_be_empty_while_mongodb_is_away(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    file_id = send(alice, table="products").json()["file_id"]
    monkeypatch.setenv("MONGO_URI", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100")
    get_settings.cache_clear()
    try:
        answers = [
            alice.client.get(f"/api/files/{file_id}/quarantine/{kind}") for kind in ("", "xlsx/")
        ]
    finally:
        get_settings.cache_clear()
    assert [(a.status_code, a.json()["code"]) for a in answers] == [
        (503, "database_unavailable")
    ] * 2
