"""Real-world headers are recognised; unknown ones simply work."""

from __future__ import annotations

import pytest

from supplyline.tenancy.names import column_names
from supplyline.vocabulary import field_columns, key_candidates, recognise


@pytest.mark.parametrize(
    ("headers", "name", "table"),
    [
        ("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
         "2011-07-21.csv", "sales"),
        ("productID,productName,supplierID,categoryID,quantityPerUnit,unitPrice,unitsInStock,"
         "unitsOnOrder,reorderLevel,discontinued", "products.csv", "products"),
        ("orderID,productID,unitPrice,quantity,discount", "order-details.csv", "sales"),
        ("orderID,customerID,employeeID,orderDate,requiredDate,shippedDate", "orders.csv",
         "orders"),
        ("supplierID,companyName,contactName,address,city,country", "suppliers.csv", "suppliers"),
        ("SKU,Warehouse,On Hand,As Of", "stock 2024-01-31.csv", "inventory"),
        ("Artikelnummer,Bestand,Lagerort", "x.csv", "inventory"),
        ("temperature,humidity", "Sensor_2024-01-31 (2).csv", "sensor"),
        ("a,b", "20240131.csv", "data"),
    ],
)  # fmt: skip
def test_a_header_and_a_file_name_propose_a_table(headers: str, name: str, table: str) -> None:
    assert recognise(headers.split(","), file_name=name).table == table


@pytest.mark.parametrize(
    ("header", "field"),
    [
        ("Item No.", "item"), ("SKU #", "item"), ("Prod. Code", "item"), ("Artikel-Nr.", "item"),
        ("Qty. Sold", "quantity"), ("Order Qty (pcs)", "quantity"), ("Menge (Stk)", "quantity"),
        ("Unit Price (EUR)", "unit_price"), ("Cust. No", "customer"), ("Ord. Date", "date"),
        ("Inv. Nbr", "order"), ("Stock On Hand (units)", "on_hand"), ("Bestand (Stk.)", "on_hand"),
        ("Whse. Code", "location"), ("Lead Time (days)", "lead_time_days"),
        ("Supp. Code", "supplier"), ("Avail. Qty", "on_hand"),
    ],
)  # fmt: skip
def test_abbreviations_and_measures_do_not_hide_a_column(header: str, field: str) -> None:
    (name,) = column_names([header])
    assert field_columns([name, "nothing_known"]) == {field: name}


def test_a_column_spelled_out_goes_before_an_abbreviated_one() -> None:
    assert field_columns(["ord_no", "order_number"])["order"] == "order_number"


def test_key_candidates_name_columns_that_are_there() -> None:
    proposal = recognise(["order_id", "line_no", "sku", "qty", "order_date"], file_name="s.csv")
    assert proposal.kind == "sales"
    assert key_candidates("sales", proposal.mapping)[0] == ("order_id", "line_no")
