"""Runs, histories, staging and publishing in the organization's own database.

Promises: readers of `inventory_forecast` and `inventory_plan` see a run whole or not at all (P5);
the audit event commits with it (P9); an older attempt that wakes up cannot publish (P6); a chunk
that is done twice is there once (P4).
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg import sql

from supplyline.audit.events import append
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import StaleWorker

Connection = psycopg.Connection[tuple[Any, ...]]

PLAN = (
    "item", "name", "status", "why", "class", "abc", "xyz", "on_hand", "on_order",
    "lead_time_days", "demand_per_day", "safety_stock", "reorder_point", "order_up_to",
    "order_quantity", "order_value", "days_of_cover", "stockout_risk", "stockout_date",
    "excess_units", "excess_value", "fill_rate", "unit_cost", "urgency_score", "explanation",
)  # fmt: skip
STATUSES = (
    "order", "ok", "stock_unknown", "insufficient_history", "no_history", "dead", "not_a_product",
)  # fmt: skip
FORECAST = (
    "item", "step", "period", "mean", "lo_80", "hi_80", "lo_95", "hi_95", "model", "class",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A prepared run, as its chunks need it."""

    run_id: str
    attempt: int
    state: str
    as_of: date
    bucket: str
    bucket_days: float
    horizon: int
    season: int
    items: int
    chunks: int
    settings: dict[str, Any]
    report: dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    item: str
    chunk: int
    first_period: date | None
    demand: list[float]
    facts: dict[str, Any]
    fingerprint: str


def begin(conn: Connection, row: RunRow, *, now: datetime) -> None:
    """Records a run, or takes it over from an older attempt; clears what that one staged."""
    conn.execute(
        "INSERT INTO supplyline.forecast_run (run_id, state, attempt, as_of, bucket, bucket_days,"
        " horizon, season, items, chunks, settings, report, prepared_at)"
        " VALUES (%s, 'prepared', %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)"
        " ON CONFLICT (run_id) DO UPDATE SET attempt = excluded.attempt, as_of = excluded.as_of,"
        " bucket = excluded.bucket, bucket_days = excluded.bucket_days,"
        " horizon = excluded.horizon, season = excluded.season, items = excluded.items,"
        " chunks = excluded.chunks, settings = excluded.settings, report = excluded.report,"
        " prepared_at = excluded.prepared_at"
        " WHERE forecast_run.state = 'prepared' AND forecast_run.attempt <= excluded.attempt",
        (
            row.run_id, row.attempt, row.as_of, row.bucket, row.bucket_days, row.horizon,
            row.season, row.items, row.chunks, json.dumps(row.settings), json.dumps(row.report),
            now,
        ),
    )  # fmt: skip
    for table in ("forecast_history", "forecast_stage", "plan_stage"):
        conn.execute(
            sql.SQL("DELETE FROM supplyline.{} WHERE run_id = %s").format(sql.Identifier(table)),
            (row.run_id,),
        )


def find_run(conn: Connection, run_id: str) -> RunRow | None:
    found = conn.execute(
        "SELECT run_id, attempt, state, as_of, bucket, bucket_days, horizon, season, items, chunks,"
        " settings, report FROM supplyline.forecast_run WHERE run_id = %s",
        (run_id,),
    ).fetchone()
    if found is None:
        return None
    return RunRow(**dict(zip(RunRow.__dataclass_fields__, found, strict=True)))


def latest_run(conn: Connection) -> str | None:
    """The run that readers see: the newest published one."""
    found = conn.execute(
        "SELECT run_id FROM supplyline.forecast_run WHERE state = 'published'"
        " ORDER BY published_at DESC, run_id DESC LIMIT 1"
    ).fetchone()
    return None if found is None else str(found[0])


def write_histories(conn: Connection, run_id: str, rows: Iterable[HistoryRow]) -> None:
    statement = (
        "COPY supplyline.forecast_history"
        " (run_id, item, chunk, first_period, demand, facts, fingerprint) FROM STDIN"
    )
    with conn.cursor() as cursor, cursor.copy(statement) as out:
        for r in rows:
            out.write_row(
                (
                    run_id, r.item, r.chunk, r.first_period, r.demand,
                    json.dumps(r.facts), r.fingerprint,
                )
            )  # fmt: skip


def read_histories(conn: Connection, run_id: str, chunk: int) -> list[HistoryRow]:
    rows = conn.execute(
        "SELECT item, chunk, first_period, demand, facts, fingerprint"
        " FROM supplyline.forecast_history WHERE run_id = %s AND chunk = %s ORDER BY item",
        (run_id, chunk),
    ).fetchall()
    return [HistoryRow(**dict(zip(HistoryRow.__dataclass_fields__, r, strict=True))) for r in rows]


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
    _copy(conn, "forecast_stage", ("run_id", *FORECAST), ((run_id, *f) for f in forecasts))
    _copy(
        conn,
        "plan_stage",
        ("run_id", "computed_in", "chunk", *PLAN),
        ((run_id, run_id, chunk, *(_cell(p[c]) for c in PLAN)) for p in plans),
    )


def _cell(value: Any) -> Any:
    return json.dumps(value, allow_nan=False) if isinstance(value, dict) else value


def _copy(
    conn: Connection, table: str, columns: Sequence[str], rows: Iterable[tuple[Any, ...]]
) -> None:
    statement = sql.SQL("COPY supplyline.{} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as out:
        for row in rows:
            out.write_row(row)


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
        columns = sql.SQL(", ").join(map(sql.Identifier, ("run_id", *FORECAST)))
        conn.execute(
            sql.SQL(
                "INSERT INTO public.inventory_forecast ({0}) SELECT {0}"
                " FROM supplyline.forecast_stage WHERE run_id = %s"
            ).format(columns),
            (run.run_id,),
        )
        plan = sql.SQL(", ").join(map(sql.Identifier, ("run_id", "computed_in", *PLAN)))
        conn.execute(
            sql.SQL(
                "INSERT INTO public.inventory_plan ({0}, urgency) SELECT {0}, row_number() OVER"
                " (ORDER BY urgency_score DESC, order_value DESC NULLS LAST,"
                " demand_per_day DESC NULLS LAST, item)"
                " FROM supplyline.plan_stage WHERE run_id = %s"
            ).format(plan),
            (run.run_id,),
        )
        forget(conn, keep=keep)
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


def forget(conn: Connection, *, keep: int) -> None:
    """Removes all but the newest published runs, and staging of published ones."""
    old = (
        "SELECT run_id FROM supplyline.forecast_run WHERE state = 'published'"
        " ORDER BY published_at DESC, run_id DESC OFFSET %s"
    )
    for table in ("inventory_forecast", "inventory_plan"):
        conn.execute(
            sql.SQL("DELETE FROM public.{} WHERE run_id IN ({})").format(
                sql.Identifier(table), sql.SQL(old)
            ),
            (keep,),
        )
    published = "SELECT run_id FROM supplyline.forecast_run WHERE state = 'published'"
    for table in ("forecast_stage", "plan_stage"):
        conn.execute(
            sql.SQL("DELETE FROM supplyline.{} WHERE run_id IN ({})").format(
                sql.Identifier(table), sql.SQL(published)
            )
        )
    conn.execute(
        f"DELETE FROM supplyline.forecast_history WHERE run_id IN ({old})",  # noqa: S608 - a constant
        (keep,),
    )
