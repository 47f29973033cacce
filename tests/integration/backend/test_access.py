"""Tokens, roles, and that another organization's things do not exist for the caller (P8)."""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from django.utils import timezone
from rest_framework.test import APIClient

from backend.accounts.errors import OrganizationSuspended
from backend.accounts.models import LoginFailure, Organization, User
from backend.files.services import accept_upload
from backend.runs.models import Run
from backend.runs.services import INGEST
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.storage import Storage
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import CSV, send

CLOSED = [
    ("get", "/api/auth/me/"),
    ("get", "/api/organizations/"),
    ("get", "/api/files/"),
    ("get", "/api/files/f1/"),
    ("get", "/api/files/f1/quarantine/"),
    ("post", "/api/files/upload/"),
    ("post", "/api/airflow/trigger/enhanced-ingest/"),
    ("post", "/api/airflow/trigger/mongo-to-postgres/"),
    ("post", "/api/airflow/trigger/forecast-inventory/"),
    ("get", f"/api/airflow/status/{INGEST}/"),
    ("get", f"/api/airflow/status/{INGEST}/x/"),
    ("get", "/api/airflow/pipeline-status/"),
    ("get", "/api/pipeline/certificates/"),
    ("get", "/api/pipeline/audit/"),
    ("get", "/api/pipeline/quality/"),
    ("get", "/api/forecast/plan/"),
]

OWN_LISTS = [
    "/api/files/",
    f"/api/airflow/status/{INGEST}/",
    "/api/airflow/pipeline-status/",
    "/api/organizations/",
    "/api/pipeline/certificates/",
    "/api/pipeline/audit/",
]


def log_in(username: str, password: str) -> Any:
    return APIClient().post(
        "/api/auth/token/", {"username": username, "password": password}, format="json"
    )


@pytest.mark.parametrize(("method", "path"), CLOSED)
@pytest.mark.parametrize(
    "header", ["", "Bearer", "Bearer sl_nonsense", "Bearer \xff\xfe", "Basic YTpi"]
)
@pytest.mark.django_db
def test_without_a_good_token_nothing_is_answered(method: str, path: str, header: str) -> None:
    client = APIClient(headers={"Authorization": header} if header else {})
    answer = getattr(client, method)(path, {}, format="json")

    assert (answer.status_code, answer.json()["code"]) == (401, "not_authenticated")
    assert answer["WWW-Authenticate"] == "Bearer"
    assert answer["Content-Type"] == "application/problem+json"


def test_a_password_gives_a_token_that_can_be_revoked(alice: Person) -> None:
    body = log_in("alice", "a long pass phrase").json()
    client = APIClient(headers={"Authorization": f"Bearer {body['token']}"})

    assert client.get("/api/auth/me/").json()["org_id"] == alice.org
    assert client.post("/api/auth/token/revoke/", {}, format="json").status_code == 204
    assert client.get("/api/auth/me/").status_code == 401


def test_a_token_is_kept_as_a_hash_only(alice: Person) -> None:
    token = log_in("alice", "a long pass phrase").json()["token"]
    for row in alice.user.auth_token_set.all():
        assert token not in {row.digest, row.token_key}


def test_an_expired_token_is_refused(alice: Person) -> None:
    alice.user.auth_token_set.update(expiry=timezone.now() - timedelta(seconds=1))
    assert alice.client.get("/api/auth/me/").status_code == 401


def test_a_wrong_password_and_an_unknown_user_look_alike(alice: Person) -> None:
    wrong, unknown = log_in("alice", "wrong"), log_in("nobody", "wrong")
    assert wrong.status_code == unknown.status_code == 401
    assert wrong.json() == unknown.json()
    assert wrong.json()["code"] == "login_refused"


def test_guessing_is_slowed_down_and_a_right_password_does_not_help(alice: Person) -> None:
    for _ in range(10):
        log_in("alice", "wrong")
    answer = log_in("alice", "a long pass phrase")
    assert (answer.status_code, answer.json()["code"]) == (429, "too_many_logins")


def test_a_clock_that_ran_ahead_closes_no_door(alice: Person) -> None:
    for _ in range(10):
        log_in("alice", "wrong")
    LoginFailure.objects.update(at=timezone.now() + timedelta(days=400))
    assert log_in("alice", "a long pass phrase").status_code == 200


def test_charlie_sees_nothing_of_alice(alice: Person, charlie: Person) -> None:
    mine = send(alice, table="products").json()
    foreign = charlie.client
    run = f"/api/airflow/status/{mine['dag_id']}/{mine['dag_run_id']}/"
    payload = {"org_id": charlie.org, "table": "products", "file_id": mine["file_id"]}
    answers = {
        "file": foreign.get(f"/api/files/{mine['file_id']}/"),
        "quarantine": foreign.get(f"/api/files/{mine['file_id']}/quarantine/"),
        "run": foreign.get(run),
        "certificate": foreign.get(f"/api/pipeline/certificates/{mine['file_id']}/"),
        "ingest": foreign.post("/api/airflow/trigger/enhanced-ingest/", payload, format="json"),
        "named": foreign.get(run, {"org_id": alice.org}),
    }

    assert {name: a.status_code for name, a in answers.items()} == dict.fromkeys(answers, 404)
    assert foreign.get("/api/files/").json()["count"] == 0
    assert foreign.get(f"/api/airflow/status/{INGEST}/").json()["count"] == 0
    for path in OWN_LISTS:
        text = foreign.get(path).content.decode()
        assert mine["file_id"] not in text
        assert mine["dag_run_id"] not in text
        assert alice.user.pk not in text
    assert Run.objects.filter(org_id=charlie.org).count() == 0


