"""The organization that the fault tests torment, and the people of the backend's tests."""

from __future__ import annotations

import pytest

from supplyline.settings import Settings
from tests.faults.house import FaultyHouse
from tests.integration.backend.conftest import (
    alice,
    bob,
    charlie,
    orgs,
    person,
    two_orgs,
)


@pytest.fixture
def faulty(engine_settings: Settings, engine_env: dict[str, str]) -> FaultyHouse:
    return FaultyHouse(engine_settings, engine_env)


__all__ = ["alice", "bob", "charlie", "faulty", "orgs", "person", "two_orgs"]
