"""Which cells keep a column from being a number or a date, and where they are."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa
import pytest

from supplyline.load import strays
from supplyline.load.kinds import TEXT
from supplyline.load.types import Evidence

NUMBERS = [str(n) for n in range(400)]
DAYS = ["31/1/2024", "1/2/2024", "29/2/2024"] * 100


def evidence(values: Sequence[str | None], *, batch: int = 100, known: str = "") -> Evidence:
    found = Evidence(["c"], known={"c": known} if known else {}, source="a.csv")
    for first in range(0, len(values), batch):
        part = values[first : first + batch]
        rows = pa.array(range(first + 1, first + len(part) + 1), pa.int64())
        lines = pa.array(range(first + 2, first + len(part) + 2), pa.int64())
        data = [rows, lines, pa.array(part, pa.string())]
        found.add(pa.RecordBatch.from_arrays(data, names=["_row", "_line", "c"]))
    return found


def told(values: Sequence[str | None], *, batch: int = 100, known: str = "") -> str:
    said = evidence(values, batch=batch, known=known).strays("c")
    return said.text if said else ""


@pytest.mark.parametrize("batch", [2, 7, 100, 1000])
@pytest.mark.parametrize("at", [0, 1, 250, 400])
def test_one_word_among_numbers_is_named_with_its_place(at: int, batch: int) -> None:
    values = [*NUMBERS[:at], "n/a", *NUMBERS[at:]]
    found = evidence(values, batch=batch)
    said = found.strays("c")
    assert said is not None
    assert said.kind == "bigint"
    assert said.text == (
        f"1 of 401 values of a.csv is no `bigint`: 'n/a' in row {at + 1} (line {at + 2})"
    )
    choice = found.choice("c")
    assert choice.kind == TEXT
    assert choice.remark.startswith(f"left as text: {said.text}. ")
    assert "set the type `bigint`" in choice.remark


def test_the_kind_is_the_one_that_the_fewest_cells_do_not_fit() -> None:
    numbers = [*NUMBERS, "n/a", "2.5", *NUMBERS]
    assert told(numbers, batch=1000).startswith("1 of 802 values of a.csv is no `numeric`: 'n/a'")
    assert told(["?", *DAYS]).startswith("1 of 301 values of a.csv is no `date D/M/YYYY`: '?'")


def test_empty_and_absent_cells_are_no_strays() -> None:
    assert told([*NUMBERS, "", None, "x", "", None]).startswith("1 of 401 values")


def test_three_are_shown_and_long_ones_are_cut() -> None:
    found = told([*NUMBERS, "a", "b" * 60, "c", "d"])
    assert found.startswith("4 of 404 values of a.csv are no `bigint`: 'a' in row 401 (line 402)")
    assert f"'{'b' * 40}...' in row 402" in found
    assert found.endswith("'c' in row 403 (line 404), ...")


@pytest.mark.parametrize(
    "values",
    [
        [*NUMBERS, *"abcdef"],
        [*NUMBERS[:40], "x"],
        ["bolt", "nut", "screw"] * 100,
        [f"A{n}" if n % 2 else str(n) for n in range(400)],
        [],
        ["", None],
    ],
)
def test_columns_that_are_text_anyway_are_told_nothing(values: list[str | None]) -> None:
    assert told(values) == ""


def test_of_a_column_that_had_a_kind_the_first_are_named_however_many() -> None:
    assert told(["x", "7"], known="bigint") == (
        "1 of 2 values of a.csv is no `bigint`: 'x' in row 1 (line 2)"
    )
    many = told(list("abcdefgh"), known="date")
    assert many.startswith("more than 5 values of a.csv are no `date`: 'a' in row 1 (line 2)")
    assert told([*NUMBERS, "x"], known="text") == ""


def test_where_every_cell_fits_nothing_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError

    monkeypatch.setattr(strays, "fits", never)
    monkeypatch.setattr(strays, "kinds_of", never)
    assert told([*NUMBERS, "2.5", ""]) == ""
    assert told(DAYS, known="date D/M/YYYY") == ""
    assert told([*NUMBERS, "x"], known="text") == ""


def test_once_there_are_many_nothing_is_asked_any_more(monkeypatch: pytest.MonkeyPatch) -> None:
    found = evidence([*NUMBERS, *"abcdef"])
    monkeypatch.setattr(strays, "fits", None)
    rest = pa.array(["g", "h"], pa.string())
    found.add(pa.RecordBatch.from_arrays([rest], names=["c"]))
    assert found.strays("c") is None
