"""An organization's database and role: made, completed, listed, removed.

Promises: `provision` may be repeated and may run twice at once; whatever interrupted it, the next
call completes the work. Until it is complete the organization's role cannot connect, so half a
database is never used. The role can log in, into this one database, and nothing else: it owns
neither the database nor the bookkeeping in it. PUBLIC never has CONNECT, not even for a moment.

Refuses names that belong to somebody else: the server's own databases, the control database, and
any role or database that APP_DB_USER did not make.
"""

from __future__ import annotations

import hashlib
import logging
from collections.abc import Iterator
from contextlib import contextmanager

import psycopg
from psycopg import sql

from supplyline.audit.events import append
from supplyline.contracts import OrgId
from supplyline.errors import ConfigurationError, InvalidName
from supplyline.settings import Settings
from supplyline.tenancy import migrate
from supplyline.tenancy.connections import (
    COMPLETE,
    MAINTENANCE_DB,
    Connection,
    connect_admin,
    exists,
    is_complete,
    unavailable_mapped,
)
from supplyline.tenancy.names import database_name, parse_org_id, role_name

__all__ = ["close_to_public", "drop", "exists", "list_organizations", "provision"]

log = logging.getLogger(__name__)


ROLE_CONNECTIONS = 20
"""Connections that one organization may hold at once, so that it cannot starve the others."""

_SERVER_DATABASES = frozenset({"postgres", "template0", "template1", "airflow"})
_BUILTIN_LOCALE_SINCE = 170000
_DROP_ATTEMPTS = 3


def provision(org: OrgId, *, settings: Settings) -> bool:
    """Makes sure that the organization has its role, its database and the newest schema.

    Returns True when it was not complete before. Also sets the role's password anew, so that
    it mends a changed SUPPLYLINE_TENANT_SECRET. Raises DatabaseUnavailable, ConfigurationError,
    InvalidName, SchemaMismatch.
    """
    role, database = _names(org, settings=settings)
    with (
        unavailable_mapped(),
        connect_admin(settings=settings) as conn,
        _one_at_a_time(conn, database),
    ):
        complete = is_complete(conn, role=role, database=database)
        # 1. The role, which may not connect anywhere yet.
        _ensure_role(conn, role, settings=settings)
        # 2. The database, closed to everybody from its first moment.
        _ensure_database(conn, database, settings=settings)
        # 3. The schema. 4. The first event. 5. Only now the role may enter.
        stepped = migrate.migrate(org, settings=settings)
        recorded = _record(org, database=database, settings=settings)
        if not complete:
            conn.execute(
                sql.SQL("GRANT CONNECT, TEMP ON DATABASE {} TO {}").format(
                    sql.Identifier(database), sql.Identifier(role)
                )
            )
        close_to_public(conn, settings=settings)
    return bool(stepped or recorded or not complete)


def list_organizations(*, settings: Settings) -> tuple[OrgId, ...]:
    """Every completely provisioned organization, sorted. Raises DatabaseUnavailable."""
    query = sql.SQL("""
        SELECT d.datname FROM pg_database d JOIN pg_roles r ON r.rolname = d.datname
        WHERE starts_with(d.datname, %s) AND pg_get_userbyid(d.datdba) = %s
          AND {complete}
        ORDER BY d.datname COLLATE "C"
    """).format(complete=sql.SQL(COMPLETE))
    prefix = settings.pg_db_prefix
    with unavailable_mapped(), connect_admin(settings=settings) as conn:
        rows = conn.execute(query, (prefix, settings.app_db_user)).fetchall()
    found = []
    for (name,) in rows:
        try:
            found.append(parse_org_id(name[len(prefix) :]))
        except InvalidName:
            continue  # a database of ours with the same prefix that is no organization's
    return tuple(found)


def drop(org: OrgId, *, settings: Settings) -> bool:
    """Removes database and role, ending whatever is connected; True when there was something.

    May be repeated, and completes what an interrupted `drop` left. Raises DatabaseUnavailable, and
    ConfigurationError when the role, without its database, has to stay.
    """
    role, database = _names(org, settings=settings)
    with (
        unavailable_mapped(),
        connect_admin(settings=settings) as conn,
        _one_at_a_time(conn, database),
    ):
        had_database = _owner(conn, database) is not None
        if had_database:
            _check_owner(conn, database, settings=settings)
            name = sql.Identifier(database)
            # New connections are refused before the old ones end, or a busy client comes back.
            conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS false").format(name))
            _drop_database(conn, database)
        had_role = _role_flags(conn, role) is not None
        if had_role:
            _drop_role(conn, role)
    log.info("organization dropped", extra={"org": org})
    return had_database or had_role


