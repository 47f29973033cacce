"""`supplyline erase`: an organization and everything of it, and the proof of what is gone.

At the level of `stages`: it joins storage, landing and tenancy. Promises: what was there is counted
before, every store is asked again after, and the answer says both; it may be repeated, and
completes what an interrupted call left. The control database's rows about users, uploads and runs
are the backend's, whose `manage.py erase_organization` erases them and calls this.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime

import click
import psycopg
from psycopg import sql

from supplyline import settings as environment
from supplyline.audit import events
from supplyline.contracts import Json, OrgId
from supplyline.errors import ConfigurationError, OrganizationNotFound
from supplyline.faults import reach
from supplyline.settings import Settings
from supplyline.stages import open_landing, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.connections import Connection, connect_admin, session, unavailable_mapped
from supplyline.tenancy.names import database_name, parse_org_id, role_name
from supplyline.tenancy.provisioning import drop

_BEGUN = "organization.erasing"


@click.command(epilog="Example: supplyline erase --org 123 --yes-erase 123 --json > proof.json")
@click.option("--org", required=True, help="Organization id.")
@click.option("--yes-erase", required=True, help="The id once more, so that none goes by mistake.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object, with every file.")
def erase(org: str, yes_erase: str, as_json: bool) -> None:
    """Erase an organization's files, landed rows, database and role. Prints what is gone.

    Users, tokens, uploads and runs stay in the backend's database, which goes on to let its users
    in: `manage.py erase_organization` erases those too, and is what an organization that leaves
    needs.
    """
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
            else f"{owner} is not gone, left: {json.dumps(left)}. {proof['problem']}".rstrip()
        )
    if proof["found"]:
        click.echo(
            "Its users, uploads and runs are still in the backend's database:"
            f" `manage.py erase_organization {owner} --yes-erase {owner}` erases them.",
            err=True,
        )
    if not proof["gone"]:
        raise SystemExit(1)


def erase_organization(
    org: str,
    *,
    settings: Settings | None = None,
    now: Callable[[], datetime] = utc_now,
    rows: Mapping[str, int] | None = None,
    erase_rows: Callable[[], None] = lambda: None,
) -> Json:
    """Removes everything of an organization outside the control database, then looks again.

    `rows` counts what the control database holds of it, noted with the rest; `erase_rows` removes
    that while what is noted can still be read.

    Answers `{org, found, was: {files, bytes, file_list: [{path, size}], documents, collections,
    rows, tables: {name: rows}, audit_head}, left: {files, collections, database, role}, gone,
    problem, at}`. What was there is noted in the organization's audit trail before anything goes,
    so that a call that completes an interrupted one gives the whole proof; `problem` says why
    something had to stay.
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
            "rows": dict(rows or {}),
            **_tables(owner, config),
        }
        was |= _noted(owner, was, config, now)
        # The database goes last: while it is there, what was begun can be seen and repeated.
        storage.erase(owner)
        reach("erase.files_gone")
        landing.erase(owner)
        reach("erase.documents_gone")
        erase_rows()
        reach("erase.rows_gone")
        dropped, problem = True, ""
        try:
            dropped = drop(owner, settings=config)
        except ConfigurationError as error:  # the proof of the rest is given all the same
            problem = str(error)
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
        "problem": problem,
        "at": now().astimezone(UTC).isoformat(),
    }


def _tables(org: OrgId, config: Settings) -> Json:
    """Tables with their rows; none when the database is gone."""
    try:
        with session(org, settings=config) as conn:
            names = conn.execute(
                "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
                " AND relkind IN ('r', 'p') ORDER BY 1"
            ).fetchall()
            return {"tables": {name: _rows(conn, name) for (name,) in names}}
    except OrganizationNotFound:
        return {"tables": {}}


def _noted(org: OrgId, was: Json, config: Settings, now: Callable[[], datetime]) -> Json:
    """What was there when the erasure was begun first, and the audit trail's head."""
    try:
        with session(org, settings=config) as conn:
            row = conn.execute(
                "SELECT detail FROM supplyline.audit_events WHERE kind = %s ORDER BY seq LIMIT 1",
                (_BEGUN,),
            ).fetchone()
            if row is None:
                events.append(
                    conn, org=org, kind=_BEGUN, actor="erase", subject=org, detail=was, now=now
                )
            number, digest = events.head(conn)
    except OrganizationNotFound:
        return {"audit_head": None}
    head = {"audit_head": {"seq": number, "hash": digest}}
    return head if row is None else _together(row[0], was) | head


def _together(first: Json, now: Json) -> Json:
    """The inventory of an erasure that was interrupted, and what there is or came since."""
    files = {f["path"]: f for f in (*first["file_list"], *now["file_list"])}
    return {
        "files": len(files),
        "bytes": sum(f["size"] for f in files.values()),
        "file_list": list(files.values()),
        **{name: max(first[name], now[name]) for name in ("collections", "documents")},
        "tables": first["tables"] | now["tables"],
        "rows": now["rows"] | {k: max(n, now["rows"].get(k, 0)) for k, n in first["rows"].items()}
        if "rows" in first
        else now["rows"],
    }


def _rows(conn: Connection, name: str) -> int | None:
    """How many rows a table has; None when it is locked, or the organization barred itself, by a
    right or by a policy that hides rows."""
    try:
        with conn.transaction():
            conn.execute("SET LOCAL lock_timeout = '10s'")
            conn.execute("SET LOCAL row_security = off")  # fails where rows would be hidden
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
