from __future__ import annotations

import pytest

from supplyline.settings import Settings
from tests.integration.load.books import Books, opened


@pytest.fixture
def fresh(engine_settings: Settings) -> Books:
    """Nothing is loaded yet."""
    return opened(engine_settings)
