"""What the type of a line says: a sale, a return, or a movement of stock that is no demand.

Promises: only words and codes that are known change anything; what is left out is counted like
cancelled lines (`statuses`), and settings overrule it. A ledger of stock movements is told by sales
that are negative, or by purchases beside them; in it only what went to customers or was used up is
demand.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import psycopg
from psycopg import sql

from supplyline.forecast.sources import Source, columns_of
from supplyline.forecast.status_words import NEVER_SOLD, NOT_SO
from supplyline.forecast.statuses import AS_IS, BACK, OUT, TURNED, VOID, folded
from supplyline.vocabulary import spelled

Connection = psycopg.Connection[tuple[Any, ...]]

MOST = 100
"""A column with more values than these is no type."""
MOSTLY = 0.9


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


RETURNED = _words(
    "return returns returned refund refunded retoure retouren gutschrift rucksendung ruckgabe"
    " retour avoir remboursement devolucion abono reembolso reso"
)
CREDIT = _words("memo memos note notes invoice rma")
"""Beside `credit` these are returns; a credit card is not."""
PAYMENTS = _words(
    "card paypal visa mastercard amex klarna cheque wire bank uberweisung lastschrift kreditkarte"
)
"""They make a column one of payments, in which a transfer is no movement of stock."""
PEOPLE = _words("customer customers client kunde visitor trip ticket policy address")
VOIDED = _words(
    "void voided cancel cancelled canceled cancellation storno storniert annule annulation anulado"
    " cancelado"
)
OFFERED = NEVER_SOLD | _words("estimate estimates offer offerte preventivo")
NO_ITEM = frozenset(
    ("g l account", "sachkonto", "resource", "ressource", "comment", "kommentar", "charge item",
     "fixed asset", "anlage")
)  # fmt: skip
"""Types of lines of invoices (Dynamics) that hold no item."""
DEMAND = _words(
    "sale sales sold issue issues issued shipment shipments shipped delivery invoice invoices"
    " consumption out verkauf verbrauch warenausgang lieferung abgang rechnung vente ventes sortie"
    " venta ventas salida consumo vendita"
)
SUPPLY = _words(
    "purchase purchases vendor supplier receiving inbound production transfer transfers adjustment"
    " adjustments adjmt einkauf lieferant wareneingang zugang umlagerung inventur achat entree"
    " transfert compra compras entrada acquisto"
)
MAY_BE_SUPPLY = _words("receipt receipts received in output bill count")
"""The same, where nothing says that it is of a sale."""
ONE_OF_MANY = {"amount_description": "principal"}
"""Lists with a row for each amount of one line (Amazon's settlements) → the row of the goods."""
ISSUED = _words("201 221 231 251 261 281 291 601 633")
"""SAP's movement types of goods that were sold, delivered or used up; the next takes it back."""
CAME_BACK = frozenset(str(int(code) + 1) for code in ISSUED) | {"651", "653"}
MOVEMENTS = _words("movement_type bewegungsart bwart mvt mvmt_type mov_type movement_type_code bwa")
"""Columns that hold such codes."""


def read(conn: Connection, sales: Source) -> dict[str, dict[str, str]]:
    """Column → text → what it says, of the types that lines of sales have. One column alone tells
    the movements of a ledger."""
    columns = columns_of(conn, sales.table)
    if "quantity" not in sales.columns:
        return {}
    for name, wanted in ONE_OF_MANY.items():
        if name in columns and (counts := _counts(conn, sales, name)):
            return {name: {t: AS_IS if folded(t) == wanted else OUT for t in counts}}
    taken = set(sales.columns.values()) - {sales.columns.get("document", "")}
    out: dict[str, dict[str, str]] = {}
    for name in dict.fromkeys(spelled("document", columns)):
        counts = {} if name in taken else _counts(conn, sales, name)
        kinds = {t: kind_of(t, codes=name in MOVEMENTS) for t in counts}
        if is_ledger(kinds, counts):
            return {name: meanings(kinds, counts)}
        found = meanings(kinds, counts)
        if set(found.values()) - {AS_IS}:
            out[name] = found
    return out


def _counts(conn: Connection, sales: Source, column: str) -> dict[str, tuple[int, int]]:
    """Text → its lines, and how many of them are negative; empty where these are too many."""
    query = sql.SQL(
        "SELECT {0}::text, count(*), count(*) FILTER (WHERE btrim({1}::text) ~ '^[-(]|-$')"
        " FROM public.{2} WHERE btrim({0}::text) <> '' GROUP BY 1 LIMIT {3}"
    ).format(
        sql.Identifier(column),
        sql.Identifier(sales.columns["quantity"]),
        sql.Identifier(sales.table),
        sql.Literal(MOST + 1),
    )
    rows = conn.execute(query).fetchall()
    return {text: (lines, below) for text, lines, below in rows} if len(rows) <= MOST else {}


def is_ledger(kinds: Mapping[str, str], counts: Mapping[str, tuple[int, int]]) -> bool:
    """Whether purchases stand beside the sales, or the sales are negative."""
    if "pay" in kinds.values():
        return False
    sold = [counts[t] for t, k in kinds.items() if k == "demand"]
    return bool(sold) and ("supply" in kinds.values() or _turned(sold))


def meanings(kinds: Mapping[str, str], counts: Mapping[str, tuple[int, int]]) -> dict[str, str]:
    """Text → what it says, from its kind, its lines, and how many of them are negative."""
    lines = {k: sum(counts[t][0] for t in counts if kinds[t] == k) for k in ("back", "void", "pay")}
    if lines["pay"] or lines["back"] + lines["void"] > sum(n for n, _ in counts.values()) / 2:
        return dict.fromkeys(counts, AS_IS)
    if is_ledger(kinds, counts):
        sold = [counts[t] for t, k in kinds.items() if k == "demand"]
        said = {"back": BACK, "demand": TURNED if _turned(sold) else AS_IS}
        return {text: said.get(k, OUT) for text, k in kinds.items()}
    said = {"back": BACK, "void": VOID, "offer": OUT}
    return {text: said.get(k, AS_IS) for text, k in kinds.items()}


def _turned(sold: list[tuple[int, int]]) -> bool:
    return sum(below for _, below in sold) >= MOSTLY * sum(lines for lines, _ in sold)


def kind_of(text: str, *, codes: bool) -> str:
    """`demand`, `supply`, `back`, `void`, `offer`, `pay`, or what says nothing."""
    code = text.strip()[:3]
    return _of_code(code) if codes and code.isdecimal() else _of_words(text)


def _of_code(code: str) -> str:
    return "demand" if code in ISSUED else "back" if code in CAME_BACK else "supply"


def _of_words(text: str) -> str:
    bare = folded(text)
    words = set(bare.split())
    if words & PAYMENTS:
        return "pay"
    if words & (NOT_SO | PEOPLE):
        return ""
    if bare in NO_ITEM:
        return "offer"
    if words & SUPPLY or bare == "in":
        return "supply"
    if words & RETURNED or ("credit" in words and words & CREDIT):
        return "back"
    kinds = {"void": VOIDED, "offer": OFFERED, "demand": DEMAND, "perhaps supply": MAY_BE_SUPPLY}
    return next((name for name, among in kinds.items() if words & among), "")
