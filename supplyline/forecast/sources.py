"""Finds sales, products and stock among an organization's tables.

Promises: what the organization decided (`TableSettings.mapping`) goes before what is recognised by
column names; whatever was taken for what is in the answer, so that it can be overruled. Refuses
(`NotEnoughHistory`) when no table has an item, a date and a quantity.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

import psycopg
from psycopg import sql

from supplyline.errors import NotEnoughHistory
from supplyline.month_columns import month_columns
from supplyline.tenancy.catalog import table_settings, tables
from supplyline.vocabulary import as_stock, field_columns

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Source:
    """One table and which of its columns is what. `months`: column → month (`2024-01`) of a sheet
    with a column of quantities for each month, which stands for date and quantity. `headed`: the
    item stands in a row of its own above its lines, in a column without a name (QuickBooks)."""

    table: str
    columns: Mapping[str, str]
    months: Mapping[str, str] = field(default_factory=dict)
    headed: bool = False

    def has(self, *fields: str) -> bool:
        return all(f in self.columns for f in fields)

    @property
    def sells(self) -> bool:
        """Whether it may hold lines of sales."""
        return self.has("item") and bool(self.months or self.has("quantity"))

    @property
    def dated(self) -> bool:
        return bool(self.months or self.has("date"))

    def reads(self, field: str) -> bool:
        return field in self.columns or (bool(self.months) and field in ("date", "quantity"))


@dataclass(frozen=True, kw_only=True)
class Sources:
    """`sales`: the lines of demand; `orders`: where the lines' dates are, when not with them;
    `masters`: tables with facts per item; `stock`: what is on hand, per item and place;
    `receipts`: orders to suppliers with the day of arrival; `suppliers`: their terms; `unread`:
    tables that look like sales and are not read, with the reason."""

    sales: Source
    orders: Source | None
    masters: tuple[Source, ...]
    stock: tuple[Source, ...] = ()
    receipts: tuple[Source, ...] = ()
    suppliers: tuple[Source, ...] = ()
    unread: Mapping[str, str] = field(default_factory=dict)

    def as_json(self) -> dict[str, Any]:
        named = [("sales", self.sales), ("orders", self.orders)]
        for role in ("masters", "stock", "receipts", "suppliers"):
            named += [("facts" if role == "masters" else role, s) for s in getattr(self, role)]
        return {
            f"{role}:{s.table}": {**s.columns, **dict.fromkeys(s.months, "month")}
            for role, s in named
            if s is not None
        }


def columns_of(conn: Connection, table: str) -> tuple[str, ...]:
    """The table's columns of files, without our own bookkeeping ones."""
    return tuple(c for c in _columns(conn, table) if not c.startswith("_"))


def hidden_columns(conn: Connection, table: str) -> set[str]:
    """Those of our own that it has; a table that was made by hand has none."""
    return {c for c in _columns(conn, table) if c.startswith("_")}


def _columns(conn: Connection, table: str) -> tuple[str, ...]:
    rows = conn.execute(
        "SELECT a.attname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid"
        " WHERE c.relnamespace = 'public'::regnamespace AND c.relname = %s AND a.attnum > 0"
        " AND NOT a.attisdropped ORDER BY a.attnum",
        (table,),
    ).fetchall()
    return tuple(str(r[0]) for r in rows)


def recognise_columns(columns: tuple[str, ...], decided: Mapping[str, str]) -> dict[str, str]:
    """Field → column: what was decided, then what the names say; a column serves one field."""
    out = {f: c for f, c in decided.items() if c in columns}
    rest = [c for c in columns if c not in out.values()]
    for name, column in field_columns(rest).items():
        out.setdefault(name, column)
    if "name" not in out and "description" in out:
        out["name"] = out.pop("description")
    return out


