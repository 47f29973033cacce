"""People change their roles and leave: what their tokens open changes at once."""

from __future__ import annotations

import json
from io import StringIO
from typing import Any

import pytest
from django.core.management import CommandError, call_command
from rest_framework.test import APIClient

from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send


def change(name: str, **options: Any) -> Any:
    out = StringIO()
    call_command("change_user", name, json=True, stdout=out, **options)
    return json.loads(out.getvalue())


def log_in(name: str, password: str) -> int:
    body = {"username": name, "password": password}
    return APIClient().post("/api/auth/token/", body, format="json").status_code


def test_who_leaves_is_let_in_no_more_and_what_was_uploaded_stays(
    alice: Person, bob: Person
) -> None:
    file_id = send(alice, table="products").json()["file_id"]
    told = change("alice", deactivate=True)
    assert (told["active"], told["tokens_ended"]) == (False, 1)
    assert alice.client.get("/api/files/").status_code == 401
    assert log_in("alice", "a long pass phrase") == 401
    assert bob.client.get(f"/api/files/{file_id}/").status_code == 200
    change("alice", activate=True)
    assert log_in("alice", "a long pass phrase") == 200
    assert alice.client.get("/api/files/").status_code == 401


def test_a_token_of_the_organization_before_opens_neither(alice: Person, charlie: Person) -> None:
    assert change(alice.user.pk, org_id=charlie.org)["org_id"] == charlie.org
    assert alice.client.get("/api/files/").status_code == 401
    assert change("alice", no_org=True)["org_id"] is None


def test_a_role_holds_from_the_next_request_on(alice: Person) -> None:
    assert change("alice", role="viewer")["tokens_ended"] == 0
    assert send(alice, table="products").status_code == 403


def test_a_new_password_ends_the_tokens(alice: Person) -> None:
    told = change("alice", generate_password=True)
    assert alice.client.get("/api/files/").status_code == 401
    assert log_in("alice", told["password"]) == 200


def test_nothing_to_change_and_an_unknown_organization_are_said(alice: Person) -> None:
    for options, code in (({}, 2), ({"org_id": "nobody"}, 3)):
        with pytest.raises(CommandError) as caught:
            change("alice", **options)
        assert caught.value.returncode == code
