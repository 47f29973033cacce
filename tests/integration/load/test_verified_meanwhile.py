"""`verify` beside loads: what is under way, or done meanwhile, is no difference."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any

import pytest

from supplyline.landing import Landing
from supplyline.load.verify import Verification
from supplyline.tenancy.connections import connect
from supplyline.verification import Report
from tests.integration.load.books import FILES, Books, said


def _meanwhile(work: Callable[[], Report]) -> tuple[threading.Thread, list[Report]]:
    found: list[Report] = []
    thread = threading.Thread(target=lambda: found.append(work()))
    thread.start()
    return thread, found


def test_a_table_that_a_load_is_changing_is_judged_when_it_is_done(fresh: Books) -> None:
    """A table that is written anew looks empty to whoever has looked around before."""
    for file_id in "ab":
        fresh.deliver(file_id, FILES[file_id])
    with connect(fresh.org, settings=fresh.settings) as changing:
        changing.execute("ALTER TABLE t ALTER COLUMN n TYPE numeric USING n + 0")
        thread, found = _meanwhile(fresh.verify)
        waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = 't'::regclass"
        until = time.monotonic() + 30
        while fresh.rows(waiting) == [(0,)] and time.monotonic() < until:
            time.sleep(0.02)
        changing.commit()
    thread.join(60)

    assert [said(report) for report in found] == [""]


def test_files_that_are_loaded_while_verify_looks_are_not_missing(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.deliver("a", FILES["a"])
    seen, late = Landing.manifests, ["c"]

    def manifests(self: Landing, *arguments: Any, **more: Any) -> Any:
        found = seen(self, *arguments, **more)
        monkeypatch.setattr(Landing, "manifests", seen)
        fresh.deliver("b", FILES["b"])
        return found

    def after_a_file(_: Verification) -> None:
        if late:
            fresh.deliver(late[0], FILES[late.pop()])

    monkeypatch.setattr(Landing, "manifests", manifests)

    assert said(fresh.verify(anew=True, done=after_a_file)) == ""
