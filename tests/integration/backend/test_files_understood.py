"""Preview, contract, dry run, corrections and a second reading, as a client meets them."""

from __future__ import annotations

import csv
import io
import json
import secrets
from collections.abc import Iterator
from typing import Any

import pytest
from click.testing import CliRunner
from django.core.files.uploadedfile import SimpleUploadedFile

from backend.runs.models import Run
from supplyline.cli import cli
from supplyline.contracts import RunRef
from supplyline.errors import SchemaDrift, TableNotLanded
from supplyline.settings import Settings
from supplyline.stages import open_landing, run_ingest, run_load
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import send

MENGE = "Artikel;Menge;Datum\n=A1;5;31.12.2024\nB-2;viele;30.12.2024\nC-3;;30.02.2024\n".encode(
    "utf-16"
)
RULES = {
    "menge": {"required": True, "type": "integer", "min": 1},
    "datum": {"type": "date", "format": "DD.MM.YYYY"},
}


@pytest.fixture
def table() -> str:
    return f"t_{secrets.token_hex(4)}"


@pytest.fixture(autouse=True)
def clean(engine_settings: Settings) -> Iterator[None]:
    yield
    with open_landing(engine_settings) as landing:
        for org in ("1", "10"):
            landing.erase(parse_org_id(org))


def run(answer: Any) -> dict[str, Any]:
    """Both DAGs' work for an accepted file, with the conf that Airflow would be given."""
    assert answer.status_code == 202, answer.content
    conf = Run.objects.get(dag_run_id=answer.json()["dag_run_id"]).conf
    ref = RunRef(run_id=answer.json()["dag_run_id"], user_id=conf["user_id"])
    landed = run_ingest(
        org_id=conf["org_id"], table=conf["table"], file_id=conf["file_id"], run=ref
    )
    run_load(org_id=conf["org_id"], table=conf["table"], run=ref)
    return landed


def put(person: Person, table: str, **parts: Any) -> Any:
    return person.client.put(f"/api/tables/{table}/contract/", parts, format="json")


def rows(settings: Settings, org: str, query: str) -> list[tuple[Any, ...]]:
    with session(parse_org_id(org), settings=settings) as conn:
        return conn.execute(query.encode()).fetchall()


def replay(person: Person, file_id: str, content: bytes, **more: Any) -> Any:
    body = {"file": SimpleUploadedFile("mended.csv", content), **more}
    return person.client.post(f"/api/files/{file_id}/replay/", body, format="multipart")


def test_the_preview_is_what_the_command_says(alice: Person, table: str, tmp_path: Any) -> None:
    file_id = send(alice, MENGE, name="verkaeufe.csv", table=table).json()["file_id"]
    place = tmp_path / "verkaeufe.csv"
    place.write_bytes(MENGE)

    told = alice.client.get(f"/api/files/{file_id}/preview/?rows=2&count=true").json()
    said = CliRunner().invoke(cli, ["preview", str(place), "--rows=2", "--count", "--json"])

    assert told.pop("options") == {}
    assert told == json.loads(said.output)
    assert told["layout"]["dialect"]["encoding"].startswith("utf-16")
    assert told["layout"]["dialect"]["delimiter"] == ";"
    assert told["layout"]["reasons"]
    assert told["table"]["mapping"] == {"item": "artikel", "quantity": "menge", "date": "datum"}
    assert told["preview"] == [["=A1", "5", "31.12.2024"], ["B-2", "viele", "30.12.2024"]]


def test_each_guess_can_be_overruled_in_the_preview(alice: Person, table: str) -> None:
    file_id = send(alice, b"a|b\n1|x\n2|y\n", table=table).json()["file_id"]
    url = f"/api/files/{file_id}/preview/"

    tab = alice.client.get(url, {"delimiter": "\\t", "header_row": 0}).json()

    assert tab["options"] == {"delimiter": "\t", "header_row": 0}
    assert tab["preview"] == [["a|b"], ["1|x"], ["2|y"]]
    wrong = alice.client.get(url, {"header_row": -1, "colour": "red"})
    assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_payload")
    assert set(wrong.json()["errors"]) == {"header_row", "colour"}
    for given in ({"encoding": "klingon"}, {"encoding": "rot13"}, {"quote": "ab"}):
        unknown = alice.client.get(url, given)
        assert (unknown.status_code, unknown.json()["code"]) == (422, "unreadable_file")


