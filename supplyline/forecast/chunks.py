"""One part of a run's items: forecast, planned and staged.

Promises: how a run is cut into parts changes no result; a part may be done again; every item gets
a row, also one that says why there is no forecast.
"""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from typing import TYPE_CHECKING, Any

import psycopg

from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import (
    changes,
    demand,
    fits,
    levels,
    options,
    overrides,
    overriding,
    publishing,
    store,
)
from supplyline.forecast.doubts import doubts
from supplyline.forecast.grain import grain_of
from supplyline.forecast.leadtime import Level
from supplyline.forecast.policy import mean_ahead, plan_item
from supplyline.forecast.series import Series, tame
from supplyline.forecast.terms import Facts, Terms, terms_of

if TYPE_CHECKING:
    from supplyline.forecast.engine import Calibration, Forecast

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

LENDERS = 256
"""Items of a run whose errors all others borrow, so that chunks change nothing."""


@dataclass(kw_only=True)
class Lent:
    """What a run's items borrow from one another, made when a chunk first needs it."""

    calibration: Calibration | None = None


@dataclass(frozen=True, kw_only=True)
class ChunkResult:
    chunk: int
    items: int
    forecast: int


def forecast_chunk(
    org: OrgId,
    *,
    conn: Connection,
    run: RunRef,
    chunk: int,
    workers: int = 1,
    lent: Lent | None = None,
) -> ChunkResult:
    """Forecasts and plans the items of one chunk into staging. Commits. `lent` is handed on
    between the chunks of one process, which spares work and changes nothing.

    Raises NotEnoughHistory when the run was not prepared.
    """
    row = prepared_run(conn, run)
    chosen = options.parse(row.settings)
    histories = store.read_histories(conn, run.run_id, chunk)
    series = {h.item: _series(h) for h in histories}
    facts = {h.item: _facts(h) for h in histories}
    found, new = _forecasts(
        conn, row, histories, series, facts, workers=workers, lent=lent or Lent()
    )
    terms = Terms(
        as_of=row.as_of,
        bucket=row.bucket,
        bucket_days=row.bucket_days,
        review_days=chosen.review_days,
        lead_time_days=chosen.lead_time_days,
        fill_rate=chosen.fill_rate,
        holding_rate=chosen.holding_rate,
        stock_day=row.stock_day,
    )
    bucket = demand.Bucket(name=row.bucket, periods=0, as_of=row.as_of)
    starts = [bucket.start(step) for step in range(row.horizon + 1)]
    known = {h.item: levels.Stocked(series=series[h.item], facts=facts[h.item]) for h in histories}
    pooled = _pooled(conn, row, histories, known, terms)
    plans, uses = [], []
    for h in histories:
        used = overriding.apply(
            [overrides.from_json(o) for o in h.overrides],
            forecast=found.get(h.item),
            facts=facts[h.item],
            terms=terms,
            starts=starts,
        )
        level = pooled.get(h.item)
        if level is not None and used.forecast is not None and found.get(h.item) is not None:
            level = _moved(level, found[h.item], used, series[h.item])
        plans.append(_plan(h.item, series[h.item], used, bucket=row.bucket, pooled=level))
        uses += [(h.item, day, list(ids), m, u) for day, (ids, m, u) in used.demand.items()]
    ahead = _rows(found, starts[:-1])
    keys = {h.item: h.fit_key for h in histories}
    with conn.transaction():
        publishing.stage(conn, run.run_id, chunk=chunk, plans=plans, forecasts=ahead)
        store.save_fits(conn, ((f.id, keys[f.id], fits.encode(f)) for f in new))
        store.save_uses(conn, row, uses=uses)
    conn.commit()
    log.info("forecast chunk", extra={"org": org, "run_id": run.run_id, "chunk": chunk})
    return ChunkResult(chunk=chunk, items=len(series), forecast=len(found))


def _series(history: store.HistoryRow) -> Series:
    return tame(Series(id=history.item, values=history.demand))


def _facts(history: store.HistoryRow) -> Facts:
    return Facts(**{**history.facts, "notes": tuple(history.facts["notes"])})


