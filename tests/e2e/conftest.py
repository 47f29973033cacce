"""One running instance for all end-to-end tests."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.house import House, start_house, stop_house
from tests.servers import Watchdog


@pytest.fixture(scope="package")
def house(watchdog: Watchdog) -> Iterator[House]:
    """Gone before other tests begin: a whole Airflow costs them a third of a core."""
    running = start_house(watchdog)
    yield running
    stop_house(running)
