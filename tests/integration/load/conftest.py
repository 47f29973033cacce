from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest
from pymongo import MongoClient

from supplyline.landing import Landing
from supplyline.settings import Settings
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import parse_org_id
from supplyline.tenancy.provisioning import provision
from tests.integration.ingest.conftest import shop
from tests.integration.load.books import Books, opened
from tests.integration.load.house import House

__all__ = ["fresh", "house", "shop"]


@pytest.fixture
def fresh(engine_settings: Settings) -> Books:
    """Nothing is loaded yet."""
    return opened(engine_settings)


@pytest.fixture
def house(engine_settings: Settings) -> Iterator[House]:
    org = parse_org_id(f"l{secrets.token_hex(4)}")
    provision(org, settings=engine_settings)
    client: MongoClient = MongoClient(engine_settings.mongo_uri)
    with connect(org, settings=engine_settings) as conn:
        yield House(org, conn, Landing(client[engine_settings.mongo_database]))
    client.close()
