"""Whatever is changed beside the loads, in any store, `verify` says so; and nothing else."""

from __future__ import annotations

import importlib
import json
import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from decimal import Decimal
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from click.testing import CliRunner
from pymongo import MongoClient

from supplyline.cli import cli
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import (
    DatabaseUnavailable,
    LandingDamaged,
    SchemaDrift,
    TableDamaged,
    TableNotLanded,
)
from supplyline.load import pipeline
from supplyline.operations import rebuild_table, undo_load
from supplyline.settings import Settings
from supplyline.stages import run_ingest, run_load
from supplyline.storage import Storage
from supplyline.tables import change_table
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id, parse_table_name
from supplyline.tenancy.provisioning import provision
from supplyline.verification import Report, verify_table

TABLE = parse_table_name("t")
rebuilding = importlib.import_module("supplyline.load.rebuild")  # not the function of that name
RUN = RunRef(run_id="r", user_id="u")
FILES = {
    "a": b"id,a,n,d\n1,x,1.5,2024-01-01\n2,y,2.50,2024-01-02\n3,z,,\n",
    "b": b"id,a,n,d\n1,x2,1.50,2024-01-01\n4,w,9,2024-01-04\n",
    "c": b"id,a\n1,x3\n2,y2\n5,v\n",
    "d": b"id,a,n,d\n2,y,many,2024-01-02\n3,z,3\n6,b\x00,1,\n",
}
"""A plain file, a correction, one without two of the columns, and one that widens `n`, has a short
row and a row that is set aside."""


@dataclass
class Shop:
    org: OrgId
    settings: Settings

    def put(self, file_id: str, content: bytes, *, load: bool = True) -> None:
        storage = Storage(self.settings.storage_url)
        storage.put(self.org, file_id=file_id, name=f"{file_id}.csv", chunks=[content])
        run_ingest(org_id=self.org, table=TABLE, file_id=file_id, run=RUN, settings=self.settings)
        if load:
            run_load(org_id=self.org, table=TABLE, run=RUN, settings=self.settings)

    def sql(self, *statements: str) -> None:
        with session(self.org, settings=self.settings) as conn:
            for statement in statements:
                conn.execute(statement.encode())

    def ask(self, query: str) -> list[tuple[Any, ...]]:
        with session(self.org, settings=self.settings) as conn:
            return conn.execute(query.encode()).fetchall()

    def verify(self, **more: Any) -> Report:
        return verify_table(self.org, table=TABLE, settings=self.settings, **more)

    def path(self, file_id: str) -> Path:
        storage = Storage(self.settings.storage_url)
        return Path(storage.find(self.org, file_id).url)

    @contextmanager
    def collection(self, name: str) -> Iterator[Any]:
        client: MongoClient = MongoClient(self.settings.mongo_uri)
        yield client[self.settings.mongo_database][f"{self.org}{name}"]
        client.close()


def said(report: Report) -> str:
    """Everything that differs, in one text."""
    files = [d for one in report.files for d in one.differences]
    return "; ".join([*files, *report.table, *report.trail, *report.missing, *(report.anew or [])])


def a_shop(settings: Settings) -> Shop:
    org = parse_org_id(f"v{secrets.token_hex(4)}")
    provision(org, settings=settings)
    shop = Shop(org, settings)
    with session(org, settings=settings) as conn:
        wanted = replace(table_settings(conn, TABLE), key=("id",), key_source="configured")
        save_table_settings(conn, wanted, actor="u")
    return shop


@pytest.fixture(scope="module")
def shop(engine_settings: Settings) -> Shop:
    """Loaded once; what a test changes it gives back."""
    made = a_shop(engine_settings)
    for file_id, content in FILES.items():
        made.put(file_id, content)
    copies = {"bk": "t", "bkh": "t_history"} | {
        f"bk_{name}": f"supplyline.{name}" for name in ("loads", "certificates", "rejected_rows")
    }
    made.sql(*(f"CREATE TABLE {copy} AS TABLE {name}" for copy, name in copies.items()))
    return made


