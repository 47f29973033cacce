"""The commands say what they did, in JSON where asked, and exit by it."""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from click.testing import CliRunner, Result

from supplyline.cli import cli
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.tenancy.names import database_name
from tests.servers import PostgresServer


def call(*arguments: str) -> Result:
    return CliRunner().invoke(cli, arguments)


def test_provision_makes_what_is_missing_and_skips_the_rest(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    tag = new_org(provisioned=False)
    orgs = [new_org(f"{tag}{n}", provisioned=False) for n in (1, 2, 3)]
    first = call("provision", "--org", orgs[0], "--json")
    assert json.loads(first.stdout)["done"] == 1
    rest = call("provision", "--count", "3", "--first", tag, "--jobs", "2", "--json")
    assert rest.exit_code == 0
    report = json.loads(rest.stdout)
    assert (report["done"], report["skipped"], report["failures"]) == (2, 1, [])


def test_provision_shows_progress(new_org: Callable[..., OrgId], engine_settings: Settings) -> None:
    org = new_org(provisioned=False)
    result = call("provision", "--org", org)
    assert f"[1/1] {org}: done" in result.stderr
    assert result.stdout.startswith("1 done, 0 complete before, 0 failed")


def test_migrate_all_finds_every_organization(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    orgs = [new_org(), new_org()]
    result = call("migrate", "--all", "--json")
    assert result.exit_code == 0
    assert json.loads(result.stdout)["skipped"] >= len(orgs)


@pytest.mark.parametrize(
    "arguments", [("provision",), ("migrate",), ("migrate", "--all", "--org", "1")]
)
def test_wrong_usage_is_said(arguments: tuple[str, ...]) -> None:
    assert call(*arguments).exit_code == 2


def test_a_failure_is_reported_with_its_exit_code(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    org = new_org(provisioned=False)
    result = call("migrate", "--org", org, "--json")
    assert result.exit_code == 3
    assert json.loads(result.stdout)["failures"][0]["org"] == org


def test_audit_verify_exits_by_what_it_finds(
    new_org: Callable[..., OrgId], engine_settings: Settings, pg: PostgresServer
) -> None:
    org = new_org()
    whole = call("audit-verify", "--org", org, "--json")
    assert whole.exit_code == 0
    anchor = json.loads(whole.stdout)["anchor"]
    assert call("audit-verify", "--org", org, "--anchor", anchor).exit_code == 0
    assert call("audit-verify", "--org", org, "--anchor", "x").exit_code == 2
    with pg.connect(database_name(org, prefix=engine_settings.pg_db_prefix)) as conn:
        conn.execute("SET session_replication_role = replica")
        conn.execute("UPDATE supplyline.audit_events SET actor = 'mallory'")
    broken = call("audit-verify", "--org", org)
    assert broken.exit_code == 1
    assert broken.stdout.startswith("Broken at event 1")


@pytest.mark.parametrize("name", ["provision", "migrate", "audit-verify", "isolation-check"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    result = call(name, "--help")
    assert result.exit_code == 0
    assert "Example: supplyline " in result.stdout
