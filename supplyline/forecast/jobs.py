"""The forecast of one organization in three steps: prepare, every chunk, publish.

Promises: what goes from step to step is in the organization's database; the values handed over are
ids and counts. Each step commits once, and may be repeated. Every item gets a row, also one that
says why there is no forecast.
"""

from __future__ import annotations

import hashlib
import json
import logging
import math
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import numpy as np
import psycopg

from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import cells, demand, options, sources, store
from supplyline.forecast.options import ForecastSettings
from supplyline.forecast.policy import Facts, Terms, abc, plan_item
from supplyline.forecast.series import Series, tame

if TYPE_CHECKING:
    from supplyline.forecast.engine import Forecast

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

SEASONS = {"day": 7, "week": 52, "month": 12}
HORIZONS = {"day": 28, "week": 13, "month": 12}
ENGINE = "1"
"""Part of every fingerprint: a change of the methods makes all items due again."""


@dataclass(frozen=True, kw_only=True)
class ForecastPlanInput:
    """What `prepare` found: `chunks` are the numbers to hand to `forecast_chunk`."""

    run_id: str
    items: int
    chunks: tuple[int, ...]
    bucket: str
    as_of: str
    horizon: int
    season: int
    report: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "chunks": list(self.chunks)}


@dataclass(frozen=True, kw_only=True)
class ChunkResult:
    chunk: int
    items: int
    forecast: int


@dataclass(frozen=True, kw_only=True)
class ForecastReport:
    """What a published run holds. `status`: plan status → items; `report`: lines of sales by what
    became of them, columns used, codes that are no product."""

    run_id: str
    items: int
    status: dict[str, int]
    bucket: str
    as_of: str
    horizon: int
    report: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def load_settings(conn: Connection) -> ForecastSettings:
    """The organization's newest forecast settings, or the defaults."""
    row = conn.execute(
        "SELECT settings FROM supplyline.forecast_settings ORDER BY version DESC LIMIT 1"
    ).fetchone()
    return options.parse(row[0]) if row else ForecastSettings()


def prepare(
    org: OrgId,
    *,
    conn: Connection,
    settings: ForecastSettings | None = None,
    now: datetime,
    run: RunRef,
) -> ForecastPlanInput:
    """Reads sales, stock and lead times and writes one history per item. Commits.

    Raises NotEnoughHistory when there is no table of sales, or no readable line in it.
    """
    chosen = settings or load_settings(conn)
    with conn.transaction():
        found = sources.find(conn)
        lines = demand.collect(sources.read_lines(conn, found), today=now.astimezone(UTC).date())
        sold, counts = demand.without_returns(lines)
        if not sold.item.size:
            raise NotEnoughHistory("The sales hold no line with a positive quantity.")
        bucket = demand.choose_bucket(sold, forced=chosen.bucket)
        season = chosen.season or SEASONS[bucket.name]
        horizon = _horizon(chosen, bucket.name, bucket.days)
        facts = sources.read_facts(conn, found)
        rows, fees = _histories(lines, sold, bucket, facts, chosen)
        chunks = max(1, math.ceil(len(rows) / chosen.chunk_items))
        report = {
            "sources": found.as_json(),
            "lines": demand.summary(lines, bucket, counts),
            "not_products": fees,
        }
        row = store.RunRow(
            run_id=run.run_id,
            attempt=run.attempt,
            state="prepared",
            as_of=bucket.as_of,
            bucket=bucket.name,
            bucket_days=bucket.days,
            horizon=horizon,
            season=season,
            items=len(rows),
            chunks=chunks,
            settings=chosen.as_json(),
            report=report,
        )
        store.begin(conn, row, now=now)
        store.write_histories(conn, run.run_id, _chunked(rows, chosen.chunk_items, row))
    conn.commit()
    log.info("forecast prepared", extra={"org": org, "run_id": run.run_id, "items": len(rows)})
    return ForecastPlanInput(
        run_id=run.run_id,
        items=len(rows),
        chunks=tuple(range(chunks)),
        bucket=bucket.name,
        as_of=bucket.as_of.isoformat(),
        horizon=horizon,
        season=season,
        report=report,
    )


