"""An organization is erased everywhere, with a proof, also after a call that was cut off."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.contracts import OrgId, RunRef
from supplyline.erasure import erase_organization
from supplyline.settings import Settings
from supplyline.stages import open_landing, run_ingest, run_load
from supplyline.storage import Storage
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import role_name
from tests.faults.house import start_module
from tests.faults.worker import REFUSED
from tests.servers import PostgresServer
from tests.waiting import wait_stopped

RUN = RunRef(run_id="r")


@pytest.fixture
def full(new_org: Callable[..., OrgId], engine_settings: Settings) -> OrgId:
    """A loaded file, a file that was never landed, and half a file."""
    org, storage = new_org(), Storage(engine_settings.storage_url)
    storage.put(org, file_id="landed", name="sales.csv", chunks=[b"a,b\n1,2\n3,4\n"])
    run_ingest(org_id=org, table="sales", file_id="landed", run=RUN, settings=engine_settings)
    run_load(org_id=org, table="sales", run=RUN, settings=engine_settings)
    storage.put(org, file_id="waiting", name="more.csv", chunks=[b"a\n1\n"])
    storage.begin(org, file_id="half", name="half.csv").write(b"a\n")
    return org


def test_everything_is_gone_and_the_proof_says_what_was(
    full: OrgId, new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    other, storage = new_org(f"{full}0"), Storage(engine_settings.storage_url)
    storage.put(other, file_id="theirs", name="x.csv", chunks=[b"a\n1\n"])
    refused = CliRunner().invoke(cli, ["erase", "--org", full, "--yes-erase", other])
    assert refused.exit_code == 2
    result = CliRunner().invoke(cli, ["erase", "--org", full, "--yes-erase", full, "--json"])
    proof = json.loads(result.stdout)
    assert (result.exit_code, proof["gone"]) == (0, True)
    assert "manage.py erase_organization" in result.stderr
    paths = [f["path"] for f in proof["was"]["file_list"]]
    assert any(p.endswith("landed/sales.csv") for p in paths)
    assert any(p.endswith("waiting/more.csv") for p in paths)
    assert any(p.startswith(f".incoming/{full}/") for p in paths)
    assert {"sales": 2, "sales_history": 0}.items() <= proof["was"]["tables"].items()
    assert proof["was"]["audit_head"]["seq"] > 0
    assert proof["left"] == {"files": 0, "collections": 0, "database": 0, "role": 0}
    assert storage.everything(full) == []
    assert storage.find(other, "theirs").name == "x.csv"
    assert proof["found"] is True
    again = CliRunner().invoke(cli, ["erase", "--org", full, "--yes-erase", full])
    assert again.exit_code == 0
    assert again.stdout.startswith(f"Nothing of {full} was found")  # nor of an id mistyped


@pytest.mark.parametrize("point", ["erase.files_gone", "erase.documents_gone"])
def test_an_erasure_that_was_killed_is_completed(
    full: OrgId, engine_env: dict[str, str], point: str
) -> None:
    command = ("erase", "--org", full, "--yes-erase", full)
    erasure = start_module("supplyline.cli", *command, env=engine_env, fault=f"{point}:1")
    erasure.communicate(timeout=120)
    assert erasure.returncode == -9
    result = CliRunner().invoke(cli, ["erase", "--org", full, "--yes-erase", full, "--json"])
    proof = json.loads(result.stdout)
    assert proof["gone"]
    assert (proof["was"]["files"], len(proof["was"]["file_list"])) == (5, 5)
    assert proof["was"]["documents"] > 2
    assert proof["was"]["tables"]["sales"] == 2


@pytest.mark.parametrize("point", ["land.before_batch", "land.before_close", "land.after_close"])
def test_an_ingest_that_goes_on_after_the_erasure_leaves_nothing(
    full: OrgId, engine_settings: Settings, engine_env: dict[str, str], point: str
) -> None:
    work = ("tests.faults.worker", "ingest", full, "sales", "r", "1", "waiting")
    with start_module(*work, env=engine_env, fault=f"{point}:1:stop") as ingest:
        try:
            wait_stopped(ingest.pid)
            assert erase_organization(full, settings=engine_settings)["gone"]
            ingest.send_signal(signal.SIGCONT)
            assert ingest.wait(60) == REFUSED
        finally:
            ingest.kill()
    with open_landing(engine_settings) as landing:
        assert landing.collections(full) == {}
    assert Storage(engine_settings.storage_url).everything(full) == []


def test_an_organization_cannot_keep_itself_from_being_erased(
    full: OrgId, engine_settings: Settings
) -> None:
    with connect(full, settings=engine_settings) as conn:
        conn.execute("REVOKE ALL ON sales FROM CURRENT_USER")
    proof = erase_organization(full, settings=engine_settings)
    assert proof["gone"]
    assert proof["was"]["tables"]["sales"] is None
    assert proof["was"]["tables"]["sales_history"] == 0


def test_a_policy_on_rows_keeps_no_organization_from_being_erased(
    full: OrgId, engine_settings: Settings
) -> None:
    """One that fails outside its own program, as those by `current_setting` do."""
    with connect(full, settings=engine_settings) as conn:
        conn.execute("ALTER TABLE sales ENABLE ROW LEVEL SECURITY")
        conn.execute("ALTER TABLE sales FORCE ROW LEVEL SECURITY")
        conn.execute("CREATE POLICY mine ON sales USING (current_setting('app.who') = 'x')")
        conn.commit()
    proof = erase_organization(full, settings=engine_settings)
    assert proof["gone"]
    assert proof["was"]["tables"]["sales"] is None


def test_rights_elsewhere_keep_the_role_and_the_proof_says_so(
    full: OrgId, engine_settings: Settings, pg: PostgresServer
) -> None:
    role = role_name(full, prefix=engine_settings.pg_db_prefix)
    with pg.connect() as admin:
        admin.execute(f"GRANT CONNECT ON DATABASE postgres TO {role}".encode())
        proof = erase_organization(full, settings=engine_settings)
        assert proof["left"] == {"files": 0, "collections": 0, "database": 0, "role": 1}
        assert not proof["gone"]
        assert proof["was"]["tables"]["sales"] == 2
        assert "privileges for database postgres" in proof["problem"]
        admin.execute(f"REVOKE CONNECT ON DATABASE postgres FROM {role}".encode())
    assert erase_organization(full, settings=engine_settings)["gone"]
