"""The main job as its users see it, through real Airflow, MongoDB, PostgreSQL and HTTP."""

from __future__ import annotations

import csv
import io
import json
import tarfile
from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from supplyline.demo import samples
from supplyline.local import home as homes
from tests.e2e.house import PASSWORD, House, as_json, until
from tests.managing import managed

pytestmark = [pytest.mark.airflow, pytest.mark.slow, pytest.mark.timeout(600)]

PRODUCTS = b'sku,name,price\n00123,Kettle,12.50\n00124,"Lamp,\nsmall",7.00\n'


def test_an_upload_becomes_rows_and_a_certificate(house: House) -> None:
    answer = house.upload("alice", "products.csv", PRODUCTS, file_id="file_456")
    assert answer.status_code == 202
    body = answer.json()
    assert (body["table"], body["state"]) == ("products", "pending")
    run = house.finished("alice", body["status_url"])
    assert run["state"] == "success"
    assert run["conf"] == {
        "org_id": "123", "table": "products", "file_id": "file_456", "user_id": "user_789",
        "triggered_by": "file_upload",
    }  # fmt: skip
    certificate = house.certificate("alice", "file_456")
    assert certificate["verdict"] == "success"
    assert house.rows("123", "SELECT sku, name, price FROM products ORDER BY 1") == [
        ("00123", "Kettle", Decimal("12.50")), ("00124", "Lamp,\nsmall", Decimal("7.00")),
    ]  # fmt: skip


def test_the_promised_usage_examples_work_word_for_word(house: House) -> None:
    ingest = {"org_id": "123", "table": "products", "file_id": "file_456", "user_id": "user_789"}
    answer = house.post("alice", "/api/airflow/trigger/enhanced-ingest/", ingest)
    assert answer.status_code == 202
    assert house.finished("alice", answer.json()["status_url"])["state"] == "success"
    load = {"org_id": "123", "table": "products"}
    answer = house.post("alice", "/api/airflow/trigger/mongo-to-postgres/", load)
    assert answer.status_code == 202
    assert house.finished("alice", answer.json()["status_url"])["state"] == "success"
    status = house.get("bob", "/api/airflow/pipeline-status/")
    assert status.status_code == 200
    assert [s["stage"] for s in status.json()["stages"]] == ["ingest", "load", "forecast"]


def test_sample_files_lead_to_orders(house: House, tmp_path: Path) -> None:
    for path in samples.write(tmp_path, today=date(2024, 6, 1)):
        answer = house.upload("charlie", path.name, path.read_bytes())
        assert answer.status_code == 202, answer.text
        certificate = house.certificate("charlie", answer.json()["file_id"])
        assert certificate["rows_read"] == certificate["landed"] + certificate["quarantined"]
        assert certificate["checksum_file"] == certificate["checksum_table"]
    quarantine = house.get("charlie", f"/api/files/{answer.json()['file_id']}/quarantine/")
    assert len(list(csv.DictReader(io.StringIO(quarantine.text)))) == 2
    answer = house.post(
        "charlie", "/api/airflow/trigger/forecast-inventory/", {"client_id": "org_124"}
    )
    run = house.finished("charlie", answer.json()["status_url"])
    assert run["state"] == "success"
    plan = house.get("charlie", "/api/forecast/plan/", limit=10).json()["results"]
    assert len(plan) == 10
    assert all(row["item"].startswith("00") for row in plan)


