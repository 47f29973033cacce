"""Whatever is changed beside the loads, in any store, `verify` says so; and nothing else."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.settings import Settings
from tests.integration.load.books import FILES, TABLE, Books, opened, said


@pytest.fixture(scope="module")
def shop(engine_settings: Settings) -> Iterator[Books]:
    """Loaded once; what a test changes it gives back, which is proved at the end."""
    made = opened(engine_settings)
    for file_id, content in FILES.items():
        made.deliver(file_id, content)
    copies = {"bk": "t", "bkh": "t_history"} | {
        f"bk_{name}": f"supplyline.{name}" for name in ("loads", "certificates", "rejected_rows")
    }
    made.sql(*(f"CREATE TABLE {copy} AS TABLE {name}" for copy, name in copies.items()))
    yield made
    assert said(made.verify()) == ""


RESTORED = (
    "DELETE FROM t", "INSERT INTO t SELECT * FROM bk",
    "DELETE FROM t_history", "INSERT INTO t_history SELECT * FROM bkh",
    "DELETE FROM supplyline.rejected_rows", "DELETE FROM supplyline.certificates",
    "DELETE FROM supplyline.loads", "INSERT INTO supplyline.loads SELECT * FROM bk_loads",
    "INSERT INTO supplyline.certificates SELECT * FROM bk_certificates",
    "INSERT INTO supplyline.rejected_rows SELECT * FROM bk_rejected_rows",
)  # fmt: skip

ASIDE = (
    "INSERT INTO supplyline.rejected_rows (load_id, row_number, code, reason, cells)"
    " VALUES ('d.4', 1, 'empty_key', 'x', '{{{}}}')"
)
COPY = "INSERT INTO t_history SELECT id, {a}, n, d, _file, _row, {seq}, _load, _raw"


def test_what_nobody_touched_holds_also_read_again_and_made_anew(shop: Books) -> None:
    report = shop.verify(deep=True, anew=True)
    assert said(report) == ""
    assert report.holds
    assert [one.certificate.file_id for one in report.files] == list(FILES)
    assert shop.rows("SELECT relname FROM pg_class WHERE relname LIKE 'anew%'") == []


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
    "a row set aside that was not": ASIDE.format('"id": "2", "a": "y", "n": "many",'
                                                 ' "d": "2024-01-02"'),
    "a row set aside that never was": ASIDE.format('"id": "x"'),
    "a receipt of no load": "INSERT INTO supplyline.loads SELECT (jsonb_populate_record(l,"
    ' \'{"load_id": "zz.9", "file_id": "zz", "ordinal": 99}\')).* FROM supplyline.loads l'
    " WHERE file_id = 'a'",
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
    "a certificate's column verdict":
        "UPDATE supplyline.certificates SET verdict = 'partial' WHERE file_id = 'a'",
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


SAID = {
    "a cell": ["1 rows were changed without a load"],
    "a retained cell": ["cells that a later file left as they were are not as before"],
    "a cell no file gave": ["1 rows have a value that no file gave them"],
    "a row deleted": ["the load d.4 wrote 2 rows and versions, 1 are there",
                      "1 rows are not the newest version"],
    "an extra row of a load": ["1 rows are said to be of this file and are not"],
    "an extra row of no load": ["1 rows are of the load x, which there is not: id = 98"],
    "history deleted": ["3 rows are neither in the table nor in its history",
                        "the load b.2 replaced 1 versions, the history has 0"],
    "history doubled": ["5 versions are there twice for one load"],
    "_valid_from": ["5 versions in the history begin at another time than their load"],
    "_valid_to": ["5 versions in the history end at another time than what replaced them"],
    "_replaced_by": ["5 versions in the history were replaced by a load there is not"],
    "_replaced_by another": ["3 versions in the history were replaced by another load"],
    "_file": ["1 rows of the load d.4 name another file than its own"],
    "a row set aside that was not": ["1 rows were set aside, not 0"],
    "a row set aside that never was": ["the rows in PostgreSQL are not the rows of MongoDB"],
    "a receipt of no load": ["zz: no event says that it is loaded, its receipt zz.9 does"],
    "a receipt and its certificate": ["b: its receipt is gone; event"],
    "a certificate": ["b: its certificate is gone; event"],
    "a receipt undone": ["b: its receipt says undone; event"],
    "a receipt's columns": ["the manifest says columns ['id', 'a'], the receipt ['id']"],
    "a receipt's place": ["the manifest says sequence 2, the receipt 9"],
    "a receipt's run_id": ["a: its receipt was changed since event"],
    "a certificate's column verdict": ["verdict is 'partial'"],
    "rows_read of a certificate": ["the manifest says rows_read 3, the certificate 77"],
    "inserted of a certificate": ["a: its certificate was changed since event 4: inserted is 77"],
    "checksum_table of a certificate": ["a: its certificate was changed since event"],
    "checksum_file of a certificate": ["the rows in MongoDB are not the rows of the file"],
}  # fmt: skip
"""What must be among what is said: most changes are seen in several ways, each of which counts."""


@pytest.mark.parametrize("what", TAMPERED)
def test_what_is_changed_in_postgresql_is_seen(shop: Books, what: str) -> None:
    try:
        shop.sql(*TAMPERED[what].split(";"))
        report = shop.verify()
        assert not report.holds, what
        assert [words for words in SAID.get(what, []) if words not in said(report)] == []
    finally:
        shop.sql(*RESTORED)


def test_a_row_changed_together_with_its_order_and_a_copied_version_is_seen(shop: Books) -> None:
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


def test_what_only_making_anew_can_tell_is_told(shop: Books) -> None:
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
def test_what_is_changed_in_a_manifest_is_seen(shop: Books, name: str, value: object) -> None:
    with shop.collection(":manifests") as manifests:
        before = manifests.find_one({"_id": "a"})
        manifests.update_one({"_id": "a"}, {"$set": {name: value}})
        try:
            assert not shop.verify().holds
        finally:
            manifests.replace_one({"_id": "a"}, before)


def test_rows_added_to_landing_or_taken_from_quarantine_are_seen(shop: Books) -> None:
    with shop.collection(".t") as rows, shop.collection(":quarantine") as aside:
        one = rows.find_one({"a": "x"})
        rows.insert_one({**one, "_id": f"{one['_id']}9", "_row": 9})
        assert "MongoDB holds 4 rows of the file" in said(report := shop.verify())
        assert "landing holds 4 rows of the file, not 3" in said(report)
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


def test_another_stored_file_is_seen_and_one_that_is_gone(shop: Books) -> None:
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


def test_a_receipt_of_an_undone_load_that_is_gone_is_seen(fresh: Books) -> None:
    for file_id in "ab":
        fresh.deliver(file_id, FILES[file_id])
    fresh.undo("b", later="refuse")
    assert fresh.verify().holds
    fresh.sql("DELETE FROM supplyline.certificates WHERE file_id = 'b'",
              "DELETE FROM supplyline.loads WHERE file_id = 'b'")  # fmt: skip
    assert "its load was undone" in said(fresh.verify())


def test_a_primary_key_that_is_gone_is_seen(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.sql("ALTER TABLE t DROP CONSTRAINT t_pkey")
    assert "t has lost its primary key" in said(fresh.verify())


def test_a_superseded_value_that_a_later_kind_does_not_take_is_no_difference(
    fresh: Books,
) -> None:
    fresh.deliver("f1", b"id,a\n1,x\n")
    fresh.deliver("f2", b"id,a,c\n1,x,many\n1,x,\n")
    fresh.deliver("f3", b"id,a,c\n2,y,5\n")
    assert fresh.rows("SELECT pg_typeof(c)::text FROM t WHERE id = 2") == [("bigint",)]
    assert said(fresh.verify(anew=True)) == ""


def test_settings_that_no_event_speaks_of_are_seen(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    assert fresh.verify().holds
    fresh.sql(
        "INSERT INTO supplyline.table_settings SELECT table_name, version + 1, settings, now(), 'x'"
        " FROM supplyline.table_settings ORDER BY version DESC LIMIT 1"
    )
    assert "no event says who saved version 2 of the settings" in said(fresh.verify())


def test_a_policy_of_retention_that_no_event_speaks_of_is_seen(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    call = CliRunner().invoke
    assert call(cli, ["retention", "--org", fresh.org, "--keep-days", "9"]).exit_code == 0
    assert fresh.verify().holds
    fresh.sql(
        "INSERT INTO supplyline.retention_policy (version, landing_days, saved_at, saved_by)"
        " VALUES (2, 0, now(), 'x')"
    )
    assert "no event says who decided how long landed rows are kept" in said(fresh.verify())


def test_a_release_that_a_certificate_names_and_no_event_does_is_seen(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.sql(
        "UPDATE supplyline.certificates"
        ' SET body = body || \'{"landing_released_at": "2026-01-01T00:00:00+00:00"}\''
    )
    assert "its certificate says that its rows were released" in said(fresh.verify())


def test_nothing_loaded_is_not_said_where_the_trail_knows_of_a_load(fresh: Books) -> None:
    fresh.deliver("a", FILES["a"])
    fresh.sql("DELETE FROM supplyline.certificates", "DELETE FROM supplyline.loads")
    result = CliRunner().invoke(cli, ["verify", "--org", fresh.org, "--table", TABLE])
    assert result.exit_code == 1
    assert "a: its receipt is gone; event" in result.stdout
    assert "Nothing is loaded" not in result.stdout
