"""Three users: Alice owns, Bob shares her organization, Charlie must see nothing of it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import Any

import pytest
from django.contrib.auth.hashers import make_password
from rest_framework.test import APIClient

from backend.accounts.models import Organization, Role, User
from backend.accounts.services import create_token
from backend.files.models import Upload
from backend.runs.models import Run
from supplyline import forecast
from supplyline.contracts import OrgId, RunRef
from supplyline.settings import Settings
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import parse_org_id
from supplyline.tenancy.provisioning import drop, provision


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


PASSWORD = "a long pass phrase"
hashed = cache(make_password)
"""Once for all users: it is made to take long."""


@pytest.fixture
def person(db: None) -> Callable[..., Person]:
    def make(name: str, *, org: str | None, role: Role = Role.EDITOR, **more: Any) -> Person:
        user = User(username=name, password=hashed(PASSWORD), org_id=org, role=role, **more)
        user.save(force_insert=True)
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


FORMULA = '=HYPERLINK("http://x.example","y")'
ITEMS = {
    "007": "Lamp",
    "A/B 1": "Shade, with a slash",
    "=1+1": FORMULA,
    "-5": "@SUM(B)",
    "ÄÖ%20": "\tTab first",
}


@pytest.fixture(scope="session")
def shop(engine_settings: Settings) -> Iterator[OrgId]:
    """An organization with a published plan of five items, one of which nobody bought."""
    org = parse_org_id("fcapi")
    provision(org, settings=engine_settings)
    with connect(org, settings=engine_settings) as conn:
        conn.execute(
            "CREATE TABLE sales (sku text, sold_on date, quantity int, unit_price numeric)"
        )
        conn.execute("CREATE TABLE products (sku text, name text, on_hand int, unit_cost numeric)")
        with conn.cursor() as cursor:
            for n, (sku, name) in enumerate(ITEMS.items()):
                stock = (sku, name, 3 + 40 * n, 5)
                cursor.execute("INSERT INTO products VALUES (%s, %s, %s, %s)", stock)
                days = range(0, 200, 1 + n) if sku != "-5" else ()
                cursor.executemany(
                    "INSERT INTO sales VALUES (%s, %s, %s, 9.5)",
                    [(sku, date(2025, 1, 1) + timedelta(days=d), 2 + d % 3) for d in days],
                )
        conn.commit()
        forecast.run_all(
            org, conn=conn, now=datetime(2025, 8, 1, tzinfo=UTC), run=RunRef(run_id="fc-1")
        )
    yield org
    drop(org, settings=engine_settings)


@pytest.fixture
def dana(shop: OrgId, person: Callable[..., Person]) -> Person:
    Organization.objects.get_or_create(pk=shop, defaults={"state": "active", "name": shop})
    return person("dana", org=shop, role=Role.VIEWER)
