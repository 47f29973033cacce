"""Sheets with a column for each month."""

from __future__ import annotations

import pytest

from supplyline.month_columns import month_columns
from supplyline.tenancy.names import column_names
from supplyline.vocabulary import recognise


@pytest.mark.parametrize(
    "headers",
    [
        "Jan 2024,Feb 2024,Mar 2024", "2024-01,2024-02,2024-03", "01/2024,02/2024,03/2024",
        "Jan-24,Feb-24,Mar-24", "Januar 2024,Februar 2024,März 2024", "202401,202402,202403",
        "2024M01,2024M02,2024M03", "2024-01-01 00:00:00,2024-02-01 00:00:00,2024-03-01 00:00:00",
        "Qty Jan 2024,Revenue Jan 2024,Qty Feb 2024,Revenue Feb 2024,Qty Mar 2024",
        "Jan24,Feb24,Mar24", "janv 2024,févr 2024,mars 2024",
    ],
)  # fmt: skip
def test_columns_of_months_are_told(headers: str) -> None:
    names = column_names(["SKU", "Name", *headers.split(","), "Total"])
    found = month_columns(names)
    assert list(found.values()) == ["2024-01", "2024-02", "2024-03"]
    assert not any("revenue" in name for name in found)


@pytest.mark.parametrize(
    "headers", ["Jan 2024,Feb 2024", "Q1 2024,Q2 2024,Q3 2024", "mark 24,jane 24,mayor 24", "1,2,3"]
)
def test_other_columns_are_no_months(headers: str) -> None:
    assert month_columns(column_names(["SKU", *headers.split(",")])) == {}


def test_a_sheet_of_months_has_a_table_of_its_own() -> None:
    found = recognise(
        ["SKU", "Name", "2024-01", "2024-02", "2024-03"], file_name="Sales by month.csv"
    )
    assert (found.table, found.kind, found.mapping["item"]) == ("sales_by_month", "", "sku")
