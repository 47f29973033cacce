"""Kinds in PostgreSQL: what fits, and that every text comes back; kinds set by the organization."""

from __future__ import annotations

from dataclasses import replace

import pyarrow as pa
import pytest
from psycopg import sql

from supplyline.errors import SchemaDrift
from supplyline.load.kinds import TEXT, fits, kind_of, kinds_of
from supplyline.load.types import remembered
from supplyline.quality.profile import profile
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection
from tests.integration.load.house import TABLE, House, check, take_back
from tests.unit.load.test_kinds import COLUMNS

BY_HAND = ("boolean Y/N", "date DD.MM.(20)YY", "date (19)YY-MM-DD", "date YYYYMMDD",
           "timestamptz DD.MM.YYYY HH24:MI:SS.FF6-0330", "timestamp D-mon-YYYY H12:MI:SS.FF1 am",
           "numeric 1\u00a0234,5")  # fmt: skip
TEXTS = sorted(
    {v for values, _ in COLUMNS for v in values if v}
    | {"Y", "N", "31.12.25", "29.02.24", "99-12-31", "20240229", "20230229", "1\u00a0234,50",
       "01.07.2025 23:59:59.000001-0330", "9-mar-2025 12:05:00.5 am", "24.12.2025 1:00",
       "9999-12-31", "1000-01-01", "2999-12-31T23:59:59.999999Z", "12/31/2025 12:00 AM",
       "-1.234.567,8", "1.234.567,80", "0,00", "-0.05", "999999999999999999",
       "1999-12-31\n", "5\n", '{"a":\n"ß\\u0000"}', "2025-12-31T10:00:00-14:00",
       "2025-12-31 10:00:00+05", "12/31/2025 3:05 PM-05:00", "12/31/2025 3:05 am+0530",
       "30.03.2025 02:30:00", "2025-03-30 02:30:00"}
)  # fmt: skip


def test_postgresql_takes_what_the_arrays_take_and_gives_every_text_back(house: House) -> None:
    kinds = {k for text in TEXTS for k in kinds_of(text)} | set(BY_HAND)
    assert len(kinds) > 40
    house.conn.execute("SET TIME ZONE 'Europe/Berlin'")  # has an hour that does not exist
    house.conn.execute("CREATE TEMP TABLE x AS SELECT unnest(%s::text[]) AS c", (TEXTS,))
    for spec in sorted(kinds):
        expected = fits(spec, pa.array(TEXTS, pa.string())).to_pylist()
        assert any(expected) or spec in BY_HAND
        assert _back(house.conn, spec) == dict(zip(TEXTS, expected, strict=True)), spec


ANOTHER_READING = [
    ("date DD/MM/YYYY", "date MM/DD/YYYY", "01/02/2025", "2025-01-02"),
    ("date DD.MM.(20)YY", "date DD.MM.(19)YY", "01.02.25", "1925-02-01"),
    ("timestamp HH24:MI D/M/YYYY", "timestamp HH24:MI M/D/YYYY", "10:00 1/2/2025",
     "2025-01-02 10:00:00"),
    ("boolean Y/N", "boolean N/Y", "Y", "false"),
    ("numeric", "numeric 1.234,5", "1.234", "1234"),
]  # fmt: skip


@pytest.mark.parametrize(("before", "after", "text", "value"), ANOTHER_READING)
def test_a_kind_set_by_hand_reads_what_is_there_anew_and_undo_takes_that_back(
    house: House, before: str, after: str, text: str, value: str
) -> None:
    first = None
    for kind in (before, after):
        known = table_settings(house.conn, TABLE)
        save_table_settings(house.conn, replace(known, key=("sku",), types={"x": kind}), actor="t")
        last = house.land(["sku", "x"], [["a" if first is None else "b", text]])
        first = first or last
        house.load()
    found = "SELECT x::text FROM products ORDER BY sku"
    assert house.rows(found) == [(value,), (value,)]
    assert check(house, first) == check(house, last) == ()
    take_back(house, last.file_id)
    ((kept,),) = house.rows(found)
    assert kept != value
    assert check(house, first) == ()


def _back(conn: Connection, spec: str) -> dict[str, bool]:
    """Text → whether the kind takes it; fails unless what is taken is given back."""
    kind, name = kind_of(spec), sql.Identifier("c")
    rows = conn.execute(
        sql.SQL(
            "SELECT c, {a}, CASE WHEN {a} THEN {w} END FROM (SELECT c, CASE WHEN {a} THEN {r} END"
            " AS v FROM x OFFSET 0) y"
        ).format(a=kind.accepts(name), r=kind.read(name), w=kind.write(sql.Identifier("v")))
    ).fetchall()
    assert [r[0] for r in rows if r[1]] == [r[2] for r in rows if r[1]], spec
    return {text: taken for text, taken, _ in rows}