@pytest.fixture
def fresh(engine_settings: Settings) -> Shop:
    return a_shop(engine_settings)


RESTORED = (
    "DELETE FROM t", "INSERT INTO t SELECT * FROM bk",
    "DELETE FROM t_history", "INSERT INTO t_history SELECT * FROM bkh",
    "DELETE FROM supplyline.rejected_rows", "DELETE FROM supplyline.certificates",
    "DELETE FROM supplyline.loads", "INSERT INTO supplyline.loads SELECT * FROM bk_loads",
    "INSERT INTO supplyline.certificates SELECT * FROM bk_certificates",
    "INSERT INTO supplyline.rejected_rows SELECT * FROM bk_rejected_rows",
)  # fmt: skip

COPY = "INSERT INTO t_history SELECT id, {a}, n, d, _file, _row, {seq}, _load, _raw"


def test_what_nobody_touched_holds_also_read_again_and_made_anew(shop: Shop) -> None:
    report = shop.verify(deep=True, anew=True)
    assert said(report) == ""
    assert report.holds
    assert [one.certificate.file_id for one in report.files] == list(FILES)
    assert shop.ask("SELECT relname FROM pg_class WHERE relname LIKE 'anew%'") == []


TAMPERED = {
    "a cell": "UPDATE t SET a = 'q' WHERE id = 4",
    "a number's zeros": "UPDATE t SET n = '9.0' WHERE id = 4",
    "a date": "UPDATE t SET d = '2020-01-01' WHERE id = 4",
    "a retained cell": "UPDATE t SET d = '2020-01-01' WHERE id = 1",
    "a cell no file gave": "UPDATE t SET d = '2020-01-01' WHERE id = 5",
    "a row deleted": "DELETE FROM t WHERE id = 2",
    "an extra row of a load": "INSERT INTO t SELECT 99, 'zz', '1', NULL, _file, 999, _seq, _load"
    " FROM t WHERE id = 1",
    "an extra row of no load": "INSERT INTO t VALUES (98, 'zz', '1', NULL, 'x', 1, 1, 'x')",
    "a cell of the history": "UPDATE t_history SET a = 'hh' WHERE id = 1 AND a = 'x'",
    "a retained cell of the history": "UPDATE t_history SET d = '2001-01-01' WHERE _load ~ '^c'",
    "history deleted": "DELETE FROM t_history",
    "history doubled": "INSERT INTO t_history SELECT * FROM t_history",
    "a version that never was": COPY.format(a="'FAKE'", seq="_seq")
    + ", _valid_from, _valid_to, _replaced_by FROM t_history",
    "an older version that never was": COPY.format(a="'FAKE'", seq="0")
    + ", now() - interval '1 y', now(), 'x' FROM t WHERE id = 4",
    "_valid_from": "UPDATE t_history SET _valid_from = '2001-01-01'",
    "_valid_to": "UPDATE t_history SET _valid_to = '2101-01-01'",
    "_replaced_by": "UPDATE t_history SET _replaced_by = 'nobody'",
    "_replaced_by another": "UPDATE t_history SET _replaced_by = 'd.4'",
    "_load of a row": "UPDATE t SET _load = 'nobody' WHERE id = 2",
    "_load another": "UPDATE t SET _load = 'a.1' WHERE id = 4",
    "_row": "UPDATE t SET _row = 77 WHERE id = 2",
    "_file": "UPDATE t SET _file = 'zz' WHERE id = 2",
    "_seq": "UPDATE t SET _seq = 50 WHERE id = 2",
    "_raw": "UPDATE t SET _raw = '{\"extra\": [\"q\"]}' WHERE id = 4",
    "a receipt and its certificate": "DELETE FROM supplyline.certificates WHERE file_id = 'b';"
    "DELETE FROM supplyline.rejected_rows WHERE load_id ~ '^b';"
    "DELETE FROM supplyline.loads WHERE file_id = 'b'",
    "a certificate": "DELETE FROM supplyline.certificates WHERE file_id = 'b'",
    "a receipt undone": "UPDATE supplyline.loads SET undone_at = now() WHERE file_id = 'b'",
    "a receipt's columns": "UPDATE supplyline.loads SET columns = '{id}' WHERE file_id = 'c'",
    "a receipt's place": "UPDATE supplyline.loads SET sequence = 9 WHERE file_id = 'b'",
    **{
        f"a receipt's {name}": f"UPDATE supplyline.loads SET {name} = '{value}' WHERE file_id = 'a'"
        for name, value in (("file_name", "x"), ("run_id", "x"), ("shape", "{}"),
                            ("replay_of", "b"), ("loaded_at", "2001-01-01"))
    },
    **{
        f"a certificate's column {name}":
            f"UPDATE supplyline.certificates SET {name} = 'x' WHERE file_id = 'a'"
        for name in ("table_name", "run_id")
    },
    **{
        f"{name} of a certificate": "UPDATE supplyline.certificates SET body = jsonb_set(body,"
        f" '{{{name}}}', '{value}') WHERE file_id = 'a'"
        for name, value in (
            ("inserted", 77), ("rows_read", 77), ("quarantined", 9), ("deleted", 5),
            ("sha256", '"00"'), ("checksum_file", '"x"'), ("checksum_table", '"x"'),
            ("checksum_landing", '"x"'), ("verdict", '"partial"'), ("file_name", '"x"'),
            ("remarks", '["x"]'), ("issued_at", '"2001-01-01T00:00:00+00:00"'),
        )
    },
}  # fmt: skip


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_changed_in_postgresql_is_seen(shop: Shop, what: str) -> None:
    try:
        shop.sql(*TAMPERED[what].split(";"))
        report = shop.verify()
        assert not report.holds, what
        assert said(report)
    finally:
        shop.sql(*RESTORED)
    assert said(shop.verify()) == ""


