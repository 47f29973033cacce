"""What an organization decided for its forecast, in versions, each with its audit event."""

from __future__ import annotations

import json
from datetime import datetime
from typing import Any

import psycopg

from supplyline.audit.events import append
from supplyline.contracts import OrgId
from supplyline.errors import SettingsConflict
from supplyline.forecast import options
from supplyline.forecast.options import ForecastSettings

Connection = psycopg.Connection[tuple[Any, ...]]


def load_settings(conn: Connection) -> ForecastSettings:
    """The organization's newest forecast settings, or the defaults."""
    return load_version(conn)[1]


def load_version(conn: Connection) -> tuple[int, ForecastSettings]:
    """The same with its version; 0 where nothing was decided yet."""
    row = conn.execute(
        "SELECT version, settings FROM supplyline.forecast_settings ORDER BY version DESC LIMIT 1"
    ).fetchone()
    return (int(row[0]), options.parse(row[1])) if row else (0, ForecastSettings())


def save_settings(
    conn: Connection,
    org: OrgId,
    *,
    data: dict[str, Any],
    version: int,
    actor: str,
    now: datetime,
) -> tuple[int, ForecastSettings]:
    """Saves the next version in the caller's transaction; `data` names what differs from the
    defaults, `version` is the one that was read. Saving what is there changes nothing.

    Raises BadForecastSettings, SettingsConflict.
    """
    wanted = options.parse(data)
    conn.execute("LOCK TABLE supplyline.forecast_settings IN SHARE ROW EXCLUSIVE MODE")
    current, before = load_version(conn)
    if current != version:
        raise SettingsConflict(
            f"The forecast settings were changed since version {version}.", version=current
        )
    if wanted == before and current:
        return current, before
    row = conn.execute(
        "INSERT INTO supplyline.forecast_settings (settings, set_by, set_at) VALUES (%s, %s, %s)"
        " RETURNING version",
        (json.dumps(wanted.as_json()), actor, now),
    ).fetchone()
    old, new = before.as_json(), wanted.as_json()
    changed = {k: v for k, v in new.items() if v != old[k]}
    append(
        conn, org=org, kind="forecast_settings.saved", actor=actor, subject="forecast",
        detail={"changed": changed},
    )  # fmt: skip
    return (int(row[0]) if row else current), wanted
