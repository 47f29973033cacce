"""Crossings inside PostgreSQL: one organization's role tries to reach another's database."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import psycopg
from psycopg import sql

from supplyline.isolation.probe import Attempt, Outcome, Subject
from supplyline.tenancy.connections import Connection, connect, connect_admin
from supplyline.tenancy.names import database_name, role_name

AREA = "postgresql"
_AIRFLOW_DB = "airflow"


def probes(subject: Subject) -> Iterator[Attempt]:
    """Every attempt of the attacker's role. Raises OrganizationNotFound, DatabaseUnavailable."""
    with (
        connect(subject.attacker, settings=subject.settings, autocommit=True) as attacker,
        connect(subject.victim, settings=subject.settings, autocommit=True) as victim,
        # A session of its own for the attempts to end one, which a hole would let succeed.
        connect(subject.victim, settings=subject.settings) as bait,
    ):
        yield Attempt(
            area=AREA,
            what=f"{subject.attacker} enters its own database",
            outcome="control",
            evidence="it can, so a refusal below is a refusal",
        )
        yield from _connections(subject)
        yield from _rights(subject, attacker)
        yield from _statements(subject, attacker, victim_pid=bait.info.backend_pid)
        yield from _sight(subject, attacker, victim)


def _connections(subject: Subject) -> Iterator[Attempt]:
    settings = subject.settings
    own = role_name(subject.attacker, prefix=settings.pg_db_prefix)
    other = database_name(subject.victim, prefix=settings.pg_db_prefix)
    with connect_admin(settings=settings) as admin:
        there = {name for (name,) in admin.execute("SELECT datname FROM pg_database")}
    for database in (other, settings.control_db, "postgres", "template1", _AIRFLOW_DB):
        what = f"{own} connects to {database}"
        if database not in there:
            yield Attempt(area=AREA, what=what, outcome="untested", evidence="no such database")
            continue
        yield _login(subject, what, user=own, dbname=database)
    what = f"{own}'s password opens the role {other}"
    yield _login(subject, what, user=other, dbname=other)
    what = f"{own}'s password opens the role {settings.app_db_user}"
    yield _login(subject, what, user=settings.app_db_user, dbname="postgres")


_EVERYWHERE = (
    (
        "may connect to another database than its own",
        "SELECT datname FROM pg_database WHERE datallowconn AND datname <> current_database()"
        " AND has_database_privilege(current_user, oid, 'CONNECT')",
    ),
    (
        "is a member of another role",
        "SELECT rolname FROM pg_roles WHERE rolname <> current_user"
        " AND pg_has_role(current_user, oid, 'MEMBER')",
    ),
    (
        "may do more than log in",
        "SELECT a.what FROM pg_roles r, LATERAL (VALUES ('SUPERUSER', rolsuper),"
        " ('CREATEDB', rolcreatedb), ('CREATEROLE', rolcreaterole),"
        " ('REPLICATION', rolreplication), ('BYPASSRLS', rolbypassrls)) a(what, has)"
        " WHERE r.rolname = current_user AND a.has",
    ),
    (
        "may use a foreign server",
        "SELECT srvname FROM pg_foreign_server"
        " WHERE has_server_privilege(current_user, oid, 'USAGE')",
    ),
    (
        "may run a function with the rights of another role",
        "SELECT oid::regprocedure FROM pg_proc WHERE prosecdef"
        " AND proowner <> (SELECT oid FROM pg_roles WHERE rolname = current_user)"
        " AND has_function_privilege(current_user, oid, 'EXECUTE')",
    ),
    (
        "may create in a tablespace",
        "SELECT spcname FROM pg_tablespace WHERE spcname <> 'pg_default'"
        " AND has_tablespace_privilege(current_user, oid, 'CREATE')",
    ),
)
"""What a role may do, and the query that lists where it can."""


def _rights(subject: Subject, attacker: Connection) -> Iterator[Attempt]:
    """Rights that the catalog knows of: not between these two only, but towards everything."""
    own = role_name(subject.attacker, prefix=subject.settings.pg_db_prefix)
    for right, query in _EVERYWHERE:
        found = [str(name) for (name,) in attacker.execute(query).fetchall()]
        yield _attempt(
            f"{own} {right}",
            "crossed" if found else "refused",
            f"it can: {', '.join(found[:5])}" if found else "the catalog lists none",
        )