@pytest.mark.parametrize(
    ("text", "moment"),
    [("12/31/2025 3:05 PM-05:00", "2025-12-31 20:05:00"),
     ("12/31/2025 12:05 AM+02:00", "2025-12-30 22:05:00"),
     ("31.12.2025 3:05:07 pm-0330", "2025-12-31 18:35:07"),
     ("2025-12-31 10:00:00-05", "2025-12-31 15:00:00")],
)  # fmt: skip
def test_an_offset_is_read_as_one_also_behind_am_and_pm(
    house: House, text: str, moment: str
) -> None:
    house.land(["at"], [[text]])
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert house.rows("SELECT (at AT TIME ZONE 'UTC')::text FROM products") == [(moment,)]


@pytest.mark.parametrize("kind", ["numeric", "json"])
def test_a_column_of_the_key_is_text_whatever_type_is_set(house: House, kind: str) -> None:
    set_types(house, sku=kind)
    house.land(["sku", "n"], [["1.1", "a"], ["1.10", "b"], ["[2]", "c"]])
    (certificate,) = house.load(keys=[("sku",)])
    assert (certificate.inserted, certificate.verdict) == (3, "success")
    assert remembered(house.conn, TABLE)["sku"] == TEXT
    assert any("of the key" in remark for remark in certificate.remarks)


def test_a_column_of_every_kind_is_certified(house: House) -> None:
    depth = max(len(values) for values, _ in COLUMNS)
    names = [f"c{n}" for n in range(len(COLUMNS))]
    rows = [[values[r] if r < len(values) else "" for values, _ in COLUMNS] for r in range(depth)]
    manifest = house.land(names, rows)
    (certificate,) = house.load()
    assert certificate.differences == ()
    assert remembered(house.conn, TABLE) == {
        name: kind for name, (_, kind) in zip(names, COLUMNS, strict=True)
    }
    house.conn.commit()
    assert check(house, manifest) == ()


def test_the_certificate_says_what_was_decided(house: House) -> None:
    house.land(["a", "b"], [["25/12/2025", "01/02/2025"]])
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert [r.partition(":")[0] for r in certificate.remarks] == ["a", "b"]
    assert house.rows("SELECT remark <> '' FROM supplyline.column_types") == [(True,), (True,)]
    found = profile(house.conn, TABLE)
    assert [c.kind for c in found.columns] == ["date DD/MM/YYYY", "text"]
    assert "set the type that is right" in found.columns[1].remark


@pytest.mark.parametrize(
    ("quantity", "price", "kind", "value"),
    [
        ("5,000", "12,50", "numeric 1234,5", 5), ("1.234", "12,50", "numeric 1.234,5", 1234),
        ("1,234", "12.50", "numeric 1,234.5", 1234), ("5.000", "12.50", "numeric", 5),
        ("5,000", "12", "text", "5,000"),
    ],
)  # fmt: skip
def test_the_files_other_numbers_tell_what_a_mark_means(
    house: House, quantity: str, price: str, kind: str, value: object
) -> None:
    house.land(["sku", "qty", "price"], [["a", quantity, price]])
    (certificate,) = house.load()
    assert (certificate.verdict, remembered(house.conn, TABLE)["qty"]) == ("success", kind)
    assert house.rows("SELECT qty FROM products") == [(value,)]
    said = any("as the file's other numbers are written" in r for r in certificate.remarks)
    assert said == (kind != "text")


def test_dates_written_in_another_way_later_widen_or_become_text(house: House) -> None:
    files = [house.land(["d"], [["25/12/2025"], [""]])]
    house.load()
    files.append(house.land(["d"], [["13/1/2026"]]))
    (second,) = house.load()
    assert second.verdict == "success"
    assert remembered(house.conn, TABLE) == {"d": "date D/M/YYYY"}
    files.append(house.land(["d"], [["2026-01-31"]]))
    (third,) = house.load()
    assert third.verdict == "success"
    assert house.rows("SELECT d FROM products ORDER BY _seq, _row") == [
        ("25/12/2025",), ("",), ("13/1/2026",), ("2026-01-31",),
    ]  # fmt: skip
    assert [check(house, m) for m in files] == [(), (), ()]


def test_a_column_that_was_empty_takes_the_type_of_its_first_values(house: House) -> None:
    files = [house.land(["sku", "qty"], [["a", ""], ["b", None]])]
    house.load(keys=[("sku",)])
    files.append(house.land(["sku", "qty"], [["c", "5"]]))
    house.load()
    assert house.rows("SELECT qty FROM products ORDER BY sku") == [(None,), (None,), (5,)]
    assert [check(house, m) for m in files] == [(), ()]


def test_empty_cells_of_files_without_a_later_column_stay_null(house: House) -> None:
    house.land(["sku"], [["a"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "note"], [["b", "1"], ["c", ""], ["d", None]])
    house.load()
    house.land(["sku", "note"], [["e", "x"]])
    house.load()
    assert house.rows("SELECT sku, note FROM products ORDER BY sku") == [
        ("a", None), ("b", "1"), ("c", ""), ("d", None), ("e", "x"),
    ]  # fmt: skip


def set_types(house: House, **types: str) -> None:
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, types=types), actor="t")
    house.conn.commit()


