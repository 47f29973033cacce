"""How long a MongoDB server that is away is waited for, and what is no address of one."""

from __future__ import annotations

import pytest

from supplyline import settings as environment
from supplyline.errors import ConfigurationError
from supplyline.stages import open_landing


@pytest.mark.parametrize(("option", "seconds"), [("", 10), ("?serverselectiontimeoutms=200", 0.2)])
def test_the_address_may_say_how_long_a_server_is_waited_for(option: str, seconds: float) -> None:
    settings = environment.read({"MONGO_URI": f"mongodb://127.0.0.1:9/{option}"})
    with open_landing(settings) as landing:
        assert landing._db.client.options.server_selection_timeout == seconds


@pytest.mark.parametrize(
    "changed",
    [
        {"MONGO_URI": "mongodb://alice:s3cr3t@x@host"},
        {"MONGO_URI": "mongodb://alice:s3cr3t/@host"},
        {"MONGO_URI": "mongodb://host:s3cr3t"},
        {"MONGO_URI": "mongodb://"},
        {"MONGO_DATABASE": "a.b"},
        {"MONGO_DATABASE": ""},
    ],
)
def test_what_is_no_address_is_named_and_no_password_is_repeated(changed: dict[str, str]) -> None:
    (name,) = changed
    with (
        pytest.raises(ConfigurationError, match=name) as refused,
        open_landing(environment.read(changed)),
    ):
        pass
    assert "s3cr3t" not in str(refused.value)