def _forecasts(
    conn: Connection,
    row: store.RunRow,
    histories: list[store.HistoryRow],
    series: dict[str, Series],
    facts: dict[str, Facts],
    *,
    workers: int,
    lent: Lent,
) -> tuple[dict[str, Forecast], list[Forecast]]:
    """Forecasts by item, those that still hold read from where they are kept, and the new ones."""
    from supplyline.forecast.engine import forecast_batch

    able = [h for h in histories if h.demand.size and not facts[h.item].status]
    old = {h.item: h for h in able if h.action != changes.FIT}
    kept = store.read_fits(conn, {i: h.fit_key for i, h in old.items()})
    found = {
        i: fits.shifted(fits.decode(fit), old[i].demand.size - old[i].fit_periods)
        for i, fit in kept.items()
    }
    due = [series[h.item] for h in able if h.item not in found]
    if not due:
        return found, []
    if lent.calibration is None:
        lent.calibration = _calibration(conn, row, workers=workers)
    new = forecast_batch(
        due,
        horizon=_fitted_horizon(row),
        season=row.season,
        workers=workers,
        calibration=lent.calibration,
    )
    return found | {f.id: f for f in new}, new


def _fitted_horizon(row: store.RunRow) -> int:
    """Periods ahead that a fit must serve until the item is fitted again."""
    return row.horizon + options.parse(row.settings).refit(row.bucket) - 1


def _calibration(conn: Connection, row: store.RunRow, *, workers: int) -> Calibration:
    from supplyline.forecast.engine import calibrate

    lent = [_series(h) for h in store.sample(conn, row.run_id, count=LENDERS)]
    return calibrate(lent, horizon=_fitted_horizon(row), season=row.season, workers=workers)


def _pooled(
    conn: Connection,
    row: store.RunRow,
    histories: list[store.HistoryRow],
    known: dict[str, levels.Stocked],
    terms: Terms,
) -> dict[str, Level]:
    """Levels that the items' pools give; terms that an override changes have the formula."""
    own = [
        known[h.item] for h in histories if all(o["kind"] == overrides.DEMAND for o in h.overrides)
    ]
    drawn = store.sample(conn, row.run_id, count=levels.POOL_ITEMS) if own else []
    others = [
        levels.Stocked(series=_series(h), facts=_facts(h)) for h in drawn if h.item not in known
    ]
    return levels.pooled(own, others, terms=terms, season=row.season)


def _moved(level: Level, model: Forecast, used: overriding.Used, series: Series) -> Level:
    """A level as overrides of demand move it: by the change of the mean over L + R."""
    own = terms_of(used.facts, used.terms)
    if used.forecast is None or not used.demand:
        return level
    change = mean_ahead(used.forecast, own) - mean_ahead(model, own)
    mean = level.mean + change * (own.lead + own.review)
    amount = grain_of(series.values).whole(mean + level.factor * level.sd)
    return replace(level, amount=amount, mean=mean)


def _plan(
    item: str, series: Series, used: overriding.Used, *, bucket: str, pooled: Level | None
) -> dict[str, Any]:
    said = doubts(series.values, used.forecast, bucket=bucket)
    facts = replace(used.facts, notes=(*used.facts.notes, *said))
    row = plan_item(
        item,
        values=series.values,
        forecast=used.forecast,
        facts=facts,
        terms=used.terms,
        pooled=pooled,
    )
    if used.said:
        row["explanation"] = {**row["explanation"], "overrides": used.said}
    return row


def _rows(found: dict[str, Forecast], starts: list[date]) -> Iterator[tuple[Any, ...]]:
    for item, f in found.items():
        for step, start in enumerate(starts[: f.mean.size]):
            bands = [float(end[level][step]) for level in (80, 95) for end in (f.lo, f.hi)]
            yield (item, step + 1, start, float(f.mean[step]), *bands, f.model, f.pattern.name)


def prepared_run(conn: Connection, run: RunRef) -> store.RunRow:
    """Raises NotEnoughHistory when the run was not prepared."""
    row = store.find_run(conn, run.run_id)
    if row is None:
        raise NotEnoughHistory(
            f"The forecast run {run.run_id} was not prepared.",
            next_step="Run the step `prepare` first.",
        )
    return row
