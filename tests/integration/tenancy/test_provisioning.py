"""An organization's database is made once, completely, and can be removed again."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import psycopg
import pytest

from supplyline.contracts import OrgId
from supplyline.errors import (
    ConfigurationError,
    DatabaseUnavailable,
    InvalidName,
    OrganizationNotFound,
)
from supplyline.settings import Settings
from supplyline.tenancy import bulk, connections, migrate, provisioning
from supplyline.tenancy.names import database_name
from tests.servers import PostgresServer

NewOrg = Callable[..., OrgId]


def test_provision_makes_a_database_that_the_role_can_use(
    new_org: NewOrg, engine_settings: Settings
) -> None:
    org = new_org()
    with connections.session(org, settings=engine_settings) as conn:
        conn.execute("CREATE TABLE public.products (sku text PRIMARY KEY)")
        assert conn.execute("SELECT current_user").fetchone() == (conn.info.dbname,)
        assert conn.execute("SHOW timezone").fetchone() == ("UTC",)
        assert migrate.pending(conn) == ()


def test_provision_again_changes_nothing(new_org: NewOrg, engine_settings: Settings) -> None:
    org = new_org(provisioned=False)
    assert provisioning.provision(org, settings=engine_settings) is True
    assert provisioning.provision(org, settings=engine_settings) is False
    with connections.session(org, settings=engine_settings) as conn:
        assert conn.execute("SELECT count(*) FROM supplyline.audit_events").fetchone() == (1,)


def test_many_provisions_at_once_make_one_database(
    new_org: NewOrg, engine_settings: Settings
) -> None:
    org = new_org(provisioned=False)
    with ThreadPoolExecutor(6) as pool:
        made = list(
            pool.map(lambda _: provisioning.provision(org, settings=engine_settings), range(6))
        )
    assert sorted(made) == [False] * 5 + [True]
    assert org in provisioning.list_organizations(settings=engine_settings)
    with connections.session(org, settings=engine_settings) as conn:
        assert conn.execute("SELECT count(*) FROM supplyline.audit_events").fetchone() == (1,)


def test_role_may_log_in_and_nothing_else(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer
) -> None:
    role = database_name(new_org(), prefix=engine_settings.pg_db_prefix)
    with pg.connect() as conn:
        row = conn.execute(
            "SELECT rolcanlogin, rolsuper, rolcreatedb, rolcreaterole, rolreplication,"
            " rolbypassrls, rolconnlimit, rolpassword LIKE 'SCRAM-SHA-256$%%'"
            " FROM pg_authid WHERE rolname = %s",
            (role,),
        ).fetchone()
        assert row is not None
        assert row == (True, False, False, False, False, False, 20, True)
        memberships = conn.execute(
            "SELECT count(*) FROM pg_auth_members WHERE member = %s::regrole", (role,)
        ).fetchone()
        assert memberships == (0,)


@pytest.mark.parametrize(
    "statement",
    [
        "CREATE SCHEMA mine",
        "CREATE TABLE supplyline.mine (a int)",
        "CREATE EXTENSION vector",
        "UPDATE supplyline.schema_version SET step = 'x'",
        "DROP TABLE supplyline.table_settings",
        "ALTER TABLE supplyline.audit_events DISABLE TRIGGER ALL",
        "COPY (SELECT 1) TO PROGRAM 'id'",
        "CREATE ROLE other",
    ],
)
def test_role_is_refused_what_is_not_its_own(
    new_org: NewOrg, engine_settings: Settings, statement: str
) -> None:
    with (
        connections.connect(new_org(), settings=engine_settings, autocommit=True) as conn,
        pytest.raises(psycopg.errors.InsufficientPrivilege),
    ):
        conn.execute(statement.encode())


def test_drop_ends_sessions_and_leaves_nothing(new_org: NewOrg, engine_settings: Settings) -> None:
    org = new_org()
    busy = connections.connect(org, settings=engine_settings)
    busy.execute("SELECT 1")
    assert provisioning.drop(org, settings=engine_settings) is True
    with pytest.raises(psycopg.OperationalError):
        busy.execute("SELECT 1")
    assert org not in provisioning.list_organizations(settings=engine_settings)
    assert provisioning.drop(org, settings=engine_settings) is False
    with pytest.raises(OrganizationNotFound):
        connections.connect(org, settings=engine_settings)


def test_unknown_organization_is_not_found(engine_settings: Settings) -> None:
    with pytest.raises(OrganizationNotFound) as caught:
        connections.connect(OrgId("nobody"), settings=engine_settings)
    assert "supplyline provision" in caught.value.advice


def test_server_away_is_transient(engine_settings: Settings) -> None:
    away = replace(engine_settings, pg_port=1)
    for call in (
        lambda: connections.connect(OrgId("x"), settings=away),
        lambda: provisioning.provision(OrgId("x"), settings=away),
        lambda: provisioning.list_organizations(settings=away),
    ):
        with pytest.raises(DatabaseUnavailable):
            call()


def test_changed_secret_is_said_and_mended_by_provision(
    new_org: NewOrg, engine_settings: Settings
) -> None:
    org = new_org()
    changed = replace(engine_settings, tenant_secret="another")
    with pytest.raises(DatabaseUnavailable, match="SUPPLYLINE_TENANT_SECRET"):
        connections.connect(org, settings=changed)
    provisioning.provision(org, settings=changed)
    connections.connect(org, settings=changed).close()


def test_unfinished_provision_is_completed(
    new_org: NewOrg, engine_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    org = new_org(provisioned=False)
    with monkeypatch.context() as patch:

        def fail(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        patch.setattr(migrate, "_run_step", fail)
        with pytest.raises(KeyboardInterrupt):
            provisioning.provision(org, settings=engine_settings)
    with pytest.raises(OrganizationNotFound):
        connections.connect(org, settings=engine_settings)
    assert org not in provisioning.list_organizations(settings=engine_settings)
    assert provisioning.provision(org, settings=engine_settings) is True
    connections.connect(org, settings=engine_settings).close()


def test_somebody_elses_database_is_not_taken(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer
) -> None:
    org = new_org(provisioned=False)
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    with pg.connect() as conn:
        conn.execute(f'CREATE DATABASE "{name}"')
        try:
            with pytest.raises(ConfigurationError):
                provisioning.provision(org, settings=engine_settings)
            with pytest.raises(ConfigurationError):
                provisioning.drop(org, settings=engine_settings)
        finally:
            conn.execute(f'DROP DATABASE "{name}"')


def test_somebody_elses_role_is_not_taken(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer
) -> None:
    org = new_org(provisioned=False)
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    with pg.connect() as conn:
        conn.execute(f'CREATE ROLE "{name}" SUPERUSER')
        try:
            with pytest.raises(ConfigurationError):
                provisioning.provision(org, settings=engine_settings)
        finally:
            conn.execute(f'DROP ROLE "{name}"')


@pytest.mark.parametrize("org", ["postgres", "template1", "supplyline"])
def test_the_servers_own_databases_are_refused(engine_settings: Settings, org: str) -> None:
    bare = replace(engine_settings, pg_db_prefix="", control_db="supplyline")
    for call in (provisioning.provision, provisioning.drop):
        with pytest.raises(InvalidName):
            call(OrgId(org), settings=bare)


def test_name_that_postgresql_would_truncate_is_refused(engine_settings: Settings) -> None:
    long = replace(engine_settings, pg_db_prefix="p" * 40)
    with pytest.raises(InvalidName):
        provisioning.provision(OrgId("o" * 40), settings=long)


def test_control_database_is_closed_to_organizations(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer
) -> None:
    own = replace(engine_settings, control_db=f"{engine_settings.control_db}_closed")
    org = new_org(provisioned=False)
    role = database_name(org, prefix=own.pg_db_prefix)
    with pg.connect(user=pg.app_user) as conn:
        conn.execute(f'CREATE DATABASE "{own.control_db}"')
        try:
            provisioning.provision(org, settings=own)
            with pytest.raises(psycopg.OperationalError, match="CONNECT"):
                psycopg.connect(
                    host=own.pg_host,
                    port=own.pg_port,
                    dbname=own.control_db,
                    user=role,
                    password=own.role_password(role),
                )
        finally:
            conn.execute(f'DROP DATABASE "{own.control_db}"')


def state_of(pg: PostgresServer, name: str) -> tuple[object, ...] | None:
    with pg.connect() as conn:
        return conn.execute(
            "SELECT datallowconn, (SELECT count(*) FROM aclexplode(coalesce(datacl,"
            " acldefault('d', datdba))) WHERE grantee = 0), has_database_privilege(%s, oid,"
            " 'CONNECT') FROM pg_database WHERE datname = %s",
            (name, name),
        ).fetchone()


@pytest.mark.parametrize("opened", [False, True])
def test_a_database_that_a_killed_provision_left_is_completed(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer, opened: bool
) -> None:
    """CREATE DATABASE goes on when its client is killed: closed, and with PUBLIC's own rights."""
    org = new_org(provisioned=False)
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    with connections.connect_admin(settings=engine_settings) as conn:
        conn.execute(f'CREATE ROLE "{name}" LOGIN'.encode())
        conn.execute(f'CREATE DATABASE "{name}" ALLOW_CONNECTIONS {opened}'.encode())
    assert not connections.exists(org, settings=engine_settings)
    assert org not in provisioning.list_organizations(settings=engine_settings)
    assert bulk.provision_many([org], settings=engine_settings).done == 1
    assert state_of(pg, name) == (True, 0, True)
    assert bulk.provision_many([org], settings=engine_settings).skipped == 1
    with connections.session(org, settings=engine_settings) as session:
        assert session.execute("SELECT count(*) FROM supplyline.audit_events").fetchone() == (1,)


