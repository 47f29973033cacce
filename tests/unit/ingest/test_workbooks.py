"""Which sheet of a workbook is read, and what its cells say that are no plain values."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from typing import Any

import pytest
import xlsxwriter
from xlsxwriter.worksheet import Worksheet

from supplyline.contracts import ParseOptions
from supplyline.ingest import Reading, open_file
from supplyline.ingest.preview import preview
from supplyline.ingest.records import Record

TABLE = [["sku", "qty", "price"], *[[f"A{n}", n, n + 0.5] for n in range(30)]]


def read(data: bytes, **options: Any) -> Reading:
    return open_file(io.BytesIO(data), name="a.xlsx", options=ParseOptions(**options))


def cells(reading: Reading) -> list[list[str]]:
    return [e.cells for _, e in reading.events() if isinstance(e, Record)]


def book(sheets: Mapping[str, list[list[Any]]], hidden: tuple[str, ...] = ()) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as made:
        for name, rows in sheets.items():
            sheet = made.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
            if name in hidden:
                sheet.hide()
        shown = next((s for s in made.worksheets() if s.get_name() not in hidden), None)
        if shown is not None:
            shown.activate()
            shown.set_first_sheet()
    return out.getvalue()


def one(write: Callable[[Any, Worksheet], None], **options: Any) -> bytes:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out, options) as made:
        write(made, made.add_worksheet("S"))
    return out.getvalue()


@pytest.mark.parametrize(
    ("sheets", "hidden"),
    [
        ({"Lists": [["status", "code"], ["open", 1]], "Data": TABLE}, ("Lists",)),
        ({"Cover": [["Stock report of the north"]], "Data": TABLE}, ()),
        ({"Cover": [["Company", "Acme"], ["Made", "today"], ["By", "Bob"]], "Data": TABLE}, ()),
        ({"Empty": [], "Head": [["sku", "qty"]], "Data": TABLE, "More": TABLE[:9]}, ()),
        ({"Data": TABLE, "Notes": [["see there"]]}, ()),
    ],
)
def test_the_first_sheet_shown_that_is_a_table_is_read(
    sheets: Mapping[str, list[list[Any]]], hidden: tuple[str, ...]
) -> None:
    reading = read(book(sheets, hidden))
    assert reading.layout.sheet == "Data"
    assert [row[0] for row in cells(reading)] == [f"A{n}" for n in range(30)]


def test_rows_without_a_header_go_before_a_lone_header_or_one_column() -> None:
    bare = [[n, n * 1.5] for n in range(9)]
    reading = read(book({"Types": [["abc"], ["x"], [1]], "Head": [["sku", "qty"]], "Bare": bare}))
    assert (reading.layout.sheet, len(cells(reading))) == ("Bare", 9)


def test_sheets_that_are_not_read_are_named_with_their_rows() -> None:
    data = book({"Old": TABLE[:5], "Data": TABLE, "Notes": [["x"], ["y"]]}, ("Old",))
    told = preview(io.BytesIO(data), name="a.xlsx", options=ParseOptions())
    assert told["layout"]["reasons"][:2] == (
        "sheet 'Data' of 3",
        "not read: 'Old' (hidden, 5 rows), 'Notes' (2 rows); name another with `sheet`",
    )
    assert told["remarks"] == [told["layout"]["reasons"][1]]
    assert [row[0] for row in cells(read(data, sheet="Old"))] == ["A0", "A1", "A2", "A3"]


def test_a_sheet_too_large_to_be_looked_at_costs_no_other() -> None:
    out = io.BytesIO()
    with xlsxwriter.Workbook(out) as made:
        far = made.add_worksheet("Far")
        far.write(0, 0, 1)
        far.write(1_048_575, 16_383, 2)
        sheet = made.add_worksheet("Data")
        for at, row in enumerate(TABLE):
            sheet.write_row(at, 0, row)
    reading = read(out.getvalue())
    assert reading.layout.sheet == "Data"
    assert len(cells(reading)) == 30
    assert "not read: 'Far'; name another with `sheet`" in reading.layout.reasons


def test_errors_keep_their_text() -> None:
    def write(_: Any, sheet: Worksheet) -> None:
        sheet.write_row(0, 1, ["sku", "qty"])
        sheet.write_row(1, 1, ["A", 1])
        sheet.write(2, 1, "B")
        sheet.write_formula(2, 2, "=1/0", None, "#DIV/0!")
        sheet.write_formula(3, 1, "=NA()", None, "#N/A")
        sheet.write_formula(3, 2, "=NA()", None, "#N/A")

    assert cells(read(one(write))) == [["A", "1"], ["B", "#DIV/0!"], ["#N/A", "#N/A"]]


@pytest.mark.parametrize(
    ("serial", "code", "text"),
    [
        (59, "yyyy-mm-dd", "1900-02-28"),
        (60, "yyyy-mm-dd", "60"),
        (60.5, "yyyy-mm-dd hh:mm", "60.5"),
        (61, "yyyy-mm-dd", "1900-03-01"),
        (-1, "yyyy-mm-dd", "-1"),
        (-0.25, "hh:mm", "-0.25"),
        (0, "yyyy-mm-dd", "0"),
        (0, "hh:mm", "00:00:00"),
        (0.5, '"on the hour" mm/dd/yy', "0.5"),
        (0.5, "[$-409]hh:mm AM/PM", "12:00:00"),
        (1.5, "[h]:mm", "36:00:00"),
        (45351, "dd.mm.yyyy", "2024-02-29"),
    ],
)
def test_what_is_no_day_is_the_number_that_it_is(serial: float, code: str, text: str) -> None:
    def write(made: Any, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["day", "sku"])
        for at in (1, 2):
            sheet.write_number(at, 0, serial, made.add_format({"num_format": code}))
            sheet.write(at, 1, "A")

    assert cells(read(one(write))) == [[text, "A"], [text, "A"]]


def test_days_counted_from_1904_have_a_day_60() -> None:
    def write(made: Any, sheet: Worksheet) -> None:
        sheet.write_row(0, 0, ["day", "sku"])
        sheet.write_number(1, 0, 60, made.add_format({"num_format": "yyyy-mm-dd"}))
        sheet.write(1, 1, "A")

    assert cells(read(one(write, date_1904=True))) == [["1904-03-01", "A"]]


def test_a_cell_far_below_the_table_is_a_row_with_its_number() -> None:
    def write(_: Any, sheet: Worksheet) -> None:
        for at, row in enumerate(TABLE):
            sheet.write_row(at, 0, row)
        sheet.write(1_048_575, 0, "far")

    lines = [e.line for _, e in read(one(write)).events()]
    assert lines == [*range(2, 32), 1_048_576]