def test_a_row_changed_together_with_its_order_and_a_copied_version_is_seen(shop: Shop) -> None:
    try:
        shop.sql(
            "INSERT INTO t_history SELECT id, a, n, d, _file, _row, 1, _load, _raw, now(), now(),"
            " 'x' FROM t WHERE id = 4",
            "UPDATE t SET a = 'EVIL', _seq = 99 WHERE id = 4",
        )
        assert not shop.verify().holds
        assert "1 rows of t no file makes: id = 4" in said(shop.verify(anew=True))
    finally:
        shop.sql(*RESTORED)


def test_what_only_making_anew_can_tell_is_told(shop: Shop) -> None:
    """An empty cell and none, in a cell that the newest file had not."""
    shop.sql("UPDATE t SET n = '' WHERE id = 5")
    try:
        assert "1 rows of t no file makes: id = 5" in said(shop.verify(anew=True))
    finally:
        shop.sql(*RESTORED)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rows_read", 99), ("rows_read", 2), ("landed", 99), ("quarantined", 5), ("duplicate", 1),
        ("checksum", "0"), ("sha256", "ff"), ("sequence", 7), ("state", "refused"),
        ("state", "open"), ("name", "b.csv"), ("origin", "b"), ("replay_of", "b"),
        ("options.delimiter", ";"), ("layout.columns.0.header", "x"), ("asked.key", ["a"]),
        ("released_at", "2024-01-01T00:00:00+00:00"),
    ],
)  # fmt: skip
def test_what_is_changed_in_a_manifest_is_seen(shop: Shop, name: str, value: object) -> None:
    with shop.collection(":manifests") as manifests:
        before = manifests.find_one({"_id": "a"})
        manifests.update_one({"_id": "a"}, {"$set": {name: value}})
        try:
            assert not shop.verify().holds
        finally:
            manifests.replace_one({"_id": "a"}, before)


