"""A later file of a keyed table, merged in one comparison: as the long way would have done it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import psycopg
import pytest
from psycopg import sql

from supplyline.errors import DatabaseUnavailable
from supplyline.load import beside, later, schema
from tests.integration.load.house import House, take_back

Rows = list[list[str | None]]

COLUMNS = ["sku", "n", "price", "day"]
FIRST: Rows = [
    ["a", "1", "1.50", "2024-01-31"],
    ["b", "2", "2.5", ""],
    ["c", "3", None, "2024-01-31"],
    ["d", "4", "7", "2024-02-29"],
]
ALL = "SELECT sku, n::text, price::text, day::text, _file, _row, _raw FROM products ORDER BY sku"
HISTORY = (
    "SELECT sku, n::text, price::text, day::text, _file, _row, _raw, _load, _valid_from, _valid_to"
    " FROM products_history ORDER BY sku"
)
BESIDE = "SELECT relname FROM pg_class WHERE relname ~ '^(_staged|_changed|supplyline_)'"
"""What a load makes beside the table while it runs."""


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each later load was staged with its types."""
    taken: list[bool] = []
    stage: Callable[..., schema.Plan | None] = later.LaterLoad.stage

    def watched(*args: object, **more: object) -> schema.Plan | None:
        plan = stage(*args, **more)
        taken.append(plan is not None)
        return plan

    monkeypatch.setattr(later.LaterLoad, "stage", watched)
    return taken


SECOND: dict[str, tuple[Rows, bool, tuple[int, int, int, int, int]]] = {
    "every fate": (
        [["a", "1", "1.50", "2024-01-31"], ["b", "9", "2.5", ""], ["e", "5", "1", ""]],
        True,
        (1, 1, 1, 0, 0),
    ),
    "other places are another text": ([["d", "4", "7.0", "2024-02-29"]], True, (0, 1, 0, 0, 0)),
    "empty is not absent": (
        [["c", "3", "", "2024-01-31"], ["b", "2", "2.5", None]],
        True,
        (0, 2, 0, 0, 0),
    ),
    "absent as before": ([["c", "3", None, "2024-01-31"]], True, (0, 0, 1, 0, 0)),
    "a key twice, unchanged": ([FIRST[0], FIRST[0]], True, (0, 0, 1, 1, 0)),
    "a key twice, the later one counts": (
        [["a", "8", "1.50", ""], ["a", "9", "1.50", ""]],
        True,
        (0, 1, 0, 1, 0),
    ),
    "a new key twice": ([["x", "8", "1", ""], ["y", "1", "1", ""], ["x", "9", "1", ""]], True,
                        (2, 0, 0, 1, 0)),
    "as many rows as the table, a key twice": (
        [FIRST[0], FIRST[1], FIRST[2], FIRST[2]], True, (0, 0, 3, 1, 0)
    ),
    "the whole table": (
        [FIRST[0], ["b", "9", "2.5", ""], FIRST[2], ["d", "4", "7", "2024-02-28"]],
        True,
        (0, 2, 2, 0, 0),
    ),
    "an empty key": ([FIRST[0], FIRST[1], ["", "9", "1", ""]], False, (0, 0, 2, 0, 1)),
    "a late value widens": ([FIRST[0], FIRST[1], ["e", "n/a", "1", ""]], False, (1, 0, 2, 0, 0)),
    "the mark between cells": ([["a\x1f", "1", "1", ""], FIRST[0]], True, (1, 0, 1, 0, 0)),
}  # fmt: skip


@pytest.mark.parametrize("shared", [False, True])
@pytest.mark.parametrize("name", SECOND)
def test_it_leaves_what_the_long_way_leaves(
    house: House, ways: list[bool], monkeypatch: pytest.MonkeyPatch, name: str, shared: bool
) -> None:
    rows, typed, fates = SECOND[name]
    monkeypatch.setattr(beside, "_SHARED_FROM", 0 if shared else 100)
    house.land(COLUMNS, FIRST)
    house.load(keys=[("sku",)], batch_rows=2)
    before, left = house.rows(ALL), []
    for quick in (True, False):
        if not quick:
            monkeypatch.setattr(later.LaterLoad, "_suggested", lambda _: None)
        file_id = house.land(COLUMNS, rows).file_id
        (c,) = house.load(batch_rows=2)
        assert c.checksum_table == c.checksum_landing == c.checksum_file
        assert (c.inserted, c.updated, c.unchanged, c.superseded, c.rejected) == fates
        left.append((house.rows(ALL), house.rows(HISTORY)))
        assert house.rows(BESIDE) == []
        load = house.rows("SELECT DISTINCT _load FROM products WHERE _load <> 'f1.1'")
        assert load in ([], [(c.load_id,)])
        take_back(house, file_id)
        assert (house.rows(ALL), house.rows(HISTORY)) == (before, [])
    assert ways == [typed, False]
    assert left[0] == left[1]


