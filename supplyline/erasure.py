"""`supplyline erase`: an organization and everything of it, and the proof of what is gone.

At the level of `stages`: it joins storage, landing and tenancy. Promises: what was there is counted
before, every store is asked again after, and the answer says both; it may be repeated, and
completes what an interrupted call left. The control database's rows about users and uploads are the
backend's.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import click
import psycopg
from psycopg import sql

from supplyline import settings as environment
from supplyline.audit import events
from supplyline.contracts import Json, OrgId
from supplyline.errors import OrganizationNotFound
from supplyline.faults import reach
from supplyline.settings import Settings
from supplyline.stages import open_landing, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.connections import Connection, connect_admin, session, unavailable_mapped
from supplyline.tenancy.names import database_name, parse_org_id, role_name
from supplyline.tenancy.provisioning import drop


@click.command(epilog="Example: supplyline erase --org 123 --yes-erase 123 --json > proof.json")
@click.option("--org", required=True, help="Organization id.")
@click.option("--yes-erase", required=True, help="The id once more, so that none goes by mistake.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every file.")
def erase(org: str, yes_erase: str, as_json: bool) -> None:
    """Erase an organization: files, landed rows, database and role. Prints what is gone."""
    owner = parse_org_id(org)
    if yes_erase != owner:
        raise click.UsageError("--yes-erase does not name the same organization.")
    proof = erase_organization(owner)
    if as_json:
        click.echo(json.dumps(proof))
    else:
        was, left = proof["was"], proof["left"]
        if not proof["found"]:
            click.echo(f"Nothing of {owner} was found: no file, no document, no database, no role.")
            return
        click.echo(
            f"{owner}: {was['files']} files of {was['bytes']} bytes, {was['documents']} landed"
            f" documents, {len(was['tables'])} tables, database and role: gone at {proof['at']}"
            if proof["gone"]
            else f"{owner} is not gone, left: {json.dumps(left)}"
        )
    if not proof["gone"]:
        raise SystemExit(1)


def erase_organization(
    org: str, *, settings: Settings | None = None, now: Callable[[], datetime] = utc_now
) -> Json:
    """Removes everything of an organization outside the control database, then looks again.

    Answers `{org, found, was: {files, bytes, file_list: [{path, size}], documents, collections,
    tables: {name: rows}, audit_head}, left: {files, collections, database, role}, gone, at}`.
    A table's rows are None when they could not be counted: an open session has locked it, or the
    organization has taken its own right to read it.
    `found`: whether there was anything of it, which an id that was mistyped has not; `audit_head`
    is the number and hash of the last event: it seals the trail that went with the database.
    """
    owner, config = parse_org_id(org), settings or environment.get()
    storage = Storage(config.storage_url)
    with open_landing(config) as landing:
        files = storage.everything(owner)
        collections = landing.collections(owner)
        was: Json = {
            "files": len(files),
            "bytes": sum(size for _, size in files),
            "file_list": [{"path": path, "size": size} for path, size in files],
            "collections": len(collections),
            "documents": sum(collections.values()),
            **_database(owner, config),
        }
        # The database goes last: while it is there, what was begun can be seen and repeated.
        storage.erase(owner)
        reach("erase.files_gone")
        landing.erase(owner)
        reach("erase.documents_gone")
        dropped = drop(owner, settings=config)
        left: Json = {
            "files": len(storage.everything(owner)),
            "collections": len(landing.collections(owner)),
            **_left(owner, config),
        }
    return {
        "org": owner,
        "found": bool(files or collections or dropped),
        "was": was,
        "left": left,
        "gone": not any(left.values()),
        "at": now().astimezone(UTC).isoformat(),
    }


def _database(org: OrgId, config: Settings) -> Json:
    """Tables with their rows, and the audit trail's head; empty when the database is gone."""
    try:
        with session(org, settings=config) as conn:
            names = conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') ORDER BY 1"
            ).fetchall()
            tables = {}
            for (name,) in names:
                tables[name] = _rows(conn, name)
            number, digest = events.head(conn)
    except OrganizationNotFound:
        return {"tables": {}, "audit_head": None}
    return {"tables": tables, "audit_head": {"seq": number, "hash": digest}}


def _rows(conn: Connection, name: str) -> int | None:
    """How many rows a table has; None when it is locked, or the organization barred itself."""
    try:
        with conn.transaction():
            conn.execute("SET LOCAL lock_timeout = '10s'")
            row = conn.execute(
                sql.SQL("SELECT count(*) FROM {}").format(sql.Identifier("public", name))
            ).fetchone()
    except (psycopg.errors.InsufficientPrivilege, psycopg.errors.LockNotAvailable):
        return None
    return row[0] if row else 0


def _left(org: OrgId, config: Settings) -> Json:
    names = (
        database_name(org, prefix=config.pg_db_prefix),
        role_name(org, prefix=config.pg_db_prefix),
    )
    with connect_admin(settings=config) as conn, unavailable_mapped():
        row = conn.execute(
            "SELECT (SELECT count(*) FROM pg_database WHERE datname = %s),"
            " (SELECT count(*) FROM pg_roles WHERE rolname = %s)",
            names,
        ).fetchone()
    return {"database": row[0] if row else 0, "role": row[1] if row else 0}