def test_rows_added_to_landing_or_taken_from_quarantine_are_seen(shop: Shop) -> None:
    with shop.collection(".t") as rows, shop.collection(":quarantine") as aside:
        one = rows.find_one({"a": "x"})
        rows.insert_one({**one, "_id": f"{one['_id']}9", "_row": 9})
        assert "MongoDB holds 4 rows of the file" in said(shop.verify())
        rows.delete_one({"_id": f"{one['_id']}9"})
        (kept,) = list(aside.find())
        aside.delete_many({})
        assert "0 rows are in quarantine, the manifest says 1" in said(shop.verify())
        for name in ("raw", "reason", "line", "column"):
            aside.replace_one({"_id": kept["_id"]}, {**kept, name: "x"}, upsert=True)
            assert "the rows in quarantine are not those" in said(shop.verify())
        aside.replace_one({"_id": kept["_id"]}, {**kept, "replayed": {"file_id": "z", "row": 1}})
        assert shop.verify().holds
        aside.replace_one({"_id": kept["_id"]}, kept)
        rows.update_one({"_id": one["_id"]}, {"$set": {"_file": "b"}})
        assert "2 rows in MongoDB name the file, its manifest says 3" in said(shop.verify())
        rows.replace_one({"_id": one["_id"]}, one)
    assert shop.verify().holds


def test_another_stored_file_is_seen_and_one_that_is_gone(shop: Shop) -> None:
    path, content = shop.path("a"), FILES["a"]
    try:
        path.chmod(0o644)
        path.write_bytes(content.replace(b"2.50", b"9.50"))
        assert "the stored file is not the one that was uploaded" in said(shop.verify())
        path.unlink()
        assert "the stored file is gone" in said(shop.verify())
    finally:
        path.write_bytes(content)
    about = path.parent / ".supplyline.json"
    known = about.read_text()
    about.chmod(0o644)
    about.write_text(known.replace('"sha256": "', '"sha256": "0'))
    assert "what storage says of the file is not" in said(shop.verify())
    about.write_text(known)
    assert shop.verify().holds


def test_a_receipt_of_an_undone_load_that_is_gone_is_seen(fresh: Shop) -> None:
    for file_id in "ab":
        fresh.put(file_id, FILES[file_id])
    undo_load(
        fresh.org, table=TABLE, file_id="b", later="refuse", user="u", settings=fresh.settings
    )
    assert fresh.verify().holds
    fresh.sql("DELETE FROM supplyline.certificates WHERE file_id = 'b'",
              "DELETE FROM supplyline.loads WHERE file_id = 'b'")  # fmt: skip
    assert "its load was undone" in said(fresh.verify())


def test_settings_that_no_event_speaks_of_are_seen(fresh: Shop) -> None:
    fresh.put("a", FILES["a"])
    assert fresh.verify().holds
    fresh.sql(
        "INSERT INTO supplyline.table_settings SELECT table_name, version + 1, settings, now(), 'x'"
        " FROM supplyline.table_settings ORDER BY version DESC LIMIT 1"
    )
    assert "no event says who saved version 2 of the settings" in said(fresh.verify())


def test_after_undo_replay_rebuild_and_a_late_file_everything_holds(fresh: Shop) -> None:
    for file_id in "ab":
        fresh.put(file_id, FILES[file_id])
    fresh.put("late", b"id,a\n1,old\n7,late\n", load=False)
    fresh.put("c", FILES["c"], load=False)
    with fresh.collection(":manifests") as manifests:
        manifests.update_one({"_id": "late"}, {"$set": {"state": "open"}})
        run_load(org_id=fresh.org, table=TABLE, run=RUN, settings=fresh.settings)
        manifests.update_one({"_id": "late"}, {"$set": {"state": "closed"}})
    run_load(org_id=fresh.org, table=TABLE, run=RUN, settings=fresh.settings)
    fresh.put("d", FILES["d"])
    assert said(fresh.verify(anew=True)) == ""
    for later, file_id in (("replay", "b"), ("refuse", "d")):
        undo_load(fresh.org, table=TABLE, file_id=file_id, later=later, user="u",
                  settings=fresh.settings)  # type: ignore[arg-type]  # fmt: skip
        assert said(fresh.verify(anew=True)) == ""
    rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
    assert said(fresh.verify(anew=True)) == ""