def _login(subject: Subject, what: str, *, user: str, dbname: str) -> Attempt:
    settings = subject.settings
    own = role_name(subject.attacker, prefix=settings.pg_db_prefix)
    try:
        psycopg.connect(
            host=settings.pg_host,
            port=settings.pg_port,
            user=user,
            password=settings.role_password(own),
            dbname=dbname,
            connect_timeout=10,
        ).close()
    except psycopg.OperationalError as error:
        # libpq carries no SQLSTATE here; the catalog says whether the right was missing.
        evidence = " ".join(str(error).split())[-160:]
        if user != own or not _may_connect(subject, own, dbname):
            return Attempt(area=AREA, what=what, outcome="refused", evidence=evidence)
        return Attempt(area=AREA, what=what, outcome="crossed", evidence=f"allowed, but {evidence}")
    return Attempt(area=AREA, what=what, outcome="crossed", evidence="the connection was opened")


def _may_connect(subject: Subject, role: str, dbname: str) -> bool:
    with connect_admin(settings=subject.settings) as admin:
        row = admin.execute(
            "SELECT has_database_privilege(%s, %s, 'CONNECT')", (role, dbname)
        ).fetchone()
    return row is None or bool(row[0])


def _statements(subject: Subject, conn: Connection, *, victim_pid: int) -> Iterator[Attempt]:
    """Statements that must end in `insufficient_privilege` or in a missing extension."""
    settings = subject.settings
    own = sql.Identifier(role_name(subject.attacker, prefix=settings.pg_db_prefix))
    other = sql.Identifier(role_name(subject.victim, prefix=settings.pg_db_prefix))
    name = sql.Literal(role_name(subject.victim, prefix=settings.pg_db_prefix))
    app = sql.Identifier(settings.app_db_user)
    pid = sql.Literal(victim_pid)
    for text in (
        "SET ROLE {other}",
        "SET ROLE {app}",
        "SET SESSION AUTHORIZATION {other}",
        "GRANT {other} TO {own}",
        "GRANT {app} TO {own}",
        "ALTER ROLE {other} PASSWORD 'x'",
        "ALTER ROLE {own} SUPERUSER",
        "ALTER ROLE {own} CREATEDB",
        "CREATE ROLE isolation_probe LOGIN",
        "GRANT CONNECT ON DATABASE {other} TO {own}",
        "ALTER DATABASE {other} OWNER TO {own}",
        "ALTER DATABASE {other} RENAME TO isolation_probe",
        "ALTER DATABASE {other} SET search_path = 'x'",
        "SELECT pg_database_size({name})",
        "SELECT pg_terminate_backend({pid})",
        "SELECT pg_cancel_backend({pid})",
        "SELECT rolpassword FROM pg_authid",
        "SELECT pg_read_file('PG_VERSION')",
        "SELECT pg_ls_dir('.')",
        "SELECT lo_import('/etc/hostname')",
        "COPY (SELECT 1) TO PROGRAM 'true'",
        "COPY (SELECT 1) TO '/tmp/isolation_probe'",
        "SELECT pg_reload_conf()",
        "CREATE EXTENSION dblink",
        "CREATE EXTENSION postgres_fdw",
        "CREATE EXTENSION file_fdw",
        "CREATE FUNCTION public.isolation_probe() RETURNS int LANGUAGE c AS 'x', 'y'",
        "CREATE SCHEMA isolation_probe",
        "CREATE TABLE supplyline.isolation_probe (a int)",
        "CREATE TABLE pg_catalog.isolation_probe (a int)",
        "CREATE PUBLICATION isolation_probe FOR ALL TABLES",
        "CREATE SUBSCRIPTION isolation_probe CONNECTION 'dbname=x password=x' PUBLICATION x "
        "WITH (connect = false)",
        "SELECT pg_create_logical_replication_slot('isolation_probe', 'pgoutput')",
        "SET session_replication_role = replica",
        "SELECT * FROM {other}.public.x",
    ):
        query = sql.SQL(text).format(own=own, other=other, app=app, pid=pid, name=name)
        yield _statement(conn, query)


