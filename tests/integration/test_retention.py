"""Landed rows are released by policy; certificates, verify, rebuild and undo know it."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from click.testing import CliRunner

from supplyline import retention
from supplyline.cli import cli
from supplyline.contracts import OrgId, RunRef
from supplyline.landing import Landing
from supplyline.settings import Settings
from supplyline.stages import open_landing, run_load, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import rows_collection
from tests.faults.house import start_module
from tests.integration.ingest.conftest import Shop
from tests.waiting import wait_stopped

RUN = RunRef(run_id="r")
TABLE = "sales"


class Kept(Shop):
    """An organization whose landed rows may be released."""

    def deliver(self, file_id: str, text: str, *, now: Callable[[], datetime] = utc_now) -> Any:
        self.put(file_id, text, name=f"{file_id}.csv")
        self.ingest(file_id)
        return run_load(
            org_id=self.org, table=TABLE, run=self.run(), settings=self.settings, now=now
        )

    def call(self, *arguments: str, table: bool = True) -> Any:
        place = ["--org", self.org, *(["--table", TABLE] if table else []), "--json"]
        result = CliRunner().invoke(cli, [arguments[0], *place, *arguments[1:]])
        assert result.stdout, (result.exception, result.stderr)
        return json.loads(result.stdout)

    def release(self, *arguments: str) -> Any:
        return self.call("retention", "--keep-days", "0", "--release", *arguments, table=False)

    def documents(self) -> int:
        with open_landing(self.settings) as landing:
            return landing._db[rows_collection(self.org, TABLE)].count_documents({})

    def everything(self) -> list[tuple[Any, ...]]:
        return self.rows(f"SELECT * FROM {TABLE} ORDER BY _seq, _row")


@pytest.fixture
def shop(new_org: Callable[..., OrgId], engine_settings: Settings) -> Kept:
    found = Kept(new_org(), engine_settings)
    found.deliver("one", "code,qty\na,1\nb,2\n")
    found.deliver("two", "code,qty\nb,3\nc,x\n")
    return found


def test_rows_are_kept_for_ever_unless_the_organization_decides(shop: Kept) -> None:
    kept = shop.call("retention", "--release", table=False)
    assert kept == {"landing_days": None, "released": [], "kept": []}
    young = shop.call("retention", "--keep-days", "30", "--release", table=False)
    assert young["released"] == []
    assert shop.documents() == 4
    assert shop.release("--dry-run")["released"][0]["file_id"] == "one"
    assert shop.documents() == 4
    (event,) = shop.rows(
        "SELECT detail FROM supplyline.audit_events WHERE kind = 'retention.set'"
        " ORDER BY seq LIMIT 1"
    )
    assert event == ({"landing_days": 30},)


def test_released_rows_are_gone_and_certificate_verify_and_rebuild_say_so(shop: Kept) -> None:
    before = shop.everything()
    assert [f["file_id"] for f in shop.release()["released"]] == ["one", "two"]
    assert shop.documents() == 0
    today = datetime.now(UTC).date().isoformat()
    for (body,) in shop.rows("SELECT body FROM supplyline.certificates"):
        assert body["landing_released_at"].startswith(today)
        assert body["checksum_file"]
    verified = shop.call("verify")
    assert verified["holds"]
    assert {c["note"] for c in verified["certificates"]} == {
        f"landing released on {today}, checksum kept; read again from storage"
    }
    rebuilt = shop.call("rebuild")
    assert rebuilt == {
        "table": TABLE,
        "files": 2,
        "partial": 0,
        "reread": ["one", "two"],
        "left_out": {},
    }
    assert shop.everything() == before
    assert shop.call("verify")["holds"]
    for (body,) in shop.rows("SELECT body FROM supplyline.certificates"):
        assert body["landing_released_at"].startswith(today)
    undone = shop.call("undo", "--file", "one", "--replay")
    assert (undone["undone"], undone["replayed"]) == (["one"], ["two"])
    assert shop.release()["released"] == []


def test_rows_are_kept_from_the_certificate_on_also_of_a_load_that_was_done_again(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    shop, long_ago = Kept(new_org(), engine_settings), datetime.now(UTC) - timedelta(days=100)
    shop.deliver("one", "code,qty\na,1\nb,2\n", now=lambda: long_ago)
    shop.call("retention", "--keep-days", "90", table=False)

    def due() -> list[str]:
        answer = shop.call("retention", "--release", "--dry-run", table=False)
        return [one["file_id"] for one in answer["released"]]

    assert due() == ["one"]
    shop.call("rebuild")
    assert shop.rows("SELECT loaded_at FROM supplyline.loads") == [(long_ago,)]
    assert due() == []


def test_verify_after_release_still_finds_a_changed_table(shop: Kept) -> None:
    shop.release()
    with connect(shop.org, settings=shop.settings) as conn:
        conn.execute(f"UPDATE {TABLE} SET qty = '9' WHERE code = 'a'".encode())
    assert not shop.call("verify")["holds"]


def test_without_the_stored_file_verify_says_what_is_kept(shop: Kept) -> None:
    shop.release()
    Storage(shop.settings.storage_url).delete(shop.org, "one")
    notes = {c["file_id"]: c["note"] for c in shop.call("verify")["certificates"]}
    assert notes["one"].endswith("checksum kept; the stored file is gone too")


def test_rows_stay_when_they_are_the_last_that_prove_something(shop: Kept) -> None:
    Storage(shop.settings.storage_url).delete(shop.org, "one")
    with connect(shop.org, settings=shop.settings) as conn:
        conn.execute(f"DELETE FROM {TABLE} WHERE code = 'c'".encode())
    why = {k["file_id"]: k["why"] for k in shop.release()["kept"]}
    assert why["one"].startswith("the stored file cannot be read again")
    assert why["two"].startswith("its certificate does not hold")
    assert shop.documents() == 4


def test_the_same_content_again_after_its_release(shop: Kept) -> None:
    before = shop.everything()
    shop.release()
    answer = shop.deliver("again", "code,qty\na,1\nb,2\n")
    assert (answer["landed"], answer["duplicate"], answer["verdict"]) == (2, 0, "success")
    assert len(shop.everything()) == len(before)
    assert shop.call("verify")["holds"]
    assert shop.documents() == 2


def test_a_file_that_waits_keeps_the_rows_of_its_twin(shop: Kept) -> None:
    shop.put("twin", "code,qty\na,1\nb,2\n", name="t.csv")
    shop.ingest("twin")
    assert [f["file_id"] for f in shop.release()["released"]] == ["two"]
    assert shop.documents() == 2


def test_rows_that_a_twin_landed_after_a_killed_release_are_its_own(
    shop: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("twin", "code,qty\na,1\nb,2\n", name="t.csv")

    def meanwhile(reached: str) -> None:
        if reached == "release.begun":  # the killed one had deleted, and had not said so yet
            monkeypatch.undo()
            with open_landing(shop.settings) as landing:
                landing._db[rows_collection(shop.org, TABLE)].delete_many({"_file": "one"})
                landing._db.manifests.update_one({"_id": "one"}, {"$set": {"released": True}})
            shop.ingest("twin")

    monkeypatch.setattr(retention, "reach", meanwhile)
    shop.release()
    assert shop.documents() == 2
    assert shop.load()["verdict"] == "success"
    assert shop.call("verify")["holds"]


def test_corrections_are_kept_with_the_rows_they_correct(shop: Kept) -> None:
    shop.agree(rules={"qty": {"type": "integer", "min": 10}})
    shop.deliver("odd", "code,qty\nd,11\ne,5\n")
    shop.put("mended", shop.corrected("odd", {2: {"qty": "15"}}), replay_of="odd")
    shop.ingest("mended")
    shop.load()
    why = {one["file_id"]: one["why"] for one in shop.release()["kept"]}
    assert why == {"mended": "corrections of other rows are kept with them"}
    assert shop.call("verify")["holds"]


@pytest.mark.parametrize("point", ["release.recorded", "release.begun", "release.deleted"])
def test_a_release_that_was_killed_is_completed_and_nothing_is_lost(
    shop: Kept, engine_env: dict[str, str], point: str
) -> None:
    before = shop.everything()
    command = ("retention", "--org", shop.org, "--keep-days", "0", "--release")
    with start_module("supplyline.cli", *command, env=engine_env, fault=f"{point}:1") as killed:
        assert killed.wait(120) == -9
    assert shop.call("verify")["holds"]
    assert shop.call("rebuild")["partial"] == 0
    assert shop.everything() == before
    shop.release()
    assert shop.documents() == 0
    assert shop.call("verify")["holds"]


def test_a_landing_that_loses_its_twins_rows_meanwhile_does_not_close(
    shop: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    shop.put("twin", "code,qty\na,1\nb,2\n", name="t.csv")
    close = Landing._close

    def released_first(self: Landing, *args: Any, **more: Any) -> Any:
        with monkeypatch.context() as once:
            once.setattr(Landing, "_close", close)
            twin = [m for m in self.manifests(shop.org) if m.file_id == "one"]
            self.begin_release(shop.org, twin, now=datetime.now(UTC))
            self.finish_release(shop.org, twin)
        return close(self, *args, **more)

    monkeypatch.setattr(Landing, "_close", released_first)
    with pytest.raises(Exception, match="Landing holds 0 of the file's 2 rows"):
        shop.ingest("twin")
    monkeypatch.undo()
    landed = shop.ingest("twin")
    assert (landed["state"], landed["landed"]) == ("closed", 2)


@pytest.mark.parametrize("point", ["release.recorded", "release.begun"])
def test_a_twin_that_is_landed_while_its_rows_are_released_is_read_from_storage(
    shop: Kept, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    shop.put("twin", "code,qty\na,1\nb,2\n", name="t.csv")
    landed: list[str] = []

    def meanwhile(reached: str) -> None:
        if reached == point and not landed:
            landed.append("twin")
            shop.ingest("twin")

    monkeypatch.setattr(retention, "reach", meanwhile)
    shop.release()
    monkeypatch.undo()
    assert landed
    assert shop.documents() == 0
    answer = shop.load()
    assert answer["verdict"] == "success"
    assert shop.call("verify")["holds"]
    shop.call("undo", "--file", "one", "--replay")
    assert shop.rows("SELECT count(*) FROM sales WHERE code = 'a'") == [(1,)]
    assert shop.call("verify")["holds"]


def test_of_a_twin_that_was_loaded_while_its_rows_were_released_the_next_release_says_so(
    shop: Kept, monkeypatch: pytest.MonkeyPatch
) -> None:
    loaded: list[str] = []

    def meanwhile(reached: str) -> None:
        if reached == "release.recorded" and not loaded:
            loaded.append("twin")
            shop.deliver("twin", "code,qty\na,1\nb,2\n")

    monkeypatch.setattr(retention, "reach", meanwhile)
    shop.release()
    monkeypatch.undo()
    assert loaded
    shop.release()
    assert shop.call("verify")["holds"]
    said = "SELECT count(*) FROM supplyline.audit_events WHERE kind = 'landing.released'"
    assert shop.rows(said) == [(3,)]
    shop.release()
    assert shop.rows(said) == [(3,)]


def test_an_ingest_that_froze_before_its_file_was_released_brings_no_row_back(
    shop: Kept, engine_env: dict[str, str]
) -> None:
    shop.put("three", "code,qty\nd,4\n", name="t.csv")
    work = ("tests.faults.worker", "ingest", shop.org, TABLE, "r", "1", "three")
    with start_module(*work, env=engine_env, fault="land.before_batch:1:stop") as frozen:
        try:
            wait_stopped(frozen.pid)
            shop.ingest("three")
            shop.load()
            shop.release()
            assert shop.documents() == 0
            frozen.send_signal(signal.SIGCONT)
            assert frozen.wait(60) == 0
        finally:
            frozen.kill()
    assert shop.documents() == 0
    assert shop.call("verify")["holds"]


def test_a_manifest_of_before_there_was_a_release_is_released(shop: Kept) -> None:
    before = shop.everything()
    with open_landing(shop.settings) as landing:
        landing._db[f"{shop.org}:manifests"].update_many(
            {}, {"$unset": {"released_at": "", "released": "", "checksum_quarantine": ""}}
        )
    assert len(shop.release()["released"]) == 2
    assert shop.documents() == 0
    assert shop.call("rebuild")["reread"] == ["one", "two"]
    assert shop.everything() == before
    assert shop.call("verify")["holds"]
