"""Whether anything has happened that a new forecast would show.

Every change of an organization's data, settings and overrides is an audit event (P9), so the trail
tells: without an event of these kinds after the last one that the newest run knew, and with the
same engine, a run would carry everything over. But for what time alone changes: lines of days that
were not over, or lay in the future, when that run was made.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any

import psycopg

from supplyline.forecast import changes, options, store

Connection = psycopg.Connection[tuple[Any, ...]]

WITHOUT_EFFECT = (
    "forecast.published",
    "ingest.%",
    "quality.%",
    "schema.%",
    "isolation.%",
    "schedule.%",
)


def reason_to_run(conn: Connection, *, now: datetime) -> str:
    """Why a forecast is worth running now; empty when it would change nothing."""
    latest = store.latest_run(conn)
    run = store.find_run(conn, latest) if latest else None
    if run is None:
        return "There is no published forecast yet."
    chosen = options.parse(run.settings)
    terms = changes.terms_key(
        bucket=run.bucket,
        horizon=run.horizon,
        season=run.season,
        refit=chosen.refit(run.bucket),
    )
    if terms != run.terms_key:
        return "The engine is of another version than the one of the newest run."
    found = conn.execute(
        "SELECT kind, count(*) FROM supplyline.audit_events WHERE seq > %s"
        " AND NOT kind LIKE ANY(%s) GROUP BY kind ORDER BY kind",
        (run.report["trail"], list(WITHOUT_EFFECT)),
    ).fetchall()
    if found:
        return "Since the newest run: " + ", ".join(f"{n} {kind}" for kind, n in found) + "."
    if run.report["waits_for_days"] and chosen.day(run.prepared_at) < chosen.day(now):
        return "The sales hold days that were not over when the newest run was made."
    return ""
