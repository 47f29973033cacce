"""What an organization has decided for its tables, and which tables it has.

Promises: settings are versioned and every version stays; a change and its audit event commit
together (P9). Refuses to overwrite a version that the caller has not read (SettingsConflict).
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from typing import Any

import psycopg

from supplyline.audit.events import append, org_of, utc_now
from supplyline.contracts import Json, ParseOptions, TableName, TableSettings
from supplyline.errors import InvalidName, SettingsConflict
from supplyline.tenancy.connections import Connection
from supplyline.tenancy.names import parse_table_name


def table_settings(
    conn: Connection, table: TableName, *, version: int | None = None
) -> TableSettings:
    """The newest settings of a table (or those of `version`); the defaults when there are none."""
    row = conn.execute(
        "SELECT version, settings FROM supplyline.table_settings WHERE table_name = %s"
        " AND (%s::int IS NULL OR version = %s) ORDER BY version DESC LIMIT 1",
        (table, version, version),
    ).fetchone()
    return TableSettings(table=table) if row is None else _from_json(table, row[0], row[1])


def save_table_settings(
    conn: Connection,
    settings: TableSettings,
    *,
    actor: str,
    run_id: str = "",
    now: Callable[[], datetime] = utc_now,
) -> TableSettings:
    """Saves the next version and its audit event inside the caller's transaction.

    `settings.version` is the version that was read and changed (0: none yet). Saving what is
    there already changes nothing. Raises SettingsConflict when there is a newer version.
    """
    current = table_settings(conn, settings.table)
    if current.version != settings.version:
        raise _conflict(settings)
    before, after = _to_json(current), _to_json(settings)
    if before == after and current.version:
        return current
    try:
        with conn.transaction():  # a savepoint: the caller's transaction survives the conflict
            conn.execute(
                "INSERT INTO supplyline.table_settings"
                " (table_name, version, settings, saved_at, saved_by) VALUES (%s, %s, %s, %s, %s)",
                (
                    settings.table,
                    settings.version + 1,
                    json.dumps(after),
                    now().astimezone(UTC),
                    actor,
                ),
            )
    except psycopg.errors.UniqueViolation:
        raise _conflict(settings) from None
    append(
        conn,
        org=org_of(conn),
        kind="table_settings.saved",
        actor=actor,
        subject=settings.table,
        detail={
            "version": settings.version + 1,
            "changed": {k: after[k] for k in after if after[k] != before[k]},
        },
        run_id=run_id,
        now=now,
    )
    return _from_json(settings.table, settings.version + 1, after)


def tables(conn: Connection) -> tuple[TableName, ...]:
    """The organization's loaded tables, sorted; history and forecast tables are none of these."""
    rows = conn.execute(
        "SELECT c.relname FROM pg_class c WHERE c.relnamespace = 'public'::regnamespace"
        " AND c.relkind IN ('r', 'p') ORDER BY c.relname"
    ).fetchall()
    found = []
    for (name,) in rows:
        try:
            found.append(parse_table_name(name))
        except InvalidName:
            continue  # one of ours, or made by hand: no table that files are loaded into
    return tuple(found)


def _conflict(settings: TableSettings) -> SettingsConflict:
    return SettingsConflict(
        f"The settings of {settings.table} were changed since version {settings.version}.",
        table=settings.table,
        version=settings.version,
    )


def _to_json(settings: TableSettings) -> Json:
    data = asdict(settings)
    del data["table"], data["version"]
    data["options"] = settings.options.as_json()
    data["key"] = None if settings.key is None else list(settings.key)
    return data


def _from_json(table: TableName, version: int, data: Any) -> TableSettings:
    known = TableSettings.__dataclass_fields__.keys() - {"table", "version", "options", "key"}
    return TableSettings(
        table=table,
        version=version,
        options=ParseOptions(**data.get("options", {})),
        key=None if data.get("key") is None else tuple(data["key"]),
        **{name: data[name] for name in known if name in data},
    )


def file_places(conn: Connection, table: TableName, *, file_id: str) -> tuple[int | None, int]:
    """The file's place in the order of the table's files as its load kept it, and the last one
    that any load kept: landing that was lost is made again in the same order."""
    row = conn.execute(
        "SELECT max(sequence) FILTER (WHERE file_id = %s), coalesce(max(sequence), 0)"
        " FROM supplyline.loads WHERE table_name = %s",
        (file_id, table),
    ).fetchone()
    own, last = row or (None, 0)
    return own, last