def test_the_format_is_that_of_the_file_and_not_of_the_answer(alice: Person, table: str) -> None:
    file_id = send(alice, b"a,b\n1,x\n2,y\n", table=table).json()["file_id"]
    url = f"/api/files/{file_id}/preview/"

    told = alice.client.get(url, {"format": "csv"})

    assert (told.status_code, told.json()["options"]) == (200, {"format": "csv"})
    assert alice.client.get(url, {"format": "xlsx"}).status_code == 422
    assert alice.client.get(url, {"format": "html"}).json()["code"] == "invalid_payload"


def test_options_of_an_upload_are_used_for_it_and_remembered_ones_for_the_next(
    alice: Person, table: str, engine_settings: Settings
) -> None:
    content = b"a,b;c\nx1,2;3\nx4,5;6\n"
    first = send(alice, content, table=table, delimiter=",")
    assert first.json()["options"] == {"delimiter": ","}
    run(first)
    assert rows(engine_settings, alice.org, f"SELECT a, b_c FROM {table} ORDER BY a") == [
        ("x1", "2;3"), ("x4", "5;6"),
    ]  # fmt: skip

    again = alice.client.post(
        f"/api/files/{first.json()['file_id']}/reingest/",
        {"delimiter": ";", "remember": True},
        format="json",
    )
    run(again)

    assert again.json()["reading_of"] == first.json()["file_id"]
    assert Run.objects.get(dag_run_id=again.json()["dag_run_id"]).conf == {
        "org_id": alice.org,
        "table": table,
        "file_id": again.json()["file_id"],
        "user_id": alice.user.pk,
        "triggered_by": "reingest",
    }
    assert rows(engine_settings, alice.org, f"SELECT a_b, c FROM {table} ORDER BY c") == [
        ("x1,2", 3), ("x4,5", 6),
    ]  # fmt: skip
    contract = alice.client.get(f"/api/tables/{table}/contract/").json()
    assert contract["options"] == {"delimiter": ";"}
    run(send(alice, b"a,b;c\nx7,8;9\n", name="next.csv", table=table))
    assert tuple(rows(engine_settings, alice.org, f"SELECT a_b, c FROM {table} WHERE c = 9")) == (
        ("x7,8", 9),
    )


def test_a_contract_is_proposed_confirmed_and_versioned(alice: Person, table: str) -> None:
    run(send(alice, MENGE, table=table))
    url = f"/api/tables/{table}/contract/"
    before = alice.client.get(url).json()
    mapping = before["proposed"]["mapping"]
    assert mapping == {"item": "artikel", "quantity": "menge", "date": "datum"}
    assert before["mapping"] == {}

    saved = put(alice, table, version=before["version"], mapping=mapping, rules=RULES).json()

    assert (saved["mapping"], saved["version"]) == (mapping, before["version"] + 1)
    assert saved["rules"]["menge"] == {"required": True, "type": "integer", "min": "1"}
    stale = put(alice, table, version=before["version"], drift="freeze")
    assert (stale.status_code, stale.json()["code"]) == (409, "settings_conflict")
    old = alice.client.get(url, {"version": before["version"]}).json()
    assert (old["rules"], old["version"]) == ({}, before["version"])
    assert saved["versions"][0]["saved_by"] == alice.user.pk
    listed = alice.client.get("/api/tables/").json()["results"]
    assert {"table": table, "version": saved["version"], "loaded": True} in listed
    trail = alice.client.get("/api/pipeline/audit/").json()
    assert trail["events"][0]["kind"] == "table_settings.saved"
    newest = trail["events"][0]["seq"]
    older = alice.client.get("/api/pipeline/audit/", {"limit": 1, "before": newest}).json()
    assert [e["seq"] for e in older["events"]] == [newest - 1]
    saved_ones = alice.client.get("/api/pipeline/audit/", {"kind": "table_settings"}).json()
    assert {e["kind"] for e in saved_ones["events"]} == {"table_settings.saved"}
    assert alice.client.get("/api/pipeline/audit/", {"table": table}).status_code == 400


