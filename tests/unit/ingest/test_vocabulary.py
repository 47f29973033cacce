"""Known tables are recognised from real-world headers; unknown ones get a name."""

from __future__ import annotations

import pytest

from supplyline.vocabulary import field_columns, key_candidates, recognise


@pytest.mark.parametrize(
    ("headers", "name", "kind"),
    [
        ("InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country",
         "2010-12-01.csv", "sales"),
        ("sku,on_hand,warehouse,date", "stock_2024.csv", "inventory"),
        ("productID,productName,quantityPerUnit,unitPrice,discontinued,categoryID",
         "products.csv", "products"),
        ("Artikelnummer;Menge;Datum;Filiale".replace(";", ","), "verkauf.csv", "sales"),
        ("supplierID,companyName,contactName,city,country", "suppliers.csv", "suppliers"),
        ("customerID,companyName,city,country", "customers.csv", "customers"),
        ("Row ID,Order ID,Order Date,Ship Date,Ship Mode,Customer ID,City,Product ID,Category,"
         "Product Name,Sales,Quantity,Discount,Profit", "superstore.csv", "sales"),
    ],
)  # fmt: skip
def test_known_kinds(headers: str, name: str, kind: str) -> None:
    assert recognise(headers.split(","), file_name=name).kind == kind


def test_unknown_tables_are_named_after_the_file() -> None:
    found = recognise(["foo", "bar"], file_name="weird_thing_2024-01-31.csv")
    assert (found.table, found.kind) == ("weird_thing", "")


def test_online_retail_mapping_and_keys() -> None:
    headers = "InvoiceNo,StockCode,Description,Quantity,InvoiceDate,UnitPrice,CustomerID,Country"
    mapping = recognise(headers.split(",")).mapping
    assert mapping == {
        "item": "stock_code", "date": "invoice_date", "quantity": "quantity",
        "unit_price": "unit_price", "order": "invoice_no", "customer": "customer_id",
    }  # fmt: skip
    assert key_candidates("sales", mapping) == []  # an invoice may name an item twice


@pytest.mark.parametrize(
    ("kind", "header", "keys"),
    [
        ("sales", "order_id,line_no,sku,qty", [("order_id", "line_no")]),
        ("sales", "order_item_id,sku,qty", [("order_item_id",)]),
        ("sales", "line_no,sku,qty", []),
        ("sales", "order_id,sku,qty", []),
        ("orders", "order_id,order_date,customer_id", [("order_id",)]),
        ("orders", "order_id,order_date,product,customer_id", []),
        ("shipments", "shipment_id,carrier", [("shipment_id",)]),
        ("shipments", "shipment_id,sku,qty", []),
        ("inventory", "sku,location,on_hand", [("sku", "location"), ("sku",)]),
        ("inventory", "day,sku,on_hand", [("sku", "day"), ("sku",)]),
        ("products", "sku,name", [("sku",)]),
    ],
)
def test_keys_of_lines_are_proposed_only_where_something_numbers_them(
    kind: str, header: str, keys: list[tuple[str, ...]]
) -> None:
    assert key_candidates(kind, field_columns(header.split(","))) == keys
