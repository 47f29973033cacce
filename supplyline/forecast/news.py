"""Whether anything has happened that a new forecast would show.

Every change of an organization's data, settings and overrides is an audit event (P9), so the trail
tells: without an event of these kinds since the newest run was prepared, and with the same engine,
a run would carry everything over.
"""

from __future__ import annotations

from typing import Any

import psycopg

from supplyline.forecast import changes, store

Connection = psycopg.Connection[tuple[Any, ...]]

WITHOUT_EFFECT = (
    "forecast.published",
    "ingest.%",
    "quality.%",
    "schema.%",
    "isolation.%",
    "schedule.%",
)


def reason_to_run(conn: Connection) -> str:
    """Why a forecast is worth running now; empty when it would change nothing."""
    latest = store.latest_run(conn)
    run = store.find_run(conn, latest) if latest else None
    if run is None:
        return "There is no published forecast yet."
    terms = changes.key(changes.engine_version(), run.bucket, run.horizon, run.season)
    if terms != run.terms_key:
        return "The engine is of another version than the one of the newest run."
    found = conn.execute(
        "SELECT kind, count(*) FROM supplyline.audit_events WHERE at > (SELECT prepared_at"
        " FROM supplyline.forecast_run WHERE run_id = %s) AND NOT kind LIKE ANY(%s)"
        " GROUP BY kind ORDER BY kind",
        (run.run_id, list(WITHOUT_EFFECT)),
    ).fetchall()
    if not found:
        return ""
    return "Since the newest run: " + ", ".join(f"{n} {kind}" for kind, n in found) + "."