FACTS = (
    "name", "category", "supplier", "unit_cost", "unit_price", "lead_time_days", "lead_time_weeks",
    "lead_time_sd_days", "review_days", "min_order_qty", "pack_size", "order_cost", "holding_rate",
    "fill_rate", "on_hand", "on_order",
)  # fmt: skip
"""Fields of an item that tables beside the sales may know."""
STAGES = ("discontinued", "active", "status")
"""What a table of products says of whether an item is still bought."""
TERMS = (
    "lead_time_days", "lead_time_weeks", "lead_time_sd_days", "review_days", "min_order_qty",
    "order_cost",
)  # fmt: skip
"""Of those, what a supplier's row says for all items of that supplier."""


NEEDED = ("item", "date", "quantity")


PURCHASE = frozenset({
    "po", "po_no", "po_number", "po_id", "po_line", "purchase_order", "purchase_order_id",
    "purchase_order_no", "purchase_order_number", "ebeln",
})  # fmt: skip
"""Columns of orders to suppliers."""


def find(conn: Connection) -> Sources:
    """Which tables hold what. Raises NotEnoughHistory."""
    found, purchases = [], set()
    for table in tables(conn):
        decided = table_settings(conn, table).mapping
        columns = columns_of(conn, table)
        meant = recognise_columns(columns, decided)
        if "quantity" not in decided:
            meant = as_stock(meant, table=table)
        sheet = "item" in meant and not {"quantity", "date", "on_hand"} & set(meant)
        months = month_columns(columns) if sheet else {}
        headed = _is_headed(conn, table, columns, meant)
        if headed:
            meant = {**meant, "item": columns[0]}
        found.append(Source(table=table, columns=meant, months=months, headed=headed))
        if _is_purchase(found[-1], columns) and "date" not in decided:
            purchases.add(table)
    receipts = [s for s in found if _is_receipts(s)]
    sales, orders = _sales(
        conn, [s for s in found if s.table not in purchases], arrived={s.table for s in receipts}
    )
    used = {sales.table} | ({orders.table} if orders else set())
    receipts = [s for s in receipts if s.table not in used]
    beside = [s for s in found if s.table not in used and s not in receipts]
    counted = [s for s in found if s.has("item", "on_hand") and s not in receipts]
    known = {s.table for s in counted}
    return Sources(
        sales=sales,
        orders=orders,
        masters=tuple(
            s
            for s in (*beside, *([sales] if sales.months else []))
            if s.has("item")
            and not s.has("order")
            and (s.table in known or not s.has("date", "quantity"))
            and any(s.has(f) for f in FACTS if f not in ("on_hand", "on_order"))
        ),
        stock=tuple(_dated_stock(s) for s in counted),
        receipts=tuple(receipts),
        suppliers=tuple(
            s
            for s in beside
            if s.has("supplier") and not s.has("item") and any(s.has(f) for f in TERMS)
        ),
        unread={
            s.table: "orders to suppliers" if s.table in purchases else f"{sales.table} is larger"
            for s in beside
            if s.sells and s.dated and s.table not in known
        },
    )


def _sales(
    conn: Connection, found: list[Source], *, arrived: set[str]
) -> tuple[Source, Source | None]:
    """The lines of sales, and the orders that date them. Of several kinds of tables the surest is
    taken: dated lines; lines of dated orders; lines that hold a count of stock as well; lines that
    say when they `arrived`, which may be orders to suppliers."""
    lines = [s for s in found if s.sells]
    plain = [s for s in lines if s.table not in arrived and not s.has("on_hand")]
    if dated := [s for s in plain if s.dated]:
        return _largest(conn, dated), None
    heads = [s for s in found if s.has("order", "date") and not s.has("item")]
    if heads and (joined := [s for s in plain if s.has("order")]):
        return _largest(conn, joined), _largest(conn, heads)
    for kind in (
        [s for s in lines if s.has("date") and s.table not in arrived],
        [s for s in lines if s.has("date") and not s.has("supplier")],
    ):
        if kind:
            return _largest(conn, kind), None
    raise NotEnoughHistory(
        f"No table with an item, a date and a quantity was found.{_what_lacks(conn, found)}",
        next_step="Load sales history, or say which column is what: PUT /api/tables/<table>/"
        'contract/ with a mapping such as {"item": "sku", "date": "day", "quantity": "pieces"}.',
    )


