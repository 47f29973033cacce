"""What supply-chain files call things: which table a file is, which column is what.

Promises: a proposal with its reasons, never a decision; unknown headers simply work, the table is
then named after the file. Ground: knows names only, reads no data.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from supplyline.errors import InvalidName
from supplyline.month_columns import month_columns
from supplyline.spellings import FIELDS
from supplyline.tenancy.names import column_names, parse_table_name

_PLACE = ("country", "city", "address", "postcode")
_PERSON = ("first_name", "last_name", "email", "phone")
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
    "suppliers": (("supplier",), ("name", "lead_time_days", *_PLACE, *_PERSON),
                  ("item", "order")),
    "customers": (("customer",), ("name", *_PLACE, *_PERSON), ("item", "order", "quantity")),
    "warehouses": (("location",), ("name", *_PLACE),
                   ("item", "order", "quantity", "customer", "supplier", *_PERSON[:3])),
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


_WHO: dict[str, tuple[str, ...]] = {
    "item": ("item", "product", "article", "material", "part", "artikel", "produkt", "producto",
             "produit", "articulo", "prodotto", "articolo", "produto", "towar"),
    "customer": ("customer", "client", "kunde", "cliente", "klant", "klient"),
    "supplier": ("supplier", "vendor", "lieferant", "fournisseur", "proveedor", "fornitore",
                 "leverancier", "fornecedor", "dostawca"),
    "location": ("location", "warehouse", "site", "store", "lager", "filiale", "entrepot",
                 "almacen", "magazzino", "magazijn", "armazem", "magazyn"),
}  # fmt: skip
"""Words that are a name where another column has the number."""
ITEM_NAMES = frozenset((
    *_WHO["item"], "item_name", "product_name", "lineitem_name", "artikelname", "produktname",
    "artikelbezeichnung", "nom_produit", "nombre_producto", "title",
))  # fmt: skip
"""Columns of names that are an item's and nobody else's."""
_NUMBERED = re.compile(r"_(?:id|no|nr|number|num|code|key)$|nummer$")

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
    _second_look(columns, out)
    return {name: out[name] for name in FIELDS if name in out}


def _second_look(columns: Sequence[str], out: dict[str, str]) -> None:
    """What a word means by the company it keeps.

    `supplier_id, supplier`: the second is the name. `date, store, item, sales`: units, where no
    other column counts them and none has a price. `data` is a date in three languages, beside an
    item and a count of it; in English it is anything.
    """
    _items_and_orders(columns, out)
    if "on_hand" not in out and "available" in out:
        out["on_hand"] = out.pop("available")
        out.pop("reserved", None)  # it is not in there
    lone = out.get("amount") == "sales" and not {"quantity", "unit_price"} & set(out)
    if lone and {"item", "date"} <= set(out):
        out["quantity"] = out.pop("amount")
    counted = "quantity" in out or "on_hand" in out
    if "date" not in out and "data" in columns and "item" in out and counted:
        out["date"] = "data"
    if out.get("name", "").startswith(("customer_", "client_", "supplier_", "vendor_", "company")):
        item = [c for c in columns if c in _WHO["item"] and c not in out.values()]
        if "item" in out and item:
            out["name"] = item[0]
    if "name" not in out:
        for field in ("item", "customer", "supplier", "location"):
            bare = [c for c in columns if c in _WHO[field] and c not in out.values()]
            if field in out and bare:
                out["name"] = bare[0]
                return


def as_stock(fields: dict[str, str], *, table: str) -> dict[str, str]:
    """`sku, qty` of a table of stock, or beside the day of a count, is what is on hand."""
    counted = table == "inventory" or "as_of" in fields
    sold = {"on_hand", "order", "customer", "unit_price", "line"} & set(fields)
    if not counted or sold or not {"item", "quantity"} <= set(fields):
        return fields
    return {"on_hand" if f == "quantity" else f: c for f, c in fields.items()}


def _items_and_orders(columns: Sequence[str], out: dict[str, str]) -> None:
    """Lists in which a usual word means something else.

    `Item, Material` (SAP): the first numbers the lines. `Name, Lineitem sku` (Shopify): the first
    is the order. `Document No., Type, No.` (Dynamics): the last is the item. `item-price` (Amazon)
    is of the whole line.
    """
    material = next((c for c in ("material", "material_number", "matnr") if c in columns), "")
    if out.get("item") == "item" and material:
        out["item"] = material
        out.setdefault("line", "item")
    if "name" in columns and "lineitem_name" in columns:
        out["order"], out["name"] = "name", "lineitem_name"
    if "item" not in out and {"no", "type"} <= set(columns) and out.get("order") != "no":
        out["item"] = "no"
    if out.get("unit_price") == "item_price" and "amazon_order_id" in columns:
        out["amount"] = out.pop("unit_price")


def spelled(field: str, columns: Sequence[str]) -> list[str]:
    """All columns that are called like a field, not only the surest."""
    return [
        column
        for spelling in FIELDS[field]
        for column in columns
        if column.replace("_", "") == spelling.replace("_", "")
        or _plain(column) == _plain(spelling)
    ]


def key_aliases(
    columns: Sequence[str], *, key: Sequence[str], known: Sequence[str]
) -> dict[str, str]:
    """A file's column → the column of its table's key that it must be.

    Only where there is no doubt: the file lacks the key's column, one column alone of the file is
    called like the same field, and the table (whose columns are `known`) has none of its name.
    """
    meant, fields = field_columns(columns), field_columns(known)
    out: dict[str, str] = {}
    for wanted in key:
        field = next((f for f, c in fields.items() if c == wanted), None)
        if wanted in columns or field is None or field not in meant:
            continue
        other = meant[field]
        rivals = {*spelled(field, columns)} - {other}
        if other not in known and not rivals:
            out[other] = wanted
    return out


def recognise(headers: Sequence[str], *, file_name: str = "") -> TableProposal:
    """Proposes the table for a file from its header and name."""
    names = column_names(headers)
    stem = _stem(file_name)
    stock = "inventory" if stem in _FILE_WORDS["inventory"] else ""
    fields = as_stock(field_columns(names), table=stock)
    if "item" in fields and not {"quantity", "on_hand"} & set(fields) and month_columns(names):
        return TableProposal(
            table=_table_name(stem),
            kind="",
            confidence=0.0,
            reasons=(f"item is in column {fields['item']}", "months are in columns"),
            mapping=fields,
        )
    # `employee_id, name, location`: a list of something else than of locations.
    strangers = [n for n in names if _NUMBERED.search(n) and n not in fields.values()]
    best, best_score = "", 0.0
    best_reasons: tuple[str, ...] = ("the header is of no known table",)
    for kind, (required, typical, against) in _KINDS.items():
        there = [f for f in required if f in fields]
        if len(there) < len(required):
            continue
        speaking = [f for f in typical if f in fields]
        contrary = [f for f in against if f in fields]
        if kind in ("suppliers", "customers", "warehouses") and strangers:
            contrary.append(strangers[0])
        score = len(there) + 0.8 * len(speaking) - 1.0 * len(contrary)
        named = stem in _FILE_WORDS[kind]
        score += 2.0 if named else 0.0
        score = round(score, 6)  # sums of tenths
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
        mapping=_mapping(best, fields),
    )


def _mapping(kind: str, found: dict[str, str]) -> dict[str, str]:
    """Standard field → column for a kind of table; every field found for an unknown kind."""
    if kind in _KINDS:
        required, typical, _ = _KINDS[kind]
        wanted = {*required, *typical, "location", "on_hand", "on_order"}
        return {f: c for f, c in found.items() if f in wanted}
    return found


def key_candidates(kind: str, mapping: Mapping[str, str]) -> list[tuple[str, ...]]:
    """Columns that may be the business key, most natural first; to be tested on the data.

    Lines of documents have one only if a column numbers them: that an order names an item once in
    the first file does not mean that it never will twice. A day in a file of stock is the day on
    which it was counted: tomorrow's file has the same items. `mapping`: every field that was found.
    """
    if kind == "inventory" and "date" in mapping:
        mapping = {"as_of": mapping["date"], **mapping}
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
