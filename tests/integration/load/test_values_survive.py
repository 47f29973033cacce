"""Cells survive whatever becomes of their column: retyped, widened, taken back, of a key."""

from __future__ import annotations

from dataclasses import replace

import pytest
from psycopg import sql

from supplyline.errors import FileNotLoaded
from supplyline.load.types import remembered, remembered_remarks, restored
from supplyline.tenancy.catalog import save_table_settings, table_settings
from tests.integration.load.house import TABLE, House, check, everything, take_back
from tests.unit.load.test_kinds import COLUMNS

SAMPLES = {
    **{kind: values[0] for values, kind in COLUMNS if kind != "text" and values[0]},
    "boolean Y/N": "N", "date DD.MM.(20)YY": "31.12.25", "numeric 1.234,5": "1.234,50",
    "timestamp DD.MM.YYYY HH24:MI": "24.12.2025 18:00",
}  # fmt: skip
"""Every kind that columns are given, and some set by hand → a text of it."""


def by_hand(house: House, types: dict[str, str], **said: object) -> None:
    known = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(known, types=types, **said), actor="t")  # type: ignore[arg-type]
    house.conn.commit()


def texts(house: House) -> list[list[object]]:
    """Every row's cells of the file's columns as they came."""
    kinds = remembered(house.conn, TABLE)
    query = sql.SQL("SELECT {} FROM products t ORDER BY sku").format(
        sql.SQL(", ").join(restored(c, kinds[c]) for c in sorted(kinds))
    )
    found = [list(row) for row in house.conn.execute(query).fetchall()]
    house.conn.commit()
    return found


def test_empty_and_absent_cells_of_every_kind_survive_retyping_and_undo(house: House) -> None:
    names = {f"c{n:03d}": kind for n, kind in enumerate(SAMPLES)}
    by_hand(house, names)
    columns = ["sku", *names]
    first = house.land(
        columns,
        [["a", *SAMPLES.values()], ["b", *[""] * len(names)], ["c", *[None] * len(names)]],
    )
    (certificate,) = house.load(keys=[("sku",)])
    assert certificate.verdict == "success"
    came = [[*SAMPLES.values(), "a"], [*[""] * len(names), "b"], [*[None] * len(names), "c"]]
    assert texts(house) == came
    before = everything(house)
    by_hand(house, dict.fromkeys(names, "text"))
    second = house.land(columns, [["d", *["no kind"] * len(names)]])
    house.load()
    assert set(remembered(house.conn, TABLE).values()) == {"text"}
    assert texts(house)[:3] == came
    assert check(house, first) == check(house, second) == ()
    take_back(house, second.file_id)
    assert everything(house) == before
    assert check(house, first) == ()


@pytest.mark.parametrize("keyed", [True, False])
def test_empty_truth_values_stay_empty_when_the_column_becomes_text(
    house: House, keyed: bool
) -> None:
    by_hand(house, {}, key=("sku",) if keyed else ())
    first = house.land(["sku", "on"], [["a", "true"], ["b", ""], ["c", "false"]])
    house.load()
    house.land(["sku", "on"], [["d", "unknown"]])
    house.load()
    assert house.rows('SELECT "on" FROM products ORDER BY sku') == [
        ("true",), ("",), ("false",), ("unknown",),
    ]  # fmt: skip
    assert check(house, first) == ()


def test_a_text_column_without_a_value_is_exactly_that_after_undo(house: House) -> None:
    house.land(["sku", "on"], [["a", ""], ["b", None]])
    house.load(keys=[("sku",)])
    before = everything(house)
    second = house.land(["sku", "on"], [["c", "true"]])
    house.load()
    assert remembered(house.conn, TABLE)["on"] == "boolean"
    take_back(house, second.file_id)
    assert everything(house) == before


