"""Runs, histories and fits in the organization's own database.

Promises: a run that an older attempt prepared is taken over whole; what a prepared run carries over
from its base run stays there until it is published.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

import numpy as np
import psycopg
from psycopg import sql

from supplyline.forecast.changes import Before
from supplyline.forecast.series import Floats

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
_RUN = (
    "run_id", "attempt", "state", "as_of", "stock_day", "bucket", "bucket_days", "horizon",
    "season", "items", "chunks", "base_run", "terms_key", "settings", "report", "prepared_at",
)  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class RunRow:
    """A prepared run, as its chunks need it. `stock_day`: the day that stock is counted from."""

    run_id: str
    attempt: int
    state: str
    as_of: date
    stock_day: date
    bucket: str
    bucket_days: float
    horizon: int
    season: int
    items: int
    chunks: int
    base_run: str | None
    terms_key: str
    settings: dict[str, Any]
    report: dict[str, Any]
    prepared_at: datetime


@dataclass(frozen=True, kw_only=True)
class HistoryRow:
    """One item of a run and what is to be done with it (see `changes`). `chunk` -1: nothing."""

    item: str
    chunk: int
    action: str
    first_period: date | None
    demand: Floats
    facts: dict[str, Any]
    history_key: str
    plan_key: str
    fit_key: str
    fit_periods: int
    overrides: list[dict[str, Any]]


def begin(conn: Connection, row: RunRow) -> None:
    """Records a run, or takes it over from an older attempt; clears what that one staged."""
    columns = sql.SQL(", ").join(map(sql.Identifier, _RUN))
    changed = sql.SQL(", ").join(
        sql.SQL("{0} = excluded.{0}").format(sql.Identifier(c)) for c in _RUN[1:]
    )
    values = {c: getattr(row, c) for c in _RUN}
    values |= {"settings": json.dumps(row.settings), "report": json.dumps(row.report)}
    conn.execute(
        sql.SQL(
            "INSERT INTO supplyline.forecast_run ({}) VALUES ({}) ON CONFLICT (run_id) DO UPDATE"
            " SET {} WHERE forecast_run.state = 'prepared'"
            " AND forecast_run.attempt <= excluded.attempt"
        ).format(columns, sql.SQL(", ").join([sql.Placeholder()] * len(_RUN)), changed),
        [*values.values()],
    )
    for table in ("forecast_history", "forecast_stage", "plan_stage"):
        conn.execute(
            sql.SQL("DELETE FROM supplyline.{} WHERE run_id = %s").format(sql.Identifier(table)),
            (row.run_id,),
        )


def find_run(conn: Connection, run_id: str) -> RunRow | None:
    columns = sql.SQL(", ").join(map(sql.Identifier, _RUN))
    query = sql.SQL("SELECT {} FROM supplyline.forecast_run WHERE run_id = %s").format(columns)
    found = conn.execute(query, (run_id,)).fetchone()
    return None if found is None else RunRow(**dict(zip(_RUN, found, strict=True)))


def latest_run(conn: Connection) -> str | None:
    """The run that readers see: of the published ones that which read the data last."""
    found = conn.execute(
        "SELECT run_id FROM supplyline.forecast_run WHERE state = 'published'"
        " ORDER BY prepared_at DESC, run_id DESC LIMIT 1"
    ).fetchone()
    return None if found is None else str(found[0])


def copy_rows(
    conn: Connection,
    table: str,
    columns: Sequence[str],
    rows: Iterable[tuple[Any, ...]],
) -> None:
    """COPY into a table of schema supplyline."""
    statement = sql.SQL("COPY supplyline.{} ({}) FROM STDIN").format(
        sql.Identifier(table), sql.SQL(", ").join(map(sql.Identifier, columns))
    )
    with conn.cursor() as cursor, cursor.copy(statement) as out:
        for row in rows:
            out.write_row(row)


_HISTORY = tuple(HistoryRow.__dataclass_fields__)


def write_histories(conn: Connection, run_id: str, rows: Iterable[HistoryRow]) -> None:
    copy_rows(
        conn,
        "forecast_history",
        ("run_id", *_HISTORY),
        (
            (
                run_id, r.item, r.chunk, r.action, r.first_period, _array(r.demand),
                json.dumps(r.facts), r.history_key, r.plan_key, r.fit_key, r.fit_periods,
                json.dumps(r.overrides),
            )
            for r in rows
        ),
    )  # fmt: skip


def _array(values: Floats) -> str:
    """PostgreSQL's text for an array, every digit kept; quicker than the driver's dumper."""
    return "{" + ",".join(map(repr, values.tolist())) + "}"


def read_histories(conn: Connection, run_id: str, chunk: int) -> list[HistoryRow]:
    return list(_histories(conn, "run_id = %s AND chunk = %s ORDER BY item", (run_id, chunk)))


def sample(conn: Connection, run_id: str, *, count: int) -> list[HistoryRow]:
    """The first `count` items with demand, in an order that has nothing to do with their codes and
    is the same each time: those whose errors others borrow, and the pool of the plan."""
    return list(
        _histories(
            conn,
            "run_id = %s AND facts ->> 'status' = '' AND demand <> '{}'"
            " ORDER BY history_key, item LIMIT %s",
            (run_id, count),
        )
    )


def _histories(conn: Connection, where: str, values: tuple[Any, ...]) -> Iterator[HistoryRow]:
    query = sql.SQL("SELECT {} FROM supplyline.forecast_history WHERE {}").format(
        sql.SQL(", ").join(map(sql.Identifier, _HISTORY)),
        sql.SQL(where),
    )
    for row in conn.execute(query, values):
        found = dict(zip(_HISTORY, row, strict=True))
        found["demand"] = np.asarray(found["demand"], dtype=np.float64)
        yield HistoryRow(**found)


def before(conn: Connection, run_id: str, *, steps: int) -> dict[str, Before]:
    """What a published run knew of its items; `steps`: periods of the 95 % interval wanted."""
    bands: dict[str, tuple[Floats, Floats]] = {}
    if steps:
        found = conn.execute(
            "SELECT item, array_agg(lo_95 ORDER BY step), array_agg(hi_95 ORDER BY step)"
            " FROM public.inventory_forecast WHERE run_id = %s AND step <= %s GROUP BY item",
            (run_id, steps),
        )
        bands = {item: (np.asarray(lo), np.asarray(hi)) for item, lo, hi in found}
    rows = conn.execute(
        "SELECT item, history_key, plan_key, fit_key, cardinality(demand), fit_periods"
        " FROM supplyline.forecast_history WHERE run_id = %s",
        (run_id,),
    )
    return {
        item: Before(
            history_key=history, plan_key=plan, fit_key=fit, periods=periods,
            fit_periods=fit_periods, lo=bands[item][0] if item in bands else None,
            hi=bands[item][1] if item in bands else None,
        )
        for item, history, plan, fit, periods, fit_periods in rows
    }  # fmt: skip


def save_fits(conn: Connection, found: Iterable[tuple[str, str, str]]) -> None:
    """(item, fit_key, JSON) of a chunk; the same fit made again is the same row."""
    conn.execute("CREATE TEMPORARY TABLE fits (item text, fit_key text, fit jsonb) ON COMMIT DROP")
    with conn.cursor() as cursor, cursor.copy("COPY fits FROM STDIN") as out:
        for row in found:
            out.write_row(row)
    conn.execute(
        "INSERT INTO supplyline.forecast_fit (item, fit_key, fit) SELECT * FROM fits"
        " ON CONFLICT (item, fit_key) DO UPDATE SET fit = excluded.fit"
    )


def read_fits(conn: Connection, wanted: dict[str, str]) -> dict[str, dict[str, Any]]:
    """Item → fit for (item → fit_key); items without are left out."""
    rows = conn.execute(
        "SELECT f.item, f.fit FROM supplyline.forecast_fit f"
        " JOIN unnest(%s::text[], %s::text[]) AS w (item, fit_key)"
        " ON f.item = w.item AND f.fit_key = w.fit_key",
        (list(wanted), list(wanted.values())),
    )
    return dict(rows.fetchall())


def save_uses(conn: Connection, row: RunRow, *, uses: Iterable[tuple[Any, ...]]) -> None:
    """(item, period, override ids, model, used) of a chunk, so that overrides can be measured."""
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO supplyline.forecast_override_use"
            " (run_id, bucket, item, period, override_ids, model, used)"
            " VALUES (%s, %s, %s, %s, %s, %s, %s) ON CONFLICT (run_id, item, period) DO UPDATE"
            " SET override_ids = excluded.override_ids, model = excluded.model,"
            " used = excluded.used",
            [(row.run_id, row.bucket, *u) for u in uses],
        )