TOLD_TABLES, TOLD_COLUMNS = 5, 12


def _what_lacks(conn: Connection, found: list[Source]) -> str:
    """Of each table what was understood, what lacks, and the columns left."""
    out = ""
    for source in found[:TOLD_TABLES]:
        has = [f"{f} is {source.columns[f]}" for f in NEEDED if f in source.columns]
        lacks = [f for f in NEEDED if not source.has(f)]
        rest = [c for c in columns_of(conn, source.table) if c not in source.columns.values()]
        more = f" and {len(rest) - TOLD_COLUMNS} more" if len(rest) > TOLD_COLUMNS else ""
        out += f" {source.table}: {', '.join(has) or 'nothing of it'}"
        out += f"; no {', no '.join(lacks)}" if lacks else ", but it is no table of sales"
        out += f" among {', '.join(rest[:TOLD_COLUMNS])}{more}." if lacks and rest else "."
    return out


def _is_headed(
    conn: Connection, table: str, columns: tuple[str, ...], meant: Mapping[str, str]
) -> bool:
    """Whether the first column, which has no name, is empty in all lines of sales, and stands in
    rows that are none."""
    if "item" in meant or not {"date", "quantity"} <= set(meant) or columns[:1] != ("column_1",):
        return False
    if "_row" not in hidden_columns(conn, table):
        return False
    row = conn.execute(
        sql.SQL(
            "SELECT bool_or(named) AND bool_or(dated) AND NOT bool_or(named AND dated) FROM (SELECT"
            " btrim(coalesce({}::text, '')) <> '' AS named, {} IS NOT NULL AND {}::text <> '' AS"
            " dated FROM public.{}) lines"
        ).format(
            sql.Identifier(columns[0]),
            sql.Identifier(meant["date"]),
            sql.Identifier(meant["date"]),
            sql.Identifier(table),
        )
    ).fetchone()
    return bool(row and row[0])


def _is_purchase(source: Source, columns: tuple[str, ...]) -> bool:
    """Orders to suppliers: goods that come, not goods that go."""
    if source.has("customer"):
        return False
    expected = source.has("supplier") and source.has("received_date")
    return expected or bool(PURCHASE & set(columns)) or source.table.startswith("purchase")


def _is_receipts(source: Source) -> bool:
    """Orders to suppliers that say when they came (an expected day is no arrival)."""
    arrival = source.columns.get("received_date", "")
    return (
        source.has("date", "received_date")
        and arrival not in ("eta", "required_date")
        and (source.has("item") or source.has("supplier"))
        and not source.has("customer")
    )


def _dated_stock(source: Source) -> Source:
    """A count of stock may call its day just `date`."""
    columns = dict(source.columns)
    if "as_of" not in columns and "date" in columns:
        columns["as_of"] = columns.pop("date")
    return Source(table=source.table, columns=columns)


def _largest(conn: Connection, among: list[Source]) -> Source:
    if len(among) == 1:
        return among[0]
    sizes = []
    for s in among:
        query = sql.SQL("SELECT count(*) FROM public.{}").format(sql.Identifier(s.table))
        row = conn.execute(query).fetchone()
        sizes.append(((int(row[0]) if row else 0) * max(1, len(s.months)), s.table, s))
    return max(sizes, key=lambda e: e[:2])[2]


def type_of(conn: Connection, source: Source, field: str) -> str:
    """PostgreSQL's name for the type of a field's column."""
    row = conn.execute(
        "SELECT format_type(atttypid, NULL) FROM pg_attribute WHERE attname = %s"
        " AND attrelid = (SELECT oid FROM pg_class WHERE relname = %s"
        " AND relnamespace = 'public'::regnamespace)",
        (source.columns[field], source.table),
    ).fetchone()
    return str(row[0]) if row else ""
