"""What the tables beside the sales know of an item: terms, prices, stock, when it was out of stock.

Promises: texts as the tables hold them, to be read as numbers per column; stock is the sum over
places of each place's newest count. Days are only used where the column is a date or a timestamp.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date
from typing import Any

import psycopg
from psycopg import sql

from supplyline.forecast import cells
from supplyline.forecast.marks import decimal_mark
from supplyline.forecast.sources import (
    FACTS,
    STAGES,
    TERMS,
    Source,
    Sources,
    hidden_columns,
    type_of,
)

Connection = psycopg.Connection[tuple[Any, ...]]
Known = dict[str, dict[str, str]]

LONGEST_SPELL_DAYS = 31
"""A count of zero says nothing of the time beyond."""


@dataclass(frozen=True, kw_only=True)
class LeadTime:
    """Days from order to arrival as they were: mean, standard deviation, and how many orders."""

    mean: float
    sd: float
    orders: int


def read_facts(conn: Connection, sources: Sources) -> Known:
    """Item → field → text: the item's own tables first, then its supplier's terms."""
    out: Known = defaultdict(dict)
    for master in sources.masters:
        wanted = (*(f for f in FACTS if f not in ("on_hand", "on_order")), *STAGES)
        fields = [f for f in wanted if master.has(f)]
        for item, known in _texts(conn, master, key="item", fields=fields):
            out[item].update(known)
    for source in sources.stock:
        for item, known in _stock(conn, source, lines=source.table == sources.sales.table):
            out[item].update(known)
    terms: Known = defaultdict(dict)
    for source in sources.suppliers:
        fields = [f for f in TERMS if source.has(f)]
        for supplier, known in _texts(conn, source, key="supplier", fields=fields):
            terms[supplier].update(known)
    for known in out.values():
        for field, text in terms.get(known.get("supplier", "").strip(), {}).items():
            if field.startswith("lead_time_") and field != "lead_time_sd_days":
                if {"lead_time_days", "lead_time_weeks"} & set(known):
                    continue
                known["lead_time_from"] = "supplier"
            known.setdefault(field, text)
    return dict(out)


def _texts(
    conn: Connection, source: Source, *, key: str, fields: list[str]
) -> Iterable[tuple[str, dict[str, str]]]:
    """Rows as (key, field → text), without empty cells; of repeated keys the newest comes last."""
    if not fields:
        return
    day = next((f for f in ("as_of", "date") if source.has(f)), "")
    newest = (
        sql.SQL(" ORDER BY {} NULLS FIRST").format(sql.Identifier(source.columns[day]))
        if day and _in_order(conn, source, day)
        else sql.SQL("")
    )
    query = sql.SQL("SELECT {key}::text, {} FROM public.{} WHERE {key} IS NOT NULL{}").format(
        sql.SQL(", ").join(
            sql.SQL("{}::text").format(sql.Identifier(source.columns[f])) for f in fields
        ),
        sql.Identifier(source.table),
        newest,
        key=sql.Identifier(source.columns[key]),
    )
    for code, *texts in conn.execute(query):
        known = {f: c for f, c in zip(fields, texts, strict=True) if c not in (None, "")}
        yield code.strip(), known


def _stock(
    conn: Connection, source: Source, *, lines: bool
) -> Iterable[tuple[str, dict[str, str]]]:
    """On hand and on order per item: each place's newest count, added up over the places, and of
    several rows of one count (lots, bins) all, but for `lines` of sales that say what was left
    after them. What is reserved for orders is not on hand."""
    fields = [f for f in ("on_hand", "on_order", "reserved") if source.has(f)]
    free = source.has("available") and not source.has("reserved")
    if free and _is_number(conn, source, "available"):
        columns = {**source.columns, "on_hand": source.columns["available"]}
        source = Source(table=source.table, columns=columns)
    if all(_is_number(conn, source, f) for f in fields):
        query = sql.SQL(
            "SELECT item, max(day), nullif(bool_and(old), false)::text, {} FROM ({}) newest"
            " GROUP BY item"
        ).format(
            sql.SQL(", ").join(
                sql.SQL("sum({})::text").format(sql.Identifier(source.columns[f])) for f in fields
            ),
            _newest(conn, source, fields, lines=lines),
        )
        for code, *sums in conn.execute(query):
            found = zip(("counted_on", "counted_before", *fields), sums, strict=True)
            yield code.strip(), _free({f: c for f, c in found if c is not None})
    else:
        yield from _stock_in_text(conn, source, fields, lines=lines)


def _newest(conn: Connection, source: Source, fields: list[str], *, lines: bool) -> sql.Composed:
    """SQL: item, day, whether a newer file does without, and fields of the rows of each item's and
    place's newest count."""
    ordered = source.has("as_of") and _in_order(conn, source)
    old: sql.Composable = sql.SQL("false")
    order: list[sql.Composable] = []
    if ordered:
        order.append(sql.SQL("{} DESC NULLS LAST").format(sql.Identifier(source.columns["as_of"])))
    if "_seq" in hidden_columns(conn, source.table):
        order.append(sql.SQL("_seq DESC"))
        if not source.has("as_of"):
            old = sql.SQL("_seq < max(_seq) OVER ()")
    if lines or not order or (source.has("as_of") and not ordered):  # days in text tell no order
        order.append(sql.SQL("ctid DESC"))
    day: sql.Composable = sql.SQL("NULL::text")
    if source.has("as_of") and _is_day(conn, source, "as_of"):
        day = sql.SQL("{}::date::text").format(sql.Identifier(source.columns["as_of"]))
    place = sql.Identifier(source.columns["location"]) if source.has("location") else sql.NULL
    return sql.SQL(
        "SELECT item, day, old, {fields} FROM (SELECT {item}::text AS item, {day} AS day,"
        " {old} AS old, {fields},"
        " rank() OVER (PARTITION BY {item}::text, {place}::text ORDER BY {order}) AS age"
        " FROM public.{table} WHERE {item} IS NOT NULL) counts WHERE age = 1"
    ).format(
        fields=sql.SQL(", ").join(sql.Identifier(source.columns[f]) for f in fields),
        item=sql.Identifier(source.columns["item"]),
        day=day,
        old=old,
        place=place,
        order=sql.SQL(", ").join(order),
        table=sql.Identifier(source.table),
    )


