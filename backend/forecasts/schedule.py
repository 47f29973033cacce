"""A forecast per organization and night: when it is due, and that it is started once.

Promises: one due time, one run, however many relays look (a conditional UPDATE and an idempotency
key of the due time); a time that was missed while nothing ran is made up for once, not once per
night; a night on which nothing changed costs no run. Local times follow daylight saving: a time
that the clock leaps over or shows twice is due once.

Why not in Airflow: a schedule there belongs to a DAG, and there is one DAG for all organizations.
"""

from __future__ import annotations

import hashlib
import logging
from datetime import UTC, datetime, time, timedelta
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

import psycopg
from django.db import transaction

from backend.accounts.models import Organization
from backend.api.errors import InvalidPayload
from backend.forecasts.models import Schedule
from backend.runs.services import FORECAST, request_run
from supplyline import settings as supplyline_settings
from supplyline.audit.events import append
from supplyline.contracts import OrgId
from supplyline.errors import SupplylineError
from supplyline.forecast.news import reason_to_run
from supplyline.settings import Settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id

log = logging.getLogger(__name__)

FURTHEST = timedelta(days=9)
"""More than a week and what daylight saving adds."""
FIRST_MINUTE, SPREAD_MINUTES = 60, 240
"""Where no time is given, organizations are spread from 01:00 over four hours."""


def default_time(org: OrgId) -> time:
    """A time of the night that is always the same for an organization, and spreads them."""
    place = int.from_bytes(hashlib.sha256(org.encode()).digest()[:4], "big")
    minute = FIRST_MINUTE + place % SPREAD_MINUTES
    return time(minute // 60, minute % 60)


def next_due(*, at: time, timezone: str, weekdays: str, after: datetime) -> datetime:
    """The first due time later than `after`, in UTC."""
    zone = ZoneInfo(timezone)
    day = after.astimezone(zone).date()
    for ahead in range(9):
        local = datetime.combine(day + timedelta(days=ahead), at, tzinfo=zone)
        due = local.astimezone(UTC)
        if due > after and str(local.isoweekday()) in weekdays:
            return due
    raise InvalidPayload("`weekdays` names no day of the week.")


def set_schedule(
    org: OrgId,
    *,
    now: datetime,
    actor: str,
    enabled: bool = True,
    at: time | None = None,
    timezone: str = "UTC",
    weekdays: str = "1234567",
) -> Schedule:
    """Sets when the organization is forecast, with its audit event.

    Raises InvalidPayload naming what is wrong, and DatabaseUnavailable when the organization's
    database, where the event belongs, does not answer; then nothing is changed.
    """
    if timezone not in available_timezones():
        raise InvalidPayload(
            "This is no time zone.", errors={"timezone": ["Such as UTC or Europe/Berlin."]}
        )
    days = "".join(sorted(set(weekdays)))
    if not days or set(days) - set("1234567"):
        raise InvalidPayload(
            "These are no days of the week.", errors={"weekdays": ["1 (Monday) to 7, as 12345."]}
        )
    when = at or default_time(org)
    due = next_due(at=when, timezone=timezone, weekdays=days, after=now) if enabled else None
    with transaction.atomic():
        row, _ = Schedule.objects.update_or_create(
            org_id=org,
            defaults={
                "enabled": enabled, "at": when, "timezone": timezone, "weekdays": days,
                "next_due": due, "set_by": actor,
            },
        )  # fmt: skip
        # Last before the commit: the event is in another database, which commits a moment sooner,
        # so that a change without its event cannot be.
        with session(org, settings=supplyline_settings.get()) as conn, conn.transaction():
            append(
                conn, org=org, kind="schedule.set", actor=actor, subject="forecast",
                detail={
                    "enabled": enabled, "at": f"{when:%H:%M}", "timezone": timezone,
                    "weekdays": days,
                },
            )  # fmt: skip
    return row


def describe(org: OrgId) -> dict[str, Any]:
    """The schedule as the API tells it; not enabled where none was set."""
    row = Schedule.objects.filter(org_id=org).first()
    if row is None:
        row = Schedule(org_id=org, enabled=False, at=default_time(org))
    return {
        "enabled": row.enabled,
        "at": f"{row.at:%H:%M}",
        "timezone": row.timezone,
        "weekdays": row.weekdays,
        "next_due": row.next_due,
        "last_due": row.last_due,
        "last_outcome": row.last_outcome,
    }


def start_due(*, settings: Settings, now: datetime, limit: int = 100) -> int:
    """Starts what is due; answers how many due times were claimed."""
    _mend_clock(now)
    claimed = 0
    rows = Schedule.objects.filter(
        enabled=True, next_due__lte=now, org__state=Organization.State.ACTIVE
    )
    for row in rows.order_by("next_due")[:limit]:
        following = next_due(
            at=row.at, timezone=row.timezone, weekdays=row.weekdays, after=now
        )  # fmt: skip
        reason = _reason(row.org_id, settings=settings, now=now)
        with transaction.atomic():
            mine = Schedule.objects.filter(pk=row.pk, enabled=True, next_due=row.next_due).update(
                next_due=following,
                last_due=row.next_due,
                last_outcome=(f"started: {reason}" if reason else "nothing changed: no run")[:200],
            )
            if mine != 1 or row.next_due is None:
                continue
            claimed += 1
            if reason:
                request_run(
                    parse_org_id(row.org_id),
                    dag_id=FORECAST,
                    conf={"client_id": f"org_{row.org_id}"},
                    user_id="system",
                    source="schedule",
                    idempotency_key=f"schedule:{row.next_due.astimezone(UTC).isoformat()}",
                    now=now,
                )
        log.info("forecast due", extra={"org": row.org_id, "started": bool(reason)})
    return claimed


def _mend_clock(now: datetime) -> None:
    """A due time further ahead than any can be was reckoned by a clock that ran ahead, and would
    be waited for in silence."""
    for row in Schedule.objects.filter(enabled=True, next_due__gt=now + FURTHEST):
        due = next_due(at=row.at, timezone=row.timezone, weekdays=row.weekdays, after=now)
        Schedule.objects.filter(pk=row.pk, next_due=row.next_due).update(next_due=due)


def _reason(org_id: str, *, settings: Settings, now: datetime) -> str:
    """Why to run; a database that does not answer, or is locked, is a reason: the run waits and
    says so, and the other organizations' schedules do not wait with it."""
    try:
        with session(parse_org_id(org_id), settings=settings) as conn:
            conn.execute("SET LOCAL lock_timeout = '2s'")
            return reason_to_run(conn, now=now)
    except (SupplylineError, psycopg.Error) as error:
        code = error.code if isinstance(error, SupplylineError) else type(error).__name__
        return f"It could not be told whether anything changed ({code})."
