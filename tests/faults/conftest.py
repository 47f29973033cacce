"""The organization that the fault tests torment."""

from __future__ import annotations

import pytest

from supplyline.settings import Settings
from tests.faults.house import FaultyHouse


@pytest.fixture
def faulty(engine_settings: Settings, engine_env: dict[str, str]) -> FaultyHouse:
    return FaultyHouse(engine_settings, engine_env)
