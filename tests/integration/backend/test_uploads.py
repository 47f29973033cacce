"""Uploads: streamed to storage, recorded with their intent in one transaction, or refused whole."""

from __future__ import annotations

import hashlib
import io
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connection
from django.test.utils import CaptureQueriesContext
from xlsxwriter import Workbook

from backend.files.models import Upload
from backend.runs.models import Outbox, Run
from supplyline.settings import Settings
from supplyline.settings import get as get_settings
from tests.integration.backend.conftest import Person

CSV = b"sku,name,price\n01730,Bolt,1.20\n01731,Nut,0.80\n"
URL = "/api/files/upload/"


def send(person: Person, content: bytes = CSV, *, name: str = "products.csv", **more: Any) -> Any:
    key = more.pop("key", None)
    headers = {"Idempotency-Key": key} if key else {}
    body = {"file": SimpleUploadedFile(name, content), **more}
    return person.client.post(URL, body, format="multipart", headers=headers)


def stored_files(settings: Settings) -> list[Path]:
    root = Path(urlparse(settings.storage_url).path)
    return [p for p in root.rglob("*") if p.is_file()]


def test_an_upload_is_stored_unchanged_and_its_intent_is_durable(
    alice: Person, engine_settings: Settings
) -> None:
    answer = send(alice, table="products")

    assert answer.status_code == 202, answer.content
    body = answer.json()
    assert body["sha256"] == hashlib.sha256(CSV).hexdigest()
    assert body["size"] == len(CSV)
    run = Run.objects.get(dag_run_id=body["dag_run_id"])
    assert run.dag_id == "enhanced_org_aware_ingest_dag"
    assert run.conf == {
        "org_id": alice.org,
        "table": "products",
        "file_id": body["file_id"],
        "user_id": alice.user.pk,
        "triggered_by": "file_upload",
    }
    assert Outbox.objects.filter(run=run).exists()
    kept = [p for p in stored_files(engine_settings) if p.parent.name == body["file_id"]]
    assert CSV in [p.read_bytes() for p in kept]


def test_the_table_is_proposed_when_it_is_left_out(alice: Person) -> None:
    body = send(alice).json()

    assert body["table"] == "products"
    assert body["table_reasons"]


def test_sheets_that_are_not_read_are_named_in_the_answer(alice: Person) -> None:
    out = io.BytesIO()
    with Workbook(out) as book:
        for name, rows in (("Cover", [["Report"]]), ("Data", [["sku", "name"], ["1", "Bolt"]])):
            sheet = book.add_worksheet(name)
            for at, row in enumerate(rows):
                sheet.write_row(at, 0, row)
    for more in ({}, {"table": "products"}):
        body = send(alice, out.getvalue(), name="products.xlsx", **more).json()
        assert "not read: 'Cover'" in body["table_reasons"][-1]


def test_the_same_content_again_says_what_it_duplicates(alice: Person) -> None:
    first = send(alice).json()
    second = send(alice, name="copy.csv", table="products").json()

    assert first["duplicate_of"] is None
    assert second["duplicate_of"] == first["file_id"]


def test_the_list_says_it_too_and_asks_the_database_no_more_often_for_more_files(
    alice: Person, django_assert_num_queries: Any
) -> None:
    with CaptureQueriesContext(connection) as asked:
        alice.client.get("/api/files/")
    few = len(asked)
    ids = [send(alice, name=f"{n}.csv", table="products").json()["file_id"] for n in range(4)]
    other = send(alice, table="sales").json()["file_id"]
    with django_assert_num_queries(few + 1):  # the one for what was sent twice
        listed = alice.client.get("/api/files/").json()["results"]
    twins = {one["file_id"]: one["duplicate_of"] for one in listed}
    assert twins == {ids[0]: None, other: None} | dict.fromkeys(ids[1:], ids[0])


def test_a_repeated_upload_with_its_key_is_one_file_and_one_run(
    alice: Person, engine_settings: Settings
) -> None:
    first = send(alice, key="monday").json()
    count = len(stored_files(engine_settings))
    second = send(alice, key="monday").json()

    assert second["file_id"] == first["file_id"]
    assert second["dag_run_id"] == first["dag_run_id"]
    assert Run.objects.count() == Upload.objects.count() == 1
    assert len(stored_files(engine_settings)) == count


