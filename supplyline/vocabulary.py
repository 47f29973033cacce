"""What supply-chain files call things: which table a file is, which column is what.

Promises: a proposal with its reasons, never a decision; unknown headers simply work, the table is
then named after the file. Ground: knows names only, reads no data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supplyline.errors import InvalidName
from supplyline.tenancy.names import column_names, parse_table_name

FIELDS: dict[str, tuple[str, ...]] = {
    "item": ("sku", "item", "item_id", "item_code", "item_no", "item_number", "product_id",
             "product_code", "product_sku", "stock_code", "stockcode", "article", "article_id",
             "article_number", "article_no", "part", "part_no", "part_number", "material",
             "material_number", "product", "artikel", "artikelnummer", "artikel_nr", "artikelnr",
             "reference", "ref_article", "code_article", "codigo", "codigo_producto", "upc", "ean",
             "gtin", "asin", "unique_id"),
    "quantity": ("quantity", "qty", "units", "units_sold", "quantity_sold", "qty_sold",
                 "sold_quantity", "order_qty", "order_quantity", "quantity_ordered", "sales_qty",
                 "sold", "amount_sold", "menge", "anzahl", "quantite", "cantidad", "demand", "y"),
    "date": ("date", "order_date", "invoice_date", "sale_date", "sales_date", "sold_at", "sold_on",
             "transaction_date", "ordered_at", "posting_date", "day", "datum", "bestelldatum",
             "date_commande", "fecha", "created_at", "timestamp", "datetime", "month", "week",
             "ds"),
    "order": ("order", "order_id", "order_no", "order_number", "invoice", "invoice_no",
              "invoice_number", "invoiceno", "transaction_id", "receipt", "receipt_no",
              "sales_order", "auftrag", "auftragsnummer", "bestellnummer", "rechnungsnummer",
              "commande", "pedido"),
    "line": ("line", "line_no", "line_number", "line_id", "order_line", "order_line_id", "row_id",
             "position", "pos", "order_item_id", "zeile"),
    "unit_price": ("unit_price", "price", "sales_price", "selling_price", "list_price", "msrp",
                   "sell_price", "standard_price", "preis", "verkaufspreis", "prix",
                   "prix_unitaire", "precio"),
    "amount": ("amount", "total", "line_total", "revenue", "sales", "sales_amount", "net_amount",
               "turnover", "umsatz", "betrag", "montant", "importe"),
    "customer": ("customer", "customer_id", "customer_no", "customer_number", "client", "client_id",
                 "kunde", "kundennummer", "cliente"),
    "on_hand": ("on_hand", "stock", "stock_on_hand", "qty_on_hand", "quantity_on_hand",
                "units_in_stock", "quantity_in_stock", "in_stock", "inventory", "stock_level",
                "stock_qty", "stock_quantity", "available", "available_qty", "soh", "bestand",
                "lagerbestand", "existencias"),
    "on_order": ("on_order", "units_on_order", "qty_on_order", "quantity_on_order", "incoming",
                 "open_orders", "in_transit", "bestellt"),
    "location": ("location", "location_id", "warehouse", "warehouse_id", "warehouse_code", "site",
                 "store", "store_id", "plant", "depot", "lager", "lagerort", "entrepot", "almacen"),
    "as_of": ("as_of", "snapshot_date", "stock_date", "counted_at", "count_date", "stichtag"),
    "name": ("name", "product_name", "item_name", "title", "bezeichnung", "nom", "nombre",
             "company_name", "supplier_name", "customer_name", "warehouse_name", "contact_name"),
    "description": ("description", "item_description", "product_description", "beschreibung"),
    "category": ("category", "category_id", "category_name", "product_category", "product_group",
                 "department", "family", "kategorie", "warengruppe", "categorie", "categoria"),
    "supplier": ("supplier", "supplier_id", "supplier_code", "vendor", "vendor_id", "vendor_no",
                 "lieferant", "lieferantennummer", "fournisseur", "proveedor"),
    "unit_cost": ("unit_cost", "cost", "cost_price", "purchase_price", "standard_cost",
                  "einkaufspreis", "prix_achat", "costo"),
    "lead_time_days": ("lead_time_days", "lead_time", "leadtime", "lead_days", "delivery_days",
                       "lieferzeit", "lieferzeit_tage", "delai", "plazo"),
    "lead_time_sd_days": ("lead_time_sd_days", "lead_time_sd", "lead_time_std", "lead_time_stddev",
                          "lead_time_deviation", "lead_time_variation"),
    "review_days": ("review_days", "review_period", "review_period_days", "order_cycle_days",
                    "order_interval_days"),
    "order_cost": ("order_cost", "ordering_cost", "cost_per_order", "bestellkosten"),
    "holding_rate": ("holding_rate", "holding_cost_rate", "carrying_rate", "carrying_cost_rate"),
    "fill_rate": ("target_fill_rate", "service_level", "target_service_level", "fill_rate"),
    "min_order_qty": ("min_order_qty", "moq", "min_order", "minimum_order_quantity",
                      "min_order_quantity", "mindestbestellmenge"),
    "pack_size": ("pack_size", "case_size", "case_pack", "pack", "order_multiple", "lot_size",
                  "packungsgroesse"),
    "reorder_level": ("reorder_level", "reorder_point", "min_stock", "minimum_stock",
                      "meldebestand"),
    "shipment": ("shipment", "shipment_id", "shipment_no", "tracking", "tracking_number",
                 "delivery_id", "consignment", "lieferung"),
    "ship_date": ("ship_date", "shipped_date", "shipped_at", "dispatch_date", "versanddatum"),
    "received_date": ("received_date", "received_at", "delivery_date", "arrival_date", "eta",
                      "required_date"),
    "carrier": ("carrier", "shipper", "ship_via", "spediteur"),
    "country": ("country", "land", "pays", "pais", "country_region"),
    "status": ("order_status", "line_status", "sale_status", "sales_status", "invoice_status",
               "transaction_status", "item_status", "status", "financial_status", "payment_status",
               "fulfillment_status", "fulfilment_status", "delivery_status", "shipping_status",
               "auftragsstatus", "bestellstatus", "rechnungsstatus", "lieferstatus",
               "zahlungsstatus", "statut", "statut_commande", "statut_facture", "estatus",
               "estado_pedido", "estado_del_pedido", "estado_venta", "etat_commande",
               "order_state", "state", "zustand", "etat", "estado", "stato"),
    "cancelled": ("cancelled", "canceled", "is_cancelled", "is_canceled", "cancelled_at",
                  "canceled_at", "cancelled_on", "voided", "is_void", "is_voided", "storniert",
                  "ist_storniert", "storno", "annule", "annulee", "est_annule", "cancelado",
                  "cancelada", "anulado", "anulada", "esta_cancelado"),
}  # fmt: skip
"""Standard field → names of columns (as `tenancy.names.column_names` makes them)."""

_KINDS: dict[str, tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]] = {
    # kind: fields that must be there, fields that speak for it, fields that speak against it
    "sales": (("item", "quantity"), ("date", "order", "unit_price", "amount", "customer", "line"),
              ("on_hand", "shipment")),
    "inventory": (("item", "on_hand"), ("location", "as_of", "on_order"),
                  ("name", "unit_price", "category", "supplier", "order")),
    "products": (("item",), ("name", "description", "category", "unit_cost", "unit_price",
                             "supplier", "lead_time_days", "pack_size", "min_order_qty",
                             "reorder_level"), ("order", "quantity", "shipment", "date")),
    "orders": (("order", "date"), ("customer", "ship_date", "received_date"), ("item",)),
    "shipments": (("shipment",), ("ship_date", "received_date", "carrier", "item", "quantity"), ()),
    "suppliers": (("supplier",), ("name", "lead_time_days", "country"), ("item", "order")),
    "customers": (("customer",), ("name", "country"), ("item", "order", "quantity")),
    "warehouses": (("location",), ("name", "country"), ("item", "order", "quantity")),
}  # fmt: skip

_KEYS: dict[str, tuple[tuple[str, ...], ...]] = {
    "products": (("item",),),
    "inventory": (("item", "location", "as_of"), ("item", "location"), ("item", "as_of"),
                  ("item",)),
    "sales": (("order", "line"), ("line",)),
    "orders": (("order", "line"), ("order",)),
    "shipments": (("shipment", "line"), ("shipment",)),
    "suppliers": (("supplier",),),
    "customers": (("customer",),),
    "warehouses": (("location",),),
}  # fmt: skip

_FILE_WORDS: dict[str, tuple[str, ...]] = {
    "sales": ("sales", "sale", "order_details", "order_lines", "order_items", "transactions",
              "invoices", "verkaeufe", "ventes", "ventas"),
    "orders": ("orders",),
    "inventory": ("inventory", "stock", "stocks", "on_hand", "bestand", "lager"),
    "products": ("products", "product", "items", "articles", "artikel", "catalog", "skus"),
    "suppliers": ("suppliers", "vendors", "lieferanten"),
    "customers": ("customers", "clients", "kunden"),
    "warehouses": ("warehouses", "locations", "stores"),
    "shipments": ("shipments", "deliveries"),
}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TableProposal:
    """`kind`: one of the known tables, or `""`; `mapping`: standard field → column name."""

    table: str
    kind: str
    confidence: float
    reasons: tuple[str, ...]
    mapping: dict[str, str]


_SHORT = {
    "acct": "account", "amt": "amount", "art": "article", "avail": "available", "cat": "category",
    "cust": "customer", "desc": "description", "inv": "invoice", "loc": "location",
    "no": "number", "nr": "number", "num": "number", "nbr": "number", "ord": "order",
    "prod": "product", "qty": "quantity", "qnty": "quantity", "supp": "supplier",
    "vend": "vendor", "wh": "warehouse", "whse": "warehouse",
}  # fmt: skip
_MEASURES = frozenset({
    "eur", "euro", "usd", "gbp", "chf", "sek", "nok", "dkk", "pln", "czk", "cad", "aud", "jpy",
    "pc", "pcs", "pce", "ea", "each", "stk", "stck", "unit", "units", "piece", "pieces", "kg",
})  # fmt: skip


def _plain(name: str) -> str:
    """Abbreviations written out, the measure at the end left off: `unit_price_eur`, `cust_no`."""
    words = [_SHORT.get(word, word) for word in name.split("_")]
    while len(words) > 1 and words[-1] in _MEASURES:
        words.pop()
    return "".join(words)


def field_columns(columns: Sequence[str]) -> dict[str, str]:
    """Standard field → column, the surest spelling first; a column serves one field.

    Spellings as they stand go before those with abbreviations and measures.
    """
    out: dict[str, str] = {}
    for form in (lambda name: name.replace("_", ""), _plain):
        bare = {form(c): c for c in reversed(list(columns))}
        for name, spellings in FIELDS.items():
            for spelling in spellings if name not in out else ():
                column = bare.get(form(spelling))
                if column is not None and column not in out.values():
                    out[name] = column
                    break
    return {name: out[name] for name in FIELDS if name in out}


def spelled(field: str, columns: Sequence[str]) -> list[str]:
    """All columns that are called like a field, not only the surest."""
    return [
        column
        for spelling in FIELDS[field]
        for column in columns
        if column.replace("_", "") == spelling.replace("_", "")
        or _plain(column) == _plain(spelling)
    ]


def recognise(headers: Sequence[str], *, file_name: str = "") -> TableProposal:
    """Proposes the table for a file from its header and name."""
    fields = field_columns(column_names(headers))
    stem = _stem(file_name)
    best, best_score = "", 0.0
    best_reasons: tuple[str, ...] = ("the header is of no known table",)
    for kind, (required, typical, against) in _KINDS.items():
        there = [f for f in required if f in fields]
        if len(there) < len(required):
            continue
        speaking = [f for f in typical if f in fields]
        contrary = [f for f in against if f in fields]
        score = len(there) + 0.8 * len(speaking) - 1.0 * len(contrary)
        named = stem in _FILE_WORDS[kind]
        score += 2.0 if named else 0.0
        if score > best_score:
            reasons = [f"{f} is in column {fields[f]}" for f in (*there, *speaking)]
            reasons += ["the file's name says so"] if named else []
            best, best_score, best_reasons = kind, score, tuple(reasons)
    if best and best_score < 1.5:
        best = ""
    return TableProposal(
        table=best or _table_name(stem),
        kind=best,
        confidence=round(min(best_score / 5, 1.0), 2) if best else 0.0,
        reasons=best_reasons,
        mapping=propose_mapping(best, column_names(headers)),
    )


def propose_mapping(kind: str, columns: Sequence[str]) -> dict[str, str]:
    """Standard field → column for a kind of table; every field found for an unknown kind."""
    found = field_columns(columns)
    if kind in _KINDS:
        required, typical, _ = _KINDS[kind]
        wanted = {*required, *typical, "location", "on_hand", "on_order"}
        return {f: c for f, c in found.items() if f in wanted}
    return found


def key_candidates(kind: str, mapping: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Columns that may be the business key, most natural first; to be tested on the data.

    Lines of documents have one only if a column numbers them: that an order names an item once in
    the first file does not mean that it never will twice. `mapping`: every field that was found.
    """
    lines = "item" in mapping or "quantity" in mapping or "line" in mapping
    return [
        tuple(mapping[f] for f in fields)
        for fields in _KEYS.get(kind, ())
        if all(f in mapping for f in fields)
        and not (fields == ("line",) and mapping["line"] not in _LINE_IDS)
        and not (fields in (("order",), ("shipment",)) and lines)
    ]


_LINE_IDS = ("line_id", "order_line_id", "order_item_id")
"""Columns that name a line among those of all documents; a line's number is its document's."""


def _stem(file_name: str) -> str:
    """`Sales_2024-01-31 (2).csv.gz` → `sales`."""
    stem = re.split(r"[\\/]", file_name)[-1].split(".", 1)[0]
    stem = re.sub(r"^[^A-Za-z]+", "", stem)
    stem = column_names([stem])[0] if stem else ""
    return re.sub(r"(_?(\d+|copy|final|export|v\d+))+$", "", stem).strip("_")


def _table_name(stem: str) -> str:
    name = re.sub(r"^[^a-z]+", "", stem)[:48] or "data"
    try:
        return parse_table_name(name)
    except InvalidName:  # a name that is kept for other tables
        return f"{re.sub(r'^(pg_+)+', '', name)[:43]}_data"
