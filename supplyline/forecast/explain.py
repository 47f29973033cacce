"""One item with everything that is known of it: history, forecast, overrides, plan, and why."""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg.rows import dict_row

from supplyline.forecast import overrides
from supplyline.forecast.demand import Bucket
from supplyline.forecast.read import ItemNotPlanned, published, run_head

Connection = psycopg.Connection[tuple[Any, ...]]


def explain(conn: Connection, *, item: str, run_id: str | None = None) -> dict[str, Any]:
    """`run`, `plan` (with `explanation`), `forecast`, `history` and `overrides` of one item.

    `forecast`: the model's numbers per period; `planned` is what the plan used, which differs from
    `mean` where an override speaks. `overrides`: those in force, also if this run is older.
    Raises NoForecastYet, ItemNotPlanned.
    """
    run = published(conn, run_id)
    with conn.cursor(row_factory=dict_row) as cursor:
        plan = cursor.execute(
            "SELECT * FROM public.inventory_plan WHERE run_id = %s AND item = %s", (run, item)
        ).fetchone()
        if plan is None:
            raise ItemNotPlanned("This item is in no row of the plan.")
        forecast = cursor.execute(
            "SELECT f.step, f.period, f.mean, coalesce(u.used, f.mean) AS planned, f.lo_80,"
            " f.hi_80, f.lo_95, f.hi_95, f.model, f.class FROM public.inventory_forecast f"
            " LEFT JOIN supplyline.forecast_override_use u"
            " ON u.run_id = %s AND u.item = f.item AND u.period = f.period"
            " WHERE f.run_id = %s AND f.item = %s ORDER BY f.step",
            (plan["computed_in"], run, item),
        ).fetchall()
    return {
        "run": run_head(conn, run),
        "plan": plan,
        "forecast": forecast,
        "history": _history(conn, run, item),
        "overrides": [overrides.as_json(o) for o in overrides.list_overrides(conn, item=item)],
    }


def _history(conn: Connection, run: str, item: str) -> list[dict[str, Any]]:
    """Demand per period as the forecast saw it, oldest first; `period` is its first day."""
    found = conn.execute(
        "SELECT h.demand, r.bucket, r.as_of FROM supplyline.forecast_history h"
        " JOIN supplyline.forecast_run r USING (run_id) WHERE h.run_id = %s AND h.item = %s",
        (run, item),
    ).fetchone()
    if found is None or not found[0]:
        return []
    demand, bucket, as_of = found
    grid = Bucket(name=bucket, periods=len(demand), as_of=as_of)
    return [{"period": grid.start(n), "demand": value} for n, value in enumerate(demand)]
