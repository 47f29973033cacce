"""The five views: payloads as promised, 202 with Airflow away, problems with code and next step."""

from __future__ import annotations

import re
from typing import Any

import pytest
from django.db import connections
from django.test import Client

from backend.api.errors import InvalidPayload
from backend.backend_scripts.data_pipeline_manager import DataPipelineManager
from backend.runs.models import Outbox, Run
from backend.runs.services import FORECAST, INGEST, LOAD
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send

TRIGGER = "/api/airflow/trigger/"


def post(person: Person, path: str, body: Any, **headers: str) -> Any:
    return person.client.post(TRIGGER + path + "/", body, format="json", headers=headers)


def test_every_trigger_is_accepted_with_airflow_away(alice: Person) -> None:
    file_id = send(alice, table="products").json()["file_id"]
    sent = {
        INGEST: (
            "enhanced-ingest",
            {"org_id": "1", "table": "products", "file_id": file_id, "user_id": alice.user.pk},
            {"org_id": "1", "table": "products", "file_id": file_id, "user_id": alice.user.pk,
             "triggered_by": "api"},
        ),
        LOAD: (
            "mongo-to-postgres",
            {"org_id": "1", "table": "products", "triggered_by": "ingest_completion"},
            {"org_id": "1", "table": "products", "triggered_by": "ingest_completion"},
        ),
        FORECAST: ("forecast-inventory", {"client_id": "org_1"}, {"client_id": "org_1"}),
    }  # fmt: skip
    for dag_id, (path, body, conf) in sent.items():
        answer = post(alice, path, body)
        assert answer.status_code == 202, answer.content
        told = answer.json()
        assert told["success"] is True
        assert (told["dag_id"], told["state"]) == (dag_id, "pending")
        run = Run.objects.get(dag_run_id=told["dag_run_id"])
        assert run.conf == conf
        assert Outbox.objects.filter(run=run).exists()
        seen = alice.client.get(told["status_url"]).json()
        assert (seen["dag_run_id"], seen["state"]) == (told["dag_run_id"], "pending")


def test_a_client_id_may_leave_the_prefix_out(alice: Person) -> None:
    run_id = post(alice, "forecast-inventory", {"client_id": "1"}).json()["dag_run_id"]
    assert Run.objects.get(dag_run_id=run_id).conf == {"client_id": "org_1"}


def test_a_repetition_with_its_key_is_one_run(alice: Person) -> None:
    body = {"org_id": "1", "table": "products"}
    first = post(alice, "mongo-to-postgres", body, **{"Idempotency-Key": "k"})
    second = post(alice, "mongo-to-postgres", body, **{"Idempotency-Key": "k"})
    other = post(alice, "mongo-to-postgres", {**body, "table": "sales"}, **{"Idempotency-Key": "k"})

    assert first.json() == second.json()
    assert Run.objects.count() == Outbox.objects.count() == 1
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


def test_two_organizations_may_use_the_same_key(alice: Person, charlie: Person) -> None:
    for who in (alice, charlie):
        body = {"org_id": who.org, "table": "products"}
        answer = post(who, "mongo-to-postgres", body, **{"Idempotency-Key": "k"})
        assert answer.status_code == 202
    assert Run.objects.count() == 2


@pytest.mark.parametrize(
    ("path", "body", "status", "code"),
    [
        ("enhanced-ingest", {}, 400, "invalid_payload"),
        ("enhanced-ingest", [], 400, "invalid_payload"),
        ("enhanced-ingest", {"org_id": "1", "table": "products"}, 400, "invalid_payload"),
        ("mongo-to-postgres", {"org_id": "1"}, 400, "invalid_payload"),
        ("mongo-to-postgres", {"org_id": "1", "table": "p", "x": 1}, 400, "invalid_payload"),
        ("mongo-to-postgres", {"org_id": "1'; --", "table": "p"}, 400, "invalid_payload"),
        ("mongo-to-postgres", {"org_id": "1", "table": "P; DROP"}, 400, "invalid_name"),
        ("mongo-to-postgres", {"org_id": None, "table": ["p"]}, 400, "invalid_payload"),
        ("forecast-inventory", {"client_id": "org_org_1"}, 400, "invalid_payload"),
        ("forecast-inventory", {"client_id": "org_2"}, 404, "org_not_found"),
        (
            "enhanced-ingest",
            {"org_id": "1", "table": "products", "file_id": "file_456"},
            404,
            "file_not_found",
        ),
        (
            "enhanced-ingest",
            {"org_id": "1", "table": "products", "file_id": "f", "user_id": "user_789"},
            403,
            "other_user_named",
        ),
        (
            "enhanced-ingest",
            {"org_id": "1", "table": "products", "file_id": "a\x00b"},
            400,
            "invalid_payload",
        ),
    ],
)
def test_what_cannot_be_run_is_a_problem_with_a_next_step(
    alice: Person, path: str, body: Any, status: int, code: str
) -> None:
    answer = post(alice, path, body)
    told = answer.json()
    assert (answer.status_code, told["code"]) == (status, code), told
    assert answer["Content-Type"] == "application/problem+json"
    assert set(told) >= {"type", "title", "status", "detail", "code", "next_step"}
    assert not Run.objects.exists()