def _horizon(chosen: ForecastSettings, bucket: str, days: float) -> int:
    if chosen.horizon:
        return chosen.horizon
    needed = math.ceil((chosen.lead_time_days + chosen.review_days) / days)
    return max(HORIZONS[bucket], needed)


def _histories(
    lines: demand.Lines,
    sold: demand.Lines,
    bucket: demand.Bucket,
    facts: dict[str, dict[str, str]],
    chosen: ForecastSettings,
) -> tuple[list[store.HistoryRow], list[str]]:
    """One history per item known from sales or from the tables with facts."""
    digits = sum(any(c.isdigit() for c in i) for i in lines.items) > 0.9 * len(lines.items)
    numbers = _numeric(facts)
    found = {d.item: d for d in demand.by_item(sold, bucket)}
    values = {i: d.revenue or float(d.values.sum()) for i, d in found.items()}
    names = {item: lines.names.get(code, "") for code, item in enumerate(lines.items)}
    fees = [
        i
        for i, name in names.items()
        if i in chosen.not_products
        or (
            i not in chosen.products
            and i not in facts
            and demand.no_product(i, name, most_have_digits=digits)
        )
    ]
    unsold = set(fees)
    values = {i: v for i, v in values.items() if i not in unsold}
    grades = abc(values)
    rows = []
    for item in sorted({*lines.items, *facts}):
        d = found.get(item)
        known = Facts(
            name=facts.get(item, {}).get("name", names.get(item, "")),
            abc=grades.get(item, ""),
            **_status_of(has_demand=d is not None, fee=item in unsold),
            **numbers.get(item, {}),
        )
        if known.unit_price is None and d is not None and math.isfinite(d.price):
            known = replace(known, unit_price=d.price)
        rows.append(
            store.HistoryRow(
                item=item,
                chunk=0,
                first_period=bucket.start(d.first) if d else None,
                demand=[float(v) for v in d.values] if d else [],
                facts=asdict(known),
                fingerprint="",
            )
        )
    return rows, sorted(fees)


def _status_of(*, has_demand: bool, fee: bool) -> dict[str, Any]:
    if fee:
        return {
            "status": "not_a_product",
            "why": "The code looks like a fee, postage or correction; settings can say otherwise.",
        }
    if not has_demand:
        return {"status": "no_history", "why": "No sale of this item was found in the periods."}
    return {}


def _numeric(facts: dict[str, dict[str, str]]) -> dict[str, dict[str, Any]]:
    """The facts that are numbers, each column read in one way."""
    out: dict[str, dict[str, Any]] = {}
    for name in (
        "unit_cost", "unit_price", "lead_time_days", "min_order_qty", "pack_size", "on_hand",
        "on_order",
    ):  # fmt: skip
        read = cells.numbers({f[name] for f in facts.values() if name in f})
        for item, known in facts.items():
            value = read.get(known.get(name, ""))
            if value is not None and (value >= 0 or name == "on_hand"):
                out.setdefault(item, {})[name] = value
    return out


