"""Tables that are made again, by hand or by a load: with every row that they had, or not at all."""

from __future__ import annotations

import importlib
import json
from collections.abc import Callable
from decimal import Decimal
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.errors import (
    DatabaseUnavailable,
    LandingDamaged,
    SchemaDrift,
    TableDamaged,
    TableNotLanded,
)
from supplyline.load import pipeline
from supplyline.tables import change_table
from tests.integration.load.books import FILES, TABLE, Books, said

rebuilding = importlib.import_module("supplyline.load.rebuild")  # not the function of that name


def test_after_undo_replay_rebuild_and_a_late_file_everything_holds(fresh: Books) -> None:
    for file_id in "ab":
        fresh.deliver(file_id, FILES[file_id])
    fresh.deliver("late", b"id,a\n1,old\n7,late\n", load=False)
    fresh.deliver("c", FILES["c"], load=False)
    with fresh.collection(":manifests") as manifests:
        manifests.update_one({"_id": "late"}, {"$set": {"state": "open"}})
        fresh.load(table=TABLE)
        manifests.update_one({"_id": "late"}, {"$set": {"state": "closed"}})
    fresh.load(table=TABLE)
    fresh.deliver("d", FILES["d"])
    assert said(fresh.verify(anew=True)) == ""
    for later, file_id in (("replay", "b"), ("refuse", "d")):
        fresh.undo(file_id, later=later)
        assert said(fresh.verify(anew=True)) == ""
    fresh.rebuild()
    assert said(fresh.verify(anew=True)) == ""


def test_a_table_that_was_frozen_later_is_made_anew_from_the_files_it_has(fresh: Books) -> None:
    fresh.deliver("f1", b"id,a\n1,x\n")
    fresh.deliver("f2", b"id,a,b\n2,y,5\n")
    change_table(fresh.org, TABLE, types={}, drift="freeze", actor="t", settings=fresh.settings)
    assert said(fresh.verify(anew=True)) == ""


def test_receipts_of_before_they_named_a_policy_are_of_the_settings_of_their_day(
    fresh: Books,
) -> None:
    fresh.deliver("a", b"id,n\n1,1\n")
    change_table(fresh.org, TABLE, types={}, drift="quarantine", actor="u", settings=fresh.settings)
    fresh.deliver("b", b"id,n,m\n2,2,5\n3,3,\n4,x,\n")
    before = fresh.rows("SELECT id, n FROM t ORDER BY id")
    assert before == [(1, 1), (3, 3)]
    fresh.sql("UPDATE supplyline.loads SET shape = (shape::jsonb - 'policy')")

    assert fresh.verify(anew=True).anew == []
    fresh.rebuild()
    assert fresh.rows("SELECT id, n FROM t ORDER BY id") == before


