"""Three users: Alice owns, Bob shares her organization, Charlie must see nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import pytest
from rest_framework.test import APIClient

from backend.accounts.models import Organization, Role, User
from backend.accounts.services import create_token
from backend.files.models import Upload
from backend.runs.models import Run
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.tenancy.names import parse_org_id
from supplyline.tenancy.provisioning import provision


@dataclass(frozen=True, kw_only=True)
class Person:
    user: User
    client: APIClient

    @property
    def org(self) -> str:
        return str(self.user.org_id)


@pytest.fixture(scope="session")
def two_orgs(engine_settings: Settings) -> tuple[OrgId, OrgId]:
    """Databases of two organizations, made once for all tests of this folder."""
    orgs = parse_org_id("1"), parse_org_id("10")
    for org in orgs:
        provision(org, settings=engine_settings)
    return orgs


@pytest.fixture
def person(db: None) -> Callable[..., Person]:
    def make(name: str, *, org: str | None, role: Role = Role.EDITOR, **more: Any) -> Person:
        user = User.objects.create_user(name, password="a long pass phrase", **more)
        user.org_id, user.role = org, role
        user.save()
        token, _ = create_token(user)
        client = APIClient(raise_request_exception=False)
        client.credentials(HTTP_AUTHORIZATION=f"Bearer {token}")
        return Person(user=user, client=client)

    return make


@pytest.fixture
def orgs(db: None, two_orgs: tuple[OrgId, OrgId]) -> Iterator[tuple[OrgId, OrgId]]:
    for org in two_orgs:
        Organization.objects.get_or_create(
            pk=org, defaults={"state": Organization.State.ACTIVE, "name": org}
        )
    yield two_orgs
    Upload.objects.all().delete()
    Run.objects.all().delete()


@pytest.fixture
def alice(orgs: tuple[OrgId, OrgId], person: Callable[..., Person]) -> Person:
    return person("alice", org=orgs[0], role=Role.OWNER)


@pytest.fixture
def bob(orgs: tuple[OrgId, OrgId], person: Callable[..., Person]) -> Person:
    return person("bob", org=orgs[0], role=Role.VIEWER)


@pytest.fixture
def charlie(orgs: tuple[OrgId, OrgId], person: Callable[..., Person]) -> Person:
    return person("charlie", org=orgs[1], role=Role.OWNER)
