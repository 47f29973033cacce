"""Rows through real MongoDB and PostgreSQL: landed once, typed without loss, certified."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from supplyline.contracts import QuarantinedRow, RunRef
from supplyline.errors import FileNotLoaded, SchemaDrift, StaleWorker
from supplyline.landing import replies, wire
from supplyline.load import certificates, claim_attempt
from supplyline.tenancy.catalog import save_table_settings, table_settings
from tests.integration.load.house import TABLE, House, check


def test_every_row_of_a_file_is_in_the_table_and_the_certificate_closes(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"], ["c", "3"]])
    (certificate,) = house.load(keys=[("sku",)])
    assert certificate.verdict == "success"
    assert (certificate.rows_read, certificate.landed, certificate.inserted) == (3, 3, 3)
    assert certificate.checksum_file == certificate.checksum_landing == certificate.checksum_table
    assert house.rows("SELECT sku, qty FROM products ORDER BY 1") == [("a", 1), ("b", 2), ("c", 3)]


HOSTILE = [
    ("00123", "text"), ("1_000", "text"), ("1E5", "text"), ("NaN", "text"), ("+1", "text"),
    ("-0", "text"), ("12345678901234567890", "numeric"), ("1.50", "numeric"), ("0.00", "numeric"),
    ("-0.05", "numeric"), (".5", "text"), ("1,234", "text"),
    ("2024-02-29", "date"), ("2023-02-29", "text"), ("2024-01-31 10:00:00", "timestamp"),
    ("true", "boolean"), ("Y", "text"), (" 1", "text"), ("=cmd()", "text"),
    ("ß\u00a0\U0001f600", "text"),
    ("infinity", "text"), ("Infinity", "text"), ("today", "text"),
]  # fmt: skip


@pytest.mark.parametrize(("value", "kind"), HOSTILE)
def test_a_value_gets_a_type_only_if_its_text_comes_back(
    house: House, value: str, kind: str
) -> None:
    house.land(["v"], [[value]])
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert house.rows("SELECT pg_typeof(v)::text, v::text FROM products") == [
        (kind if kind != "timestamp" else "timestamp without time zone", value)
    ]


def test_ragged_rows_empty_and_absent_cells_come_back(house: House) -> None:
    house.land(
        ["a", "b", "c"],
        [["1", "", "x"], ["2", None, None], ["3", "7", ""]],
        extra={3: ["more", ""]},
    )
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert certificate.differences == ()
    assert house.rows("SELECT b, c, _raw FROM products ORDER BY a") == [
        (None, "x", None),
        (None, None, {"absent": ["b", "c"]}),
        (7, "", {"extra": ["more", ""]}),
    ]


def test_a_retry_and_the_same_file_again_write_nothing(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    before = house.rows("SELECT *, xmin::text FROM products ORDER BY sku")
    assert house.load() == []
    manifest = house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    assert (manifest.landed, manifest.duplicate) == (0, 2)
    (certificate,) = house.load()
    assert (certificate.unchanged, certificate.verdict) == (2, "success")
    assert house.rows("SELECT *, xmin::text FROM products ORDER BY sku") == before


def test_content_that_returns_wins_over_what_was_between(house: House) -> None:
    monday, tuesday = [["a", "10"]], [["a", "8"]]
    for rows in (monday, tuesday, monday):
        house.land(["sku", "qty"], rows)
        house.load(keys=[("sku",)])
    assert house.rows("SELECT qty FROM products") == [(10,)]
    assert house.rows("SELECT qty FROM products_history ORDER BY _seq") == [(10,), (8,)]


def test_a_file_loaded_late_does_not_overwrite_a_later_one(house: House) -> None:
    with pytest.raises(KeyboardInterrupt):
        house.land(["sku", "qty"], [["a", "1"]], stop_after=0, file_id="slow")
    house.land(["sku", "qty"], [["a", "2"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "qty"], [["a", "1"]], file_id="slow")
    (late,) = house.load()
    assert (late.superseded, late.updated) == (1, 0)
    assert house.rows("SELECT qty FROM products") == [(2,)]


def test_a_resumed_landing_sends_only_what_is_missing(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = [[f"s{i}", str(i)] for i in range(20)]
    with pytest.raises(KeyboardInterrupt):
        house.land(["sku", "qty"], rows, stop_after=13, file_id="cut")
    sent, insert = [], wire.insert_encoded
    monkeypatch.setattr(wire, "insert_encoded", lambda c, d: sent.append(d.count) or insert(c, d))
    manifest = house.land(["sku", "qty"], rows, file_id="cut")
    assert (manifest.state, manifest.landed, manifest.duplicate) == ("closed", 20, 0)
    assert sent == [1] * 7


def test_a_landing_cut_in_the_middle_is_resumed_and_nothing_is_twice(house: House) -> None:
    rows = [[f"s{i}", str(i)] for i in range(20)]
    with pytest.raises(KeyboardInterrupt):
        house.land(["sku", "qty"], rows, stop_after=13, file_id="cut")
    assert house.load() == []
    manifest = house.land(["sku", "qty"], rows, file_id="cut")
    assert (manifest.rows_read, manifest.landed, manifest.duplicate) == (20, 20, 0)
    (certificate,) = house.load()
    assert certificate.verdict == "success"


def test_without_a_unique_key_every_line_stays(house: House) -> None:
    house.land(["order", "sku"], [["1", "a"], ["1", "a"], ["1", "b"]])
    (certificate,) = house.load(keys=[("order", "sku")])
    assert certificate.inserted == 3
    assert table_settings(house.conn, TABLE).key == ()


def test_quarantined_rows_make_the_verdict_partial(house: House) -> None:
    bad = QuarantinedRow(row=2, line=3, column=None, code="nul", reason="NUL byte", raw="x\\x00")
    house.land(["a"], [["1"]], quarantined=(bad,))
    (certificate,) = house.load()
    assert certificate.verdict == "partial"
    assert certificate.rows_read == 2
    assert list(house.landing.quarantined(house.org, file_id="f1")) == [bad]


def test_empty_keys_are_rejected_and_kept(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "qty"], [["", "5"], ["b", "2"]])
    (certificate,) = house.load()
    assert (certificate.rejected, certificate.inserted, certificate.verdict) == (1, 1, "partial")
    assert house.rows("SELECT row_number, cells ->> 'qty' FROM supplyline.rejected_rows") == [
        (1, "5")
    ]


def test_columns_are_added_and_widened_and_old_text_stays(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", ""]])
    house.load(keys=[("sku",)])
    house.land(["sku", "qty", "note"], [["c", "n/a", "hm"]])
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert house.rows("SELECT sku, qty FROM products ORDER BY 1") == [
        ("a", "1"), ("b", ""), ("c", "n/a"),
    ]  # fmt: skip


def test_a_frozen_table_refuses_drift_and_keeps_what_it_has(house: House) -> None:
    house.land(["sku"], [["a"]])
    house.load(keys=[("sku",)])
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, drift="freeze"), actor="t")
    house.conn.commit()
    house.land(["sku", "more"], [["a", "1"]])
    with pytest.raises(SchemaDrift):
        house.load()
    house.conn.rollback()
    assert house.rows("SELECT sku FROM products") == [("a",)]


def test_a_frozen_table_takes_values_in_a_column_that_was_empty_until_now(house: House) -> None:
    house.land(["sku", "note"], [["a", ""]])
    house.load(keys=[("sku",)])
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, drift="freeze"), actor="t")
    house.conn.commit()
    house.land(["sku", "note"], [["b", "5"]])
    house.load()
    assert house.rows("SELECT note FROM products ORDER BY sku") == [("",), ("5",)]


@pytest.mark.parametrize("later", [False, True])
def test_a_row_too_wide_is_named_with_the_way_on(house: House, *, later: bool) -> None:
    wide = [f"c{n}" for n in range(1100)]
    narrow: list[str | None] = ["1", *[""] * 1099]
    if later:
        house.land(wide, [narrow])
        house.load()
    refused = house.land(wide, [narrow, ["1000000"] * len(wide), narrow])
    house.land(wide, [["2", *[""] * 1099]])
    found = r"1,100 columns, the widest being row 2 \(line 3\) with 1,100 values"
    for look in (house.load, partial(house.preview, refused)):
        with pytest.raises(FileNotLoaded, match=found) as error:
            look()
        assert "correct them or take them out" in error.value.detail
        house.conn.rollback()
    assert house.rows("SELECT count(*) FROM products") == [(1 + later,)]


def test_more_columns_than_a_table_holds_are_refused_before_anything_is_run(house: House) -> None:
    house.land([f"a{n}" for n in range(900)], [["1", *[""] * 899]])
    house.load()
    more = house.land([f"b{n}" for n in range(700)], [["1", *[""] * 699]])
    assert "has 900 columns, and the file would add 700" in house.preview(more)["refused"]
    with pytest.raises(SchemaDrift, match=r"a table holds 1,592\.") as refused:
        house.load()
    assert "table of its own" in refused.value.advice
    assert refused.value.reasons.keys() == {more.file_id}


def test_a_stale_attempt_cannot_publish(house: House) -> None:
    house.land(["a"], [["1"]])
    newer = RunRef(run_id="run-1", attempt=2)
    claim_attempt(house.conn, newer)
    house.conn.commit()
    with pytest.raises(StaleWorker):
        house.load(run=RunRef(run_id="run-1", attempt=1))
    house.conn.rollback()
    assert certificates(house.conn) == []
    (certificate,) = house.load(run=newer)
    assert certificate.inserted == 1


def test_a_row_changed_in_mongodb_is_found(house: House) -> None:
    house.land(["a"], [["1"], ["2"]])
    house.landing._rows(house.org, TABLE).update_one({"_row": 2}, {"$set": {"a": "3"}})
    (certificate,) = house.load()
    assert certificate.verdict == "partial"
    assert "MongoDB" in certificate.differences[0]


def test_verify_holds_for_every_file_also_after_later_ones(house: House) -> None:
    files = [
        house.land(["sku", "qty"], rows)
        for rows in ([["a", "1"], ["b", "2"]], [["a", "7"], ["c", ""]], [["b", "x"], ["b", "y"]])
    ]
    house.load(keys=[("sku",)])
    assert [check(house, m) for m in files] == [(), (), ()]


def test_verify_sees_a_value_that_was_changed_by_hand(house: House) -> None:
    file = house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    house.rows("UPDATE products SET qty = 5 WHERE sku = 'a' RETURNING 1")
    assert check(house, file) == ("1 rows were changed without a load",)
    house.rows("DELETE FROM products WHERE sku = 'b' RETURNING 1")
    assert any("neither in the table" in d for d in check(house, file))


def test_a_page_of_landed_rows_is_asked_for_once(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that has given as many as it was asked for cannot know that there are no more."""
    asked, requests = replies._asked, []

    def watched(*args: Any) -> tuple[int, memoryview]:
        requests.append(args[1])
        return asked(*args)

    monkeypatch.setattr(replies, "_asked", watched)
    house.land(["sku", "n"], [[f"s{n}", str(n)] for n in range(12)])
    (certificate,) = house.load(keys=[("sku",)], batch_rows=5)
    assert (certificate.inserted, len(requests)) == (12, 3)
