"""`/api/tables/…`: kinds and policy set by editors, drift shown, nothing of others."""

from __future__ import annotations

import secrets

import pytest
from click.testing import CliRunner

from supplyline import stages
from supplyline.cli import cli
from supplyline.contracts import Column, Layout, ParseOptions, RowBatch, RunRef, StoredFile
from supplyline.settings import Settings
from supplyline.stages import open_landing, utc_now
from supplyline.tenancy.names import parse_org_id, parse_table_name
from tests.integration.backend.conftest import Person
from tests.integration.load.house import batch_of

pytestmark = pytest.mark.django_db


@pytest.fixture
def table(alice: Person, engine_settings: Settings) -> str:
    """A table of Alice's organization with one landed file."""
    name = parse_table_name(f"t{secrets.token_hex(4)}")
    org, run = parse_org_id(alice.org), RunRef(run_id="r")
    file = StoredFile(org=org, file_id=f"f{name}", name="x.csv", size=1, sha256=name, url="")
    with open_landing(engine_settings) as landing:
        manifest = landing.open_manifest(
            org, table=name, file=file, run=run, now=utc_now(), options=ParseOptions(),
            layout=Layout(format="csv", columns=(Column(header="day", name="day"),)),
        )  # fmt: skip
        batch = RowBatch(data=batch_of(["day"], [["01/02/2025"]], first=1))
        landing.land(org, manifest=manifest, batches=[batch], now=utc_now())
    return name


def test_kinds_are_set_and_drift_is_shown(alice: Person, table: str) -> None:
    found = alice.client.get(f"/api/tables/{table}/drift/?file_id=f{table}").json()
    assert "set the type that is right" in found["columns"][0]["remark"]
    answer = alice.client.patch(
        f"/api/tables/{table}/",
        {"types": {"day": "date  MM/DD/YYYY"}, "drift": "quarantine"},
        format="json",
    )
    assert answer.status_code == 200, answer.json()
    assert answer.json()["types"] == {"day": "date MM/DD/YYYY"}
    found = alice.client.get(f"/api/tables/{table}/drift/").json()
    assert (found["columns"][0]["after"], found["policy"]) == ("date MM/DD/YYYY", "quarantine")
    cleared = alice.client.patch(f"/api/tables/{table}/", {"types": {"day": None}}, format="json")
    assert cleared.json()["types"] == {}
    assert alice.client.get(f"/api/tables/{table}/").json()["drift"] == "quarantine"


def test_rows_set_aside_are_shown(alice: Person, charlie: Person, table: str) -> None:
    alice.client.patch(
        f"/api/tables/{table}/", {"types": {"day": "date MM/DD/YYYY"}}, format="json"
    )
    stages.run_load(org_id=alice.org, table=table, run=RunRef(run_id="l1"))
    assert alice.client.get(f"/api/tables/{table}/rejected/").json() == {"total": 0, "results": []}
    settings = {"types": {"day": "bigint"}}
    alice.client.patch(f"/api/tables/{table}/", settings, format="json")
    refused = CliRunner().invoke(cli, ["rebuild", "--org", alice.org, "--table", table])
    assert refused.exit_code == 1  # done, with a row set aside
    (row,) = alice.client.get(f"/api/tables/{table}/rejected/").json()["results"]
    assert (row["row"], row["reason"], row["cells"]) == (
        1, "day: not a bigint", {"day": "01/02/2025"},
    )  # fmt: skip
    shown = CliRunner().invoke(cli, ["rejected", "--org", alice.org, "--table", table])
    assert (shown.exit_code, shown.stdout) == (1, f"f{table} row 1: day: not a bigint\n")
    assert charlie.client.get(f"/api/tables/{table}/rejected/").json()["total"] == 0


def test_a_load_is_undone_by_editors_of_its_organization(
    alice: Person, bob: Person, charlie: Person, table: str
) -> None:
    stages.run_load(org_id=alice.org, table=table, run=RunRef(run_id=f"l{table}"))
    path, asked = f"/api/tables/{table}/undo/", {"file_id": f"f{table}"}
    assert bob.client.post(path, asked, format="json").status_code == 403
    assert charlie.client.post(path, asked, format="json").status_code == 404
    done = alice.client.post(path, asked, format="json")
    assert (done.status_code, done.json()["undone"]) == (200, [f"f{table}"])
    again = alice.client.post(path, asked, format="json")
    assert (again.status_code, again.json()["code"]) == (404, "load_not_found")


def test_a_kind_that_is_none_is_refused(alice: Person, table: str) -> None:
    answer = alice.client.patch(f"/api/tables/{table}/", {"types": {"day": "x"}}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_column_type")


def test_viewers_may_look_and_not_set(bob: Person, table: str) -> None:
    assert bob.client.get(f"/api/tables/{table}/drift/").status_code == 200
    assert bob.client.patch(f"/api/tables/{table}/", {}, format="json").status_code == 403


def test_another_organization_sees_no_such_file(charlie: Person, table: str) -> None:
    assert charlie.client.get(f"/api/tables/{table}/drift/").status_code == 404
    named = f"/api/tables/{table}/drift/?org_id=1"
    assert charlie.client.get(named).status_code == 404
    assert charlie.client.get(f"/api/tables/{table}/").json()["columns"] == []


def test_what_is_decided_for_something_that_is_not_there_is_answered_with_a_remark(
    alice: Person, table: str
) -> None:
    nosuch = f"n{table}"
    before = alice.client.get(f"/api/tables/{nosuch}/").json()
    assert before["remarks"] == [f"no file is loaded into {nosuch} yet"]
    answer = alice.client.patch(f"/api/tables/{nosuch}/", {"drift": "freeze"}, format="json").json()
    (remark,) = answer["remarks"]
    assert remark.startswith(f"no file is loaded into {nosuch} yet")
    stages.run_load(org_id=alice.org, table=table, run=RunRef(run_id="l1"))
    assert alice.client.get(f"/api/tables/{table}/").json()["remarks"] == []
    answer = alice.client.patch(
        f"/api/tables/{table}/", {"types": {"nosuch": "bigint"}}, format="json"
    ).json()
    assert answer["remarks"] == [
        f"{table} has no column nosuch: its type holds when a file brings it"
    ]


def test_an_offset_beyond_every_row_is_an_answer_and_one_beyond_every_number_a_400(
    alice: Person, table: str
) -> None:
    path = f"/api/tables/{table}/rejected/"
    assert alice.client.get(f"{path}?offset={2**63 - 1}").json() == {"total": 0, "results": []}
    runs = "/api/airflow/status/enhanced_mongo_to_postgres_dag/"
    assert alice.client.get(f"{runs}?offset={2**63 - 1}").json()["results"] == []
    for each in (path, runs):
        assert alice.client.get(f"{each}?offset={10**20}").status_code == 400
