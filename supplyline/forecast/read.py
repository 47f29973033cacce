"""Selectors: the published plan by urgency, its periods, its runs. Writes nothing.

Promises: what is asked for is a parameter of the query, never a part of its text; an unknown order
is the order by urgency; without a published run a list is empty and one item is NoForecastYet.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import dict_row

from supplyline.errors import Terminal
from supplyline.forecast import store

Connection = psycopg.Connection[tuple[Any, ...]]

ORDERS = {
    "urgency": "urgency",
    "item": "item",
    "order_value": "order_value DESC NULLS LAST, item",
    "stockout_date": "stockout_date NULLS LAST, urgency",
    "excess_value": "excess_value DESC NULLS LAST, item",
}
LISTED = ("urgency", *(c for c in store.PLAN if c not in ("explanation", "urgency_score")))
"""Columns of the plan as lists and downloads show them."""
PERIODS = (
    "item", "step", "period", "mean", "lo_80", "hi_80", "lo_95", "hi_95", "model",
)  # fmt: skip


class ItemNotPlanned(Terminal):
    code = "item_not_found"
    next_step = "Check the item's code; the plan lists every item that is known."


class NoForecastYet(Terminal):
    code = "forecast_not_found"
    next_step = "Start one: POST /api/airflow/trigger/forecast-inventory/."


@dataclass(frozen=True, kw_only=True)
class PlanFilter:
    """Which items; an empty tuple or text leaves out nothing. `search` is found in code or name."""

    classes: tuple[str, ...] = ()
    abc: tuple[str, ...] = ()
    xyz: tuple[str, ...] = ()
    status: tuple[str, ...] = ()
    search: str = ""

    def where(self) -> tuple[sql.Composable, dict[str, Any]]:
        """A condition that follows `run_id = …`, and its parameters."""
        parts: list[sql.Composable] = []
        values: dict[str, Any] = {}
        columns = {"class": self.classes, "abc": self.abc, "xyz": self.xyz, "status": self.status}
        for column, wanted in columns.items():
            if wanted:
                parts.append(
                    sql.SQL(" AND {} = ANY({})").format(
                        sql.Identifier(column), sql.Placeholder(column)
                    )
                )
                values[column] = list(wanted)
        if self.search:
            parts.append(sql.SQL(" AND (item ILIKE %(search)s OR name ILIKE %(search)s)"))
            plain = self.search.replace("\\", "\\\\").replace("%", "\\%").replace("_", "\\_")
            values["search"] = f"%{plain}%"
        return sql.Composed(parts), values


EVERYTHING = PlanFilter()


def read_plan(
    conn: Connection,
    *,
    limit: int = 100,
    offset: int = 0,
    order_by: str = "urgency",
    run_id: str | None = None,
    only: PlanFilter = EVERYTHING,
) -> list[dict[str, Any]]:
    """Rows of the newest published plan (or of `run_id`), most urgent first. Empty when none."""
    run = run_id or store.latest_run(conn)
    if run is None:
        return []
    where, values = only.where()
    query = sql.SQL(
        "SELECT * FROM public.inventory_plan WHERE run_id = %(run)s{} ORDER BY {}"
        " LIMIT %(limit)s OFFSET %(offset)s"
    ).format(where, sql.SQL(ORDERS.get(order_by, ORDERS["urgency"])))
    with conn.cursor(row_factory=dict_row) as cursor:
        cursor.execute(query, {"run": run, "limit": limit, "offset": offset, **values})
        return cursor.fetchall()


def plan_page(
    conn: Connection,
    *,
    limit: int,
    offset: int,
    order_by: str = "urgency",
    run_id: str | None = None,
    only: PlanFilter = EVERYTHING,
) -> dict[str, Any]:
    """`{"run", "count", "results"}`: one page, without explanations, and how many there are.

    Raises NoForecastYet when `run_id` is no published run.
    """
    run = published(conn, run_id) if run_id else store.latest_run(conn)
    if run is None:
        return {"run": None, "count": 0, "results": []}
    where, values = only.where()
    query = sql.SQL("SELECT count(*) FROM public.inventory_plan WHERE run_id = %(run)s{}")
    counted = conn.execute(query.format(where), {"run": run, **values}).fetchone()
    rows = read_plan(
        conn, limit=limit, offset=offset, order_by=order_by, run_id=run, only=only
    )  # fmt: skip
    return {
        "run": run_head(conn, run),
        "count": int(counted[0]) if counted else 0,
        "results": [{c: row[c] for c in LISTED} for row in rows],
    }


def plan_summary(conn: Connection, *, run_id: str | None = None) -> dict[str, Any]:
    """`{"run_id", "as_of", "status", "abc", "class", "money"}`: items by status (what is to be done
    first), grade and class; money in orders, in stock, beyond need, and in items that do not sell.

    Money is None where no item has a price. Raises NoForecastYet.
    """
    run = published(conn, run_id)
    head = run_head(conn, run) or {}
    counts = {column: _counts(conn, run, column) for column in ("status", "abc", "class")}
    status = counts["status"]
    ordered = {s: status[s] for s in (*store.STATUSES, *sorted(status)) if s in status}
    with conn.cursor(row_factory=dict_row) as cursor:
        money = cursor.execute(
            "SELECT sum(order_value) AS orders, sum(greatest(on_hand, 0) * unit_cost)"
            " FILTER (WHERE status <> 'not_a_product') AS stock,"
            " sum(excess_value) AS excess, sum(excess_value) FILTER (WHERE status IN"
            " ('dead', 'no_history')) AS dead FROM public.inventory_plan WHERE run_id = %s",
            (run,),
        ).fetchone()
    return {
        "run_id": run,
        "as_of": head.get("as_of"),
        **counts,
        "status": ordered,
        "money": money,
    }


def _counts(conn: Connection, run: str, column: str) -> dict[str, int]:
    query = sql.SQL(
        "SELECT {0}, count(*) FROM public.inventory_plan WHERE run_id = %s GROUP BY 1 ORDER BY 1"
    ).format(sql.Identifier(column))
    return {name or "-": n for name, n in conn.execute(query, (run,)).fetchall()}


def plan_rows(
    conn: Connection,
    *,
    order_by: str = "urgency",
    run_id: str | None = None,
    only: PlanFilter = EVERYTHING,
) -> Iterator[tuple[Any, ...]]:
    """All rows of a plan as tuples of LISTED, streamed. Raises NoForecastYet."""
    where, values = only.where()
    yield from _streamed(
        conn,
        sql.SQL("SELECT {} FROM public.inventory_plan WHERE run_id = %(run)s{} ORDER BY {}").format(
            sql.SQL(", ").join(map(sql.Identifier, LISTED)),
            where,
            sql.SQL(ORDERS.get(order_by, ORDERS["urgency"])),
        ),
        {"run": published(conn, run_id), **values},
    )


def period_rows(
    conn: Connection, *, run_id: str | None = None, only: PlanFilter = EVERYTHING
) -> Iterator[tuple[Any, ...]]:
    """Expected demand per item and period as tuples of PERIODS, streamed. Raises NoForecastYet."""
    where, values = only.where()
    query = sql.SQL(
        "SELECT {columns} FROM public.inventory_forecast f WHERE run_id = %(run)s AND EXISTS"
        " (SELECT FROM public.inventory_plan WHERE run_id = %(run)s AND item = f.item{where})"
        " ORDER BY item, step"
    ).format(columns=sql.SQL(", ").join(map(sql.Identifier, PERIODS)), where=where)
    yield from _streamed(conn, query, {"run": published(conn, run_id), **values})


def _streamed(
    conn: Connection, query: sql.Composed, values: dict[str, Any]
) -> Iterator[tuple[Any, ...]]:
    with conn.cursor(name="supplyline_download") as cursor:
        cursor.itersize = 2000
        cursor.execute(query, values)
        yield from cursor


def published(conn: Connection, run_id: str | None = None) -> str:
    """The run that readers see, or `run_id` when that is published and its rows are kept: a plan
    that is gone is no empty plan. Raises NoForecastYet."""
    if run_id is not None:
        return _named(conn, run_id)
    if (newest := store.latest_run(conn)) is None:
        raise NoForecastYet("There is no published forecast.")
    return newest


def _named(conn: Connection, run_id: str) -> str:
    run = store.find_run(conn, run_id)
    if run is None or run.state != "published":
        raise NoForecastYet(
            f"There is no published forecast {run_id[:100]!r}.",
            next_step="GET /api/forecast/runs/ lists those that there are.",
        )
    kept = conn.execute(
        "SELECT EXISTS (SELECT FROM public.inventory_plan WHERE run_id = %s)", (run_id,)
    ).fetchone()
    if run.items and not (kept and kept[0]):
        raise NoForecastYet(
            f"The rows of the forecast {run_id[:100]} are not kept any more.",
            next_step="GET /api/forecast/runs/ says which are; the setting `keep_runs` says how "
            "many of the newest.",
        )
    return run_id


def run_head(conn: Connection, run_id: str) -> dict[str, Any] | None:
    """What is said of a run beside its rows."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT run_id, published_at, as_of, bucket, horizon, season, items"
            " FROM supplyline.forecast_run WHERE run_id = %s",
            (run_id,),
        ).fetchone()


def list_runs(conn: Connection, *, limit: int = 20) -> list[dict[str, Any]]:
    """Published runs, newest first, with settings and report; `kept`: whether rows are there."""
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(
            "SELECT run_id, published_at, as_of, bucket, horizon, season, items, settings, report,"
            " EXISTS (SELECT FROM public.inventory_plan p WHERE p.run_id = r.run_id) AS kept"
            " FROM supplyline.forecast_run r WHERE state = 'published'"
            " ORDER BY prepared_at DESC, run_id DESC LIMIT %s",
            (limit,),
        ).fetchall()
