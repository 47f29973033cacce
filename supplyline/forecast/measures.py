"""Currencies and units that a table mixes: what is added up although it cannot be.

Promises: nothing is converted, as no rate is known; what is mixed is said, of the table and of each
item whose own lines differ.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from typing import Any

import psycopg
from psycopg import sql

from supplyline.forecast.sources import Source, Sources, columns_of

Connection = psycopg.Connection[tuple[Any, ...]]

CURRENCY = frozenset(
    ("currency", "currency_code", "curr", "waehrung", "wahrung", "waers", "devise", "moneda",
     "valuta", "waluta", "moeda")
)  # fmt: skip
UNIT = frozenset(
    ("unit", "uom", "unit_of_measure", "sales_unit", "base_unit", "qty_unit", "quantity_unit",
     "einheit", "mengeneinheit", "meins", "vrkme", "unite", "unidad", "unita", "eenheid", "jm")
)  # fmt: skip
SHOWN = 5


def mixed(conn: Connection, sources: Sources) -> tuple[tuple[str, ...], dict[str, tuple[str, ...]]]:
    """What is to be said of the run, and of items."""
    run: list[str] = []
    items: dict[str, tuple[str, ...]] = defaultdict(tuple)
    for source, what, column in _columns(conn, sources):
        names = {
            "column": sql.Identifier(column),
            "item": sql.Identifier(source.columns["item"]),
            "table": sql.Identifier(source.table),
        }
        counts = conn.execute(
            sql.SQL(
                "SELECT upper(trim({column}::text)), count(*) FROM public.{table}"
                " WHERE trim({column}::text) <> '' GROUP BY 1 ORDER BY 2 DESC, 1"
            ).format(**names)
        ).fetchall()
        if len(counts) < 2:
            continue
        told = ", ".join(f"{value[:20]} ({n:,} rows)" for value, n in counts[:SHOWN])
        more = ", and others" if len(counts) > SHOWN else ""
        sums = "Money" if what == "currencies" else "Demand"
        run.append(
            f"{source.table}.{column} holds several {what}: {told}{more}. {sums} is added "
            "up as it stands."
        )
        several = conn.execute(
            sql.SQL(
                "SELECT trim({item}::text), array_agg(DISTINCT upper(trim({column}::text)))"
                " FROM public.{table} WHERE trim({column}::text) <> '' AND {item} IS NOT NULL"
                " GROUP BY 1 HAVING count(DISTINCT upper(trim({column}::text))) > 1"
            ).format(**names)
        )
        for item, values in several:
            said = ", ".join(v[:20] for v in values[:SHOWN])
            items[item] += (
                f"Rows of this item are in several {what} ({said}) and added up as they stand.",
            )
    return tuple(run), dict(items)


def _columns(conn: Connection, sources: Sources) -> Iterator[tuple[Source, str, str]]:
    """(table, currencies or units, column) of the tables with sales and facts of items."""
    for source in (sources.sales, *sources.masters):
        for column in columns_of(conn, source.table):
            if column in source.columns.values():
                continue
            if column in CURRENCY:
                yield source, "currencies", column
            elif column in UNIT:
                yield source, "units", column
