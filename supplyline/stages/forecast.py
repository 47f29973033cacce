"""The forecast in its three steps, as Airflow maps them over parts of the items."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from supplyline import settings as environment
from supplyline.contracts import Json, RunRef
from supplyline.settings import Settings
from supplyline.stages.common import Clock, utc_now
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_client_id


def prepare_forecast(
    *, client_id: str, run: RunRef, settings: Settings | None = None, now: Clock = utc_now
) -> list[Json]:
    """Reads demand and stock and splits the items. Answers one `{chunk, attempt}` for each part.

    The attempt travels with the parts: tasks of one run are retried apart, and only the newest
    preparation may be published. Raises OrganizationNotFound, NotEnoughHistory, transient errors.
    """
    from supplyline.forecast import prepare

    config = settings or environment.get()
    org = parse_client_id(client_id)
    with session(org, settings=config) as conn:
        prepared = prepare(org, conn=conn, now=now(), run=run)
    return [{"chunk": chunk, "attempt": run.attempt} for chunk in prepared.chunks]


def forecast_part(
    *, client_id: str, part: Json, run: RunRef, settings: Settings | None = None
) -> Json:
    """Forecasts and plans one part's items into staging. Answers `{items, attempt}`."""
    from supplyline.forecast import forecast_chunk

    config = settings or environment.get()
    org = parse_client_id(client_id)
    owner = replace(run, attempt=part["attempt"])
    with session(org, settings=config) as conn:
        result = forecast_chunk(org, conn=conn, run=owner, chunk=part["chunk"])
    return {"items": result.items, "attempt": part["attempt"]}


def publish_forecast(
    *,
    client_id: str,
    parts: Sequence[Json],
    run: RunRef,
    settings: Settings | None = None,
    now: Clock = utc_now,
) -> Json:
    """Makes all parts visible at once. Answers the run's report.

    Parts whose results a crash of PostgreSQL took out of staging are done again first.
    """
    from supplyline.forecast import forecast_chunk, missing_chunks, publish

    config = settings or environment.get()
    org = parse_client_id(client_id)
    owner = replace(run, attempt=max((p["attempt"] for p in parts), default=run.attempt))
    with session(org, settings=config) as conn:
        for chunk in missing_chunks(conn, run=owner):
            forecast_chunk(org, conn=conn, run=owner, chunk=chunk)
        return publish(org, conn=conn, now=now(), run=owner).as_json()


def run_forecast(
    *, client_id: str, run: RunRef, settings: Settings | None = None, now: Clock = utc_now
) -> Json:
    """All three steps in this process."""
    parts = [
        forecast_part(client_id=client_id, part=part, run=run, settings=settings)
        for part in prepare_forecast(client_id=client_id, run=run, settings=settings, now=now)
    ]
    return publish_forecast(client_id=client_id, parts=parts, run=run, settings=settings, now=now)
