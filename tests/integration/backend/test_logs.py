"""A line of the log says which request it speaks of, and what was wrong with it."""

from __future__ import annotations

import json
import logging

import pytest

from backend.config.logs import JsonFormatter
from supplyline.settings import get as get_settings
from tests.integration.backend.conftest import Person


def lines(caplog: pytest.LogCaptureFixture) -> list[dict[str, str]]:
    found = [r for r in caplog.records if r.name == "django.request"]
    return [json.loads(JsonFormatter().format(record)) for record in found]


def test_a_refused_request_is_logged_with_its_id_and_its_code(
    alice: Person, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, logger="django.request"):
        alice.client.get("/api/files/nope/", headers={"X-Correlation-Id": "mine-1"})
        alice.client.get("/api/nowhere/", headers={"X-Correlation-Id": "mine-2"})

    refused, nowhere = lines(caplog)
    assert refused["correlation_id"] == "mine-1"
    assert (refused["method"], refused["code"]) == ("GET", "file_not_found")
    assert "detail" not in refused
    assert nowhere["correlation_id"] == "mine-2"


def test_what_is_away_is_named_in_the_log(
    alice: Person, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MONGO_URI", "mongodb://127.0.0.1:9/?serverSelectionTimeoutMS=100")
    get_settings.cache_clear()
    try:
        with caplog.at_level(logging.WARNING, logger="django.request"):
            alice.client.get("/api/tables/")
    finally:
        get_settings.cache_clear()

    (line,) = lines(caplog)
    assert line["code"] == "database_unavailable"
    assert "MongoDB" in line["detail"]
