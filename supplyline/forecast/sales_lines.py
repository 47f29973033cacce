"""The lines of sales as they are read from their table, with all that says what a line is.

Promises: texts as the table holds them; what is written once for several lines (the status of an
order) is with each of them; a line without a code is known by the name of its item.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

import psycopg
from psycopg import sql

from supplyline.forecast.sources import Source, Sources, columns_of, hidden_columns, type_of
from supplyline.vocabulary import ITEM_NAMES, spelled

if TYPE_CHECKING:
    import pandas as pd

Connection = psycopg.Connection[tuple[Any, ...]]

BLOCK_ROWS = 250_000


def read_lines(
    conn: Connection, sources: Sources, *, documents: Iterable[str] = ()
) -> Iterator[pd.DataFrame]:
    """The sales lines in blocks; every column is text, as a category, null where empty.

    `documents`: columns of types that say something (`documents`)."""
    sales, orders = sources.sales, sources.orders
    table = sql.Identifier(sales.table)
    wanted = ("item", "date", "quantity", "unit_price", "amount", "customer", "name", "order")
    above = ("item",) if sales.headed else OF_ORDERS if continued(conn, sales) else ()
    parts = [
        sql.SQL("{} AS {}").format(_cell(sales, f, above=above), sql.Identifier(f))
        for f in wanted
        if sales.reads(f)
    ]
    heads = () if above else order_heads(conn, sales)
    parts += _statuses(conn, sales, alias="s", heads=heads, above=above == OF_ORDERS)
    parts += [
        sql.SQL("s.{}::text AS {}").format(sql.Identifier(c), sql.Identifier(f"document:{c}"))
        for c in documents
    ]
    source = (
        _with_heads(sales, by="item" if sales.headed else "order")
        if above
        else sql.SQL("public.{} s").format(table)
    )
    if heads:
        source = sql.SQL("{} LEFT JOIN ({}) h ON h.head = s.{}::text").format(
            source, _heads(sales, heads), sql.Identifier(sales.columns["order"])
        )
    if sales.months:
        source = sql.SQL("({}) s").format(_months(conn, sales))
    if orders is not None:
        parts += _statuses(conn, orders, alias="o")
        parts.append(sql.SQL("o.{}::text AS date").format(sql.Identifier(orders.columns["date"])))
        source = sql.SQL("{} JOIN public.{} o ON o.{}::text = s.{}::text").format(
            source,
            sql.Identifier(orders.table),
            sql.Identifier(orders.columns["order"]),
            sql.Identifier(sales.columns["order"]),
        )
    query = sql.SQL("COPY (SELECT {} FROM {}) TO STDOUT (FORMAT csv, HEADER true)").format(
        sql.SQL(", ").join(parts), source
    )
    yield from _copied(conn, query)


def _cell(sales: Source, name: str, *, above: tuple[str, ...]) -> sql.Composable:
    """SQL: a field's text; of lines without a code the name of the item. `above`: fields that stand
    on the line above."""
    if name not in sales.columns:
        return sql.Identifier("s", MONTHLY[name])
    if name in above:
        return _from_above(sales.columns[name])
    column = sql.SQL("s.{}::text").format(sql.Identifier(sales.columns[name]))
    if name == "item" and sales.columns.get("name") in ITEM_NAMES:
        return sql.SQL("coalesce(nullif(btrim({}), ''), s.{}::text)").format(
            column, sql.Identifier(sales.columns["name"])
        )
    return column


OF_ORDERS = ("date", "customer", "order")


def _empty(alias: str, column: str) -> sql.Composed:
    return sql.SQL("btrim(coalesce({}.{}::text, '')) = ''").format(
        sql.Identifier(alias), sql.Identifier(column)
    )


def _from_above(column: str) -> sql.Composed:
    name = sql.Identifier(column)
    return sql.SQL("coalesce(nullif(btrim(s.{0}::text), ''), above.{0}::text)").format(name)


def continued(conn: Connection, sales: Source) -> int:
    """Lines that have an item and neither order nor date: those of an order that is written once,
    on the first of its lines (Odoo, cells that were joined in a sheet)."""
    if not sales.has("order", "date", "item", "quantity"):
        return 0
    order, day, item = (_empty("s", sales.columns[f]) for f in ("order", "date", "item"))
    if "_row" not in hidden_columns(conn, sales.table):
        return 0
    row = conn.execute(
        sql.SQL("SELECT count(*) FROM public.{} s WHERE {} AND {} AND NOT {}").format(
            sql.Identifier(sales.table), order, day, item
        )
    ).fetchone()
    return int(row[0]) if row else 0


def _with_heads(sales: Source, *, by: str) -> sql.Composed:
    """SQL: the lines as `s`, and as `above` the line that names the order (or item) of one that
    does not."""
    return sql.SQL(
        "(SELECT s.*, max(_row) FILTER (WHERE NOT {named}) OVER (PARTITION BY _file ORDER BY _row)"
        " AS head_row FROM public.{table} s) s LEFT JOIN public.{table} above"
        " ON {named} AND above._file = s._file AND above._row = s.head_row"
    ).format(named=_empty("s", sales.columns[by]), table=sql.Identifier(sales.table))


MONTHLY = {"date": "_month", "quantity": "_sold"}
"""Names of what `_months` adds; no column of a file begins so."""


def _months(conn: Connection, sales: Source) -> sql.Composed:
    """SQL: a sheet with a row for each month; a later sheet says a month anew."""
    newest = sql.SQL("_seq DESC" if "_seq" in hidden_columns(conn, sales.table) else "1")
    return sql.SQL(
        "SELECT * FROM (SELECT s.*, _month, _sold, rank() OVER (PARTITION BY s.{item}, _month"
        " ORDER BY {newest}) AS _age FROM public.{table} s CROSS JOIN LATERAL (VALUES {months})"
        " m (_month, _sold) WHERE btrim(_sold) <> '') s WHERE _age = 1"
    ).format(
        item=sql.Identifier(sales.columns["item"]),
        newest=newest,
        table=sql.Identifier(sales.table),
        months=sql.SQL(", ").join(
            sql.SQL("({}, s.{}::text)").format(sql.Literal(month), sql.Identifier(column))
            for column, month in sales.months.items()
        ),
    )


def said(conn: Connection, sales: Source) -> tuple[str, ...]:
    """What is to be said of lines that were read by what stands elsewhere."""
    lines = continued(conn, sales)
    above = (f"{lines:,} lines without order and date are read as those of the order above them.",)
    return (*(above if lines else ()), *_without_code(conn, sales))


def _without_code(conn: Connection, sales: Source) -> tuple[str, ...]:
    """What is to be said of lines that have a name and no code."""
    if sales.columns.get("name") not in ITEM_NAMES:
        return ()
    row = conn.execute(
        sql.SQL(
            "SELECT count(*) FROM public.{} WHERE btrim(coalesce({}::text, '')) = ''"
            " AND btrim({}::text) <> ''"
        ).format(
            sql.Identifier(sales.table),
            sql.Identifier(sales.columns["item"]),
            sql.Identifier(sales.columns["name"]),
        )
    ).fetchone()
    if row is None or not row[0]:
        return ()
    item, name = sales.columns["item"], sales.columns["name"]
    return (f"{row[0]:,} lines have no {item}: they are planned by their {name}.",)


def column_texts(conn: Connection, sources: Sources) -> dict[str, list[str]]:
    """Field → all distinct texts, of the sales' columns that were loaded as text, and of dates that
    were loaded as numbers (20250131, 202505)."""
    out: dict[str, list[str]] = {}
    for name in ("date", "quantity", "unit_price", "amount"):
        source = sources.orders if name == "date" and sources.orders else sources.sales
        if source.months and name in MONTHLY:
            months = sql.SQL("SELECT DISTINCT {} FROM ({}) s").format(
                sql.Identifier(MONTHLY[name]), _months(conn, source)
            )
            out[name] = [str(text) for (text,) in conn.execute(months)]
            continue
        if not source.has(name):
            continue
        kind = type_of(conn, source, name)
        if kind == "text" or (name == "date" and not kind.startswith(("date", "timestamp"))):
            column = sql.Identifier(source.columns[name])
            query = sql.SQL("SELECT DISTINCT {0}::text FROM public.{1} WHERE {0}::text <> ''")
            rows = conn.execute(query.format(column, sql.Identifier(source.table)))
            out[name] = [str(text) for (text,) in rows]
    return out


def _status_columns(conn: Connection, source: Source) -> dict[str, str]:
    """Columns that may say that a line is no sale → `status` or `cancelled`."""
    taken = {c for f, c in source.columns.items() if f not in ("status", "cancelled")}
    found = {}
    for kind in ("cancelled", "status"):
        columns = [source.columns[kind]] if kind in source.columns else []
        for name in dict.fromkeys([*columns, *spelled(kind, columns_of(conn, source.table))]):
            if name not in taken:
                found[name] = kind
    return found


def _statuses(
    conn: Connection,
    source: Source,
    *,
    alias: str,
    heads: tuple[str, ...] = (),
    above: bool = False,
) -> list[sql.Composed]:
    """These as `status:NAME`, `cancelled:NAME`; those of `heads` hold for the whole order."""
    prefix = "" if alias == "s" else f"{source.table}."
    out = []
    for name, kind in _status_columns(conn, source).items():
        column = sql.SQL("h.{}" if name in heads else f"{alias}.{{}}::text").format(
            sql.Identifier(name)
        )
        label = sql.Identifier(f"{kind}:{prefix}{name}")
        out.append(sql.SQL("{} AS {}").format(_from_above(name) if above else column, label))
    return out


HEADED = 0.95
"""Share of the orders of several lines whose status stands on one line alone, as shops export."""


def order_heads(conn: Connection, sales: Source) -> tuple[str, ...]:
    """Columns of statuses that are written on one line of each order and mean all of it: one that
    is on one line alone of nearly all orders, and those that are filled there only."""
    names = tuple(_status_columns(conn, sales))
    if "order" not in sales.columns or not names:
        return ()
    table, order = sql.Identifier(sales.table), sql.Identifier(sales.columns["order"])
    said = {
        n: sql.SQL("btrim(coalesce({}::text, '')) <> ''").format(sql.Identifier(n)) for n in names
    }
    some = conn.execute(
        sql.SQL("SELECT {} FROM public.{}").format(
            sql.SQL(", ").join(
                sql.SQL("bool_or({0}) AND NOT bool_and({0})").format(s) for s in said.values()
            ),
            table,
        )
    ).fetchone()
    partly = [n for n, is_so in zip(names, some or (), strict=True) if is_so]
    for name in partly:
        row = conn.execute(
            sql.SQL(
                "SELECT count(*), count(*) FILTER (WHERE said = 1) FROM (SELECT count(*) AS lines,"
                " count(*) FILTER (WHERE {}) AS said FROM public.{} WHERE {} IS NOT NULL"
                " GROUP BY {}) orders WHERE lines > 1"
            ).format(said[name], table, order, order)
        ).fetchone()
        if row is None or not row[0] or row[1] < HEADED * row[0]:
            continue
        there = conn.execute(
            sql.SQL("SELECT {} FROM public.{} WHERE NOT {}").format(
                sql.SQL(", ").join(
                    sql.SQL("coalesce(bool_or({}), false)").format(said[n]) for n in partly
                ),
                table,
                said[name],
            )
        ).fetchone()
        return tuple(n for n, elsewhere in zip(partly, there or (), strict=True) if not elsewhere)
    return ()


def _heads(sales: Source, names: tuple[str, ...]) -> sql.Composed:
    """What the orders' own lines say, per order."""
    order = sql.Identifier(sales.columns["order"])
    return sql.SQL("SELECT {0}::text AS head, {1} FROM public.{2} GROUP BY 1").format(
        order,
        sql.SQL(", ").join(
            sql.SQL("max(nullif(btrim({0}::text), '')) AS {0}").format(sql.Identifier(n))
            for n in names
        ),
        sql.Identifier(sales.table),
    )


def _copied(conn: Connection, query: sql.Composed) -> Iterator[pd.DataFrame]:
    import tempfile

    import pandas as pd

    with tempfile.TemporaryFile() as spool:
        with conn.cursor() as cursor, cursor.copy(query) as rows:
            for data in rows:
                spool.write(data)
        spool.seek(0)
        text = io.TextIOWrapper(spool, encoding="utf-8", newline="")
        yield from pd.read_csv(
            text, dtype="category", keep_default_na=False, na_values=[""], chunksize=BLOCK_ROWS
        )
        text.detach()