def _drop_role(conn: Connection, role: str) -> None:
    try:
        conn.execute(sql.SQL("DROP ROLE {}").format(sql.Identifier(role)))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise ConfigurationError(
            f"The role {role!r} cannot be dropped, since somebody gave it rights elsewhere:"
            f" {error.diag.message_detail}.",
            next_step="Have the database administrator revoke these, then try again.",
        ) from error


def close_to_public(conn: Connection, *, settings: Settings) -> tuple[str, ...]:
    """Takes CONNECT from PUBLIC on the databases beside the organizations'.

    Returns those that stay open because they belong to somebody else (as a rule `postgres` and
    `template1`, which only the server's superuser can close); the isolation check reports them.
    """
    query = """
        SELECT d.datname, pg_has_role(current_user, d.datdba, 'USAGE') FROM pg_database d
        WHERE d.datname = ANY(%s) AND EXISTS (
          SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
          WHERE a.grantee = 0 AND a.privilege_type = 'CONNECT')
    """
    beside = [settings.control_db, MAINTENANCE_DB, "template1"]
    still_open = []
    for name, may_close in conn.execute(query, (beside,)).fetchall():
        if not may_close:
            still_open.append(name)
            continue
        conn.execute(
            sql.SQL("REVOKE CONNECT, TEMP ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
        )
    return tuple(still_open)


def _drop_database(conn: Connection, database: str) -> None:
    """Ends the sessions that we may end, then drops; tries again while they are leaving.

    Not WITH (FORCE): it refuses as a whole when a superuser's process, such as autovacuum, is in
    the database at that moment. A plain DROP sends autovacuum away itself.
    """
    name = sql.Identifier(database)
    for _ in range(_DROP_ATTEMPTS - 1):
        conn.execute(
            "SELECT pg_terminate_backend(pid) FROM pg_stat_activity a JOIN pg_roles r"
            " ON r.rolname = a.usename WHERE a.datname = %s AND NOT r.rolsuper"
            " AND a.backend_type = 'client backend' AND a.pid <> pg_backend_pid()",
            (database,),
        )
        try:
            conn.execute(sql.SQL("DROP DATABASE {}").format(name))
        except psycopg.errors.ObjectInUse:
            continue
        return
    conn.execute(sql.SQL("DROP DATABASE {}").format(name))


def _names(org: OrgId, *, settings: Settings) -> tuple[str, str]:
    role = role_name(org, prefix=settings.pg_db_prefix)
    database = database_name(org, prefix=settings.pg_db_prefix)
    taken = _SERVER_DATABASES | {settings.control_db, settings.app_db_user}
    if database in taken or role in taken or database.startswith("pg_"):
        raise InvalidName(
            f"Organization {org} would get the database {database!r}, which is not an "
            "organization's.",
            next_step="Choose another organization id or another PG_DB_PREFIX.",
            org=org,
        )
    return role, database


@contextmanager
def _one_at_a_time(conn: Connection, database: str) -> Iterator[None]:
    """Holds a lock of this database's name; it goes with the connection, however that ends."""
    digest = hashlib.sha256(f"supplyline provision {database}".encode()).digest()
    key = int.from_bytes(digest[:8], "big", signed=True)
    conn.execute("SELECT pg_advisory_lock(%s)", (key,))
    try:
        yield
    finally:
        if not conn.closed:
            conn.execute("SELECT pg_advisory_unlock(%s)", (key,))


def _role_flags(conn: Connection, role: str) -> tuple[bool, bool] | None:
    """(may more than log in, is administered by us) of a role; None when there is none."""
    row = conn.execute(
        "SELECT rolsuper OR rolcreatedb OR rolcreaterole OR rolreplication OR rolbypassrls,"
        " pg_has_role(current_user, oid, 'USAGE WITH ADMIN OPTION') OR pg_has_role("
        " current_user, oid, 'MEMBER WITH ADMIN OPTION') FROM pg_roles WHERE rolname = %s",
        (role,),
    ).fetchone()
    return None if row is None else (bool(row[0]), bool(row[1]))


def _ensure_role(conn: Connection, role: str, *, settings: Settings) -> None:
    flags = _role_flags(conn, role)
    if flags is not None and (flags[0] or not flags[1]):
        raise ConfigurationError(
            f"The role {role!r} exists already and is not an organization's.",
            next_step="Set another PG_DB_PREFIX, or have the database administrator look at it.",
        )
    name = sql.Identifier(role)
    if flags is None:
        conn.execute(
            sql.SQL(
                "CREATE ROLE {} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE CONNECTION LIMIT {}"
            ).format(name, sql.Literal(ROLE_CONNECTIONS))
        )
    _reset_settings(conn, role)
    # The verifier is computed here: the password itself never stands in a statement or a log.
    verifier = conn.pgconn.encrypt_password(
        settings.role_password(role).encode(), role.encode(), b"scram-sha-256"
    ).decode()
    conn.execute(sql.SQL("ALTER ROLE {} PASSWORD {}").format(name, sql.Literal(verifier)))
    # Who creates a role gets ADMIN on it but neither its rights nor SET ROLE (since version 16);
    # both are needed to hand tables over and to end its connections when it is dropped.
    conn.execute(
        sql.SQL("GRANT {} TO CURRENT_USER WITH INHERIT TRUE, SET TRUE").format(name)
        if conn.info.server_version >= 160000
        else sql.SQL("GRANT {} TO CURRENT_USER").format(name)
    )


def _reset_settings(conn: Connection, role: str) -> None:
    """What the role set for its own sessions, such as a timeout of 1 ms, goes."""
    name = sql.Identifier(role)
    everywhere = conn.execute(
        "SELECT d.datname FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
        " LEFT JOIN pg_database d ON d.oid = s.setdatabase WHERE r.rolname = %s",
        (role,),
    ).fetchall()
    for (database,) in everywhere:
        where = (
            sql.SQL("IN DATABASE {}").format(sql.Identifier(database)) if database else sql.SQL("")
        )
        conn.execute(sql.SQL("ALTER ROLE {} {} RESET ALL").format(name, where))


def _ensure_database(conn: Connection, database: str, *, settings: Settings) -> None:
    name = sql.Identifier(database)
    if _owner(conn, database) is None:
        # A locale of PostgreSQL's own: text sorts by code point, and an upgrade of the operating
        # system cannot change the order under an index.
        locale = (
            "LOCALE_PROVIDER builtin BUILTIN_LOCALE 'C.UTF-8'"
            if conn.info.server_version >= _BUILTIN_LOCALE_SINCE
            else "LC_COLLATE 'C'"
        )
        conn.execute(
            sql.SQL(
                "CREATE DATABASE {} TEMPLATE template0 ENCODING 'UTF8' " + locale + " "
                "ALLOW_CONNECTIONS false"
            ).format(name)
        )
    _check_owner(conn, database, settings=settings)
    conn.execute(sql.SQL("REVOKE ALL ON DATABASE {} FROM PUBLIC").format(name))
    conn.execute(sql.SQL("ALTER DATABASE {} ALLOW_CONNECTIONS true").format(name))


def _owner(conn: Connection, database: str) -> str | None:
    row = conn.execute(
        "SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = %s", (database,)
    ).fetchone()
    return None if row is None else str(row[0])


def _check_owner(conn: Connection, database: str, *, settings: Settings) -> None:
    owner = _owner(conn, database)
    if owner != settings.app_db_user:
        raise ConfigurationError(
            f"The database {database!r} exists already and belongs to {owner}.",
            next_step="Set another PG_DB_PREFIX, or have the database administrator look at it.",
        )


def _record(org: OrgId, *, database: str, settings: Settings) -> bool:
    """Writes the chain's first event unless it is there; True when it was written now."""
    with connect_admin(settings=settings, dbname=database, autocommit=False) as conn:
        row = conn.execute(
            "SELECT count(*) FROM supplyline.audit_events WHERE kind = 'organization.provisioned'"
        ).fetchone()
        missing = row is None or row[0] == 0
        if missing:
            append(
                conn,
                org=org,
                kind="organization.provisioned",
                actor="system",
                subject=database,
                detail={"steps": [step.name for step in migrate.steps()]},
            )
    return missing