def test_an_ingest_into_another_table_than_the_files_is_refused_at_once(alice: Person) -> None:
    file_id = send(alice, table="products").json()["file_id"]
    before = Run.objects.count()
    answer = post(alice, "enhanced-ingest", {"org_id": "1", "table": "product", "file_id": file_id})
    told = answer.json()
    assert (answer.status_code, told["code"]) == (400, "invalid_payload"), told
    assert "products" in told["errors"]["table"][0]
    assert "`table`: products" in told["next_step"]
    with pytest.raises(InvalidPayload, match="was uploaded for the table products"):
        DataPipelineManager().trigger_enhanced_ingest_dag("1", table="product", file_id=file_id)
    assert Run.objects.count() == before


def test_malformed_json_is_a_problem(alice: Person) -> None:
    answer = alice.client.generic(
        "POST", TRIGGER + "forecast-inventory/", "{", content_type="application/json"
    )
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("get", "/api/nothing/", 404, "not_found"),
        ("get", "/api/files", 404, "not_found"),
        ("get", "/api/airflow/trigger/enhanced-ingest/", 405, "method_not_allowed"),
        ("get", "/api/airflow/status/no_such_dag/", 404, "unknown_dag"),
        ("get", f"/api/airflow/status/{INGEST}/none/", 404, "run_not_found"),
        ("get", f"/api/airflow/status/{INGEST}/?limit=0", 400, "invalid_payload"),
    ],
)
def test_wrong_paths_are_problems(
    alice: Person, method: str, path: str, status: int, code: str
) -> None:
    answer = getattr(alice.client, method)(path)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_pipeline_status_of_a_new_organization_says_what_to_do(alice: Person) -> None:
    told = alice.client.get("/api/airflow/pipeline-status/").json()
    assert [s["state"] for s in told["stages"]] == ["never_run"] * 3
    assert "upload" in told["stages"][0]["next_step"].lower()


def test_runs_are_listed_newest_first_in_pages(alice: Person) -> None:
    made = [
        post(alice, "mongo-to-postgres", {"org_id": "1", "table": f"t{n}"}).json()["dag_run_id"]
        for n in range(3)
    ]
    page = alice.client.get(f"/api/airflow/status/{LOAD}/?limit=2").json()
    assert page["count"] == 3
    assert [r["dag_run_id"] for r in page["results"]] == made[:0:-1]


@pytest.mark.django_db(transaction=True)
def test_the_database_away_is_said_so(alice: Person, monkeypatch: pytest.MonkeyPatch) -> None:
    """The real connection is cut and its address is one where nobody listens."""
    default = connections["default"]
    port = default.settings_dict["PORT"]
    default.close()
    default.settings_dict["PORT"] = "9"
    try:
        answer = alice.client.get("/api/auth/me/")
    finally:
        default.settings_dict["PORT"] = port
        default.close()
    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")


@pytest.mark.django_db
def test_the_schema_describes_every_path() -> None:
    from rest_framework.test import APIClient

    answer = APIClient().get("/api/schema/", headers={"Accept": "application/json"})
    assert answer.status_code == 200
    paths = set(answer.json()["paths"])
    assert {
        "/api/airflow/trigger/enhanced-ingest/",
        "/api/airflow/trigger/mongo-to-postgres/",
        "/api/airflow/trigger/forecast-inventory/",
        "/api/airflow/status/{dag_id}/",
        "/api/airflow/status/{dag_id}/{dag_run_id}/",
        "/api/airflow/pipeline-status/",
        "/api/files/upload/",
        "/api/auth/token/",
    } <= paths


@pytest.mark.django_db
def test_the_documentation_page_brings_its_own_scripts() -> None:
    """No address of anybody else, so that the page works without the internet."""
    page = Client().get("/api/docs/").content.decode()
    parts = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(parts) >= 4
    for part in parts:
        assert part.startswith("/static/"), part
        assert Client().get(part).status_code == 200, part


@pytest.mark.django_db
def test_an_unknown_host_name_is_a_problem_too() -> None:
    answer = Client(headers={"Host": "elsewhere.example"}).get("/api/health/")
    assert (answer.status_code, answer.json()["code"]) == (400, "unknown_host")
    assert answer["Content-Type"] == "application/problem+json"


def test_staff_follow_the_status_url_of_their_own_trigger(alice: Person, person: Any) -> None:
    staff = person("staff", org=None, is_platform_staff=True)
    body = {"org_id": alice.org, "table": "products"}
    answer = post(staff, "mongo-to-postgres", body).json()
    assert staff.client.get(answer["status_url"]).status_code == 200
    assert staff.client.get(f"/api/airflow/status/{LOAD}/").status_code == 403


@pytest.mark.parametrize("path", ["/", "/api/"])
def test_the_address_itself_leads_to_the_documentation(path: str) -> None:
    answer = Client().get(path)

    assert (answer.status_code, answer.headers["Location"]) == (302, "/api/docs/")
