"""The first step of a forecast: histories, facts, and what changed since the run before.

Promises: every item that sales or tables with facts know is in the run, with what is to be done
with it; what was read, and as what, is in the run's report. Commits once.
"""

from __future__ import annotations

import hashlib
import logging
import math
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime, timedelta
from typing import Any

import psycopg

from supplyline.audit.events import head
from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import (
    buckets,
    cells,
    changes,
    demand,
    documents,
    items,
    masters,
    measures,
    overrides,
    sales_lines,
    sources,
    store,
)
from supplyline.forecast.decisions import load_settings
from supplyline.forecast.marks import decimal_mark
from supplyline.forecast.options import MOST_PERIODS, ForecastSettings
from supplyline.forecast.returns import without_returns
from supplyline.forecast.statuses import Statuses, folded

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

SEASONS = {"day": 7, "week": 52, "month": 12}
NAMED = 20
"""Days that the report names."""
HORIZONS = {"day": 28, "week": 13, "month": 12}


@dataclass(frozen=True, kw_only=True)
class ForecastPlanInput:
    """What `prepare` found: `chunks` are the numbers to hand to `forecast_chunk`; `changes`: items
    by what is to be done with them (see `changes`)."""

    run_id: str
    items: int
    chunks: tuple[int, ...]
    bucket: str
    as_of: str
    horizon: int
    season: int
    changes: dict[str, int]
    report: dict[str, Any]

    def as_json(self) -> dict[str, Any]:
        return {**asdict(self), "chunks": list(self.chunks)}


def prepare(
    org: OrgId,
    *,
    conn: Connection,
    settings: ForecastSettings | None = None,
    now: datetime,
    run: RunRef,
) -> ForecastPlanInput:
    """Reads sales, stock and lead times, writes one history per item and says what changed since
    the newest published run. Commits.

    Raises NotEnoughHistory when there is no table of sales, or no readable line in it.
    """
    chosen = settings or load_settings(conn)
    with conn.transaction():
        trail, _ = head(conn)  # first: what comes later may not be in what is read
        latest = store.latest_run(conn)
        base = store.find_run(conn, latest) if latest and latest != run.run_id else None
        found = sources.find(conn)
        conn.execute("SELECT set_config('TimeZone', %s, true)", (chosen.timezone,))
        today = chosen.day(now)
        texts = sales_lines.column_texts(conn, found)
        mark = decimal_mark(conn, found.sales.table) if set(texts) - {"date"} else ""
        readings = cells.readings(texts, mark=mark)
        types = documents.read(conn, found.sales)
        lines = buckets.without_far_days(
            demand.collect(
                sales_lines.read_lines(conn, found, documents=types),
                today=today,
                readings=readings,
                statuses=Statuses(
                    counted=frozenset(map(folded, chosen.statuses_counted)),
                    left_out=frozenset(map(folded, chosen.statuses_left_out)),
                    documents=types,
                ),
            )
        )
        sold, counts = without_returns(lines)
        if not sold.item.size:
            raise NotEnoughHistory("The sales hold no line with a positive quantity.")
        before = (base.bucket, base.as_of) if base else None
        bucket = buckets.choose_bucket(sold, today=today, forced=chosen.bucket, before=before)
        later = buckets.choose_bucket(sold, today=date.max, forced=chosen.bucket, before=before)
        mixed, of_items = measures.mixed(conn, found)
        beside = items.Beside(
            facts=masters.read_facts(conn, found),
            stockouts=masters.stockouts(conn, found),
            lead_times=masters.lead_times(conn, found),
            notes=of_items,
        )
        known, fees = items.collect(lines, sold, bucket=bucket, beside=beside, chosen=chosen)
        horizon = _horizon(chosen, bucket.name, bucket.days)
        season = chosen.season or SEASONS[bucket.name]
        terms_key = changes.terms_key(
            bucket=bucket.name, horizon=horizon, season=season, refit=chosen.refit(bucket.name)
        )
        stock_day = max(bucket.as_of, sold.last_day)
        rows, counted = _changed(
            conn, known, bucket=bucket, stock_day=stock_day, chosen=chosen, base=base,
            terms_key=terms_key,
        )  # fmt: skip
        due = len(rows) - counted.get(changes.KEEP, 0)
        report = {
            "sources": found.as_json(),
            "not_read": dict(found.unread),
            "trail": trail,
            "notes": [
                *readings.notes,
                *sales_lines.said(conn, found.sales),
                *items.unmatched(lines, beside.facts),
                *mixed,
            ],
            "waits_for_days": later != bucket or "in_the_future" in lines.report,
            "lines": demand.summary(lines, bucket, counts),
            "statuses": lines.statuses,
            "far_days": list(lines.far_days[:NAMED]),
            "not_products": fees,
            "changes": counted,
        }
        row = store.RunRow(
            run_id=run.run_id,
            attempt=run.attempt,
            state="prepared",
            as_of=bucket.as_of,
            stock_day=stock_day,
            bucket=bucket.name,
            bucket_days=bucket.days,
            horizon=horizon,
            season=season,
            items=len(rows),
            chunks=max(1, math.ceil(due / chosen.chunk_items)),
            base_run=base.run_id if base else None,
            terms_key=terms_key,
            settings=chosen.as_json(),
            report=report,
            prepared_at=now,
        )
        store.begin(conn, row)
        store.write_histories(conn, run.run_id, rows)
    conn.commit()
    log.info("forecast prepared", extra={"org": org, "run_id": run.run_id, "items": len(rows)})
    return ForecastPlanInput(
        run_id=run.run_id,
        items=len(rows),
        chunks=tuple(range(row.chunks)),
        bucket=bucket.name,
        as_of=bucket.as_of.isoformat(),
        horizon=horizon,
        season=season,
        changes=counted,
        report=report,
    )


