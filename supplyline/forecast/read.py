"""Selectors: the published plan, one item with its forecast, and why."""

from __future__ import annotations

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


class ItemNotPlanned(Terminal):
    code = "item_not_found"
    next_step = "Check the item's code; the plan lists every item that is known."


class NoForecastYet(Terminal):
    code = "forecast_not_found"
    next_step = "Start one: POST /api/airflow/trigger/forecast-inventory/."


def read_plan(
    conn: Connection,
    *,
    limit: int = 100,
    offset: int = 0,
    order_by: str = "urgency",
    run_id: str | None = None,
) -> list[dict[str, Any]]:
    """Rows of the newest published plan (or of `run_id`), most urgent first. Empty when none."""
    run = run_id or store.latest_run(conn)
    if run is None:
        return []
    query = sql.SQL(
        "SELECT * FROM public.inventory_plan WHERE run_id = %s ORDER BY {} LIMIT %s OFFSET %s"
    ).format(sql.SQL(ORDERS.get(order_by, ORDERS["urgency"])))
    with conn.cursor(row_factory=dict_row) as cursor:
        return cursor.execute(query, (run, limit, offset)).fetchall()


def explain(conn: Connection, *, item: str, run_id: str | None = None) -> dict[str, Any]:
    """One item: `plan` (with `explanation`), `forecast` rows, `history` and `overrides`.

    Raises NoForecastYet, ItemNotPlanned.
    """
    run = run_id or store.latest_run(conn)
    if run is None:
        raise NoForecastYet("There is no published forecast.")
    with conn.cursor(row_factory=dict_row) as cursor:
        plan = cursor.execute(
            "SELECT * FROM public.inventory_plan WHERE run_id = %s AND item = %s", (run, item)
        ).fetchone()
        if plan is None:
            raise ItemNotPlanned("This item is in no row of the plan.")
        forecast = cursor.execute(
            "SELECT step, period, mean, lo_80, hi_80, lo_95, hi_95, model, class"
            " FROM public.inventory_forecast WHERE run_id = %s AND item = %s ORDER BY step",
            (run, item),
        ).fetchall()
        history = cursor.execute(
            "SELECT h.first_period, h.demand, r.bucket FROM supplyline.forecast_history h"
            " JOIN supplyline.forecast_run r USING (run_id) WHERE h.run_id = %s AND h.item = %s",
            (run, item),
        ).fetchone()
        overrides = cursor.execute(
            "SELECT id, period, mean, reason, set_by, set_at FROM supplyline.forecast_override"
            " WHERE item = %s AND withdrawn_at IS NULL ORDER BY id",
            (item,),
        ).fetchall()
    return {"plan": plan, "forecast": forecast, "history": history, "overrides": overrides}
