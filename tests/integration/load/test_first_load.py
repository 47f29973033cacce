"""The first file of a table goes straight into it; where that proves wrong, nothing shows of it."""

from __future__ import annotations

import random
from collections.abc import Callable

import pytest

from supplyline.contracts import TableSettings
from supplyline.errors import FileNotLoaded
from supplyline.load import direct
from supplyline.tenancy.catalog import save_table_settings, table_settings
from tests.integration.load.house import TABLE, House

Rows = list[list[str | None]]


def rows_with(last: list[str | None]) -> Rows:
    """Rows of which only the last says something else about the columns; each is a batch."""
    return [[f"s{n}", str(n), "2024-01-31", "true"] for n in range(6)] + [last]


@pytest.fixture
def ways(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Whether each first load went straight into its table."""
    taken: list[bool] = []
    run: Callable[..., direct.Loaded | None] = direct.FirstLoad.run

    def watched(*args: object, **more: object) -> direct.Loaded | None:
        loaded = run(*args, **more)
        taken.append(loaded is not None)
        return loaded

    monkeypatch.setattr(direct.FirstLoad, "run", watched)
    return taken


@pytest.mark.parametrize(
    ("last", "straight", "kinds"),
    [
        (["s9", "9", "2024-02-29", "false"], True, ["text", "bigint", "date", "boolean"]),
        (["s9", "", "", ""], True, ["text", "bigint", "date", "boolean"]),
        (["s9", None, None, None], True, ["text", "bigint", "date", "boolean"]),
        (["s9", "9\x1f", "2024-02-29", "false"], False, ["text", "text", "date", "boolean"]),
        (["s\x1f9", "9", "2024-02-29", "false"], True, ["text", "bigint", "date", "boolean"]),
        (["s9", "1.5", "2024-02-29", "false"], False, ["text", "numeric", "date", "boolean"]),
        (["s9", "n/a", "2023-02-29", "maybe"], False, ["text", "text", "text", "text"]),
        (["s1", "9", "2024-02-29", "false"], True, ["text", "bigint", "date", "boolean"]),
        (["", "9", "2024-02-29", "false"], True, ["text", "bigint", "date", "boolean"]),
    ],
)
def test_the_last_row_decides_as_if_it_were_the_first(
    house: House, ways: list[bool], last: list[str | None], straight: bool, kinds: list[str]
) -> None:
    rows = rows_with(last)
    house.land(["sku", "n", "day", "ok"], rows, extra={7: ["more"]} if last[0] == "s9" else None)
    (certificate,) = house.load(keys=[("sku",)], batch_rows=2)
    assert ways == [straight]
    assert (certificate.verdict, certificate.inserted) == ("success", 7)
    found = house.rows(
        "SELECT pg_typeof(sku)::text, pg_typeof(n)::text, pg_typeof(day)::text,"
        " pg_typeof(ok)::text, n::text FROM products ORDER BY _row"
    )
    assert list(found[-1][:4]) == kinds
    assert found[-1][4] == (last[1] or ("" if kinds[1] == "text" and last[1] is not None else None))
    assert house.rows("SELECT count(*), min(_load), min(_seq) FROM products") == [(7, "f1.1", 1)]
    keyed = len({r[0] for r in rows}) == 7 and "" not in {r[0] for r in rows}
    settings = house.rows("SELECT settings ->> 'key' FROM supplyline.table_settings")
    assert settings == [('["sku"]' if keyed else "[]",)]


def test_a_configured_key_that_repeats_or_is_empty_is_merged(
    house: House, ways: list[bool]
) -> None:
    settings = TableSettings(table=TABLE, key=("sku",), key_source="configured")
    save_table_settings(house.conn, settings, actor="t")
    house.conn.commit()
    house.land(["sku", "n"], [["a", "1"], ["b", "2"], ["a", "3"], ["", "4"]])
    (certificate,) = house.load(batch_rows=2)
    assert ways == [False]
    fates = (certificate.inserted, certificate.superseded, certificate.rejected)
    assert fates == (2, 1, 1)
    assert house.rows("SELECT sku, n FROM products ORDER BY 1") == [("a", 3), ("b", 2)]


def test_a_column_whose_first_value_comes_late_gets_its_type(
    house: House, ways: list[bool]
) -> None:
    house.land(["sku", "n"], [["a", ""], ["b", None], ["c", "5"]])
    (certificate,) = house.load(keys=[("sku",)], batch_rows=2)
    assert (ways, certificate.verdict) == ([False], "success")
    assert house.rows("SELECT n FROM products ORDER BY sku") == [(None,), (None,), (5,)]


def test_a_table_of_more_columns_than_a_function_takes_arguments(house: House) -> None:
    names = [f"c{n}" for n in range(130)]
    house.land(names, [[str(n) for n in range(130)], ["x"] * 130])
    (certificate,) = house.load(batch_rows=2)
    assert certificate.verdict == "success"


def test_later_files_find_the_table_as_any_other(house: House) -> None:
    house.land(["sku", "n"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)], batch_rows=2)
    house.land(["sku", "n"], [["b", "3"], ["c", "4"]])
    (certificate,) = house.load(batch_rows=2)
    assert (certificate.updated, certificate.inserted, certificate.verdict) == (1, 1, "success")
    assert house.rows("SELECT n, _file IS NULL FROM products ORDER BY sku") == [
        (1, False), (3, False), (4, False),
    ]  # fmt: skip


LONG = "".join(chr(random.Random(n).randrange(0x4E00, 0x9000)) for n in range(3000))


@pytest.mark.parametrize("last", ["4", "many"])
def test_a_value_too_long_for_an_index_is_of_no_proposed_key(house: House, last: str) -> None:
    house.land(["sku", "n"], [["a", "1"], ["b", "2"], ["c", "3"], [LONG, last]])
    (certificate,) = house.load(keys=[("sku",)], batch_rows=2)
    assert (certificate.inserted, certificate.verdict) == (4, "success")
    settings = table_settings(house.conn, TABLE)
    assert (settings.key, settings.key_source) == ((), "none")


def test_a_value_too_long_for_the_table_s_key_is_said(house: House) -> None:
    house.land(["sku", "n"], [["a", "1"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "n"], [[LONG, "2"]])
    with pytest.raises(FileNotLoaded, match="value of the key is too long"):
        house.load()
