"""Real-world headers are recognised; unknown ones simply work."""

from __future__ import annotations

import re

import pytest

from supplyline.spellings import FIELDS
from supplyline.tenancy.names import column_names
from supplyline.vocabulary import field_columns, key_aliases, key_candidates, recognise


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
    ("header", "kind", "mapping"),
    [
        ("customer_id,first_name,last_name,email", "customers", {"customer": "customer_id"}),
        ("Kundennr;Name;Strasse;PLZ;Ort;Telefon", "customers",
         {"customer": "kundennr", "name": "name", "city": "ort", "postcode": "plz"}),
        ("Kundennummer;Kundenname;Ort", "customers",
         {"customer": "kundennummer", "name": "kundenname"}),
        ("cust_no,company,address,city", "customers", {"customer": "cust_no", "name": "company"}),
        ("supplier_id,supplier", "suppliers", {"supplier": "supplier_id", "name": "supplier"}),
        ("Lieferantennr;Lieferant;Ort", "suppliers",
         {"supplier": "lieferantennr", "name": "lieferant"}),
        ("Lager-Nr;Lagername;Ort", "warehouses", {"location": "lager_nr", "name": "lagername"}),
        ("Référence;Désignation;Prix HT", "products",
         {"item": "reference", "description": "designation", "unit_price": "prix_ht"}),
        ("Fecha;Producto;Cantidad;Importe", "sales",
         {"date": "fecha", "item": "producto", "quantity": "cantidad", "amount": "importe"}),
        ("Material,Plant,Storage Location,Unrestricted", "inventory",
         {"item": "material", "location": "plant", "on_hand": "unrestricted"}),
        ("date,store,item,sales", "sales",
         {"date": "date", "location": "store", "item": "item", "quantity": "sales"}),
        ("date,item,sales,price", "", {"unit_price": "price", "amount": "sales"}),
        ("Data;Prodotto;Quantità;Prezzo", "sales", {"date": "data", "quantity": "quantita"}),
        ("Codice articolo;Descrizione;Giacenza;Magazzino", "inventory",
         {"item": "codice_articolo", "on_hand": "giacenza", "location": "magazzino"}),
        ("Klantnummer;Naam;Adres;Plaats", "customers", {"customer": "klantnummer"}),
        ("Artikelnummer;Aantal;Orderdatum;Stukprijs", "sales", {"unit_price": "stukprijs"}),
        ("Código do produto;Quantidade;Data;Valor total", "sales",
         {"item": "codigo_do_produto", "date": "data", "amount": "valor_total"}),
        ("Indeks;Nazwa;Cena;Kategoria", "products", {"item": "indeks", "name": "nazwa"}),
        ("Indeks;Magazyn;Stan magazynowy", "inventory", {"on_hand": "stan_magazynowy"}),
        ("Code fournisseur;Raison sociale;Ville;Pays", "suppliers",
         {"supplier": "code_fournisseur", "name": "raison_sociale"}),
        ("MATNR,WERKS,LGORT,LABST", "inventory", {"location": "werks", "on_hand": "labst"}),
        ("VBELN,POSNR,MATNR,KWMENG,ERDAT", "sales", {"order": "vbeln", "line": "posnr"}),
        ("KUNNR,NAME1,LAND1,ORT01", "customers",
         {"customer": "kunnr", "name": "name1", "country": "land1"}),
        ("Handle,Title,SKU,Location,Incoming,Committed,Available,On hand", "inventory",
         {"item": "sku", "on_hand": "on_hand", "on_order": "incoming"}),
        ("Handle,Title,Vendor,Variant SKU,Variant Price,Cost per item", "products",
         {"item": "variant_sku", "unit_price": "variant_price", "unit_cost": "cost_per_item"}),
        ("amazon-order-id,purchase-date,sku,asin,quantity,item-price", "sales",
         {"order": "amazon_order_id", "item": "sku", "date": "purchase_date"}),
        ("amazon-order-id,purchase-date,sku,quantity,item-price", "sales",
         {"amount": "item_price"}),
        ("Document Number,Tran Date,Item,Quantity,Amount", "sales", {"date": "tran_date"}),
        ("Name,Created at,Lineitem quantity,Lineitem name,Lineitem sku", "sales",
         {"order": "name", "item": "lineitem_sku"}),
        ("SKU,Location,Incoming (not editable),Committed (not editable),On hand (current)",
         "inventory", {"on_hand": "on_hand_current", "on_order": "incoming_not_editable"}),
        ("Order Number,Order Date,SKU,Item Name,Quantity (- Refund)", "sales",
         {"quantity": "quantity_refund"}),
        ("Order Reference,Order Reference/Order Date,Product,Ordered Quantity", "sales",
         {"date": "order_reference_order_date", "item": "product"}),
        ("Doc. Date,Sales Doc.,Item,Material,Order Quantity,Sold-to pt", "sales",
         {"date": "doc_date", "item": "material", "line": "item", "order": "sales_doc"}),
        ("Verkaufsbeleg;Auftraggeber;Material;Auftragsmenge;Belegdatum", "sales",
         {"customer": "auftraggeber", "quantity": "auftragsmenge", "order": "verkaufsbeleg"}),
        ("Material;Materialkurztext;Werk;Lagerort;Frei verwendbar", "inventory",
         {"on_hand": "frei_verwendbar"}),
        ("Document No.;Posting Date;Type;No.;Description;Quantity", "sales", {"item": "no"}),
        ("Snapshot Date,SKU,Warehouse,Qty", "inventory",
         {"as_of": "snapshot_date", "on_hand": "qty"}),
    ],
)  # fmt: skip
def test_tables_of_many_houses_are_known(header: str, kind: str, mapping: dict[str, str]) -> None:
    found = recognise(re.split(r"[;,]", header), file_name="x.csv")
    assert found.kind == kind
    assert mapping.items() <= found.mapping.items()


