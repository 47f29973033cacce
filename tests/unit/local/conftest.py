from __future__ import annotations

from pathlib import Path

import pytest

from supplyline.local import home as homes
from supplyline.local.home import Home


@pytest.fixture
def home(tmp_path: Path) -> Home:
    """A folder for services, with nothing in it."""
    made = Home(path=tmp_path / "run")
    homes.make(made)
    return made