@pytest.mark.parametrize(
    ("parts", "code"),
    [
        ({"rules": {"menge": {"type": "float"}}}, "invalid_contract"),
        ({"rules": {"Menge!": {"required": True}}}, "invalid_contract"),
        ({"mapping": {"colour": "menge"}}, "invalid_contract"),
        ({"aliases": {"qty": "no column"}}, "invalid_contract"),
        ({"types": {"menge": "money"}}, "invalid_column_type"),
        ({"options": {"delimiter": ""}}, "unreadable_file"),
        ({"options": {"encoding": "klingon"}}, "unreadable_file"),
        ({"options": {"quote": "ab"}}, "unreadable_file"),
        ({"options": {"header_row": -3}}, "invalid_payload"),
        ({"drift": "chaos"}, "invalid_payload"),
    ],
)
def test_a_contract_that_cannot_be_kept_is_refused(
    alice: Person, table: str, parts: dict[str, Any], code: str
) -> None:
    answer = put(alice, table, version=0, **parts)
    assert answer.json()["code"] == code
    assert answer.status_code in (400, 422)
    assert alice.client.get(f"/api/tables/{table}/contract/").json()["version"] == 0


def test_a_column_spelled_otherwise_is_proposed_as_an_alias(alice: Person, table: str) -> None:
    put(alice, table, version=0, mapping={"item": "sku", "quantity": "qty"})
    run(send(alice, b"sku,Menge\nA,1\n", table=table))

    proposed = alice.client.get(f"/api/tables/{table}/contract/").json()["proposed"]

    assert proposed["aliases"] == {"menge": "qty"}


def test_rows_set_aside_are_downloaded_corrected_and_replayed(
    alice: Person, table: str, engine_settings: Settings
) -> None:
    put(alice, table, version=0, rules=RULES)
    uploaded = send(alice, MENGE, table=table)
    file_id = uploaded.json()["file_id"]
    assert run(uploaded)["quarantined"] == 2
    url = f"/api/files/{file_id}/quarantine/"

    text = b"".join(alice.client.get(url).streaming_content).decode("utf-8-sig")
    found = list(csv.DictReader(io.StringIO(text)))

    assert [(r["row"], r["line"], r["column"], r["code"]) for r in found] == [
        ("2", "3", "menge", "wrong_type"),
        ("3", "4", "menge", "required"),
    ]
    assert "datum: '30.02.2024' is no date" in found[1]["reason"]
    assert found[0]["raw"] == "B-2;viele;30.12.2024"
    assert (found[0]["artikel"], found[0]["menge"]) == ("B-2", "viele")
    mended = text.replace(",viele,", ",7,").replace(",C-3,,30.02.2024", ",C-3,9,29.02.2024")
    answer = replay(alice, file_id, mended.encode())
    assert answer.json()["replay_of"] == file_id
    assert run(answer)["landed"] == 2

    certificate = alice.client.get(f"/api/files/{file_id}/").json()["certificate"]
    assert (certificate["quarantined"], certificate["replayed"]) == (2, 2)
    assert certificate["verdict"] == "success"
    assert rows(engine_settings, alice.org, f"SELECT menge FROM {table} ORDER BY 1") == [
        (5,), (7,), (9,),
    ]  # fmt: skip
    empty = b"".join(alice.client.get(url).streaming_content).decode("utf-8-sig")
    assert len(empty.splitlines()) == 1
    everything = b"".join(alice.client.get(f"{url}?all=true").streaming_content).decode()
    assert len(everything.splitlines()) == 3