@pytest.mark.parametrize(
    "header",
    [
        "name,email,phone", "employee_id,first_name,last_name,email,location",
        "employee_id,name,location", "id,data", "date,city,temperature,humidity",
        "ticket_id,customer,subject,status", "Store,Date,Weekly_Sales,Temperature,Fuel_Price",
        "question,answer,score", "country,year,population,gdp", "Vorname;Nachname;Ort;Telefon",
        "id,name,value", "user_id,email,country", "timestamp,sensor,value,unit",
        "Konto;Betrag;Datum;Verwendungszweck", "first_name,last_name,city,zip",
    ],
)  # fmt: skip
def test_tables_of_other_trades_stay_unknown(header: str) -> None:
    assert recognise(re.split(r"[;,]", header), file_name="x.csv").kind == ""


def test_no_spelling_means_two_fields() -> None:
    owners: dict[str, str] = {}
    for field, spellings in FIELDS.items():
        for spelling in spellings:
            assert column_names([spelling]) == (spelling,)
            assert owners.setdefault(spelling.replace("_", ""), field) == field


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


@pytest.mark.parametrize(
    ("header", "key", "known", "aliases"),
    [
        ("sku,stock", "codigo", "codigo,existencias", {"sku": "codigo"}),
        ("codigo,stock", "codigo", "codigo,existencias", {}),
        ("sku,ean,stock", "codigo", "codigo,existencias", {}),  # which of the two?
        ("sku,stock", "codigo", "codigo,sku,existencias", {}),  # the table has a sku, too
        ("colour,stock", "codigo", "codigo,existencias", {}),
        ("sku,stock", "whatever", "whatever,existencias", {}),
        ("sku,store,stock", "codigo,almacen", "codigo,almacen,existencias",
         {"sku": "codigo", "store": "almacen"}),
    ],
)  # fmt: skip
def test_a_key_under_another_name_is_known_only_where_there_is_no_doubt(
    header: str, key: str, known: str, aliases: dict[str, str]
) -> None:
    found = key_aliases(header.split(","), key=key.split(","), known=known.split(","))
    assert found == aliases
