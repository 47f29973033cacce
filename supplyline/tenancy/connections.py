"""Connections to PostgreSQL: an organization's own role into its own database, and the admin's.

Promises: `connect` reaches the database of the organization it was given and no other, since role,
database and password are all derived from the id; every way in which that can fail comes out as
one of two errors, of which one says "later" (DatabaseUnavailable) and one says "never"
(OrganizationNotFound). Connections are short-lived: nothing is pooled, so the number held does not
grow with the number of organizations.

Refuses to put anything of an organization into `application_name`, which every role can read.
"""

from __future__ import annotations

import logging
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, LiteralString

import psycopg
from psycopg import sql

from supplyline.contracts import OrgId
from supplyline.errors import DatabaseUnavailable, OrganizationNotFound, SchemaBehind
from supplyline.settings import Settings
from supplyline.tenancy.names import database_name, role_name

log = logging.getLogger(__name__)

Connection = psycopg.Connection[tuple[Any, ...]]

CONNECT_TIMEOUT_S = 10
MAINTENANCE_DB = "postgres"

_OPTIONS = " ".join(
    f"-c {setting}"
    for setting in (
        "timezone=UTC",
        "datestyle=ISO,MDY",
        "client_encoding=UTF8",
        # A role may set any of these for its own sessions (ALTER ROLE ... SET); not for ours.
        "statement_timeout=0",
        "lock_timeout=0",
        "idle_in_transaction_session_timeout=0",
        "idle_session_timeout=0",
        "default_transaction_read_only=off",
        "default_transaction_deferrable=off",
        r"default_transaction_isolation=read\ committed",
        "synchronous_commit=on",
        "search_path=public",
        "role=none",
        "standard_conforming_strings=on",
        "bytea_output=hex",
        "intervalstyle=postgres",
        "extra_float_digits=1",
        "transform_null_equals=off",
        "array_nulls=on",
        "row_security=on",
        "default_table_access_method=heap",
    )
)
_ADMIN_OPTIONS = _OPTIONS.replace("search_path=public", "search_path=pg_catalog")
"""An organization may make functions in its `public`; none is run with APP_DB_USER's rights.

PostgreSQL prefers a function whose arguments fit better to one of its own (CVE-2018-1058).
"""
_TRANSACTION_TIMEOUT_SINCE = 170000

COMPLETE: LiteralString = """
  d.datallowconn AND r.rolcanlogin
  AND EXISTS (SELECT FROM aclexplode(d.datacl) a
    WHERE a.grantee = r.oid AND a.privilege_type = 'CONNECT')
  AND NOT EXISTS (SELECT FROM aclexplode(coalesce(d.datacl, acldefault('d', d.datdba))) a
    WHERE a.grantee = 0)
"""
"""SQL: whether the database `d` of the role `r` is provisioned completely.

The role's own right to connect is granted last, after the schema and the first event: that it may
enter because PUBLIC may, or that the database is closed, says that something is missing.
"""
_PROVISIONED = sql.SQL(
    "SELECT EXISTS (SELECT FROM pg_database d JOIN pg_roles r ON r.rolname = %(role)s"
    " WHERE d.datname = %(database)s AND {})"
).format(sql.SQL(COMPLETE))


def connect(
    org: OrgId,
    *,
    settings: Settings,
    autocommit: bool = False,
    application_name: str = "supplyline",
) -> Connection:
    """Opens the organization's database as the organization's own role; the caller closes it.

    Raises OrganizationNotFound when it has no (completely provisioned) database, and
    DatabaseUnavailable when the server is away, is full or refuses the password.
    """
    role = role_name(org, prefix=settings.pg_db_prefix)
    try:
        conn: Connection = psycopg.connect(
            host=settings.pg_host,
            port=settings.pg_port,
            dbname=database_name(org, prefix=settings.pg_db_prefix),
            user=role,
            password=settings.role_password(role),
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application_name,
            options=_OPTIONS,
            autocommit=autocommit,
        )
    except psycopg.OperationalError as error:
        # libpq gives no SQLSTATE for a refused connection and its text may be translated, so the
        # reason is asked of the catalog. This raises DatabaseUnavailable when the server is away.
        if not exists(org, settings=settings):
            raise OrganizationNotFound(
                f"Organization {org} has no database, or an unfinished one.",
                next_step=f"Check the id; `supplyline provision --org {org}` creates or completes "
                "the database of an organization that is meant to be there.",
                org=org,
            ) from error
        raise DatabaseUnavailable(
            f"The database of organization {org} did not let its own role in: {_line(error)}.",
            next_step="Try again. If a password is refused, SUPPLYLINE_TENANT_SECRET (or "
            "APP_DB_PASSWORD, when the secret is derived from it) was changed: "
            f"`supplyline provision --org {org}` sets the role's password anew.",
            org=org,
        ) from error
    if conn.info.server_version >= _TRANSACTION_TIMEOUT_SINCE:
        conn.pgconn.exec_(b"SET transaction_timeout = 0")  # older servers refuse it as an option
    return conn


