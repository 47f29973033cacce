"""How long a MongoDB server that is away is waited for."""

from __future__ import annotations

import pytest

from supplyline import settings as environment
from supplyline.stages import open_landing


@pytest.mark.parametrize(("option", "seconds"), [("", 10), ("?serverselectiontimeoutms=200", 0.2)])
def test_the_address_may_say_how_long_a_server_is_waited_for(option: str, seconds: float) -> None:
    settings = environment.read({"MONGO_URI": f"mongodb://127.0.0.1:9/{option}"})
    with open_landing(settings) as landing:
        assert landing._db.client.options.server_selection_timeout == seconds
