"""Rules are checked when they are written; what they say of a cell; raw text gives cells back."""

from __future__ import annotations

from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplyline.contracts import Column, Dialect, Layout, QuarantinedRow, RowBatch
from supplyline.ingest import checks, corrections
from supplyline.ingest.batches import schema
from supplyline.ingest.rules import InvalidContract, parse_rules

TEXT = st.text(st.characters(blacklist_categories=["Cs"], blacklist_characters="\0"), max_size=20)


def set_aside(rule: dict[str, Any], cells: list[str | None]) -> dict[str | None, str]:
    """Cell → code, for the cells that a rule does not let pass."""
    layout = Layout(format="csv", columns=(Column(header="c", name="c"),))
    count = len(cells)
    arrays = [
        pa.array(range(1, count + 1), pa.int64()),
        pa.array(range(2, count + 2), pa.int64()),
        pa.array(cells, pa.string()),
        pa.nulls(count, pa.list_(pa.string())),
    ]
    batch = RowBatch(data=pa.RecordBatch.from_arrays(arrays, schema=schema(layout)))
    asked = checks.checks_of(rules={"c": rule}, key=())
    (out,) = checks.apply([batch], checks=asked, layout=layout)
    assert out.data.num_rows + len(out.quarantined) == count
    return {cells[q.row - 1]: q.code for q in out.quarantined}


@pytest.mark.parametrize(
    ("rule", "good", "bad"),
    [
        ({"type": "integer"}, ["5", "-3", "+7", " 12 ", "", None, "007"], ["5.0", "1e3", "x"]),
        (
            {"type": "number"},
            ["5", "1.5", "-.5", "1,234.50", "1 234.5", "1e-3"],
            ["1.234,50", "1,5", ".", "-", "NaN", "12,34"],
        ),
        ({"type": "number", "decimal": ","}, ["5", "1,5", "1.234,50"], ["1.5", "1,234.50"]),
        (
            {"type": "date"},
            ["2024-02-29", "2024-2-9", "2024-01-01 12:30", "2024-01-01T12:30:00Z"],
            ["2023-02-29", "29.02.2024", "2024-13-01", "2024-01-01x"],
        ),
        ({"type": "date", "format": "DD.MM.YYYY"}, ["29.02.2024"], ["2024-02-29", "31.04.2024"]),
        ({"type": "date", "format": "MM/DD/YYYY"}, ["12/31/2024"], ["31/12/2024"]),
        ({"type": "boolean"}, ["true", "No", "1"], ["2", "maybe"]),
    ],
)
def test_types(rule: dict[str, Any], good: list[str | None], bad: list[str | None]) -> None:
    assert set_aside(rule, good + bad) == dict.fromkeys(bad, "wrong_type")


@pytest.mark.parametrize(
    ("rule", "good", "bad", "code"),
    [
        ({"required": True}, ["x", "0"], ["", "  ", None], "required"),
        ({"type": "integer", "min": 0, "max": 10}, ["0", "10", ""], ["-1", "11"], "out_of_range"),
        ({"type": "number", "min": "0.1"}, ["0.1", "0.10"], ["0.09", "-5"], "out_of_range"),
        (
            {"type": "number", "decimal": ",", "max": "1000.5"},
            ["1.000,5", "-2"],
            ["1.000,6"],
            "out_of_range",
        ),
        (
            {"type": "date", "format": "DD/MM/YYYY", "min": "2024-01-31"},
            ["31/01/2024", "1/2/2024"],
            ["30/01/2024"],
            "out_of_range",
        ),
        ({"pattern": "[A-Z]{2}-[0-9]+"}, ["AB-1", ""], ["AB-1x", "xAB-1", "ab-1"], "pattern"),
        ({"one_of": ["pc", "kg"]}, ["pc", " kg ", ""], ["PC", "g"], "not_allowed"),
    ],
)
def test_limits(
    rule: dict[str, Any], good: list[str | None], bad: list[str | None], code: str
) -> None:
    assert set_aside(rule, good + bad) == dict.fromkeys(bad, code)


@pytest.mark.parametrize(
    "wrong",
    [
        {"c": 5},
        {"c": {"typ": "integer"}},
        {"c": {"type": "float"}},
        {"c": {"required": "yes"}},
        {"c": {"min": 1}},
        {"c": {"type": "integer", "min": "one"}},
        {"c": {"type": "integer", "min": "nan"}},
        {"c": {"type": "date", "min": "01.01.2024"}},
        {"c": {"type": "date", "format": "DMY"}},
        {"c": {"type": "number", "decimal": ";"}},
        {"c": {"pattern": "("}},
        {"c": {"pattern": r"(?<=x)y"}},
        {"c": {"one_of": "abc"}},
    ],
)
def test_a_rule_that_cannot_be_kept_is_refused_when_it_is_written(wrong: dict[str, Any]) -> None:
    with pytest.raises(InvalidContract, match=r"\bc\b"):
        parse_rules(wrong)


@given(st.lists(TEXT, min_size=1, max_size=6), st.sampled_from(",;|\t:"))
def test_raw_text_gives_the_cells_back(cells: list[str], delimiter: str) -> None:
    raw = checks.raw_of(cells, delimiter=delimiter)
    assert checks.cells_of(raw, delimiter=delimiter) == cells


@given(TEXT)
def test_no_cell_of_the_download_is_a_formula_and_all_come_back(cell: str) -> None:
    shown = corrections.harmless(cell)
    assert corrections.as_written(shown) == cell
    assert shown[:1] not in tuple("=@\t\r\n")


@pytest.mark.parametrize("cell", ["=1+1", "@SUM(A1)", "-2+3+cmd|' /C calc'!A0", "+x", "\uff1dA1"])
def test_formulas_are_disarmed(cell: str) -> None:
    assert corrections.harmless(cell) == f"'{cell}"


@pytest.mark.parametrize("cell", ["-5", "+49", "-1.5", "1,5", "-3%", "1e-3", "a=b", "'twas", ""])
def test_numbers_and_plain_text_stay_as_they_are(cell: str) -> None:
    assert corrections.harmless(cell) == corrections.as_written(cell) == cell


def test_a_line_to_mend_has_the_reasons_beside_the_cells() -> None:
    row = QuarantinedRow(row=3, line=4, column="line", code="required", reason="r", raw="1;=A;")
    layout = Layout(
        format="csv",
        columns=tuple(Column(header=c, name=c) for c in ("line", "sku", "qty")),
        dialect=Dialect(encoding="utf-8", delimiter=";"),
    ).as_json()

    names = corrections.header([c["name"] for c in layout["columns"]])

    assert names == ["row", "line", "column", "code", "reason", "raw", "line_2", "sku", "qty"]
    assert corrections.line(row, layout=layout) == [
        "3", "4", "line", "required", "r", "1;=A;", "1", "'=A", "",
    ]  # fmt: skip