def test_a_table_that_was_frozen_later_is_made_anew_from_the_files_it_has(fresh: Shop) -> None:
    fresh.put("f1", b"id,a\n1,x\n")
    fresh.put("f2", b"id,a,b\n2,y,5\n")
    change_table(fresh.org, TABLE, types={}, drift="freeze", actor="t", settings=fresh.settings)
    assert said(fresh.verify(anew=True)) == ""


def test_receipts_of_before_they_named_a_policy_are_of_the_settings_of_their_day(
    fresh: Shop,
) -> None:
    fresh.put("a", b"id,n\n1,1\n")
    change_table(fresh.org, TABLE, types={}, drift="quarantine", actor="u", settings=fresh.settings)
    fresh.put("b", b"id,n,m\n2,2,5\n3,3,\n4,x,\n")
    before = fresh.ask("SELECT id, n FROM t ORDER BY id")
    assert before == [(1, 1), (3, 3)]
    fresh.sql("UPDATE supplyline.loads SET shape = (shape::jsonb - 'policy')")

    assert fresh.verify(anew=True).anew == []
    rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
    assert fresh.ask("SELECT id, n FROM t ORDER BY id") == before


def test_rows_that_were_lost_before_their_load_come_with_a_rebuild_once_landing_has_them(
    fresh: Shop,
) -> None:
    fresh.put("a", FILES["a"], load=False)
    with fresh.collection(".t") as documents:
        lost = documents.find_one_and_delete({"_row": 2})
        answer = run_load(org_id=fresh.org, table=TABLE, run=RUN, settings=fresh.settings)
        assert answer["verdict"] == "partial"
        documents.insert_one(lost)
    rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
    assert fresh.ask("SELECT id FROM t ORDER BY id") == [(1,), (2,), (3,)]
    assert fresh.verify().holds


def test_nothing_loaded_is_not_said_where_the_trail_knows_of_a_load(fresh: Shop) -> None:
    fresh.put("a", FILES["a"])
    fresh.sql("DELETE FROM supplyline.certificates", "DELETE FROM supplyline.loads")
    result = CliRunner().invoke(cli, ["verify", "--org", fresh.org, "--table", TABLE])
    assert result.exit_code == 1
    assert "a: its receipt is gone; event" in result.stdout
    assert "Nothing is loaded" not in result.stdout


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        ("ALTER TABLE t DROP COLUMN n", "t has no column n"),
        ("ALTER TABLE t ALTER COLUMN id TYPE text", "t.id is text, not bigint"),
        ("DROP TABLE t_history", "the table t_history is gone"),
        ("DROP TABLE t", "the table t is gone"),
    ],
)
def test_a_table_that_lost_a_part_is_named_and_rebuilt(fresh: Shop, broken: str, says: str) -> None:
    for file_id in "ab":
        fresh.put(file_id, FILES[file_id])
    fresh.sql(broken)
    result = CliRunner().invoke(
        cli, ["verify", "--org", fresh.org, "--table", TABLE, "--rebuild", "--json"]
    )
    assert result.exit_code == 1
    assert json.loads(result.stdout)["table"] == [says]
    calls: list[Callable[[], object]] = [
        lambda: undo_load(fresh.org, table=TABLE, file_id="b", later="refuse", user="u",
                          settings=fresh.settings),
        lambda: fresh.put("c", FILES["c"]),
    ]  # fmt: skip
    for call in calls:
        with pytest.raises(TableDamaged, match=says):
            call()
    rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
    assert said(fresh.verify(anew=True)) == ""