def _free(known: dict[str, str]) -> dict[str, str]:
    """On hand without what is reserved, which is kept to be said."""
    held = cells.numbers([known.get("reserved", "")]).get(known.get("reserved", ""), 0.0)
    if held and "on_hand" in known:
        known["on_hand"] = f"{float(known['on_hand']) - held:.12g}"
    return known


def _stock_in_text(
    conn: Connection, source: Source, fields: list[str], *, lines: bool
) -> Iterable[tuple[str, dict[str, str]]]:
    """The same where a column of numbers holds something else as well."""
    rows = conn.execute(_newest(conn, source, fields, lines=lines)).fetchall()
    mark = decimal_mark(conn, source.table)
    totals: dict[str, dict[str, float]] = defaultdict(dict)
    for at, name in enumerate(fields, 3):
        texts = [None if row[at] is None else str(row[at]) for row in rows]
        typed = _is_number(conn, source, name)
        read = cells.numbers({t for t in texts if t}, mark="" if typed else mark)
        for row, text in zip(rows, texts, strict=True):
            if (value := read.get(text or "")) is not None:
                mine = totals[row[0].strip()]
                mine[name] = mine.get(name, 0.0) + value
    for code, sums in totals.items():
        yield code, _free({name: repr(value) for name, value in sums.items()})


def _is_number(conn: Connection, source: Source, field: str) -> bool:
    return type_of(conn, source, field) in (
        "smallint", "integer", "bigint", "numeric", "real", "double precision",
    )  # fmt: skip


