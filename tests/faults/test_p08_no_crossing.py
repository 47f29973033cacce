"""P8: no organization's role enters another's database, whatever happens on the way there."""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import replace

import psycopg
import pytest

from supplyline.audit.chain import verify
from supplyline.contracts import OrgId
from supplyline.errors import DatabaseUnavailable, InvalidName, OrganizationNotFound
from supplyline.isolation import database
from supplyline.isolation.probe import Subject
from supplyline.settings import Settings
from supplyline.tenancy import migrate
from supplyline.tenancy.bulk import provision_many
from supplyline.tenancy.connections import connect, session
from supplyline.tenancy.names import database_name, parse_org_id
from supplyline.tenancy.provisioning import drop, list_organizations, provision
from tests.servers import PostgresServer


@pytest.fixture
def server(own_pg: Callable[..., PostgresServer]) -> PostgresServer:
    return own_pg(durable=True)


@pytest.fixture
def own(server: PostgresServer, engine_settings: Settings) -> Settings:
    """Settings of a server that may be killed."""
    return replace(
        engine_settings,
        pg_port=server.port,
        app_db_user=server.app_user,
        app_db_password=server.app_password,
    )


def enters(org: OrgId, other: OrgId, settings: Settings) -> bool:
    role = database_name(org, prefix=settings.pg_db_prefix)
    try:
        psycopg.connect(
            host=settings.pg_host,
            port=settings.pg_port,
            user=role,
            password=settings.role_password(role),
            dbname=database_name(other, prefix=settings.pg_db_prefix),
        ).close()
    except psycopg.OperationalError:
        return False
    return True


def test_no_role_enters_another_database(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    tag = new_org(provisioned=False)
    # Ids that are each other's prefixes and look-alikes under truncation, LIKE and separators.
    orgs = [new_org(f"{tag}{tail}") for tail in ("1", "10", "_1", "1_0")]
    for org in orgs:
        assert enters(org, org, engine_settings)
        for other in orgs:
            assert org == other or not enters(org, other, engine_settings)


def test_a_database_is_closed_from_its_first_moment(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    intruder, victim = new_org(), new_org(provisioned=False)
    stop, got_in = threading.Event(), threading.Event()

    def knock() -> None:
        while not stop.is_set():
            if enters(intruder, victim, engine_settings):
                got_in.set()

    thread = threading.Thread(target=knock)
    thread.start()
    for _ in range(3):
        provision(victim, settings=engine_settings)
        drop(victim, settings=engine_settings)
    stop.set()
    thread.join()
    assert not got_in.is_set()


@pytest.mark.parametrize(
    "text",
    [
        "",
        "..",
        "a/b",
        "a.b",
        'x"; DROP DATABASE postgres; --',
        "x' OR '1'='1",
        "A",
        "ä",
        "1\n",
        "\x00",
        "org_1",
        "_1",
        "1_",
        "x" * 41,
        "\N{FULLWIDTH DIGIT ONE}",
    ],
)
def test_a_hostile_name_never_becomes_an_organization(text: str) -> None:
    with pytest.raises(InvalidName):
        parse_org_id(text)


@pytest.mark.parametrize("moment", ["0001_audit_settings", "last"])
@pytest.mark.parametrize("how", ["stop", "kill"])
def test_server_that_dies_in_a_provision_leaves_nothing_open_and_nothing_half(
    server: PostgresServer,
    own: Settings,
    monkeypatch: pytest.MonkeyPatch,
    moment: str,
    how: str,
) -> None:
    neighbour, org = OrgId("neighbour"), OrgId("interrupted")
    provision(neighbour, settings=own)
    names = [step.name for step in migrate.steps()]
    at = names[-1] if moment == "last" else moment
    original = migrate._run_step

    def die(conn: object, step: migrate.Step, **kwargs: str) -> None:
        original(conn, step, **kwargs)  # type: ignore[arg-type] # the connection, passed on
        if step.name == at:
            getattr(server, how)()

    with monkeypatch.context() as patch:
        patch.setattr(migrate, "_run_step", die)
        with pytest.raises(DatabaseUnavailable):
            provision(org, settings=own)
    with pytest.raises(DatabaseUnavailable):
        connect(neighbour, settings=own)
    server.start()
    # 1. Half an organization is none: nobody gets in, neither its own role nor a neighbour's.
    with pytest.raises(OrganizationNotFound):
        connect(org, settings=own)
    assert not enters(neighbour, org, own)
    assert list_organizations(settings=own) == (neighbour,)
    # 2. The next call completes it, and the chain has one first event.
    assert provision(org, settings=own) is True
    with session(org, settings=own) as conn:
        report = verify(conn)
    assert report.ok
    assert report.events == 1
    # 3. And it is as closed as any other.
    subject = Subject(attacker=neighbour, victim=org, settings=own)
    assert [a.what for a in database.probes(subject) if a.outcome == "crossed"] == []


def test_bulk_that_was_interrupted_goes_on_where_it_was(
    server: PostgresServer, own: Settings
) -> None:
    orgs = [OrgId(f"bulk{n}") for n in range(6)]
    seen: list[OrgId] = []

    def interrupt(org: OrgId, _what: str) -> None:
        seen.append(org)
        if len(seen) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        provision_many(orgs, settings=own, jobs=2, progress=interrupt)
    before = set(list_organizations(settings=own))
    assert 2 <= len(before) < 6
    report = provision_many(orgs, settings=own, jobs=2)
    assert report.failures == ()
    assert report.done == 6 - len(before)
    assert report.skipped == len(before)
    assert set(list_organizations(settings=own)) == set(orgs)


def test_bulk_reports_each_failure_and_does_the_rest(server: PostgresServer, own: Settings) -> None:
    with server.connect() as admin:
        admin.execute(f'CREATE ROLE "{own.pg_db_prefix}bad" SUPERUSER'.encode())
    report = provision_many([OrgId("bad"), OrgId("good")], settings=own, jobs=2)
    assert [f.org for f in report.failures] == ["bad"]
    assert report.done == 1


def test_a_right_that_is_missing_is_reported_for_each(
    server: PostgresServer, own: Settings
) -> None:
    with server.connect() as admin:
        admin.execute(f"ALTER ROLE {server.app_user} NOCREATEDB".encode())
        report = provision_many([OrgId("one"), OrgId("two")], settings=own, jobs=2)
        assert sorted(f.org for f in report.failures) == ["one", "two"]
        assert all("permission denied to create database" in f.detail for f in report.failures)
        admin.execute(f"ALTER ROLE {server.app_user} CREATEDB".encode())
    assert provision_many([OrgId("one"), OrgId("two")], settings=own, jobs=2).done == 2