def test_a_released_file_is_judged_by_what_is_stored_and_said_to_be_gone(fresh: Shop) -> None:
    fresh.put("a", FILES["a"])
    call = CliRunner().invoke
    kept = ["retention", "--org", fresh.org, "--keep-days", "0", "--release"]
    assert call(cli, kept).exit_code == 0
    path = fresh.path("a")
    path.chmod(0o644)
    path.write_bytes(FILES["a"].replace(b"2.50", b"9.50"))
    assert "the stored file is not the one that was uploaded" in said(fresh.verify())
    with pytest.raises(LandingDamaged, match="not the rows that t was made from"):
        rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
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
def test_a_table_is_not_made_again_without_a_file_that_landing_lost(fresh: Shop, what: str) -> None:
    for file_id in "abc":
        fresh.put(file_id, FILES[file_id])
    before = fresh.ask("SELECT * FROM t ORDER BY id")
    collection, lose = LOST[what]
    with fresh.collection(collection) as documents:
        lose(documents)
    assert not fresh.verify().holds
    with pytest.raises(LandingDamaged, match="b"):
        rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
    assert fresh.ask("SELECT * FROM t ORDER BY id") == before
    assert not fresh.verify().holds


@pytest.mark.parametrize("replay", [True, False])
def test_rows_that_landing_lost_are_taken_from_the_stored_file_or_nothing_is_done(
    fresh: Shop, replay: bool
) -> None:
    for file_id in "abc":
        fresh.put(file_id, FILES[file_id])
    before = fresh.ask("SELECT * FROM t ORDER BY id")
    with fresh.collection(".t") as documents:
        documents.delete_many({"_file": "b"})
    stored = fresh.path("b")
    stored.rename(stored.with_suffix(".away"))

    def again() -> None:
        more = {"table": TABLE, "user": "u", "settings": fresh.settings}
        if replay:
            undo_load(fresh.org, file_id="a", later="replay", **more)
        else:
            rebuild_table(fresh.org, **more)

    with pytest.raises(LandingDamaged, match="stored file does not give them either"):
        again()
    assert fresh.ask("SELECT * FROM t ORDER BY id") == before
    stored.with_suffix(".away").rename(stored)
    again()
    wanted = [row for row in before if row[0] != 3 or not replay]
    assert fresh.ask("SELECT id::bigint, a FROM t ORDER BY id") == [row[:2] for row in wanted]
    assert fresh.ask("SELECT n, d::text FROM t WHERE id = 4") == [(Decimal(9), "2024-01-04")]


def test_a_table_that_never_was_is_not_rebuilt(fresh: Shop) -> None:
    with pytest.raises(TableNotLanded):
        rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)


def test_a_table_that_a_view_rests_on_is_not_rebuilt_and_it_is_said(fresh: Shop) -> None:
    fresh.put("a", FILES["a"])
    fresh.sql("CREATE VIEW of_mine AS SELECT id FROM t")
    with pytest.raises(SchemaDrift, match="view of_mine depends on table t"):
        rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
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
    fresh: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.put("a", FILES["a"])
    meanwhile(monkeypatch, rebuilding, lambda: fresh.put("b", FILES["b"]))
    rebuild_table(fresh.org, table=TABLE, user="u", settings=fresh.settings)
    assert fresh.ask("SELECT id, a FROM t ORDER BY id") == [
        (1, "x2"), (2, "y"), (3, "z"), (4, "w"),
    ]  # fmt: skip
    assert fresh.verify(anew=True).holds


def test_a_load_that_another_overtook_is_repeated_in_order(
    fresh: Shop, monkeypatch: pytest.MonkeyPatch
) -> None:
    fresh.put("a", FILES["a"])
    fresh.put("b", FILES["b"], load=False)

    def overtake() -> None:
        """The file behind is loaded by a run that did not see this one closed yet."""
        with fresh.collection(":manifests") as manifests:
            manifests.update_one({"_id": "b"}, {"$set": {"state": "open"}})
            fresh.put("c", FILES["c"])
            manifests.update_one({"_id": "b"}, {"$set": {"state": "closed"}})

    meanwhile(monkeypatch, pipeline, overtake)
    with pytest.raises(DatabaseUnavailable, match="loaded meanwhile"):
        run_load(org_id=fresh.org, table=TABLE, run=RUN, settings=fresh.settings)
    run_load(org_id=fresh.org, table=TABLE, run=RUN, settings=fresh.settings)
    assert fresh.ask("SELECT a, n::text FROM t WHERE id = 1") == [("x3", "1.50")]
    assert fresh.verify(anew=True).holds