def _chunked(
    rows: list[store.HistoryRow], size: int, run: store.RunRow
) -> Iterator[store.HistoryRow]:
    terms = [ENGINE, run.bucket, run.horizon, run.season, run.as_of.isoformat(), run.settings]
    for n, row in enumerate(rows):
        text = json.dumps([terms, row.item, row.demand, row.facts], sort_keys=True)
        digest = hashlib.sha256(text.encode()).hexdigest()
        yield replace(row, chunk=n // size, fingerprint=digest)


def forecast_chunk(
    org: OrgId, *, conn: Connection, run: RunRef, chunk: int, workers: int = 1
) -> ChunkResult:
    """Forecasts and plans the items of one chunk into staging. Commits.

    Raises NotEnoughHistory when the run was not prepared.
    """
    from supplyline.forecast.engine import forecast_batch

    row = _prepared(conn, run)
    histories = store.read_histories(conn, run.run_id, chunk)
    series, facts = {}, {}
    for h in histories:
        known = Facts(**{**h.facts, "notes": tuple(h.facts["notes"])})
        one = tame(Series(id=h.item, values=np.asarray(h.demand, dtype=float)))
        facts[h.item], series[h.item] = known, one
    due = [s for i, s in series.items() if s.values.size and not facts[i].status]
    found = {
        f.id: f
        for f in forecast_batch(due, horizon=row.horizon, season=row.season, workers=workers)
    }
    chosen = options.parse(row.settings)
    terms = Terms(
        as_of=row.as_of,
        bucket=row.bucket,
        bucket_days=row.bucket_days,
        review_days=chosen.review_days,
        lead_time_days=chosen.lead_time_days,
        fill_rate=chosen.fill_rate,
    )
    plans = [
        plan_item(i, values=s.values, forecast=found.get(i), facts=facts[i], terms=terms)
        for i, s in series.items()
    ]
    bucket = demand.Bucket(name=row.bucket, periods=0, as_of=row.as_of)
    with conn.transaction():
        store.stage(conn, run.run_id, chunk=chunk, plans=plans, forecasts=_rows(found, bucket))
    conn.commit()
    log.info("forecast chunk", extra={"org": org, "run_id": run.run_id, "chunk": chunk})
    return ChunkResult(chunk=chunk, items=len(series), forecast=len(found))


def _rows(found: dict[str, Forecast], bucket: demand.Bucket) -> Iterator[tuple[Any, ...]]:
    starts: dict[int, Any] = {}
    for item, f in found.items():
        for step in range(f.mean.size):
            start = starts.setdefault(step, bucket.start(step))
            bands = [float(end[level][step]) for level in (80, 95) for end in (f.lo, f.hi)]
            yield (item, step + 1, start, float(f.mean[step]), *bands, f.model, f.pattern.name)


def _prepared(conn: Connection, run: RunRef) -> store.RunRow:
    row = store.find_run(conn, run.run_id)
    if row is None:
        raise NotEnoughHistory(
            f"The forecast run {run.run_id} was not prepared.",
            next_step="Run the step `prepare` first.",
        )
    return row


def publish(org: OrgId, *, conn: Connection, now: datetime, run: RunRef) -> ForecastReport:
    """Makes the staged results the ones that readers see, in one transaction. Commits.

    Raises StaleWorker when a newer attempt owns the run.
    """
    row = _prepared(conn, run)
    if row.state != "published":
        staged = _count(conn, "supplyline.plan_stage", run.run_id)
        if staged != row.items:
            raise NotEnoughHistory(
                f"Only {staged} of {row.items} items of run {run.run_id} were forecast.",
                next_step="Run the missing chunks, then publish again.",
            )
        store.publish_run(
            conn,
            org,
            run=run,
            keep=options.parse(row.settings).keep_runs,
            detail={"items": row.items, "bucket": row.bucket, "as_of": row.as_of.isoformat()},
            now=now,
        )
    conn.commit()
    counts = conn.execute(
        "SELECT status, count(*) FROM public.inventory_plan WHERE run_id = %s"
        " GROUP BY status ORDER BY status",
        (run.run_id,),
    ).fetchall()
    conn.commit()
    return ForecastReport(
        run_id=run.run_id,
        items=row.items,
        status={str(s): int(n) for s, n in counts},
        bucket=row.bucket,
        as_of=row.as_of.isoformat(),
        horizon=row.horizon,
        report=row.report,
    )


def _count(conn: Connection, table: str, run_id: str) -> int:
    schema, _, name = table.partition(".")
    query = psycopg.sql.SQL("SELECT count(*) FROM {} WHERE run_id = %s").format(
        psycopg.sql.Identifier(schema, name)
    )
    row = conn.execute(query, (run_id,)).fetchone()
    return int(row[0]) if row else 0


def run_all(
    org: OrgId,
    *,
    conn: Connection,
    now: datetime,
    run: RunRef,
    settings: ForecastSettings | None = None,
    workers: int = 1,
) -> ForecastReport:
    """Prepare, every chunk and publish in this process."""
    prepared = prepare(org, conn=conn, settings=settings, now=now, run=run)
    for chunk in prepared.chunks:
        forecast_chunk(org, conn=conn, run=run, chunk=chunk, workers=workers)
    return publish(org, conn=conn, now=now, run=run)
