"""The isolation check: refuses to pass when a hole is there, and passes when none is."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace

import pytest
from click.testing import CliRunner

from supplyline import settings as environment
from supplyline.cli import cli
from supplyline.contracts import OrgId
from supplyline.errors import OrganizationNotFound
from supplyline.isolation import database, stores
from supplyline.isolation.probe import Attempt, Subject, Verdict, run
from supplyline.settings import Settings
from supplyline.storage import Storage
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import database_name
from tests.servers import PostgresServer

PROBES = (
    database.probes,
    stores.storage_probes,
    stores.collection_probes,
    stores.identifier_probes,
)


@pytest.fixture
def control_db(engine_settings: Settings, pg: PostgresServer) -> str:
    """The control database exists, as it does where a backend runs."""
    name = engine_settings.control_db
    with pg.connect(user=pg.app_user) as conn:
        row = conn.execute("SELECT FROM pg_database WHERE datname = %s", (name,)).fetchone()
        if row is None:
            conn.execute(f'CREATE DATABASE "{name}"'.encode())
    return name


@pytest.fixture
def pair(control_db: str, new_org: Callable[..., OrgId]) -> tuple[OrgId, OrgId]:
    return new_org(), new_org()


def check(pair: tuple[OrgId, OrgId], settings: Settings) -> Verdict:
    a, b = pair
    return run(
        PROBES,
        subjects=(
            Subject(attacker=a, victim=b, settings=settings),
            Subject(attacker=b, victim=a, settings=settings),
        ),
    )


def crossed(verdict: Verdict) -> list[str]:
    return [attempt.what for attempt in verdict.attempts if attempt.outcome == "crossed"]


def test_nothing_crosses(pair: tuple[OrgId, OrgId], engine_settings: Settings) -> None:
    verdict = check(pair, engine_settings)
    assert crossed(verdict) == []
    assert verdict.isolated
    assert verdict.count("refused") > 150
    assert verdict.count("visible") == 2  # pg_stat_database, from either side


def test_what_the_server_has_not_is_untested_and_said(
    pair: tuple[OrgId, OrgId], engine_settings: Settings
) -> None:
    verdict = check(pair, engine_settings)
    extensions = [a for a in verdict.attempts if a.what.startswith("CREATE EXTENSION")]
    assert extensions
    for attempt in extensions:
        assert (attempt.outcome == "refused") == attempt.evidence.startswith("42501"), attempt
    command = ["isolation-check", "--org", pair[0], "--org", pair[1], "--strict"]
    result = CliRunner().invoke(cli, command)
    assert result.exit_code == 5
    assert "not tried: api: " in result.output


@pytest.mark.parametrize(
    ("hole", "mend", "found"),
    [
        (
            "GRANT CONNECT ON DATABASE {b} TO {a}",
            "REVOKE CONNECT ON DATABASE {b} FROM {a}",
            "connects to",
        ),
        ("GRANT {b} TO {a}", "REVOKE {b} FROM {a}", "SET ROLE"),
        (
            "GRANT pg_read_all_stats TO {a}",
            "REVOKE pg_read_all_stats FROM {a}",
            "query text",
        ),
        ("GRANT pg_signal_backend TO {a}", "REVOKE pg_signal_backend FROM {a}", "pg_cancel"),
        (
            "GRANT pg_execute_server_program TO {a}",
            "REVOKE pg_execute_server_program FROM {a}",
            "TO PROGRAM",
        ),
        ("GRANT CONNECT ON DATABASE {c} TO {a}", "REVOKE CONNECT ON DATABASE {c} FROM {a}", "{c}"),
        ("ALTER ROLE {a} CREATEROLE", "ALTER ROLE {a} NOCREATEROLE", "CREATE ROLE"),
        ("ALTER ROLE {a} CREATEDB", "ALTER ROLE {a} NOCREATEDB", "more than log in"),
        ("ALTER ROLE {a} REPLICATION", "ALTER ROLE {a} NOREPLICATION", "more than log in"),
        ("GRANT pg_read_all_data TO {a}", "REVOKE pg_read_all_data FROM {a}", "another role"),
        ("CREATE DATABASE {c}_x", "DROP DATABASE {c}_x", "another database than its own"),
    ],
)
def test_a_hole_in_the_database_is_found(
    pair: tuple[OrgId, OrgId],
    engine_settings: Settings,
    pg: PostgresServer,
    hole: str,
    mend: str,
    found: str,
) -> None:
    names = {
        "a": database_name(pair[0], prefix=engine_settings.pg_db_prefix),
        "b": database_name(pair[1], prefix=engine_settings.pg_db_prefix),
        "c": engine_settings.control_db,
    }
    with pg.connect() as admin:
        admin.execute(hole.format(**names).encode())
        try:
            verdict = check(pair, engine_settings)
        finally:
            admin.execute(mend.format(**names).encode())
    assert not verdict.isolated
    assert any(found.format(**names) in what for what in crossed(verdict)), crossed(verdict)


def test_a_hole_in_storage_is_found(
    pair: tuple[OrgId, OrgId], engine_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A storage that does not check ids, as a careless one would be written.
    monkeypatch.setattr("supplyline.storage.store.parse_file_id", lambda text: text)
    subject = Subject(attacker=pair[0], victim=pair[1], settings=engine_settings)
    assert any(a.outcome == "crossed" for a in stores.storage_probes(subject))


def test_a_collision_of_collections_is_found(
    pair: tuple[OrgId, OrgId], engine_settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(
        "supplyline.tenancy.names.rows_collection", lambda org, table: f"{org}_{table}"
    )
    subject = Subject(attacker=pair[0], victim=pair[1], settings=engine_settings)
    assert [a for a in stores.collection_probes(subject) if a.outcome == "crossed"]


def test_probes_leave_no_file_behind(pair: tuple[OrgId, OrgId], engine_settings: Settings) -> None:
    check(pair, engine_settings)
    storage = Storage(url=engine_settings.storage_url)
    left = [p for p in storage._fs.find(storage._root) if "isolation-probe" in p]
    assert left == []


def test_an_organization_that_does_not_exist_proves_nothing(
    pair: tuple[OrgId, OrgId], engine_settings: Settings
) -> None:
    with pytest.raises(OrganizationNotFound):
        check((pair[0], OrgId("nobody")), engine_settings)


def test_nothing_tried_is_no_proof() -> None:
    control = Attempt(area="x", what="x", outcome="control", evidence="")
    assert not Verdict(orgs=(OrgId("a"), OrgId("b")), attempts=(control,)).isolated


def test_command_prints_the_proof_and_exits_by_it(
    pair: tuple[OrgId, OrgId], engine_settings: Settings, pg: PostgresServer
) -> None:
    a, b = pair
    runner = CliRunner()
    arguments = ["isolation-check", "--org", a, "--org", b]
    plain = runner.invoke(cli, arguments)
    assert plain.exit_code == 0, plain.output
    assert plain.output.splitlines()[-1].startswith("Isolated: ")
    name_a, name_b = (database_name(o, prefix=engine_settings.pg_db_prefix) for o in pair)
    with pg.connect() as admin:
        admin.execute(f'GRANT CONNECT ON DATABASE "{name_b}" TO "{name_a}"'.encode())
        result = runner.invoke(cli, [*arguments, "--json"])
        admin.execute(f'REVOKE CONNECT ON DATABASE "{name_b}" FROM "{name_a}"'.encode())
    assert result.exit_code == 1
    assert json.loads(result.output)["isolated"] is False
    assert environment.get() == engine_settings


def test_no_password_is_shown(pair: tuple[OrgId, OrgId], engine_settings: Settings) -> None:
    text = json.dumps(check(pair, engine_settings).as_json())
    for org in pair:
        name = database_name(org, prefix=engine_settings.pg_db_prefix)
        assert engine_settings.role_password(name) not in text
    assert engine_settings.app_db_password not in text


def test_a_fresh_connection_shows_nothing_of_an_organization_in_its_name(
    pair: tuple[OrgId, OrgId], engine_settings: Settings
) -> None:
    # application_name is readable for every role, so it must not tell what an organization does.
    with connect(pair[0], settings=engine_settings) as conn:
        assert conn.execute("SHOW application_name").fetchone() == ("supplyline",)


def test_settings_of_another_server_are_not_mixed_up(engine_settings: Settings) -> None:
    a = replace(engine_settings, tenant_secret="one")
    b = replace(engine_settings, tenant_secret="two")
    assert a.role_password("orgdata_1") != b.role_password("orgdata_1")
    assert a.role_password("orgdata_1") != a.role_password("orgdata_10")
