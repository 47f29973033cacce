"""Loads, undo and `verify` beside one another and beside a release: what is done meanwhile is no
difference, and no row is missed by it."""

from __future__ import annotations

import importlib
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest

from supplyline.audit.events import append
from supplyline.contracts import Manifest
from supplyline.errors import DatabaseUnavailable
from supplyline.landing import Landing
from supplyline.load.records import mark_released
from supplyline.load.verify import Verification
from supplyline.stages import open_landing
from supplyline.tables import preview_load
from supplyline.tenancy.connections import connect, session
from supplyline.verification import Report
from tests.integration.load.books import FILES, TABLE, Books, said

NOW = datetime(2026, 1, 1, tzinfo=UTC)


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


def _let_go_after(monkeypatch: pytest.MonkeyPatch, books: Books, file_id: str) -> None:
    """Whoever asks for the manifests finds the file's rows released a moment later."""
    seen = Landing.manifests

    def manifests(self: Landing, *arguments: Any, **more: Any) -> list[Manifest]:
        found = seen(self, *arguments, **more)
        monkeypatch.setattr(Landing, "manifests", seen)
        _let_go(books, file_id)
        return found

    monkeypatch.setattr(Landing, "manifests", manifests)


def _let_go(books: Books, file_id: str) -> None:
    """What `supplyline retention --release` does with one file."""
    with (
        open_landing(books.settings) as landing,
        session(books.org, settings=books.settings) as conn,
    ):
        one = landing.manifest(books.org, file_id)
        assert one is not None
        mark_released(conn, file_id, NOW)
        append(
            conn, org=books.org, kind="landing.released", actor="u", subject=TABLE,
            detail={"file_id": file_id, "checksum": one.checksum},
        )  # fmt: skip
        conn.commit()
        landing.begin_release(books.org, [one], now=NOW)
        landing.finish_release(books.org, [one])


def test_a_file_whose_rows_are_released_with_its_twins_is_not_loaded_without_them(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.deliver("twin", FILES["a"], load=False)
    _let_go_after(monkeypatch, fresh, "a")

    with pytest.raises(DatabaseUnavailable, match="released"):
        fresh.load(table=TABLE)

    fresh.load(table=TABLE)
    assert fresh.certificate("twin").verdict == "success"
    assert fresh.certificate("twin").unchanged == 3
    assert said(fresh.verify(anew=True)) == ""


def test_a_release_while_verify_looks_is_no_difference(fresh: Books) -> None:
    for file_id in "ab":
        fresh.deliver(file_id, FILES[file_id])

    def after_a_file(one: Verification) -> None:
        if one.certificate.file_id == "a":
            _let_go(fresh, "b")

    with pytest.raises(DatabaseUnavailable, match="released"):
        fresh.verify(done=after_a_file)
    assert said(fresh.verify(anew=True)) == ""


def test_a_release_behind_the_moment_that_verify_looks_at_is_no_difference(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.deliver("a", FILES["a"])
    seen, asked = Landing.manifests, []

    def manifests(self: Landing, *arguments: Any, **more: Any) -> list[Manifest]:
        asked.append(1)
        if len(asked) == 2:
            _let_go(fresh, "a")
        return seen(self, *arguments, **more)

    monkeypatch.setattr(Landing, "manifests", manifests)
    assert said(fresh.verify()) == ""


def test_a_certificate_that_was_made_again_beside_a_release_is_no_difference(
    fresh: Books,
) -> None:
    """The load or the rebuild has read the manifest before, and the next release says it."""
    fresh.deliver("a", FILES["a"])
    _let_go(fresh, "a")
    assert said(fresh.verify()) == ""
    fresh.sql(
        "UPDATE supplyline.certificates SET body = body || '{\"landing_released_at\": null}'",
        "UPDATE supplyline.loads SET released_at = NULL",
    )
    assert said(fresh.verify()) == ""

    fresh.deliver("b", FILES["b"])
    with fresh.collection(":manifests") as manifests:
        manifests.update_one({"_id": "b"}, {"$set": {"released_at": NOW.isoformat()}})
    assert "says that its rows were released" in said(fresh.verify())


def test_undo_asks_for_the_files_when_no_other_load_can_come_between(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    for file_id in "ab":
        fresh.deliver(file_id, FILES[file_id])
    seen, locks = Landing.manifests, []

    def manifests(self: Landing, *arguments: Any, **more: Any) -> list[Manifest]:
        locks.append(
            fresh.rows("SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND granted")
        )
        return seen(self, *arguments, **more)

    monkeypatch.setattr(Landing, "manifests", manifests)
    fresh.undo("a", later="replay")
    assert locks == [[(1,)]]
    assert said(fresh.verify(anew=True)) == ""


def test_a_preview_does_not_wait_for_a_load_that_takes_its_time(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.deliver("b", FILES["b"], load=False)
    monkeypatch.setattr(importlib.import_module("supplyline.load.preview"), "_PATIENCE_S", 1)
    with connect(fresh.org, settings=fresh.settings) as changing:
        changing.execute("LOCK TABLE t IN ACCESS EXCLUSIVE MODE")
        with pytest.raises(DatabaseUnavailable):
            preview_load(fresh.org, TABLE, file_id=None, settings=fresh.settings)
        changing.rollback()
    assert preview_load(fresh.org, TABLE, file_id=None, settings=fresh.settings)["rows"] == 2