def test_kinds_that_postgresql_cannot_read_alone_are_read_in_the_comparison(
    house: House, ways: list[bool]
) -> None:
    columns = ["sku", "price", "day"]
    house.land(columns, [["a", "1.234,50", "31.12.2025"], ["b", "7,00", "01.12.2025"]])
    house.load(keys=[("sku",)])
    house.land(columns, [["a", "1.234,50", "31.12.2025"], ["b", "7,0", "30.11.2025"]])
    (c,) = house.load()
    assert (ways, c.verdict, c.updated, c.unchanged) == ([True], "success", 1, 1)
    assert house.rows("SELECT price::text, day::text FROM products WHERE sku = 'b'") == [
        ("7.0", "2025-11-30")
    ]


def test_what_a_trigger_makes_of_a_row_is_found(house: House, ways: list[bool]) -> None:
    """The sum is over what the table holds, not over what was sent."""
    house.land(COLUMNS, FIRST)
    house.load(keys=[("sku",)])
    house.conn.execute(
        "CREATE FUNCTION spoil() RETURNS trigger LANGUAGE plpgsql AS"
        " 'BEGIN NEW.n = NEW.n + 1; RETURN NEW; END'"
    )
    house.conn.execute(
        "CREATE TRIGGER spoil BEFORE INSERT OR UPDATE ON products FOR EACH ROW"
        " EXECUTE FUNCTION spoil()"
    )
    house.conn.commit()
    house.land(COLUMNS, [["a", "5", "1.50", "2024-01-31"]])
    (c,) = house.load()
    assert (ways, c.verdict) == ([True], "partial")
    assert c.differences == ("the rows in PostgreSQL are not the rows of MongoDB (checksum)",)


def test_rows_that_somebody_moves_meanwhile_are_not_overwritten(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    house.land(COLUMNS, FIRST)
    house.load(keys=[("sku",)])
    house.land(COLUMNS, [["a", "5", "1.50", "2024-01-31"]])
    replace = later.LaterLoad._replace
    settings = house.conn.info

    def disturbed(*args: Any, **more: Any) -> int:
        with psycopg.connect(
            host=settings.host, port=settings.port, dbname=settings.dbname, user=settings.user,
            password=settings.password,
        ) as other:  # fmt: skip
            other.execute("UPDATE products SET n = 77 WHERE sku = 'a'")
        return replace(*args, **more)

    monkeypatch.setattr(later.LaterLoad, "_replace", disturbed)
    with pytest.raises(DatabaseUnavailable):
        house.load()
    house.conn.rollback()
    assert house.rows("SELECT n, _load FROM products WHERE sku = 'a'") == [(77, "f1.1")]


def test_where_processes_can_share_too_little_memory_one_does_the_work(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "_SHARED_FROM", 0)
    workers: list[str] = []

    def work() -> int:
        ((allowed,),) = house.conn.execute("SHOW max_parallel_workers_per_gather").fetchall()
        workers.append(allowed)
        if allowed != "0":
            house.conn.execute(
                "DO $$ BEGIN RAISE 'could not resize shared memory segment'"
                " USING ERRCODE = 'disk_full'; END $$"
            )
        return 7

    with house.conn.transaction():
        assert beside.Beside(house.conn, rows=1).in_parallel(work) == 7
    assert len(workers) == 2


def test_a_table_of_somebody_whose_name_is_like_ours_stays(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(beside, "_SHARED_FROM", 0)
    house.land(COLUMNS, FIRST)
    house.load(keys=[("sku",)])
    name = f"_changed_{house.conn.info.backend_pid}"
    house.conn.execute(sql.SQL("CREATE TABLE {} AS SELECT 1 AS mine").format(sql.Identifier(name)))
    house.conn.commit()
    house.land(COLUMNS, [["a", "5", "1.50", "2024-01-31"]])
    house.load()
    assert house.rows(f"SELECT mine FROM {name}") == [(1,)]