def _is_day(conn: Connection, source: Source, field: str) -> bool:
    return type_of(conn, source, field).startswith(("date", "timestamp"))


def _in_order(conn: Connection, source: Source, field: str = "as_of") -> bool:
    """Whether rows can be put in order by their days; days that stayed text cannot."""
    return source.has(field) and type_of(conn, source, field) != "text"


def stockouts(conn: Connection, sources: Sources) -> dict[str, list[tuple[date, date]]]:
    """Item → spells without stock, first day and the day after the last, where counts of several
    days are known: from when nothing is left in any place to the next count. A place has what was
    counted there last."""
    out: dict[str, list[tuple[date, date]]] = defaultdict(list)
    for source in sources.stock:
        if not source.has("as_of") or not _is_day(conn, source, "as_of"):
            continue
        if not _is_number(conn, source, "on_hand"):
            continue
        place = source.columns.get("location")
        query = sql.SQL(
            "WITH counted AS (SELECT item, place, day, sum(units) AS units FROM (SELECT"
            " {item}::text AS item, {place} AS place, {day}::date AS day,"
            " greatest({units}, 0)::numeric AS units, rank() OVER (PARTITION BY {item}::text,"
            " {place}, {day}::date ORDER BY {day} DESC{last}) AS age FROM public.{table}"
            " WHERE {item} IS NOT NULL AND {day} IS NOT NULL AND {units} IS NOT NULL) counts"
            " WHERE age = 1 GROUP BY 1, 2, 3), changed AS (SELECT item, day, units - coalesce("
            "lag(units) OVER (PARTITION BY item, place ORDER BY day), 0) AS change FROM counted),"
            " held AS (SELECT item, day, sum(sum(change)) OVER (PARTITION BY item ORDER BY day)"
            " AS units, lead(day) OVER (PARTITION BY item ORDER BY day) AS following"
            " FROM changed GROUP BY item, day)"
            " SELECT item, day, following FROM held WHERE units <= 0 AND following IS NOT NULL"
            " ORDER BY item, day"
        ).format(
            item=sql.Identifier(source.columns["item"]),
            place=sql.SQL("{}::text").format(sql.Identifier(place)) if place else sql.SQL("''"),
            day=sql.Identifier(source.columns["as_of"]),
            units=sql.Identifier(source.columns["on_hand"]),
            table=sql.Identifier(source.table),
            last=sql.SQL(", ctid DESC" if source.table == sources.sales.table else ""),
        )
        for item, day, following in conn.execute(query):
            if (following - day).days <= LONGEST_SPELL_DAYS:
                out[item.strip()].append((day, following))
    return dict(out)


def lead_times(conn: Connection, sources: Sources) -> dict[tuple[str, str], LeadTime]:
    """("item" or "supplier", code) → lead times of its last 50 orders that have arrived."""
    out = {}
    for source in sources.receipts:
        if not (_is_day(conn, source, "date") and _is_day(conn, source, "received_date")):
            continue
        kind = "item" if source.has("item") else "supplier"
        query = sql.SQL(
            "SELECT key, avg(days), coalesce(stddev_samp(days), 0), count(*) FROM (SELECT"
            " {key}::text AS key, {arrived}::date - {ordered}::date AS days, row_number() OVER"
            " (PARTITION BY {key} ORDER BY {ordered} DESC) AS age FROM public.{table}"
            " WHERE {arrived} >= {ordered}) orders WHERE age <= 50 AND key IS NOT NULL GROUP BY key"
        ).format(
            key=sql.Identifier(source.columns[kind]),
            arrived=sql.Identifier(source.columns["received_date"]),
            ordered=sql.Identifier(source.columns["date"]),
            table=sql.Identifier(source.table),
        )
        for code, mean, sd, orders in conn.execute(query):
            out[kind, code.strip()] = LeadTime(mean=float(mean), sd=float(sd), orders=int(orders))
    return out
