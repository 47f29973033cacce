"""What is true of an organization's pipeline now, read from the stores themselves.

Writes nothing, but for the stored score of a quality report.

At the level of `stages`: it looks into landing, load, quality and forecast and joins what they say.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from supplyline.contracts import Certificate, Json, Manifest, OrgId
from supplyline.errors import DatabaseUnavailable
from supplyline.quarantine import corrected_since, counted
from supplyline.settings import Settings
from supplyline.stages import open_landing
from supplyline.tenancy.catalog import tables
from supplyline.tenancy.connections import Connection, session
from supplyline.tenancy.names import parse_table_name


def organization_overview(org: OrgId, *, settings: Settings) -> Json:
    """`{"tables": [...], "forecast": {...} | None}`; times are ISO 8601 in UTC.

    Per table: files by state, row counts of landing (without readings that another replaced;
    `quarantine_open`: set aside and not corrected since), rows in PostgreSQL, files that wait for
    a load, freshness and the newest certificate. Raises OrganizationNotFound, DatabaseUnavailable.
    """
    with open_landing(settings) as landing:
        manifests = landing.manifests(org)
    with session(org, settings=settings) as conn:
        names = sorted({m.table for m in manifests} | set(tables(conn)))
        return {
            "tables": [
                _table(conn, name, [m for m in manifests if m.table == name]) for name in names
            ],
            "forecast": _forecast(conn),
        }


def landing_away(settings: Settings) -> DatabaseUnavailable | None:
    """What is wrong where MongoDB does not answer: found out once for all organizations."""
    try:
        with open_landing(settings) as landing:
            landing.ping()
    except DatabaseUnavailable as error:
        return error
    return None


def _table(conn: Connection, table: str, manifests: list[Manifest]) -> Json:
    from supplyline.load import certificates, current

    loaded = {
        row[0]: row[1]
        for row in conn.execute(
            "SELECT file_id, loaded_at FROM supplyline.loads WHERE table_name = %s", (table,)
        ).fetchall()
    }
    newest = certificates(conn, table=table, limit=1)
    closed = current(manifests)
    aside = sum(m.quarantined for m in closed if not m.replay_of)
    corrected = corrected_since(conn, table, closed).total()
    last_loaded = max(loaded.values(), default=None)
    return {
        "table": table,
        "files": len(manifests),
        "files_open": sum(m.state == "open" for m in manifests),
        "files_refused": sum(m.state == "refused" for m in manifests),
        "refused": _refused(manifests),
        "files_waiting_for_load": sum(m.file_id not in loaded for m in closed),
        "rows_read": sum(m.rows_read for m in closed),
        "landed": sum(m.landed for m in closed),
        "quarantined": aside,
        "quarantine_open": aside - corrected,
        "duplicate": sum(m.duplicate for m in closed),
        "rows_in_table": _count(conn, table),
        "last_landed_at": _iso(max((m.closed_at for m in closed if m.closed_at), default=None)),
        "last_loaded_at": _iso(last_loaded),
        "certificate": newest[0].as_json() if newest else None,
    }


def _refused(manifests: Sequence[Manifest], *, most: int = 5) -> list[Json]:
    """The newest files that were refused and did not come again under their name."""
    came = {m.name: m.sequence for m in manifests if m.state == "closed"}
    open_still = [m for m in manifests if m.state == "refused" and came.get(m.name, 0) < m.sequence]
    return [
        {"file_id": m.file_id, "name": m.name, "reason": m.refusal}
        for m in open_still[: -most - 1 : -1]
    ]


def refusal(org: OrgId, *, file_id: str, settings: Settings) -> str:
    """Why the file was refused by its ingest or its load; ''."""
    with open_landing(settings) as landing:
        manifest = landing.manifest(org, file_id)
    return manifest.refusal if manifest is not None and manifest.state == "refused" else ""


def _count(conn: Connection, table: str) -> int | None:
    from psycopg import sql

    if table not in tables(conn):
        return None
    row = conn.execute(
        sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", table))
    ).fetchone()
    return int(row[0]) if row else None


def _forecast(conn: Connection) -> Json | None:
    row = conn.execute(
        "SELECT run_id, state, as_of, bucket, horizon, items, published_at, report"
        " FROM supplyline.forecast_run WHERE state = 'published'"
        " ORDER BY prepared_at DESC, run_id DESC LIMIT 1"
    ).fetchone()
    if row is None:
        return None
    run_id, state, as_of, bucket, horizon, items, published_at, report = row
    return {
        "run_id": run_id, "state": state, "as_of": as_of.isoformat() if as_of else None,
        "bucket": bucket, "horizon": horizon, "items": items,
        "published_at": _iso(published_at), "report": report, "unused": lines_unused(report),
    }  # fmt: skip


_UNUSED = {
    "without_item": "without an item",
    "unreadable_date": "without a date that can be read",
    "unreadable_quantity": "without a quantity that can be read",
    "in_the_future": "of days to come",
}


def lines_unused(report: Json) -> str:
    """What a forecast could not use of the lines of sales and why, as a sentence; or ''."""
    lines = report.get("lines", {})
    if not (unused := lines.get("unused", 0)):
        return ""
    why = ", ".join(f"{lines[k]:,} {text}" for k, text in _UNUSED.items() if lines.get(k))
    return f"{unused:,} of {lines['lines']:,} lines of sales are not used: {why}."


def is_partial(org: OrgId, *, stage: str, run_id: str, file_id: str, settings: Settings) -> bool:
    """Whether a run that Airflow calls a success left rows aside or counts that differ (P3)."""
    if stage == "load":
        with session(org, settings=settings) as conn:
            row = conn.execute(
                "SELECT count(*) FROM supplyline.certificates"
                " WHERE run_id = %s AND verdict = 'partial'",
                (run_id,),
            ).fetchone()
        return bool(row and row[0])
    if stage == "ingest":
        with open_landing(settings) as landing:
            manifest = landing.manifest(org, file_id)
        return manifest is not None and (
            manifest.quarantined > 0
            or manifest.rows_read != manifest.landed + manifest.quarantined + manifest.duplicate
        )
    return False


def certificates_of(
    org: OrgId,
    *,
    settings: Settings,
    file_id: str | None = None,
    table: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Certificate]:
    """Certificates, newest first."""
    from supplyline.load import certificates

    with session(org, settings=settings) as conn:
        return certificates(conn, file_id=file_id, table=table, limit=limit, offset=offset)


def audit_trail(org: OrgId, *, settings: Settings, limit: int = 50, **filters: Any) -> Json:
    """`{"events": [...newest first], "chain": {...}}`: the events and whether their chain holds."""
    from supplyline.audit import chain, events

    with session(org, settings=settings) as conn:
        found = events.events(conn, limit=limit, **filters)
    with session(org, settings=settings) as conn:
        report = chain.verify(conn)
    return {"events": [e.as_json() for e in found], "chain": report.as_json()}


def plan_rows(org: OrgId, *, settings: Settings, limit: int = 10) -> list[Json]:
    """The newest published plan, most urgent first."""
    from supplyline.forecast import read_plan

    with session(org, settings=settings) as conn:
        return read_plan(conn, limit=limit)


def plan_summary(org: OrgId, *, settings: Settings) -> Json:
    """`{"run_id", "as_of", "status": {status: items}, "unused"}` of the newest plan; the last as
    `lines_unused` says it."""
    from supplyline.forecast import plan_summary as summary

    with session(org, settings=settings) as conn:
        return {**summary(conn), "unused": (_forecast(conn) or {}).get("unused", "")}


def quality_report(org: OrgId, *, table: str, days: int, settings: Settings, now: datetime) -> Json:
    """Checks with scores, columns, and how it went day by day; stored, so that a trend exists.

    Raises TableNotLanded when nothing of the table is in PostgreSQL yet.
    """
    from supplyline.load import certificates
    from supplyline.quality.report import report

    name = parse_table_name(table)
    with open_landing(settings) as landing:
        landed = landing.manifests(org, table=name)
    with session(org, settings=settings) as conn:
        manifests = [_with_zone(m) for m in counted(conn, name, landed)]
        issued = certificates(conn, table=name, limit=10_000)
        made = report(
            conn,
            org=org,
            table=name,
            days=days,
            manifests=manifests,
            certificates=issued,
            now=now,
        )
    answer = made.as_json()
    recent = [m for m in manifests if m.opened_at and (now - m.opened_at).days < days]
    certified = [c for c in issued if c.issued_at and (now - c.issued_at).days < days]
    read = sum(m.rows_read for m in recent)
    aside = sum(m.quarantined for m in recent)
    return {
        "org_id": org, "table": name, "days": days, "generated_at": answer["made_at"],
        "score": made.score,
        "rows_in_table": made.profile.rows, "files": len(recent),
        "files_refused": sum(m.state == "refused" for m in recent),
        "rows_read": read, "quarantined": aside,
        "quarantine_ratio": round(aside / read, 6) if read else 0.0,
        "certificates": {"success": sum(c.verdict == "success" for c in certified),
                         "partial": sum(c.verdict == "partial" for c in certified)},
        "rejected": sum(c.rejected for c in certified),
        "superseded": sum(c.superseded for c in certified),
        "checks": answer["checks"],
        "columns": [
            {"column": c["name"], "rows": made.profile.rows, "empty": c["nulls"] + c["empties"],
             **{k: v for k, v in c.items() if k not in ("name", "values")}}
            for c in answer["profile"]["columns"]
        ],
        "trend": answer["trend"],
    }  # fmt: skip


def _with_zone(manifest: Manifest) -> Manifest:
    return replace(
        manifest,
        opened_at=_aware(manifest.opened_at) if manifest.opened_at else None,
        closed_at=_aware(manifest.closed_at) if manifest.closed_at else None,
    )


def _aware(value: datetime) -> datetime:
    """MongoDB gives times back without their zone; they are UTC."""
    return value if value.tzinfo else value.replace(tzinfo=UTC)


def _iso(value: datetime | None) -> str | None:
    return _aware(value).isoformat() if value else None
