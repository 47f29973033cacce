"""A stored file that was never accepted is found, and removed only where nobody refers to it."""

from __future__ import annotations

import json
import os
import threading
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.core.management import call_command
from django.db import connection, transaction

from backend.files import leftovers as room
from backend.files.leftovers import find_leftovers, remove_leftovers
from backend.files.models import ResumableUpload, Upload
from supplyline.contracts import OrgId, ParseOptions, RunRef
from supplyline.errors import SupplylineError
from supplyline.settings import Settings
from supplyline.stages import run_ingest, run_load
from supplyline.storage import Storage
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import CSV, URL, send

LONG_AGO = timedelta(days=2)
Kill = Callable[[Person], str]


class Killed(BaseException):
    """As a process is gone: nothing is cleaned up behind it."""


@pytest.fixture(autouse=True)
def nothing_of_earlier_tests(engine_settings: Settings) -> None:
    for org in ("1", "10"):
        Storage(engine_settings.storage_url).erase(OrgId(org))


@pytest.fixture
def killed(monkeypatch: pytest.MonkeyPatch, engine_settings: Settings) -> Kill:
    """Sends a file whose process dies between storing and committing; answers its id."""

    def kill(person: Person) -> str:
        keep = Storage.keep

        def die(self: Storage, draft: Any) -> Any:
            keep(self, draft)
            raise Killed

        before = set(folders(engine_settings, person))
        with monkeypatch.context() as patch:
            patch.setattr(Storage, "keep", die)
            patch.setattr(Storage, "discard", lambda *_: None)
            with pytest.raises(Killed):
                send(person, CSV, table="products")
        (file_id,) = set(folders(engine_settings, person)) - before
        return file_id

    return kill


def folders(settings: Settings, person: Person) -> list[str]:
    place = Path(urlparse(settings.storage_url).path) / person.org
    return [p.name for p in place.iterdir()] if place.exists() else []


def age(settings: Settings, person: Person, file_id: str, by: timedelta = LONG_AGO) -> None:
    at = (datetime.now(UTC) - by).timestamp()
    for path in (Path(urlparse(settings.storage_url).path) / person.org / file_id).iterdir():
        os.utime(path, (at, at))


def ids(answer: dict[str, Any]) -> list[str]:
    return [one["file_id"] for one in answer["files"]]


def command(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str]:
    code = 0
    try:
        call_command("leftover_files", *arguments)
    except SystemExit as error:
        code = int(str(error.code))
    return code, capsys.readouterr().out


def test_what_a_kill_leaves_is_named_and_removed_when_it_is_old(
    alice: Person, killed: Kill, engine_settings: Settings, capsys: pytest.CaptureFixture[str]
) -> None:
    kept = send(alice, table="products").json()["file_id"]
    orphan = killed(alice)
    assert not Upload.objects.filter(file_id=orphan).exists()
    age(engine_settings, alice, kept)
    code, out = command("--org-id", "1", "--remove", "--json", capsys=capsys)
    (one,) = json.loads(out)["organizations"]
    assert (code, one["files"], one["young"], one["removed"]) == (0, [], 1, [])

    age(engine_settings, alice, orphan)
    code, out = command("--org-id", "1", capsys=capsys)
    assert code == 1
    assert f"1: {orphan} (products.csv, {len(CSV)} bytes, written" in out
    assert kept not in out
    assert orphan in folders(engine_settings, alice)

    code, out = command("--remove", capsys=capsys)  # of every organization
    assert (code, f"1: {orphan} is removed" in out) == (0, True)
    assert set(folders(engine_settings, alice)) >= {kept}
    assert orphan not in folders(engine_settings, alice)
    assert Upload.objects.count() == 1
    code, out = command(capsys=capsys)
    assert (code, out) == (0, "No stored file is left over.\n")