def _horizon(chosen: ForecastSettings, bucket: str, days: float) -> int:
    if chosen.horizon:
        return chosen.horizon
    needed = math.ceil((chosen.lead_time_days + chosen.review_days) / days)
    return min(max(HORIZONS[bucket], needed), MOST_PERIODS)


def _changed(
    conn: Connection,
    known: list[items.Item],
    *,
    bucket: demand.Bucket,
    stock_day: date,
    chosen: ForecastSettings,
    base: store.RunRow | None,
    terms_key: str,
) -> tuple[list[store.HistoryRow], dict[str, int]]:
    """One row per item with what is to be done with it, in chunks; items by action."""
    refit = chosen.refit(bucket.name)
    comparable = base is not None and base.terms_key == terms_key
    before = store.before(conn, base.run_id, steps=refit - 1) if base and comparable else {}
    planning = chosen.planning()
    said = overrides.due(conn, day=bucket.as_of + timedelta(days=1))
    rows: list[store.HistoryRow] = []
    counted: dict[str, int] = {}
    for i in known:
        facts = dict(vars(i.facts))
        given = [overrides.as_json(o) for o in said.get(i.item, ())]
        day = stock_day if given or i.facts.on_hand is not None else bucket.as_of
        plan_key = changes.key(planning, bucket.as_of, day, facts, given)
        decision = changes.decide(
            first_period=i.first_period,
            demand=i.demand,
            plan_key=plan_key,
            before=before.get(i.item),
            refit=refit,
            turn=refit > 1 and changes.turn_of(i.item, day=bucket.as_of, refit=refit),
        )
        rows.append(
            store.HistoryRow(
                item=i.item,
                chunk=-1,
                action=decision.action,
                first_period=i.first_period,
                demand=i.demand,
                facts=facts,
                history_key=changes.history_key(i.first_period, i.demand),
                plan_key=plan_key,
                fit_key=decision.fit_key,
                fit_periods=decision.fit_periods,
                overrides=given,
            )
        )
        counted[decision.action] = counted.get(decision.action, 0) + 1
    return _chunked(rows, chosen.chunk_items), counted


def _chunked(rows: list[store.HistoryRow], size: int) -> list[store.HistoryRow]:
    """Items with something to do, spread over chunks without regard to their codes: neighbours by
    code are alike, and a chunk's items lend one another their errors."""
    due = [r.item for r in rows if r.action != changes.KEEP]
    due.sort(key=lambda item: hashlib.sha256(item.encode()).digest())
    chunk = {item: n // size for n, item in enumerate(due)}
    return [replace(r, chunk=chunk.get(r.item, -1)) for r in rows]