def test_the_key_of_another_upload_is_refused_and_nothing_is_kept(
    alice: Person, engine_settings: Settings
) -> None:
    send(alice, key="monday")
    count = len(stored_files(engine_settings))
    answer = send(alice, CSV + b"01732,Pin,2\n", key="monday")

    assert (answer.status_code, answer.json()["code"]) == (409, "idempotency_key_reused")
    assert Upload.objects.count() == 1
    assert len(stored_files(engine_settings)) == count


@pytest.mark.parametrize(
    ("content", "fields", "status", "code"),
    [
        (b"", {}, 400, "empty_file"),
        (CSV, {"table": "Bad Name!"}, 400, "invalid_name"),
        (CSV, {"table": "inventory_plan"}, 400, "invalid_name"),
    ],
)
def test_a_refused_upload_leaves_nothing_behind(
    alice: Person,
    engine_settings: Settings,
    content: bytes,
    fields: dict[str, str],
    status: int,
    code: str,
) -> None:
    before = stored_files(engine_settings)
    answer = send(alice, content, **fields)

    assert (answer.status_code, answer.json()["code"]) == (status, code), answer.content
    assert answer.json()["next_step"]
    assert stored_files(engine_settings) == before
    assert not Run.objects.exists()


def test_a_request_without_a_file_says_so(alice: Person) -> None:
    answer = alice.client.post(URL, {"table": "products"}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "no_file")


def test_a_file_in_another_field_is_no_file(alice: Person, engine_settings: Settings) -> None:
    before = stored_files(engine_settings)
    answer = alice.client.post(URL, {"datei": SimpleUploadedFile("x.csv", CSV)}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "no_file")
    assert stored_files(engine_settings) == before


def test_other_files_of_the_request_do_not_matter(alice: Person) -> None:
    files = {"file": SimpleUploadedFile("a.csv", CSV), "more": SimpleUploadedFile("b.csv", b"b")}
    answer = alice.client.post(URL, {**files, "table": "products"}, format="multipart")
    assert answer.status_code == 202
    assert answer.json()["sha256"] == hashlib.sha256(CSV).hexdigest()


def test_a_truncated_upload_is_refused(alice: Person, engine_settings: Settings) -> None:
    before = stored_files(engine_settings)
    head = (
        b'--x\r\nContent-Disposition: form-data; name="file"; filename="a.csv"\r\n'
        b"Content-Type: text/csv\r\n\r\n"
    )
    answer = alice.client.generic(
        "POST", URL, head + CSV, content_type="multipart/form-data; boundary=x"
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "upload_incomplete")
    assert stored_files(engine_settings) == before


def test_a_file_over_the_limit_is_refused_before_it_is_read(
    alice: Person, engine_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPPLYLINE_MAX_UPLOAD_BYTES", "100")
    get_settings.cache_clear()
    try:
        answer = send(alice, CSV * 10)
    finally:
        get_settings.cache_clear()
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")


def test_a_viewer_may_not_upload(bob: Person) -> None:
    answer = send(bob)
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")


def test_a_hostile_file_name_stays_in_its_folder(alice: Person) -> None:
    body = send(alice, name="../../../etc/passwd.csv", table="products").json()
    assert body["name"] == "passwd.csv"


def test_the_list_of_files_has_pages_and_refuses_what_it_does_not_know(alice: Person) -> None:
    names = [f"f{n}.csv" for n in range(3)]
    for name in names:
        send(alice, name=name, table="products" if name == "f1.csv" else "stock")

    def listed(asked: str) -> list[str]:
        return [one["name"] for one in alice.client.get(f"/api/files/?{asked}").json()["results"]]

    assert listed("limit=2") == ["f2.csv", "f1.csv"]
    assert listed("limit=2&offset=2")[0] == "f0.csv"
    assert listed("table=products&limit=1") == ["f1.csv"]
    assert alice.client.get("/api/files/?limit=abc").json()["code"] == "invalid_payload"