def test_only_the_own_organization_is_listed(alice: Person, charlie: Person, person: Any) -> None:
    def listed(by: Person) -> list[str]:
        return [one["id"] for one in by.client.get("/api/organizations/").json()]

    assert [listed(alice), listed(charlie)] == [[alice.org], [charlie.org]]
    staff = person("staff", org=None, is_platform_staff=True)
    assert {alice.org, charlie.org} <= set(listed(staff))
    answer = alice.client.post("/api/organizations/", {"id": "another"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_an_id_that_exists_elsewhere_is_answered_like_one_that_nobody_has(
    alice: Person, charlie: Person
) -> None:
    mine = send(alice, table="products").json()["file_id"]
    there = charlie.client.get(f"/api/files/{mine}/").json()
    nowhere = charlie.client.get("/api/files/file_0000000000000000/").json()
    assert {**there, "detail": ""} == {**nowhere, "detail": ""}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("enhanced-ingest", {"org_id": "1", "table": "products", "file_id": "f"}),
        ("mongo-to-postgres", {"org_id": "1", "table": "products"}),
        ("forecast-inventory", {"client_id": "org_1"}),
    ],
)
def test_nobody_triggers_for_another_organization(
    alice: Person, charlie: Person, path: str, body: dict[str, str]
) -> None:
    answer = charlie.client.post(f"/api/airflow/trigger/{path}/", body, format="json")
    assert (answer.status_code, answer.json()["code"]) == (404, "org_not_found")
    assert not Run.objects.exists()


def test_bob_reads_what_alice_uploaded_and_may_not_trigger(alice: Person, bob: Person) -> None:
    mine = send(alice, table="products").json()
    assert bob.client.get(f"/api/files/{mine['file_id']}/").status_code == 200
    answer = bob.client.post(
        "/api/airflow/trigger/mongo-to-postgres/",
        {"org_id": bob.org, "table": "products"},
        format="json",
    )
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_a_user_without_organization_is_told_so(person: Any, orgs: Any) -> None:
    answer = person("dora", org=None).client.get("/api/airflow/pipeline-status/")
    assert (answer.status_code, answer.json()["code"]) == (403, "user_without_org")


def test_a_suspended_organization_is_closed(charlie: Person, person: Any) -> None:
    Organization.objects.filter(pk=charlie.org).update(state=Organization.State.SUSPENDED)
    reads = ("/api/files/", "/api/airflow/pipeline-status/", "/api/forecast/plan/", "/api/tables/")
    staff = person("staff", org=None, is_platform_staff=True).client
    by_staff = staff.get("/api/airflow/pipeline-status/", {"org_id": charlie.org})
    for answer in (send(charlie, table="products"), by_staff, *map(charlie.client.get, reads)):
        assert (answer.status_code, answer.json()["code"]) == (403, "org_suspended")


@pytest.mark.parametrize("erased", [False, True])
def test_what_arrives_while_the_organization_is_closed_is_not_kept(
    alice: Person, engine_settings: Settings, new_org: Callable[..., OrgId], erased: bool
) -> None:
    org, storage = new_org(provisioned=False), Storage(engine_settings.storage_url)
    if not erased:
        Organization.objects.create(pk=org, state=Organization.State.SUSPENDED)
    writer = storage.begin(org, file_id="late", name="products.csv")
    writer.write(CSV)
    with pytest.raises(OrganizationSuspended):
        accept_upload(
            org, stored=writer.finish(), storage=storage, user=alice.user, table="products"
        )
    assert storage.everything(org) == []


def test_no_answer_is_kept_on_its_way(alice: Person) -> None:
    send(alice, table="products")
    for path in (*OWN_LISTS, "/api/auth/me/", "/api/files/nothing/"):
        answer = alice.client.get(path)
        assert "no-store" in answer["Cache-Control"], path
        assert "authorization" in answer["Vary"].lower(), path


def test_platform_staff_may_name_any_organization_but_no_unknown_one(
    alice: Person, person: Any
) -> None:
    staff = person("root", org=None, is_platform_staff=True).client
    body = {"org_id": alice.org, "table": "products"}
    url = "/api/airflow/trigger/mongo-to-postgres/"
    assert staff.post(url, body, format="json").status_code == 202
    answer = staff.post(url, {**body, "org_id": "nobody"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (404, "org_not_found")


def test_platform_staff_read_whatever_an_organization_reads(alice: Person, person: Any) -> None:
    staff = person("root", org=None, is_platform_staff=True).client
    file_id = send(alice, table="products").json()["file_id"]
    for path in ("files/{}/", "files/{}/preview/", "files/{}/quarantine/", "tables/",
                 "tables/products/contract/"):  # fmt: skip
        url = f"/api/{path.format(file_id)}"
        own, named = alice.client.get(url), staff.get(url, {"org_id": alice.org})
        assert (own.status_code, named.status_code) == (200, 200), path
        assert named.getvalue() == own.getvalue()
        unnamed = staff.get(url).json()
        assert unnamed["code"] == "user_without_org"
        assert "`org_id`" in unnamed["next_step"]


def test_an_inactive_user_is_refused(alice: Person) -> None:
    User.objects.filter(pk=alice.user.pk).update(is_active=False)
    assert alice.client.get("/api/auth/me/").status_code == 401


@pytest.mark.parametrize("name", ["", " ", "x" * 151, "a b", "nul\0"])
def test_a_user_has_a_name_that_can_be_typed(orgs: Any, name: str) -> None:
    with pytest.raises(CommandError, match="user name is 1 to 150"):
        call_command("create_user", name, "--org-id", orgs[0], "--generate-password")


def test_a_command_says_what_a_value_may_be(orgs: Any) -> None:
    with pytest.raises(CommandError, match="to 7, as 12345"):
        call_command("schedule_forecast", orgs[0], "--weekdays", "8")