def test_whatever_any_record_refers_to_stays(
    alice: Person, killed: Kill, engine_settings: Settings
) -> None:
    org, storage = OrgId("1"), Storage(engine_settings.storage_url)
    landed, reading, begun, lone = (killed(alice) for _ in range(4))
    table, run = "leftover_products", RunRef(run_id="r")
    run_ingest(org_id="1", table=table, file_id=landed, run=run, settings=engine_settings)
    run_load(org_id="1", table=table, run=run, settings=engine_settings)
    storage.again(storage.find(org, reading), file_id="again", options=ParseOptions())
    now = datetime.now(UTC)
    Upload.objects.create(org_id="1", file_id="again", size=1, origin=reading, user_id_text="u")
    ResumableUpload.objects.create(
        key="k", org_id="1", user_id_text="u", file_id=begun, name="n", size=1, expires_at=now
    )
    for one in (landed, reading, begun, lone, "again"):
        age(engine_settings, alice, one)
    done = remove_leftovers(org, settings=engine_settings, now=now)
    assert done["removed"] == [lone]
    assert set(folders(engine_settings, alice)) >= {landed, reading, begun, "again"}


def test_where_a_store_is_away_nothing_is_left_over(
    alice: Person, killed: Kill, engine_settings: Settings, capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    orphan = killed(alice)
    age(engine_settings, alice, orphan)
    away = replace(engine_settings, mongo_uri="mongodb://127.0.0.1:9/?timeoutMS=300")
    with pytest.raises(SupplylineError):
        remove_leftovers(OrgId("1"), settings=away, now=datetime.now(UTC))
    monkeypatch.setattr("supplyline.settings.get", lambda: away)
    code, out = command("--remove", capsys=capsys)
    assert (code, "not asked, and nothing removed" in out) == (4, True)
    assert orphan in folders(engine_settings, alice)


@pytest.mark.django_db(transaction=True)
def test_an_upload_under_the_same_id_at_the_same_time_has_its_bytes(
    alice: Person, killed: Kill, engine_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = killed(alice)
    age(engine_settings, alice, orphan)
    url, sent = f"{URL}?file_id={orphan}", []

    def upload() -> None:
        form = {"file": SimpleUploadedFile("products.csv", CSV), "table": "products"}
        try:
            sent.append(alice.client.post(url, form, format="multipart"))
        finally:
            connection.close()

    thread, delete = threading.Thread(target=upload), Storage.delete

    def delete_meanwhile(self: Storage, org: OrgId, file_id: str) -> None:
        thread.start()
        thread.join(1.5)
        assert thread.is_alive()  # it waits for the id
        delete(self, org, file_id)

    monkeypatch.setattr(Storage, "delete", delete_meanwhile)
    done = remove_leftovers(OrgId("1"), settings=engine_settings, now=datetime.now(UTC))
    thread.join(30)
    assert done["removed"] == [orphan]
    assert sent[0].status_code == 202, sent[0].content
    storage = Storage(engine_settings.storage_url)
    storage.require_whole(storage.find(OrgId("1"), orphan))


def test_an_upload_that_took_the_id_before_keeps_the_file(
    alice: Person, killed: Kill, engine_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    orphan = killed(alice)
    age(engine_settings, alice, orphan)
    found = room.leftovers

    def then_taken(*given: Any, **more: Any) -> Any:
        out = found(*given, **more)
        if not Upload.objects.filter(file_id=orphan).exists():
            with transaction.atomic():
                Upload.objects.create(org_id="1", file_id=orphan, size=1, user_id_text="u")
        return out

    monkeypatch.setattr(room, "leftovers", then_taken)
    done = remove_leftovers(OrgId("1"), settings=engine_settings, now=datetime.now(UTC))
    assert (done["removed"], ids(done)) == ([], [orphan])
    assert orphan in folders(engine_settings, alice)
    monkeypatch.undo()
    assert (
        find_leftovers(OrgId("1"), settings=engine_settings, now=datetime.now(UTC))["files"] == []
    )