def connect_admin(
    *,
    settings: Settings,
    dbname: str = MAINTENANCE_DB,
    autocommit: bool = True,
    application_name: str = "supplyline admin",
) -> Connection:
    """Opens `dbname` as APP_DB_USER. Raises DatabaseUnavailable."""
    try:
        return psycopg.connect(
            host=settings.pg_host,
            port=settings.pg_port,
            dbname=dbname,
            user=settings.app_db_user,
            password=settings.app_db_password,
            connect_timeout=CONNECT_TIMEOUT_S,
            application_name=application_name,
            options=_ADMIN_OPTIONS,
            autocommit=autocommit,
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL at {settings.pg_host}:{settings.pg_port} did not let "
            f"{settings.app_db_user} into {dbname}: {_line(error)}."
        ) from error


def exists(org: OrgId, *, settings: Settings) -> bool:
    """Whether the organization's database is there and complete (see COMPLETE)."""
    role = role_name(org, prefix=settings.pg_db_prefix)
    database = database_name(org, prefix=settings.pg_db_prefix)
    with connect_admin(settings=settings) as conn, unavailable_mapped():
        return is_complete(conn, role=role, database=database)


def is_complete(conn: Connection, *, role: str, database: str) -> bool:
    """The same for names and a connection (to any database) that the caller has."""
    row = conn.execute(_PROVISIONED, {"role": role, "database": database}).fetchone()
    return bool(row and row[0])


@contextmanager
def session(
    org: OrgId, *, settings: Settings, application_name: str = "supplyline"
) -> Iterator[Connection]:
    """One transaction in the organization's database: committed at the end, or rolled back.

    Errors of the connection and of a server that goes away, is full or read-only come out as
    DatabaseUnavailable; what fails because the database's schema is older than this software, as
    SchemaBehind. The caller may commit in between.
    """
    began = time.perf_counter()
    with (
        unavailable_mapped(),
        connect(org, settings=settings, application_name=application_name) as conn,
    ):
        connected = time.perf_counter()
        try:
            yield conn
        except psycopg.ProgrammingError as error:
            _say_when_behind(org, settings, error)
            raise
        finally:
            log.debug(
                "%s: connected in %.0f ms, used for %.0f ms",
                database_name(org, prefix=settings.pg_db_prefix),
                1000 * (connected - began),
                1000 * (time.perf_counter() - connected),
            )


def _say_when_behind(org: OrgId, settings: Settings, error: psycopg.Error) -> None:
    from supplyline.tenancy.migrate import pending  # which needs this module

    name = database_name(org, prefix=settings.pg_db_prefix)
    with connect_admin(settings=settings, dbname=name) as admin:
        steps = pending(admin)
    if steps:
        raise SchemaBehind(
            f"The database of organization {org} lacks the schema steps {', '.join(steps)}.",
            org=org,
        ) from error


@contextmanager
def unavailable_mapped() -> Iterator[None]:
    """Turns what PostgreSQL may do better later into DatabaseUnavailable; the rest passes.

    That is psycopg's OperationalError (connection lost, restart, disk full, too many connections,
    deadlock, lock timeout, serialization failure) and a server that became read-only.
    """
    try:
        yield
    except (psycopg.OperationalError, psycopg.errors.ReadOnlySqlTransaction) as error:
        raise DatabaseUnavailable(
            f"The database could not finish the work: {_line(error)}.", sqlstate=error.sqlstate
        ) from error


def _line(error: psycopg.Error) -> str:
    """The first line of PostgreSQL's message: no statement, no values, no closing point."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0].rstrip(".")
