"""An organization with a database of its own, and small shops to load into it."""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from typing import Any

import psycopg
import pytest

from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.tenancy import provisioning
from supplyline.tenancy.connections import connect

Connection = psycopg.Connection[tuple[Any, ...]]


@pytest.fixture
def org(engine_settings: Settings) -> Iterator[OrgId]:
    made = OrgId(f"fc{secrets.token_hex(4)}")
    provisioning.provision(made, settings=engine_settings)
    yield made
    provisioning.drop(made, settings=engine_settings)


@pytest.fixture
def conn(org: OrgId, engine_settings: Settings) -> Iterator[Connection]:
    with connect(org, settings=engine_settings) as opened:
        yield opened