_REFUSALS: tuple[type[psycopg.Error], ...] = (
    psycopg.errors.InsufficientPrivilege,
    psycopg.errors.ReservedName,
)
_EXTENSION = "CREATE EXTENSION"


def _statement(conn: Connection, query: sql.Composed) -> Attempt:
    what = query.as_string(conn)
    try:
        with conn.transaction(force_rollback=True):
            conn.execute(query)
    except _REFUSALS as error:
        return _attempt(what, "refused", f"{error.sqlstate} {error.diag.message_primary}")
    except psycopg.Error as error:
        said = f"{error.sqlstate} {error.diag.message_primary}"
        lacking = isinstance(error, psycopg.errors.FeatureNotSupported)
        if what.startswith(_EXTENSION) and (
            lacking or isinstance(error, psycopg.errors.UndefinedFile)
        ):  # an extension that the server has not says nothing about who may create it
            return _attempt(what, "untested", said)
        if lacking:  # a reference to another database is not implemented, whoever makes it
            return _attempt(what, "refused", said)
        # Refused for another reason than privilege: that proves nothing.
        return _attempt(what, "crossed", f"no refusal: {error.sqlstate} {error}")
    return _attempt(what, "crossed", "the statement was carried out (and rolled back)")


def _sight(subject: Subject, attacker: Connection, victim: Connection) -> Iterator[Attempt]:
    """What one organization's session shows another's: query texts, messages, locks."""
    token = secrets.token_hex(8)
    victim.execute(sql.SQL("SELECT {}").format(sql.Literal(f"isolation probe {token}")))
    seen = attacker.execute(
        "SELECT query FROM pg_stat_activity WHERE pid = %s", (victim.info.backend_pid,)
    ).fetchall()
    text = " ".join(str(query) for (query,) in seen)
    yield _attempt(
        f"{subject.attacker} reads {subject.victim}'s query text in pg_stat_activity",
        "crossed" if token in text else "refused",
        text if token not in text else "the text was visible",
    )
    yield _counters(subject, attacker)
    attacker.execute("LISTEN isolation_probe")
    victim.execute("NOTIFY isolation_probe, 'x'")
    heard = list(attacker.notifies(timeout=0.3, stop_after=1))
    yield _attempt(
        f"{subject.attacker} hears {subject.victim}'s notifications",
        "crossed" if heard else "refused",
        "one arrived" if heard else "none arrived: notifications stay in their database",
    )
    victim.execute("SELECT pg_advisory_lock(%s)", (int(token, 16) >> 1,))
    row = attacker.execute("SELECT pg_try_advisory_lock(%s)", (int(token, 16) >> 1,)).fetchone()
    free = bool(row and row[0])
    yield _attempt(
        f"{subject.victim}'s advisory lock holds up {subject.attacker}",
        "refused" if free else "crossed",
        "the same lock was free: locks stay in their database" if free else "it was held up",
    )


def _counters(subject: Subject, attacker: Connection) -> Attempt:
    """Whether the other database's counters can be read: how much it is used, not what is in it."""
    other = database_name(subject.victim, prefix=subject.settings.pg_db_prefix)
    what = f"{subject.attacker} reads {subject.victim}'s counters in pg_stat_database"
    try:
        row = attacker.execute(
            "SELECT tup_inserted FROM pg_stat_database WHERE datname = %s", (other,)
        ).fetchone()
    except psycopg.errors.InsufficientPrivilege as error:
        return _attempt(what, "refused", f"{error.sqlstate} {error.diag.message_primary}")
    if row is None:
        return _attempt(what, "refused", "no row of it is shown")
    return _attempt(
        what, "visible", "rows and blocks read and written are shown: docs/tenancy.md says how to"
        " close it as superuser",
    )  # fmt: skip


def _attempt(what: str, outcome: Outcome, evidence: str) -> Attempt:
    return Attempt(area=AREA, what=what, outcome=outcome, evidence=evidence)
