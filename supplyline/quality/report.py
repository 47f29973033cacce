"""The quality report of one table: profile, checks, total, and how it went day by day.

Promises: everything in a report was counted from the table, the manifests and the certificates
that were handed in; it is stored in `supplyline.quality_reports` in the caller's transaction, so
that the next one can show a trend. Refuses a table that does not exist (TableNotLanded).
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, timedelta

from supplyline.contracts import Certificate, Json, Manifest, OrgId, TableName
from supplyline.quality import checks
from supplyline.quality.checks import Check
from supplyline.quality.profile import Connection, TableProfile, profile
from supplyline.tenancy.catalog import table_settings, tables

PRODUCTS = TableName("products")


@dataclass(frozen=True, kw_only=True)
class Day:
    """One day (UTC). `score`: the last report's of that day; None when there was none."""

    day: date
    files: int = 0
    rows_read: int = 0
    landed: int = 0
    quarantined: int = 0
    duplicate: int = 0
    success: int = 0
    partial: int = 0
    score: float | None = None


@dataclass(frozen=True, kw_only=True)
class QualityReport:
    """`score`: 0 to 100, None when nothing could be judged. `trend`: oldest day first."""

    org: OrgId
    table: TableName
    made_at: datetime
    days: int
    score: float | None
    checks: tuple[Check, ...]
    profile: TableProfile
    trend: tuple[Day, ...]

    def as_json(self) -> Json:
        data = asdict(self)
        data["made_at"] = self.made_at.isoformat()
        for day in data["trend"]:
            day["day"] = day["day"].isoformat()
        return data


def report(
    conn: Connection,
    *,
    org: OrgId,
    table: TableName,
    days: int,
    manifests: Sequence[Manifest],
    certificates: Sequence[Certificate],
    now: datetime,
    values: bool = False,
) -> QualityReport:
    """Makes the report of `table` and stores it.

    `days`: how far back quarantine, reconciliation and trend look; what is handed in beyond that
    (and for other tables) is left out, except that freshness knows all files. `values`: show the
    most frequent values of columns too (they are not stored).
    """
    now = now.astimezone(UTC)
    since = now - timedelta(days=days)
    all_files = [m for m in manifests if m.org == org and m.table == table and m.state == "closed"]
    files = [m for m in all_files if m.closed_at is not None and since < m.closed_at <= now]
    issued = [
        c
        for c in certificates
        if c.org == org and c.table == table and c.issued_at and since < c.issued_at <= now
    ]
    found = profile(conn, table, values=values)
    judged = _judge(conn, found, all_files=all_files, files=files, issued=issued, now=now)
    score = checks.total(judged)
    _store(conn, found=found, judged=judged, score=score, now=now)
    return QualityReport(
        org=org,
        table=table,
        made_at=now,
        days=days,
        score=score,
        checks=judged,
        profile=found,
        trend=_trend(conn, table, days=days, files=files, issued=issued, now=now),
    )


def _judge(
    conn: Connection,
    found: TableProfile,
    *,
    all_files: Sequence[Manifest],
    files: Sequence[Manifest],
    issued: Sequence[Certificate],
    now: datetime,
) -> tuple[Check, ...]:
    settings = table_settings(conn, found.table)
    return (
        checks.completeness(found),
        checks.uniqueness(conn, found, settings=settings),
        checks.validity(conn, found, settings=settings, now=now),
        checks.freshness(all_files, now=now),
        checks.quarantine(files),
        checks.reconciliation(issued),
        checks.references(
            conn,
            found,
            settings=settings,
            products=table_settings(conn, PRODUCTS),
            product_columns=_product_columns(conn),
        ),
    )


def _product_columns(conn: Connection) -> tuple[str, ...]:
    if PRODUCTS not in tables(conn):
        return ()
    rows = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = 'public.products'::regclass"
        " AND attnum > 0 AND NOT attisdropped"
    ).fetchall()
    return tuple(name for (name,) in rows)


def _store(
    conn: Connection,
    *,
    found: TableProfile,
    judged: Sequence[Check],
    score: float | None,
    now: datetime,
) -> None:
    body = {"checks": [asdict(check) for check in judged]}
    conn.execute(
        "INSERT INTO supplyline.quality_reports (table_name, made_at, score, rows, body)"
        " VALUES (%s, %s, %s, %s, %s)",
        (found.table, now, score, found.rows, json.dumps(body)),
    )


def _trend(
    conn: Connection,
    table: TableName,
    *,
    days: int,
    files: Sequence[Manifest],
    issued: Sequence[Certificate],
    now: datetime,
) -> tuple[Day, ...]:
    first = now.date() - timedelta(days=max(0, days - 1))
    scores: dict[date, float | None] = dict(
        conn.execute(
            "SELECT DISTINCT ON (1) (made_at AT TIME ZONE 'UTC')::date, score::float8"
            " FROM supplyline.quality_reports WHERE table_name = %s AND made_at >= %s"
            " ORDER BY 1, made_at DESC, id DESC",
            (table, datetime.combine(first, datetime.min.time(), UTC)),
        ).fetchall()
    )
    out = []
    for number in range(max(1, days)):
        day = first + timedelta(days=number)
        read = [m for m in files if m.closed_at and m.closed_at.astimezone(UTC).date() == day]
        done = [c for c in issued if c.issued_at and c.issued_at.astimezone(UTC).date() == day]
        out.append(
            Day(
                day=day,
                files=len(read),
                rows_read=sum(m.rows_read for m in read),
                landed=sum(m.landed for m in read),
                quarantined=sum(m.quarantined for m in read),
                duplicate=sum(m.duplicate for m in read),
                success=sum(c.verdict == "success" for c in done),
                partial=sum(c.verdict == "partial" for c in done),
                score=scores.get(day),
            )
        )
    return tuple(out)
