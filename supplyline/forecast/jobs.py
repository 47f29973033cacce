"""The forecast of one organization in three steps: prepare, every chunk, publish.

Promises: what goes from step to step is in the organization's database; the values handed over are
ids and counts. Each step commits once, and may be repeated.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

import psycopg

from supplyline.contracts import OrgId, RunRef
from supplyline.errors import NotEnoughHistory
from supplyline.forecast import options, publishing
from supplyline.forecast.chunks import Lent, forecast_chunk, prepared_run
from supplyline.forecast.options import ForecastSettings
from supplyline.forecast.preparing import prepare

Connection = psycopg.Connection[tuple[Any, ...]]


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


def missing_chunks(conn: Connection, *, run: RunRef) -> list[int]:
    """Chunks of a prepared run that are not in staging. Staging is not logged: a crash of
    PostgreSQL empties it, and the histories are still there to do them again."""
    row = prepared_run(conn, run)
    return [] if row.state == "published" else list(publishing.missing(conn, run.run_id))


def publish(org: OrgId, *, conn: Connection, now: datetime, run: RunRef) -> ForecastReport:
    """Makes the staged results the ones that readers see, in one transaction. Commits.

    Raises StaleWorker when a newer attempt owns the run.
    """
    row = prepared_run(conn, run)
    if row.state != "published":
        missing = sum(publishing.missing(conn, run.run_id).values())
        if missing:
            raise NotEnoughHistory(
                f"{missing} of {row.items} items of run {run.run_id} were not forecast.",
                next_step="Run the missing chunks, then publish again.",
            )
        publishing.publish_run(
            conn,
            org,
            run=run,
            keep=options.parse(row.settings).keep_runs,
            detail={
                "items": row.items,
                "bucket": row.bucket,
                "as_of": row.as_of.isoformat(),
                "changes": row.report.get("changes", {}),
            },
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
    lent = Lent()
    for chunk in prepared.chunks:
        forecast_chunk(org, conn=conn, run=run, chunk=chunk, workers=workers, lent=lent)
    return publish(org, conn=conn, now=now, run=run)