def test_real_sales_are_all_accounted_for(house: House, test_data: Path) -> None:
    """Four days of a real shop: counts and sums in PostgreSQL are those of the files."""
    lines, quantity = 0, 0
    with tarfile.open(test_data / "online_retail" / "by_day.tar.gz") as archive:
        names = sorted(n for n in archive.getnames() if n.endswith(".csv"))
        for name in names[:: len(names) // 3]:
            member = archive.extractfile(name)
            assert member is not None
            content = member.read()
            rows = list(csv.DictReader(io.StringIO(content.decode())))
            lines += len(rows)
            quantity += sum(int(r["Quantity"]) for r in rows)
            answer = house.upload("alice", Path(name).name, content)
            assert answer.json()["table"] == "sales"
            certificate = house.certificate("alice", answer.json()["file_id"])
            assert certificate["verdict"] == "success", certificate["differences"]
            assert certificate["rows_read"] == len(rows)
    assert house.rows("123", "SELECT count(*), sum(quantity) FROM sales") == [(lines, quantity)]


def test_nothing_of_another_organization_is_visible(house: House) -> None:
    mine = house.get("alice", "/api/files/").json()["results"][0]
    run_url = mine["status_url"]
    for path in (
        run_url,
        f"/api/files/{mine['file_id']}/",
        f"/api/files/{mine['file_id']}/quarantine/",
        f"/api/pipeline/certificates/{mine['file_id']}/",
    ):
        assert house.get("bob", path).status_code == 200, path
        assert house.get("charlie", path).status_code == 404, path
    seen = house.get("charlie", "/api/airflow/status/enhanced_org_aware_ingest_dag/").json()
    assert {r["conf"]["org_id"] for r in seen["results"]} == {"124"}
    for path, body in (
        ("enhanced-ingest", {"org_id": "123", "table": "products", "file_id": mine["file_id"]}),
        ("mongo-to-postgres", {"org_id": "123", "table": "products"}),
        ("forecast-inventory", {"client_id": "org_123"}),
    ):
        answer = house.post("charlie", f"/api/airflow/trigger/{path}/", body)
        assert (answer.status_code, answer.json()["code"]) == (404, "org_not_found")
    foreign = {"org_id": "124", "table": "products", "file_id": mine["file_id"]}
    answer = house.post("charlie", "/api/airflow/trigger/enhanced-ingest/", foreign)
    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")
    for path in ("pipeline-status", ""):
        if path:
            answer = house.get("charlie", f"/api/airflow/{path}/", org_id="123")
            assert answer.status_code == 404


def test_logs_hold_no_secret_and_no_cell_of_any_organization(house: House) -> None:
    """Logs are one for all organizations: what never enters them cannot be seen in them."""
    dirty = b"sku,name,price\nA1,Zarquon kettle,broken\n1,\xff,2\n3\n"
    answer = house.upload("alice", "products.csv", dirty)
    house.finished("alice", answer.json()["status_url"])
    secrets = homes.read_json(house.home.secrets)
    never = {
        "a cell": "Zarquon",
        "the password": PASSWORD,
        **{f"secret {name}": str(value) for name, value in secrets.items()},
        **{f"token of {name}": token for name, token in house.tokens.items()},
    }
    logs = [
        path
        for folder in (house.home.logs, house.home.airflow)
        for path in folder.rglob("*.log*")
        if path.is_file()
    ]
    assert len(logs) > 8
    for path in logs:
        text = path.read_text(errors="replace")
        assert [what for what, secret in never.items() if secret in text] == [], path


@pytest.mark.parametrize(
    ("user", "path", "body", "status", "code"),
    [
        ("dora", "forecast-inventory", {"client_id": "org_123"}, 403, "user_without_org"),
        ("bob", "forecast-inventory", {"client_id": "org_123"}, 403, "permission_denied"),
        ("alice", "forecast-inventory", {"client_id": "org_999"}, 404, "org_not_found"),
        ("alice", "forecast-inventory", {}, 400, "invalid_payload"),
        ("alice", "forecast-inventory", {"client_id": "org_123", "x": 1}, 400, "invalid_payload"),
        ("alice", "forecast-inventory", [], 400, "invalid_payload"),
        ("alice", "mongo-to-postgres", {"org_id": "123", "table": "no good"}, 400, "invalid_name"),
        ("alice", "enhanced-ingest", {"org_id": "123", "table": "products", "file_id": "nope"},
         404, "file_not_found"),
        ("alice", "enhanced-ingest", {"org_id": "123", "table": "products", "file_id": "file_456",
                                      "user_id": "user_1"}, 403, "other_user_named"),
    ],
)  # fmt: skip
def test_what_is_wrong_gets_its_status_code_and_next_step(
    house: House, user: str, path: str, body: object, status: int, code: str
) -> None:
    answer = house.post(user, f"/api/airflow/trigger/{path}/", body)
    problem = answer.json()
    assert (answer.status_code, problem["code"]) == (status, code)
    assert problem["next_step"]
    assert answer.headers["content-type"] == "application/problem+json"


def test_a_user_without_organization_is_told_so(house: House) -> None:
    answer = house.get("dora", "/api/airflow/pipeline-status/")
    assert (answer.status_code, answer.json()["code"]) == (403, "user_without_org")


@pytest.mark.parametrize(
    ("name", "content", "status", "code"),
    [
        ("empty.csv", b"", 400, "empty_file"),
        ("page.csv", b"<!DOCTYPE html><html><body>login</body></html>", 422, "unreadable_file"),
    ],
)
def test_what_is_no_table_is_refused_at_once(
    house: House, name: str, content: bytes, status: int, code: str
) -> None:
    answer = house.upload("alice", name, content)
    assert (answer.status_code, answer.json()["code"]) == (status, code)


def test_an_idempotency_key_gives_the_first_answer_again(house: House) -> None:
    path, body = "/api/airflow/trigger/mongo-to-postgres/", {"org_id": "123", "table": "products"}
    first = house.post("alice", path, body, **{"Idempotency-Key": "k1"}).json()
    again = house.post("alice", path, body, **{"Idempotency-Key": "k1"}).json()
    assert first["dag_run_id"] == again["dag_run_id"]
    other = house.post("alice", path, {**body, "table": "sales"}, **{"Idempotency-Key": "k1"})
    assert (other.status_code, other.json()["code"]) == (409, "idempotency_key_reused")


@pytest.mark.parametrize("service", ["airflow-api", "relay", "backend"])
def test_a_service_killed_around_an_upload_costs_no_run_and_doubles_none(
    house: House, service: str
) -> None:
    content = f"sku,name\n{service},x\n".encode()
    if service == "backend":
        answer = house.upload("alice", "killed.csv", content, table=f"k_{service[:3]}")
        house.kill(service)
    else:
        house.kill(service)
        answer = house.upload("alice", "killed.csv", content, table=f"k_{service[:3]}")
    assert answer.status_code == 202
    file_id = answer.json()["file_id"]
    certificate = until(
        lambda: house.get("alice", f"/api/pipeline/certificates/{file_id}/").json()["results"],
        seconds=180,
        what=f"certificate after {service} was killed",
    )[0]
    assert certificate["inserted"] == 1
    runs = house.control_rows(
        f"SELECT count(*) FROM runs_run WHERE conf ->> 'file_id' = '{file_id}'"
    )
    assert runs == [(1,)]


def test_the_operators_command_shows_and_drives_the_pipeline(house: House) -> None:
    command = "manage_enhanced_pipeline"
    load = house.manage(
        command, "trigger-postgres-load", "--org-id", "123", "--table", "products", "--wait",
        "--json", "--verbose",
    )  # fmt: skip
    assert as_json(load)["state"] == "success"
    assert house.variables["AIRFLOW_PASSWORD"] not in load.stderr
    assert "/api/v2" in load.stderr
    asked = (
        ["status", "--org-id", "123", "--json"],
        ["status", "--json"],
        ["quality", "--org-id", "123", "--table", "products", "--days", "7", "--json"],
        ["audit", "--org-id", "123", "--json"],
        ["status", "--org-id", "nobody"],
    )
    *answers, unknown = managed([[command, *one] for one in asked], env=house.variables)
    assert [a.err for a in answers if a.code] == []
    status, overall, quality, audit = (json.loads(a.out) for a in answers)
    assert {s["stage"] for s in status["stages"]} == {"ingest", "load", "forecast"}
    assert {o["org_id"] for o in overall["organizations"]} == {"123", "124"}
    assert quality
    assert any(e["kind"] == "load.published" for e in audit["events"])
    assert unknown.code == 3
    assert "nobody" in unknown.err


def test_a_run_started_in_airflow_itself_is_adopted_by_its_conf(house: House) -> None:
    from backend.airflow_client.client import AirflowClient

    with AirflowClient.of(house.settings) as client:
        client.trigger(
            "enhanced_mongo_to_postgres_dag",
            run_id="by-hand-1",
            conf={"org_id": "124", "table": "products", "triggered_by": "operator"},
        )
    path = "/api/airflow/status/enhanced_mongo_to_postgres_dag/by-hand-1/"
    assert house.finished("charlie", path)["state"] == "success"
    assert house.get("alice", path).status_code == 404


def test_why_a_run_failed_is_said_without_a_login_to_airflow(house: House) -> None:
    house.manage("create_organization", "125")  # nothing was uploaded for it
    done = house.manage(
        "manage_enhanced_pipeline", "trigger-forecast", "--client-id", "org_125",
        "--wait", "--json", check=False,
    )  # fmt: skip
    run = as_json(done)
    assert (done.returncode, run["state"]) == (1, "failed")
    assert run["problem"]["code"] == "insufficient_history"
    assert "sales" in run["problem"]["next_step"]
