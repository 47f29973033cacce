"""An id belongs to the upload that was accepted: what is refused never touches its bytes."""

from __future__ import annotations

import io
import os
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from django.db import connections

from backend.files.models import Upload
from backend.runs.models import Run
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.storage import Storage
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import CSV, URL, send, stored_files

OTHER = b"sku,name,price\n9,Other,1\n"


class Body(io.BytesIO):
    """A request's body in whose middle something else happens."""

    def __init__(self, content: bytes, meanwhile: Callable[[], object]) -> None:
        super().__init__(content)
        self.meanwhile = meanwhile

    def read(self, size: int | None = -1) -> bytes:
        began = self.tell()
        chunk = super().read(size if size is None or size < 0 else min(size, 200))
        if began < 400 <= self.tell():
            self.meanwhile()
        return chunk


def send_slowly(
    person: Person, meanwhile: Callable[[], object], *, path: str, table: str, cut: int = 0
) -> Any:
    body = (
        f'--b\r\nContent-Disposition: form-data; name="table"\r\n\r\n{table}\r\n'
        '--b\r\nContent-Disposition: form-data; name="file"; filename="slow.csv"\r\n'
        "Content-Type: text/csv\r\n\r\n"
    ).encode() + OTHER * 20
    whole = body[: len(body) - cut] if cut else body + b"\r\n--b--\r\n"
    return person.client.generic(
        "POST",
        path,
        whole,
        content_type="multipart/form-data; boundary=b",
        **{"wsgi.input": Body(whole, meanwhile)},
    )


def bytes_of(settings: Settings, org: str, file_id: str) -> bytes:
    storage = Storage(settings.storage_url)
    with storage.open(storage.find(OrgId(org), file_id)) as source:
        return source.read()


@pytest.mark.parametrize(
    ("table", "cut", "code"),
    [
        ("slow", 0, "file_id_taken"),
        ("Bad Name", 0, "invalid_name"),
        ("slow", 9, "upload_incomplete"),
    ],
)
def test_a_refused_upload_leaves_the_accepted_one_with_its_id_alone(
    alice: Person, engine_settings: Settings, table: str, cut: int, code: str
) -> None:
    file_id = f"mine_{len(table)}_{cut}"
    path, quick = f"{URL}?file_id={file_id}", []

    def meanwhile() -> None:
        body = {"file": _file("quick.csv", CSV), "table": "products"}
        quick.append(alice.client.post(path, body, format="multipart"))

    folder = Path(urlparse(engine_settings.storage_url).path)
    before = parts(folder)  # other tests leave uploads unfinished
    slow = send_slowly(alice, meanwhile, path=path, table=table, cut=cut)

    assert [a.status_code for a in quick] == [202], quick[0].content
    assert slow.json()["code"] == code
    assert bytes_of(engine_settings, alice.org, file_id) == CSV
    assert sorted(p.name for p in (folder / alice.org / file_id).iterdir()) == [
        ".supplyline.json",
        "quick.csv",
    ]
    assert parts(folder) == before
    assert Run.objects.count() == Upload.objects.count() == 1


def parts(folder: Path) -> set[Path]:
    return {path for path in (folder / ".incoming").rglob("*") if path.is_file()}


def _file(name: str, content: bytes) -> Any:
    return SimpleUploadedFile(name, content)


@pytest.mark.django_db(transaction=True)
def test_of_parallel_uploads_with_one_id_the_accepted_one_is_kept(
    alice: Person, engine_settings: Settings
) -> None:
    answers: dict[bytes, Any] = {}

    def upload(content: bytes) -> None:
        answers[content] = alice.client.post(
            f"{URL}?file_id=race_1",
            {"file": _file("r.csv", content), "table": "race"},
            format="multipart",
        )
        connections.close_all()

    contents = [b"sku,price\n" + b"%d,1\n" % n * 2000 for n in range(6)]
    threads = [threading.Thread(target=upload, args=(c,)) for c in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    accepted = [c for c, a in answers.items() if a.status_code == 202]
    refused = [a.json()["code"] for a in answers.values() if a.status_code != 202]
    assert len(accepted) == 1
    assert refused == ["file_id_taken"] * 5
    assert bytes_of(engine_settings, alice.org, "race_1") == accepted[0]
    assert answers[accepted[0]].json()["sha256"] == Upload.objects.get().sha256


def test_a_repeated_upload_with_key_and_id_gets_the_first_answer(
    alice: Person, engine_settings: Settings
) -> None:
    def repeat(content: bytes, key: str, file_id: str = "twice") -> Any:
        return alice.client.post(
            f"{URL}?file_id={file_id}",
            {"file": _file("p.csv", content), "table": "products"},
            format="multipart",
            headers={"Idempotency-Key": key},
        )

    first, second = repeat(CSV, "k1"), repeat(CSV, "k1")

    assert (first.status_code, second.status_code) == (202, 202), second.content
    assert first.json() == second.json()
    assert repeat(OTHER, "k1").json()["code"] == "idempotency_key_reused"
    assert repeat(CSV, "k1", "another").json()["code"] == "idempotency_key_reused"
    assert repeat(CSV, "k2").json()["code"] == "file_id_taken"
    assert bytes_of(engine_settings, alice.org, "twice") == CSV


def test_bytes_that_lie_in_storage_without_an_upload_are_not_replaced(
    alice: Person, engine_settings: Settings
) -> None:
    org = OrgId(alice.org)
    Storage(engine_settings.storage_url).put(org, file_id="dropped", name="d.csv", chunks=[OTHER])

    answer = alice.client.post(f"{URL}?file_id=dropped", {"file": _file("d.csv", CSV)})

    assert (answer.status_code, answer.json()["code"]) == (409, "file_id_taken")
    assert bytes_of(engine_settings, alice.org, "dropped") == OTHER
    assert not Run.objects.exists()


def test_what_a_killed_process_left_half_is_removed_by_a_later_upload(
    alice: Person, engine_settings: Settings
) -> None:
    storage = Storage(engine_settings.storage_url)
    storage.begin(OrgId(alice.org), file_id="half", name="h.csv").finish()
    left = [p for p in stored_files(engine_settings) if p.name == "h.csv"]
    for path in (left[0], left[0].parent):
        os.utime(path, (0, 0))

    assert send(alice, table="products").status_code == 202
    assert not left[0].parent.exists()