def test_the_quarantine_as_a_workbook_is_replayed_as_well(
    alice: Person, table: str, engine_settings: Settings
) -> None:
    from python_calamine import CalamineWorkbook

    put(alice, table, version=0, rules=RULES)
    uploaded = send(alice, MENGE, table=table)
    file_id = uploaded.json()["file_id"]
    run(uploaded)

    answer = alice.client.get(f"/api/files/{file_id}/quarantine/xlsx/")
    book = b"".join(answer.streaming_content)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(book)).get_sheet_by_index(0).to_python()

    assert sheet[0][:6] == ["row", "line", "column", "code", "reason", "raw"]
    assert run(replay(alice, file_id, book))["landed"] == 0  # nothing was corrected yet
    assert alice.client.get(f"/api/files/{file_id}/quarantine/pdf/").status_code == 404


def test_corrections_of_a_file_without_quarantine_are_refused(alice: Person, table: str) -> None:
    uploaded = send(alice, table=table)
    run(uploaded)

    answer = replay(alice, uploaded.json()["file_id"], b"row,sku\n1,x\n")

    assert (answer.status_code, answer.json()["code"]) == (422, "nothing_to_replay")


def test_a_reading_that_the_contract_does_not_take_is_refused_and_nothing_is_remembered(
    alice: Person, table: str
) -> None:
    before = put(alice, table, version=0, rules={"qty": {"required": True}}).json()
    file_id = send(alice, b"sku,qty\nA,1\n", table=table).json()["file_id"]
    runs = Run.objects.count()

    wrong = {"delimiter": ";", "remember": True}
    answer = alice.client.post(f"/api/files/{file_id}/reingest/", wrong, format="json")

    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_file")
    assert "qty" in answer.json()["detail"]
    assert "delimiter ';'" in answer.json()["detail"]
    assert alice.client.get(f"/api/tables/{table}/contract/").json()["options"] == {}
    assert before["version"] == alice.client.get(f"/api/tables/{table}/contract/").json()["version"]
    assert Run.objects.count() == runs


def test_a_dry_run_says_what_the_load_then_does_and_writes_nothing(
    alice: Person, table: str, engine_settings: Settings
) -> None:
    put(alice, table, version=0, key=["sku"], rules={"qty": {"type": "integer"}})
    run(send(alice, b"sku,qty\nA,1\nB,2\nC,3\n", table=table))
    second = send(alice, b"sku,qty,note\nA,1,\nB,5,\nD,4,x\nE,many,\n", name="b.csv", table=table)
    before = rows(engine_settings, alice.org, f"SELECT * FROM {table} ORDER BY sku")
    events = rows(engine_settings, alice.org, "SELECT count(*) FROM supplyline.audit_events")

    told = alice.client.post(
        f"/api/files/{second.json()['file_id']}/dry-run/", {}, format="json"
    ).json()

    assert told["rows"] == {"read": 4, "landed": 3, "duplicate": 0, "quarantined": 1}
    assert told["quarantine"]["codes"] == {"wrong_type": 1}
    assert told["quarantine"]["first"][0]["raw"] == "E,many,"
    assert told["refused"] is None
    assert rows(engine_settings, alice.org, f"SELECT * FROM {table} ORDER BY sku") == before
    assert rows(engine_settings, alice.org, "SELECT count(*) FROM supplyline.audit_events") == (
        events
    )
    with open_landing(engine_settings) as landing:
        assert landing.manifest(parse_org_id(alice.org), second.json()["file_id"]) is None
    run(second)
    certificate = alice.client.get(f"/api/files/{second.json()['file_id']}/").json()["certificate"]
    counted = {name: certificate[name] for name in told["load"]}
    assert counted == told["load"]
    assert told["load"]["inserted"] == 1
    assert told["remarks"] == certificate["remarks"]
    page = {"table": table, "limit": 1, "offset": 1}
    (first,) = alice.client.get("/api/pipeline/certificates/", page).json()["results"]
    assert first["file_name"] == "products.csv"
    again = alice.client.post(
        f"/api/files/{second.json()['file_id']}/dry-run/", {}, format="json"
    ).json()
    assert again["rows"]["duplicate"] == 3
    assert again["load"]["unchanged"] == 3


