"""Staging and publishing in the organization's own database.

Promises: readers of `inventory_forecast` and `inventory_plan` see a run whole or not at all (P5);
the audit event commits with it (P9); an older attempt that wakes up cannot publish (P6); a chunk
that is done twice is there once (P4); what did not change is carried over as it was.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from typing import Any

import psycopg
from psycopg import sql

from supplyline.audit.events import append
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import StaleWorker
from supplyline.forecast.store import FORECAST, PLAN, copy_rows

Connection = psycopg.Connection[tuple[Any, ...]]


def stage(
    conn: Connection,
    run_id: str,
    *,
    chunk: int,
    plans: Sequence[dict[str, Any]],
    forecasts: Iterable[tuple[Any, ...]],
) -> None:
    """Puts a chunk's results into staging, in place of what an earlier attempt left there."""
    conn.execute(
        "DELETE FROM supplyline.forecast_stage f USING supplyline.forecast_history h"
        " WHERE f.run_id = %s AND h.run_id = f.run_id AND h.item = f.item AND h.chunk = %s",
        (run_id, chunk),
    )
    conn.execute(
        "DELETE FROM supplyline.plan_stage WHERE run_id = %s AND chunk = %s", (run_id, chunk)
    )
    copy_rows(conn, "forecast_stage", ("run_id", *FORECAST), ((run_id, *f) for f in forecasts))
    copy_rows(
        conn,
        "plan_stage",
        ("run_id", "computed_in", "chunk", *PLAN),
        ((run_id, run_id, chunk, *(_cell(p[c]) for c in PLAN)) for p in plans),
    )


def _cell(value: Any) -> Any:
    return json.dumps(value, allow_nan=False) if isinstance(value, dict) else value


def missing(conn: Connection, run_id: str) -> dict[int, int]:
    """Chunk → items of it that are neither staged nor to be carried over."""
    rows = conn.execute(
        "SELECT chunk, count(*) FROM supplyline.forecast_history h WHERE run_id = %s"
        " AND action <> 'keep' AND NOT EXISTS (SELECT FROM supplyline.plan_stage s"
        " WHERE s.run_id = h.run_id AND s.item = h.item) GROUP BY chunk ORDER BY chunk",
        (run_id,),
    ).fetchall()
    return {int(chunk): int(n) for chunk, n in rows}


def publish_run(
    conn: Connection, org: OrgId, *, run: RunRef, keep: int, detail: dict[str, Any], now: datetime
) -> None:
    """One transaction: results, urgency, retention, run record, audit event.

    Raises StaleWorker when a newer attempt has taken the run over or it is published already.
    """
    with conn.transaction():
        taken = conn.execute(
            "UPDATE supplyline.forecast_run SET state = 'published', published_at = %s"
            " WHERE run_id = %s AND attempt = %s AND state = 'prepared'",
            (now, run.run_id, run.attempt),
        )
        if taken.rowcount != 1:
            raise StaleWorker(f"Forecast run {run.run_id} is in other hands.", run_id=run.run_id)
        _publish_rows(conn, run.run_id)
        forget(conn, keep=keep, now=now)
        append(
            conn,
            org=org,
            kind="forecast.published",
            actor=run.user_id,
            subject=run.run_id,
            detail=detail,
            run_id=run.run_id,
            correlation_id=run.correlation_id,
        )


_KEPT = (
    " JOIN supplyline.forecast_run r ON r.base_run = b.run_id"
    " JOIN supplyline.forecast_history h ON h.run_id = r.run_id AND h.item = b.item"
    " WHERE r.run_id = %(run)s AND h.action = 'keep'"
)


def _publish_rows(conn: Connection, run_id: str) -> None:
    """Staged rows and those of the base run that are kept; urgency is told over all of them."""
    ahead = _names(FORECAST)
    conn.execute(
        sql.SQL(
            "INSERT INTO public.inventory_forecast (run_id, {0})"
            " SELECT run_id, {0} FROM supplyline.forecast_stage WHERE run_id = %(run)s"
            " UNION ALL SELECT %(run)s, {1} FROM public.inventory_forecast b{2}"
        ).format(ahead, _names(FORECAST, "b"), sql.SQL(_KEPT)),
        {"run": run_id},
    )
    plan = ("computed_in", *PLAN)
    conn.execute(
        sql.SQL(
            "WITH rows AS (SELECT {0} FROM supplyline.plan_stage WHERE run_id = %(run)s"
            " UNION ALL SELECT {1} FROM public.inventory_plan b{2})"
            " INSERT INTO public.inventory_plan (run_id, {0}, urgency)"
            " SELECT %(run)s, {0}, row_number() OVER (ORDER BY urgency_score DESC,"
            " order_value DESC NULLS LAST, demand_per_day DESC NULLS LAST, item) FROM rows"
        ).format(_names(plan), _names(plan, "b"), sql.SQL(_KEPT)),
        {"run": run_id},
    )


def _names(columns: Sequence[str], table: str = "") -> sql.Composed:
    return sql.SQL(", ").join(
        sql.Identifier(table, c) if table else sql.Identifier(c) for c in columns
    )


_OLD = (
    "SELECT run_id FROM (SELECT run_id, row_number() OVER (ORDER BY prepared_at DESC, run_id DESC)"
    " AS age FROM supplyline.forecast_run WHERE state = 'published') published"
    " WHERE age > %s AND NOT EXISTS (SELECT FROM supplyline.forecast_run waiting"
    " WHERE waiting.state = 'prepared' AND waiting.base_run = published.run_id"
    " AND waiting.prepared_at > %s)"
)
"""Runs beyond the newest ones, but for those that a run under way carries rows over from."""


UNDER_WAY = timedelta(days=7)
"""Older runs that were never published have been given up."""


def forget(conn: Connection, *, keep: int, now: datetime) -> None:
    """Removes all but the newest published runs, what is left of others, and unused fits."""
    given_up = now - UNDER_WAY
    for schema, table in (
        ("public", "inventory_forecast"),
        ("public", "inventory_plan"),
        ("supplyline", "forecast_history"),
    ):
        conn.execute(
            sql.SQL("DELETE FROM {} WHERE run_id IN ({})").format(
                sql.Identifier(schema, table), sql.SQL(_OLD)
            ),
            (keep, given_up),
        )
    for table, state in (
        ("forecast_stage", "published"),
        ("plan_stage", "published"),
        ("forecast_stage", "prepared"),
        ("plan_stage", "prepared"),
        ("forecast_history", "prepared"),
    ):
        conn.execute(
            sql.SQL(
                "DELETE FROM supplyline.{} WHERE run_id IN (SELECT run_id FROM"
                " supplyline.forecast_run WHERE state = %s AND (state = 'published' OR"
                " prepared_at < %s))"
            ).format(sql.Identifier(table)),
            (state, given_up),
        )
    conn.execute(
        "DELETE FROM supplyline.forecast_fit f WHERE NOT EXISTS (SELECT FROM"
        " supplyline.forecast_history h WHERE h.item = f.item AND h.fit_key = f.fit_key)"
    )
