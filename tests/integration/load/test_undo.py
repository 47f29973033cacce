"""Undo: a load taken back leaves what the other loads alone would have made."""

from __future__ import annotations

import pytest

from supplyline.contracts import Manifest, TableSettings
from supplyline.errors import SchemaDrift, UndoRefused
from supplyline.load import load_files
from supplyline.settings import Settings
from supplyline.tenancy.catalog import save_table_settings
from tests.integration.load.house import (
    NOW,
    RUN,
    STATE,
    TABLE,
    House,
    check,
    everything,
    take_back,
)


def test_undo_of_a_merge_gives_back_the_exact_table_and_history(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    before = house.rows(STATE)
    second = house.land(["sku", "qty"], [["b", "3"], ["c", "4.50"], ["a", "1"]])
    house.load()
    assert house.rows(STATE) != before
    take_back(house, second.file_id)
    after = house.rows(STATE)
    assert after == before
    assert house.load() == []  # an undone file is not loaded again by itself


FILES = (
    (["sku", "qty"], [["a", "1"], ["b", "2"], ["c", ""]]),
    (["sku", "qty", "day"], [["b", "3.50"], ["d", "4", "31.12.2025"], ["c", "", ""]]),
    (["sku", "qty", "note"], [["a", "many", "x"], ["e", "5", ""], ["b", "3.50", None]]),
    (["sku", "day"], [["a", "1.1.2026"], ["f", "02.02.2026"]]),
    (["sku", "qty"], [["b", "3.50"], ["g", ""]]),
)
"""Adds columns, widens, corrects, leaves out."""


def load_one(house: House, number: int) -> Manifest:
    columns, rows = FILES[number]
    padded = [[*row, *[None] * (len(columns) - len(row))] for row in rows]
    manifest = house.land(columns, padded)
    house.load(keys=[("sku",)])
    return manifest


@pytest.mark.parametrize("keyed", [True, False])
def test_loads_undone_one_by_one_leave_exactly_what_was_there(house: House, keyed: bool) -> None:
    if not keyed:
        save_table_settings(house.conn, TableSettings(table=TABLE, key=()), actor="t")
        house.conn.commit()
    loads: list[Manifest] = []
    states = []
    for number in range(len(FILES)):
        loads.append(load_one(house, number))
        states.append(everything(house))
    for manifest, state in zip(loads[:0:-1], states[-2::-1], strict=True):
        assert take_back(house, manifest.file_id)["kept"] == []
        assert everything(house) == state
        assert [check(house, m) for m in loads[: loads.index(manifest)]] == [()] * loads.index(
            manifest
        )
    take_back(house, loads[0].file_id)
    assert house.rows("SELECT to_regclass('public.products')") == [(None,)]


def test_a_load_that_others_rest_on_is_refused_with_the_two_ways(house: House) -> None:
    first, second = load_one(house, 0), load_one(house, 1)
    before = everything(house)
    with pytest.raises(UndoRefused, match=f"{second.file_id}.*--replay.*--cascade"):
        take_back(house, first.file_id)
    house.conn.rollback()
    assert everything(house) == before


def test_cascade_undoes_the_later_loads_too(house: House) -> None:
    load_one(house, 0)
    before = everything(house)
    later = [load_one(house, n).file_id for n in (1, 2, 3)]
    assert take_back(house, later[0], "cascade")["undone"] == later[::-1]
    assert everything(house) == before
    assert house.load() == []


@pytest.mark.parametrize("gone", range(len(FILES) - 1))
def test_replay_leaves_what_the_other_files_alone_would_have_made(
    house: House, engine_settings: Settings, gone: int
) -> None:
    loads = [load_one(house, n) for n in range(len(FILES))]
    done = take_back(house, loads[gone].file_id, "replay")
    assert done["replayed"] == [m.file_id for m in loads[gone + 1 :]]
    found = everything(house)
    assert all(check(house, m) == () for m in loads if m is not loads[gone])
    for relation in ("products", "products_history"):
        house.conn.execute(f"DROP TABLE {relation}".encode())
    for name in ("rejected_rows", "certificates", "loads", "column_types"):
        house.conn.execute(f"DELETE FROM supplyline.{name}".encode())
    house.conn.commit()
    for number, manifest in enumerate(loads):
        if number != gone:
            load_files(
                house.org, conn=house.conn, table=TABLE, manifests=[manifest], run=RUN,
                stream=lambda m: house.landing.stream(house.org, manifest=m), now=lambda: NOW,
            )  # fmt: skip
    house.conn.commit()
    expected = everything(house)
    assert [tuple(_untimed(part)) for part in found] == [tuple(_untimed(p)) for p in expected]


def _untimed(rows: list[tuple[object, ...]]) -> list[str]:
    """Replayed rows were loaded an hour later than those of the other run."""
    return [str(row).replace("01:00:00+00", "00:00:00+00") for row in rows]


def test_what_somebody_built_on_a_column_keeps_it(house: House) -> None:
    load_one(house, 0)
    second = load_one(house, 1)
    house.conn.execute("CREATE VIEW days AS SELECT sku, day FROM products")
    house.conn.commit()
    done = take_back(house, second.file_id)
    assert done["kept"] == ["column day: something else rests on it"]
    assert house.rows("SELECT day FROM days") == [(None,)] * 3
    third = house.land(["sku", "day"], [["a", "soon"]])
    with pytest.raises(SchemaDrift, match="days"):
        house.load()
    house.conn.rollback()
    assert third.state == "closed"


@pytest.mark.parametrize("late", ["5", "many"])
def test_an_empty_cell_that_a_later_file_left_alone_is_empty_again_after_undo(
    house: House, late: str
) -> None:
    """The row is of a file without the column; its empty cell is of the one before."""
    house.land(["sku", "a", "note"], [["x", "1", ""], ["y", "2", None], ["z", "3", ""]])
    house.load(keys=[("sku",)])
    house.land(["sku", "a"], [["x", "10"], ["y", "20"]])
    house.load()
    house.land(["sku", "a"], [["x", "11"]])
    house.load()
    before = everything(house)
    third = house.land(["sku", "a", "note"], [["w", "4", late]])
    house.load()
    take_back(house, third.file_id)
    assert everything(house) == before


def test_empty_cells_are_the_same_whether_the_column_was_text_or_became_it(house: House) -> None:
    house.land(["sku", "a", "n"], [["x", "1", ""], ["y", "2", "7"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "a"], [["x", "10"]])
    house.load()
    house.land(["sku", "a", "n"], [["z", "3", "abc"]])
    house.load()
    assert house.rows("SELECT sku, n FROM products ORDER BY 1") == [
        ("x", ""), ("y", "7"), ("z", "abc"),
    ]  # fmt: skip