@pytest.mark.parametrize(
    "broken",
    [
        'ALTER DATABASE "{}" ALLOW_CONNECTIONS false',
        'GRANT CONNECT ON DATABASE "{}" TO PUBLIC',
        'REVOKE CONNECT ON DATABASE "{0}" FROM "{0}"',
    ],
)
def test_what_is_not_as_it_should_be_is_not_complete(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer, broken: str
) -> None:
    org = new_org()
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    with connections.connect_admin(settings=engine_settings) as conn:
        conn.execute(broken.format(name).encode())
    assert not connections.exists(org, settings=engine_settings)
    assert provisioning.provision(org, settings=engine_settings) is True
    assert state_of(pg, name) == (True, 0, True)
    assert provisioning.provision(org, settings=engine_settings) is False


def test_what_a_role_sets_for_its_sessions_stops_neither_us_nor_stays(
    new_org: NewOrg, engine_settings: Settings, pg: PostgresServer
) -> None:
    org = new_org()
    name = database_name(org, prefix=engine_settings.pg_db_prefix)
    with connections.connect(org, settings=engine_settings, autocommit=True) as conn:
        for own in (
            "SET statement_timeout = '1ms'",
            "SET default_transaction_read_only = on",
            f'IN DATABASE "{name}" SET search_path = nowhere',
            f'IN DATABASE "{name}" SET synchronous_commit = off',
        ):
            conn.execute(f'ALTER ROLE "{name}" {own}'.encode())
    with connections.session(org, settings=engine_settings) as conn:
        conn.execute("CREATE TABLE t AS SELECT pg_sleep(0.05)::text AS slept")
        assert conn.execute("SHOW synchronous_commit").fetchone() == ("on",)
        assert conn.execute("SHOW search_path").fetchone() == ("public",)
    provisioning.provision(org, settings=engine_settings)
    with pg.connect() as conn:
        assert conn.execute(
            "SELECT count(*) FROM pg_db_role_setting s JOIN pg_roles r ON r.oid = s.setrole"
            " WHERE rolname = %s",
            (name,),
        ).fetchone() == (0,)