def test_a_type_set_by_hand_is_taken_and_what_does_not_fit_is_set_aside(house: House) -> None:
    set_types(house, d="date DD/MM/YYYY", ok="boolean Y/N")
    manifest = house.land(
        ["sku", "d", "ok"],
        [["a", "01/02/2025", "Y"], ["b", "12/31/2025", "N"], ["c", "", "?"], ["d", "x", "y"]],
    )
    (certificate,) = house.load(keys=[("sku",)])
    assert (certificate.inserted, certificate.rejected, certificate.verdict) == (1, 3, "partial")
    assert house.rows("SELECT sku, d::text, ok FROM products") == [("a", "2025-02-01", True)]
    assert house.rows(
        "SELECT row_number, code, reason, cells ->> 'd', cells ->> 'ok'"
        " FROM supplyline.rejected_rows ORDER BY 1"
    ) == [
        (2, "type_mismatch", "d: not a date DD/MM/YYYY", "12/31/2025", "N"),
        (3, "type_mismatch", "ok: not a boolean Y/N", "", "?"),
        (4, "type_mismatch", "d: not a date DD/MM/YYYY; ok: not a boolean Y/N", "x", "y"),
    ]
    assert certificate.checksum_table == certificate.checksum_file
    assert check(house, manifest) == ()
    house.rows("DELETE FROM supplyline.rejected_rows WHERE row_number = 2 RETURNING 1")
    assert check(house, manifest) != ()


def test_a_type_set_for_a_column_that_exists_converts_it_or_says_rebuild(house: House) -> None:
    first = house.land(["d"], [["01/02/2025"], [""], ["03/04/2025"]])
    house.load()
    set_types(house, d="date MM/DD/YYYY")
    house.land(["d"], [["12/31/2025"]])
    (certificate,) = house.load()
    assert certificate.verdict == "success"
    assert house.rows("SELECT d::text FROM products ORDER BY 1") == [
        ("2025-01-02",), ("2025-03-04",), ("2025-12-31",), (None,),
    ]  # fmt: skip
    assert check(house, first) == ()
    set_types(house, d="bigint")
    house.land(["d"], [["5"]])
    with pytest.raises(SchemaDrift, match="to be bigint"):
        house.load()
    house.conn.rollback()


def test_text_set_by_hand_stays_text(house: House) -> None:
    set_types(house, sku=TEXT)
    house.land(["sku"], [["1"]])
    house.load()
    assert house.rows("SELECT sku FROM products") == [("1",)]


def test_a_table_in_quarantine_takes_what_fits_and_sets_the_rest_aside(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"]])
    house.load(keys=[("sku",)])
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, drift="quarantine"), actor="t")
    house.conn.commit()
    manifest = house.land(
        ["sku", "qty", "note"],
        [["a", "2", ""], ["b", "many", None], ["c", "3", "new"], ["d", None, None], ["", "5", ""]],
        extra={2: ["more"]},
    )
    (certificate,) = house.load()
    assert certificate.checksum_table == certificate.checksum_file
    assert (certificate.updated, certificate.inserted, certificate.rejected) == (1, 1, 3)
    assert certificate.verdict == "partial"
    assert house.rows("SELECT sku, qty FROM products ORDER BY 1") == [("a", 2), ("d", None)]
    assert house.rows(
        "SELECT row_number, code, reason FROM supplyline.rejected_rows ORDER BY 1"
    ) == [
        (2, "type_mismatch", "qty: not a bigint"),
        (3, "unknown_column", "note: no column of the table"),
        (5, "empty_key", "the key sku is empty in this row"),
    ]
    assert check(house, manifest) == ()
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, drift="evolve"), actor="t")
    house.land(["sku", "note"], [["z", "later"]])
    house.load()
    assert check(house, manifest) == ()


def test_a_reading_that_the_tables_own_format_decides_is_said(house: House) -> None:
    """`1.234` in a column of decimal commas is 1,234, a thousand times what else it could be."""
    house.land(("id", "p"), [("1", "1,50"), ("2", "2,25")])
    house.land(("id", "p"), [("3", "1.234"), ("4", "2.500")])
    _, second = house.load(keys=[("id",)])
    assert remembered(house.conn, TABLE)["p"] == "numeric 1.234,5"
    assert house.rows("SELECT p FROM products WHERE id = 3") == [(1234,)]
    assert second.remarks == (
        "p: read as `numeric 1.234,5`, as the table's other values are written; by itself it could"
        " be `numeric`",
    )

    house.land(("id", "p"), [("5", "1.234,50")])  # which can be read in one way
    (third,) = house.load()
    assert third.remarks == ()


def test_a_table_in_quarantine_that_takes_no_column_of_a_file_sets_its_rows_aside(
    house: House,
) -> None:
    house.land(("id", "a"), [("1", "x")])
    house.load()
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, drift="quarantine"), actor="u")
    house.conn.commit()
    manifest = house.land(("k", "v"), [("5", "6"), ("", "")])

    (certificate,) = house.load()

    assert (certificate.inserted, certificate.rejected, certificate.verdict) == (1, 1, "partial")
    assert house.rows("SELECT id, a FROM products ORDER BY _seq") == [(1, "x"), (None, None)]
    assert check(house, manifest) == ()
    take_back(house, manifest.file_id)
    assert house.rows("SELECT id, a FROM products") == [(1, "x")]