def test_a_dry_run_says_why_a_load_would_be_refused(alice: Person, table: str) -> None:
    run(send(alice, b"sku,qty\nA,1\n", table=table))
    version = alice.client.get(f"/api/tables/{table}/contract/").json()["version"]
    put(alice, table, version=version, drift="freeze")
    second = send(alice, b"sku,qty,colour\nB,1,red\n", name="b.csv", table=table).json()

    told = alice.client.post(f"/api/files/{second['file_id']}/dry-run/", {}, format="json").json()

    assert told["refused"]["code"] == "schema_drift"
    assert told["load"] is None
    assert told["rows"]["read"] == 1


def test_the_command_of_the_dry_run(alice: Person, table: str, tmp_path: Any) -> None:
    place = tmp_path / "new.csv"
    place.write_text("sku,qty\nA,1\nB,2\n")

    done = CliRunner().invoke(
        cli, ["dry-run", str(place), "--org", alice.org, "--table", table, "--json"]
    )

    assert done.exit_code == 0, done.output
    told = json.loads(done.output)
    assert told["load"]["inserted"] == 2
    spoken = CliRunner().invoke(cli, ["dry-run", str(place), "--org", alice.org, "--table", table])
    assert "2 would be landed" in spoken.output


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("get", "preview/"),
        ("post", "dry-run/"),
        ("post", "reingest/"),
        ("get", "quarantine/csv/"),
        ("post", "replay/"),
    ],
)
def test_another_organizations_file_does_not_exist(
    alice: Person, charlie: Person, table: str, method: str, path: str
) -> None:
    file_id = send(alice, table=table).json()["file_id"]
    answer = getattr(charlie.client, method)(f"/api/files/{file_id}/{path}")
    assert (answer.status_code, answer.json()["code"]) == (404, "file_not_found")


def test_another_organizations_contract_is_its_own(
    alice: Person, charlie: Person, table: str
) -> None:
    put(alice, table, version=0, rules=RULES)
    theirs = charlie.client.get(f"/api/tables/{table}/contract/").json()
    assert (theirs["version"], theirs["rules"]) == (0, {})
    assert table not in json.dumps(charlie.client.get("/api/tables/").json())


def test_a_viewer_reads_and_does_not_change(alice: Person, bob: Person, table: str) -> None:
    file_id = send(alice, table=table).json()["file_id"]
    assert bob.client.get(f"/api/files/{file_id}/preview/").status_code == 200
    assert bob.client.get(f"/api/tables/{table}/contract/").status_code == 200
    for answer in (
        bob.client.post(f"/api/files/{file_id}/reingest/", {}, format="json"),
        bob.client.post(f"/api/files/{file_id}/dry-run/", {}, format="json"),
        replay(bob, file_id, b"row,sku\n1,x\n"),
        put(bob, table, version=0, rules=RULES),
    ):
        assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_a_file_that_its_load_refused_says_why_until_it_came_again(
    alice: Person, table: str
) -> None:
    run(send(alice, b"sku,name\nA1,Pot\n", name="one.csv", table=table))
    late = send(alice, b"name\nPan\n", name="two.csv", table=table)
    with pytest.raises(SchemaDrift):
        run(late)
    reason = f"The file two.csv lacks the key column sku of {table}."
    told = alice.client.get(f"/api/files/{late.json()['file_id']}/").json()
    assert (told["certificate"], told["refused"]) == (None, reason)

    def refused() -> list[Any]:
        status = alice.client.get("/api/airflow/pipeline-status/").json()
        return next(t["refused"] for t in status["tables"] if t["table"] == table)

    assert refused() == [{"file_id": late.json()["file_id"], "name": "two.csv", "reason": reason}]
    run(send(alice, b"sku,name\nB2,Pan\n", name="two.csv", table=table))
    assert refused() == []


def test_a_wrong_name_in_a_crontab_is_no_success(alice: Person, table: str) -> None:
    def told(*arguments: str) -> BaseException | None:
        return CliRunner().invoke(cli, [*arguments]).exception

    assert isinstance(told("verify", "--org", "1", "--table", table), TableNotLanded)
    run(send(alice, b"sku,name\nA1,Pot\n", table=table))
    assert told("verify", "--org", "1", "--table", table) is None