def test_a_key_is_compared_as_text_where_one_number_has_two_texts(house: House) -> None:
    house.land(["sku", "name"], [["1.1", "Kettle"], ["2.5", "Pan"]])
    house.load(keys=[("sku",)])
    manifest = house.land(["sku", "name"], [["1.10", "Toaster"]])
    (certificate,) = house.load()
    assert (certificate.inserted, certificate.updated) == (1, 0)
    assert house.rows("SELECT sku, name FROM products ORDER BY 1") == [
        ("1.1", "Kettle"), ("1.10", "Toaster"), ("2.5", "Pan"),
    ]  # fmt: skip
    assert check(house, manifest) == ()


@pytest.mark.parametrize("configured", [True, False])
def test_texts_of_a_key_that_are_one_number_stay_two_rows_of_one_file(
    house: House, configured: bool
) -> None:
    if configured:
        by_hand(house, {}, key=("sku",))
    house.land(["sku", "name"], [["1.1", "Kettle"], ["1.10", "Toaster"]])
    (certificate,) = house.load(keys=[("sku",)])
    assert (certificate.inserted, certificate.superseded) == (2, 0)
    assert table_settings(house.conn, TABLE).key == ("sku",)


def test_an_integer_key_becomes_text_when_decimals_come(house: House) -> None:
    house.land(["sku", "n"], [["1", "a"], ["2", "b"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "n"], [["1.0", "c"], ["1.00", "d"]])
    (certificate,) = house.load()
    assert (certificate.inserted, remembered(house.conn, TABLE)["sku"]) == (2, "text")


WEIRD = ["2025-01-01T00:00:00+15:00", "2025-01-01 10:00-18", "2025-01-01 10:00:00+99",
         "2025-01-01T10:00:00-1545"]  # fmt: skip


@pytest.mark.parametrize("value", WEIRD)
def test_offsets_that_no_place_has_are_text_and_block_nothing(house: House, value: str) -> None:
    house.land(["sku", "at"], [["a", value]])
    house.load()
    house.land(["sku", "at"], [["b", "2025-01-01 10:00"]])
    house.load()
    assert house.rows("SELECT at FROM products ORDER BY sku") == [(value,), ("2025-01-01 10:00",)]


def test_a_kind_that_is_none_concerns_its_file_alone(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.land(["sku", "at"], [["a", "1"]])
    good = house.land(["sku"], [["b"]])
    from supplyline.errors import InvalidColumnType
    from supplyline.load import planning

    real = planning.plan

    def plan(*args: object, columns: tuple[str, ...], **named: object) -> object:
        if "at" in columns:
            raise InvalidColumnType("no kind")
        return real(*args, columns=columns, **named)  # type: ignore[arg-type]

    monkeypatch.setattr(planning, "plan", plan)
    with pytest.raises(FileNotLoaded, match="no kind"):
        house.load()
    house.conn.commit()
    assert house.rows("SELECT file_id FROM supplyline.loads") == [(good.file_id,)]


def remark(house: House, column: str) -> str:
    return remembered_remarks(house.conn, TABLE)[column]


@pytest.fixture
def said(house: House) -> House:
    house.land(
        ["sku", "day", "country", "active", "amount"],
        [["a", "01.02.2025", "NO", "true", "5"], ["b", "03.04.2025", "NO", "true", "7"]],
    )
    house.load(keys=[("sku",)])
    return house


def test_a_day_before_the_month_is_said(said: House) -> None:
    assert remembered(said.conn, TABLE)["day"] == "date DD.MM.YYYY"
    assert "the day comes first" in remark(said, "day")


def test_a_column_of_nothing_but_no_is_text(said: House) -> None:
    kinds = remembered(said.conn, TABLE)
    assert (kinds["country"], kinds["active"]) == ("text", "boolean")
    assert "boolean YES/NO" in remark(said, "country")


def test_integers_that_become_decimals_are_told_the_other_reading(said: House) -> None:
    said.land(["sku", "amount"], [["c", "1.234"], ["d", "12.500"]])
    (certificate,) = said.load()
    assert any("amount: read with a decimal point" in r for r in certificate.remarks)
