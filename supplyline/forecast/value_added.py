"""Whether overrides made the forecast better, told once sales are known.

For every period with an override that is over, the last published run made before the period began
counts: |actual - model| beside |actual - used|. Value added is 1 - MAE(used) / MAE(model), as in
forecast value added (Gilliland 2010, *The Business Forecasting Deal*); below zero the override did
harm. Overrides of fill rate and lead time change no forecast and are not measured here.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import date
from typing import Any

import numpy as np
import psycopg

from supplyline.forecast import store
from supplyline.forecast.calendars import EPOCH
from supplyline.forecast.demand import Bucket

Connection = psycopg.Connection[tuple[Any, ...]]


@dataclass(frozen=True, kw_only=True)
class Measured:
    """One period of one item, over by now."""

    item: str
    period: date
    override_ids: tuple[int, ...]
    model: float
    used: float
    actual: float


def measure(conn: Connection) -> list[Measured]:
    """All overridden periods of which the newest published run knows the demand."""
    newest = store.latest_run(conn)
    run = store.find_run(conn, newest) if newest else None
    if run is None:
        return []
    rows = conn.execute(
        "SELECT DISTINCT ON (u.item, u.period) u.item, u.period, u.override_ids, u.model, u.used"
        " FROM supplyline.forecast_override_use u JOIN supplyline.forecast_run r USING (run_id)"
        " WHERE r.state = 'published' AND r.as_of < u.period AND u.bucket = %s"
        # A later plan was made without it, the override being withdrawn by then.
        " AND NOT EXISTS (SELECT FROM supplyline.forecast_run later"
        " JOIN supplyline.forecast_override o ON o.id = ANY(u.override_ids)"
        " WHERE later.state = 'published' AND later.as_of < u.period"
        " AND later.prepared_at > r.prepared_at AND later.prepared_at > o.withdrawn_at)"
        " ORDER BY u.item, u.period, r.as_of DESC, r.prepared_at DESC",
        (run.bucket,),
    ).fetchall()
    actual = _actual(conn, run, sorted({item for item, *_ in rows}))
    over = _periods_over(run, [period for _, period, *_ in rows])
    return [
        Measured(
            item=item, period=period, override_ids=tuple(ids), model=model, used=used,
            actual=actual.get(item, {}).get(period, 0.0),  # before the first sale: none
        )
        for item, period, ids, model, used in rows
        if period in over
    ]  # fmt: skip


def _periods_over(run: store.RunRow, periods: list[date]) -> set[date]:
    """Of first days of periods those that begin one of the run's own periods, over by then."""
    grid = Bucket(name=run.bucket, periods=0, as_of=run.as_of)
    days = np.asarray([(p - EPOCH).days for p in periods], dtype=np.int64)
    return {
        p
        for p, index in zip(periods, map(int, grid.index(days)), strict=True)
        if index < 0 and grid.start(index) == p
    }


def _actual(conn: Connection, run: store.RunRow, items: list[str]) -> dict[str, dict[date, float]]:
    found = conn.execute(
        "SELECT item, demand FROM supplyline.forecast_history WHERE run_id = %s AND item = ANY(%s)",
        (run.run_id, items),
    )
    out = {}
    for item, demand in found:
        grid = Bucket(name=run.bucket, periods=len(demand), as_of=run.as_of)
        out[item] = {grid.start(n): value for n, value in enumerate(demand)}
    return out


def report(conn: Connection) -> dict[str, Any]:
    """`{"all", "by_person", "by_override"}`: periods, MAE of model and override, value added."""
    measured = measure(conn)
    known = {
        i: (item, reason, who)
        for i, item, reason, who in conn.execute(
            "SELECT id, item, reason, set_by FROM supplyline.forecast_override"
        )
    }
    people: dict[str, list[Measured]] = defaultdict(list)
    single: dict[int, list[Measured]] = defaultdict(list)
    for m in measured:
        single[m.override_ids[-1]].append(m)
        people[known[m.override_ids[-1]][2]].append(m)
    return {
        "all": _scores(measured),
        "by_person": [{"set_by": who, **_scores(people[who])} for who in sorted(people)],
        "by_override": [
            {"id": i, "item": known[i][0], "reason": known[i][1], "set_by": known[i][2],
             **_scores(single[i])}
            for i in sorted(single)
        ],
    }  # fmt: skip


def _scores(measured: list[Measured]) -> dict[str, Any]:
    if not measured:
        return {"periods": 0, "mae_model": None, "mae_override": None, "value_added": None}
    model = sum(abs(m.actual - m.model) for m in measured) / len(measured)
    used = sum(abs(m.actual - m.used) for m in measured) / len(measured)
    return {
        "periods": len(measured),
        "mae_model": model,
        "mae_override": used,
        "value_added": 1 - used / model if model else (0.0 if used == 0 else None),
        "bias_model": sum(m.model - m.actual for m in measured) / len(measured),
        "bias_override": sum(m.used - m.actual for m in measured) / len(measured),
    }