def test_rows_that_were_lost_before_their_load_come_with_a_rebuild_once_landing_has_them(
    fresh: Books,
) -> None:
    fresh.deliver("a", FILES["a"], load=False)
    with fresh.collection(".t") as documents:
        lost = documents.find_one_and_delete({"_row": 2})
        answer = fresh.load(table=TABLE)
        assert answer["verdict"] == "partial"
        documents.insert_one(lost)
    fresh.rebuild()
    assert fresh.rows("SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,)]
    assert fresh.verify().holds


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("ALTER TABLE t DROP COLUMN n", "t has no column n"),
        ("ALTER TABLE t ALTER COLUMN id TYPE text", "t.id is text, not bigint"),
        ("DROP TABLE t_history", "the table t_history is gone"),
        ("DROP TABLE t", "the table t is gone"),
    ],
)
def test_a_table_that_lost_a_part_is_named_and_rebuilt(
    fresh: Books, broken: str, says: str
) -> None:
    for file_id in "ab":
        fresh.deliver(file_id, FILES[file_id])
    fresh.sql(broken)
    result = CliRunner().invoke(
        cli, ["verify", "--org", fresh.org, "--table", TABLE, "--rebuild", "--json"]
    )
    assert result.exit_code == 1
    assert json.loads(result.stdout)["table"] == [says]
    calls: list[Callable[[], object]] = [
        lambda: fresh.undo("b", later="refuse"),
        lambda: fresh.deliver("c", FILES["c"]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TableDamaged, match=says):
            call()
    fresh.rebuild()
    assert said(fresh.verify(anew=True)) == ""


def test_a_released_file_is_judged_by_what_is_stored_and_said_to_be_gone(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    call = CliRunner().invoke
    kept = ["retention", "--org", fresh.org, "--keep-days", "0", "--release"]
    assert call(cli, kept).exit_code == 0
    path = fresh.path("a")
    path.chmod(0o644)
    path.write_bytes(FILES["a"].replace(b"2.50", b"9.50"))
    assert "the stored file is not the one that was uploaded" in said(fresh.verify())
    with pytest.raises(LandingDamaged, match="not the rows that t was made from"):
        fresh.rebuild()
    path.unlink()
    result = call(cli, ["verify", "--org", fresh.org, "--table", TABLE])
    assert "the stored file is gone too" in result.stdout
    assert result.exit_code == 0


LOST = {
    "a manifest that is gone": (":manifests", lambda c: c.delete_one({"_id": "b"})),
    "a manifest that says refused": (
        ":manifests",
        lambda c: c.update_one({"_id": "b"}, {"$set": {"state": "refused"}}),
    ),
}


@pytest.mark.parametrize("what", LOST)
def test_a_table_is_not_made_again_without_a_file_that_landing_lost(
    fresh: Books, what: str
) -> None:
    for file_id in "abc":
        fresh.deliver(file_id, FILES[file_id])
    before = fresh.rows("SELECT * FROM t ORDER BY id")
    collection, lose = LOST[what]
    with fresh.collection(collection) as documents:
        lose(documents)
    assert not fresh.verify().holds
    with pytest.raises(LandingDamaged, match="b"):
        fresh.rebuild()
    assert fresh.rows("SELECT * FROM t ORDER BY id") == before
    assert not fresh.verify().holds


@pytest.mark.parametrize("replay", [True, False])
def test_rows_that_landing_lost_are_taken_from_the_stored_file_or_nothing_is_done(
    fresh: Books, replay: bool
) -> None:
    for file_id in "abc":
        fresh.deliver(file_id, FILES[file_id])
    before = fresh.rows("SELECT * FROM t ORDER BY id")
    with fresh.collection(".t") as documents:
        documents.delete_many({"_file": "b"})
    stored = fresh.path("b")
    stored.rename(stored.with_suffix(".away"))

    def again() -> None:
        if replay:
            fresh.undo("a", later="replay")
        else:
            fresh.rebuild()

    with pytest.raises(LandingDamaged, match="stored file does not give them either"):
        again()
    assert fresh.rows("SELECT * FROM t ORDER BY id") == before
    stored.with_suffix(".away").rename(stored)
    again()
    wanted = [row for row in before if row[0] != 3 or not replay]
    assert fresh.rows("SELECT id::bigint, a FROM t ORDER BY id") == [row[:2] for row in wanted]
    assert fresh.rows("SELECT n, d::text FROM t WHERE id = 4") == [(Decimal(9), "2024-01-04")]


def test_a_table_that_never_was_is_not_rebuilt(fresh: Books) -> None:
    with pytest.raises(TableNotLanded):
        fresh.rebuild()


def test_a_table_that_a_view_rests_on_is_not_rebuilt_and_it_is_said(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.sql("CREATE VIEW of_mine AS SELECT id FROM t")
    with pytest.raises(SchemaDrift, match="view of_mine depends on table t"):
        fresh.rebuild()
    assert fresh.verify().holds


def meanwhile(patch: pytest.MonkeyPatch, module: ModuleType, work: Callable[[], None]) -> None:
    """Does `work` once, at the moment at which the module wants the table's lock."""
    lock = pipeline.lock_table

    def first(*arguments: Any) -> None:
        patch.setattr(module, "lock_table", lock)
        work()
        lock(*arguments)

    patch.setattr(module, "lock_table", first)


def test_a_file_that_is_loaded_before_a_rebuild_begins_is_in_it(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.deliver("a", FILES["a"])
    meanwhile(monkeypatch, rebuilding, lambda: fresh.deliver("b", FILES["b"]))
    fresh.rebuild()
    assert fresh.rows("SELECT id, a FROM t ORDER BY id") == [
        (1, "x2"), (2, "y"), (3, "z"), (4, "w"),
    ]  # fmt: skip
    assert fresh.verify(anew=True).holds


def test_a_load_that_another_overtook_is_repeated_in_order(
    fresh: Books, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.deliver("b", FILES["b"], load=False)

    def overtake() -> None:
        """The file behind is loaded by a run that did not see this one closed yet."""
        with fresh.collection(":manifests") as manifests:
            manifests.update_one({"_id": "b"}, {"$set": {"state": "open"}})
            fresh.deliver("c", FILES["c"])
            manifests.update_one({"_id": "b"}, {"$set": {"state": "closed"}})

    meanwhile(monkeypatch, pipeline, overtake)
    with pytest.raises(DatabaseUnavailable, match="loaded meanwhile"):
        fresh.load(table=TABLE)
    fresh.load(table=TABLE)
    assert fresh.rows("SELECT a, n::text FROM t WHERE id = 1") == [("x3", "1.50")]
    assert fresh.verify(anew=True).holds


@pytest.mark.parametrize("replay", [False, True])
def test_a_late_file_does_not_overwrite_what_a_later_one_confirmed(
    fresh: Books, replay: bool
) -> None:
    fresh.deliver("a", b"id,a\n1,old\n2,y\n")
    fresh.deliver("late", b"id,a\n1,new\n3,z\n", load=False)
    fresh.deliver("gone", b"id,a\n4,w\n", load=False)
    with fresh.collection(":manifests") as manifests:
        manifests.update_one({"_id": "late"}, {"$set": {"state": "open"}})
        fresh.deliver("c", b"id,a\n1,old\n")
        manifests.update_one({"_id": "late"}, {"$set": {"state": "closed"}})
    fresh.load(table=TABLE)
    if replay:
        fresh.undo("gone", later="replay")
    wanted = [(1, "old"), (2, "y"), (3, "z"), (4, "w")]
    assert fresh.rows("SELECT id, a FROM t ORDER BY id") == wanted[: 3 if replay else 4]
    assert said(fresh.verify(anew=True)) == ""
