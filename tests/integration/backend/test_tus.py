"""Resumable uploads as tus 1.0 has them; the complete file goes the way of every upload."""

from __future__ import annotations

import base64
import hashlib
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

import psycopg
import pytest
from django.utils import timezone
from rest_framework.test import APIClient

from backend.files import resumable
from backend.files.models import ResumableUpload, Upload
from backend.runs.models import Outbox, Run
from supplyline.contracts import OrgId
from supplyline.incoming import PiecesIncoming, UploadLost, incoming
from supplyline.settings import Settings
from supplyline.settings import get as get_settings
from supplyline.storage import Storage
from tests.integration.backend.conftest import Person
from tests.integration.backend.test_uploads import CSV, send, stored_files

URL = "/api/files/tus/"
TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def coded(text: str | bytes) -> str:
    return base64.b64encode(text.encode() if isinstance(text, str) else text).decode()


def create(person: Person, *, size: int = len(CSV), **told: str) -> Any:
    pairs = {"filename": "products.csv", "table": "products", **told}
    metadata = ",".join(f"{name} {coded(value)}" for name, value in pairs.items())
    headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata}
    return person.client.post(URL, headers=headers)


def begun(person: Person, **more: Any) -> str:
    answer = create(person, **more)
    assert answer.status_code == 201, answer.content
    return urlparse(answer["Location"]).path


def patch(person: Person, url: str, content: bytes, *, offset: int, **headers: str) -> Any:
    return person.client.generic(
        "PATCH", url, content, content_type=BYTES,
        headers={**TUS, "Upload-Offset": str(offset), **headers},
    )  # fmt: skip


def offset_of(person: Person, url: str) -> int:
    answer = person.client.head(url, headers=TUS)
    assert answer.status_code == 200
    assert answer["Cache-Control"] == "no-store"
    assert answer["Upload-Length"] == str(len(CSV))
    return int(answer["Upload-Offset"])


@pytest.fixture(autouse=True)
def _tidy(orgs: Any) -> Any:
    yield
    ResumableUpload.objects.all().delete()


def test_options_tells_what_is_spoken_without_a_token() -> None:
    answer = APIClient().options(URL)
    assert answer.status_code == 204
    assert answer["Tus-Resumable"] == answer["Tus-Version"] == "1.0.0"
    assert set(answer["Tus-Extension"].split(",")) >= {
        "creation", "termination", "checksum", "expiration",
    }  # fmt: skip
    assert "sha1" in answer["Tus-Checksum-Algorithm"].split(",")
    assert int(answer["Tus-Max-Size"]) > 0


def test_a_file_in_three_pieces_becomes_an_upload_with_its_intent(
    alice: Person, engine_settings: Settings
) -> None:
    url = begun(alice)
    assert offset_of(alice, url) == 0
    first = patch(alice, url, CSV[:10], offset=0)
    assert (first.status_code, first["Upload-Offset"]) == (204, "10")
    assert first["Upload-Expires"].endswith("GMT")
    assert not Upload.objects.exists()
    assert patch(alice, url, CSV[10:20], offset=10)["Upload-Offset"] == "20"
    assert offset_of(alice, url) == 20

    last = patch(alice, url, CSV[20:], offset=20)

    assert (last.status_code, last["Upload-Offset"]) == (204, str(len(CSV)))
    upload = Upload.objects.get()
    assert last["Supplyline-File-Id"] == upload.file_id
    assert (upload.sha256, upload.size) == (hashlib.sha256(CSV).hexdigest(), len(CSV))
    assert upload.run is not None
    assert upload.run.conf == {
        "org_id": alice.org,
        "table": "products",
        "file_id": upload.file_id,
        "user_id": alice.user.pk,
        "triggered_by": "file_upload",
    }
    assert Outbox.objects.filter(run=upload.run).exists()
    kept = [p for p in stored_files(engine_settings) if p.parent.name == upload.file_id]
    assert CSV in [p.read_bytes() for p in kept]
    told = alice.client.get(url).json()
    assert (told["state"], told["file"]["file_id"]) == ("done", upload.file_id)
    assert offset_of(alice, url) == len(CSV)


def test_creation_may_bring_the_bytes_along_and_options_for_them(alice: Person) -> None:
    content = b"a|b\n1|2\n"
    answer = alice.client.generic(
        "POST", URL, content, content_type=BYTES,
        headers={**TUS, "Upload-Length": str(len(content)), "Upload-Metadata":
                 f"filename {coded('a.txt')},table {coded('pipes')},delimiter {coded('|')}"},
    )  # fmt: skip

    assert (answer.status_code, answer["Upload-Offset"]) == (201, str(len(content)))
    assert Upload.objects.get().options == {"delimiter": "|"}


def test_without_a_hash_of_what_came_before_it_is_read_again(
    alice: Person, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another worker took the first piece."""
    url = begun(alice)
    patch(alice, url, CSV[:10], offset=0)
    monkeypatch.setattr(resumable, "_hashes", resumable._Hashes())
    patch(alice, url, CSV[10:], offset=10)
    assert Upload.objects.get().sha256 == hashlib.sha256(CSV).hexdigest()


def test_the_same_bytes_for_the_same_table_are_said_to_be_a_duplicate(alice: Person) -> None:
    first = send(alice, table="products").json()
    last = patch(alice, begun(alice), CSV, offset=0)
    assert last["Supplyline-Duplicate-Of"] == first["file_id"]
    other = patch(alice, begun(alice, table="others"), CSV, offset=0)
    assert "Supplyline-Duplicate-Of" not in other


@pytest.mark.parametrize("algorithm", ["sha1", "sha256", "md5"])
def test_bytes_with_a_wrong_checksum_are_not_kept(alice: Person, algorithm: str) -> None:
    url = begun(alice)
    good = coded(hashlib.new(algorithm, CSV[:10]).digest())

    bad = patch(alice, url, CSV[1:11], offset=0, **{"Upload-Checksum": f"{algorithm} {good}"})

    assert (bad.status_code, bad.json()["code"]) == (460, "checksum_mismatch")
    assert offset_of(alice, url) == 0
    fine = patch(alice, url, CSV[:10], offset=0, **{"Upload-Checksum": f"{algorithm} {good}"})
    assert fine.status_code == 204
    patch(alice, url, CSV[10:], offset=10)
    assert Upload.objects.get().sha256 == hashlib.sha256(CSV).hexdigest()


def test_the_wrong_offset_is_a_conflict_and_more_than_was_said_too_large(alice: Person) -> None:
    url = begun(alice)
    patch(alice, url, CSV[:10], offset=0)

    again = patch(alice, url, CSV[:10], offset=0)
    more = patch(alice, url, CSV, offset=10)

    assert (again.status_code, again.json()["code"]) == (409, "upload_offset_conflict")
    assert (more.status_code, more.json()["code"]) == (413, "file_too_large")
    assert offset_of(alice, url) == 10


def test_a_complete_upload_takes_no_further_bytes_and_says_so(alice: Person) -> None:
    url = begun(alice)
    patch(alice, url, CSV, offset=0)

    more = patch(alice, url, b"x", offset=len(CSV))

    assert (more.status_code, more.json()["code"]) == (409, "upload_offset_conflict")
    assert more.json()["detail"] == f"The upload is complete with {len(CSV)} bytes."


def test_headers_that_are_missing_or_wrong_are_refused(alice: Person) -> None:
    url = begun(alice)
    no_version = alice.client.head(url)
    assert (no_version.status_code, no_version["Tus-Version"]) == (412, "1.0.0")
    assert alice.client.post(URL, headers=TUS).json()["code"] == "invalid_payload"
    kind = alice.client.generic(
        "PATCH", url, b"x", content_type="text/csv", headers={**TUS, "Upload-Offset": "0"}
    )
    assert kind.status_code == 415
    for name, value in (("Upload-Offset", "-1"), ("Upload-Checksum", "crc32 AAAA"),
                        ("Upload-Checksum", "sha1 ???")):  # fmt: skip
        wrong = patch(alice, url, b"x", **{"offset": 0, name: value})
        assert (wrong.status_code, wrong.json()["code"]) == (400, "invalid_payload")
    assert create(alice, size=0).json()["code"] == "empty_file"
    assert create(alice, table="Bad Name!").json()["code"] == "invalid_name"
    assert create(alice, encoding="klingon").json()["code"] == "unreadable_file"
    huge = create(alice, size=10**18)
    assert (huge.status_code, huge.json()["code"]) == (413, "file_too_large")
    far = patch(alice, url, b"x", offset=10**30)
    assert (far.status_code, far.json()["code"]) == (409, "upload_offset_conflict")
    assert offset_of(alice, url) == 0


def test_a_size_over_the_limit_is_refused_at_once(
    alice: Person, engine_env: dict[str, str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUPPLYLINE_MAX_UPLOAD_BYTES", "100")
    get_settings.cache_clear()
    try:
        answer = create(alice, size=101)
    finally:
        get_settings.cache_clear()
    assert (answer.status_code, answer.json()["code"]) == (413, "file_too_large")


def test_what_is_no_table_is_refused_with_its_last_bytes_and_leaves_nothing(
    alice: Person, engine_settings: Settings
) -> None:
    before = stored_files(engine_settings)
    url = begun(alice, size=8)

    answer = patch(alice, url, b"%PDF-1.4", offset=0)

    assert (answer.status_code, answer.json()["code"]) == (422, "unreadable_file")
    assert stored_files(engine_settings) == before
    assert not Run.objects.exists()
    told = alice.client.get(url).json()
    assert (told["state"], told["problem"]["code"]) == ("refused", "unreadable_file")


def test_termination_removes_the_bytes(alice: Person, engine_settings: Settings) -> None:
    before = stored_files(engine_settings)
    url = begun(alice)
    patch(alice, url, CSV[:10], offset=0)

    assert alice.client.delete(url, headers=TUS).status_code == 204

    assert stored_files(engine_settings) == before
    gone = alice.client.head(url, headers=TUS)
    assert gone.status_code == 404


def test_methods_may_be_said_in_a_header(alice: Person) -> None:
    url = begun(alice)
    answer = alice.client.generic(
        "POST", url, CSV[:5], content_type=BYTES,
        headers={**TUS, "Upload-Offset": "0", "X-HTTP-Method-Override": "PATCH"},
    )  # fmt: skip
    assert (answer.status_code, answer["Upload-Offset"]) == (204, "5")


def test_an_upload_that_nobody_finishes_expires_and_is_removed(
    alice: Person, engine_settings: Settings
) -> None:
    before = stored_files(engine_settings)
    url = begun(alice)
    patch(alice, url, CSV[:10], offset=0)
    ResumableUpload.objects.update(expires_at=timezone.now() - timedelta(seconds=1))

    answer = patch(alice, url, CSV[10:], offset=10)

    assert (answer.status_code, answer.json()["code"]) == (410, "upload_expired")
    begun(alice)
    assert ResumableUpload.objects.count() == 1
    assert stored_files(engine_settings) == before


def test_one_request_at_a_time(alice: Person, charlie: Person, engine_settings: Settings) -> None:
    url = begun(alice)
    key = url.rstrip("/").rpartition("/")[2]
    number = int(hashlib.sha256(key.encode()).hexdigest()[:15], 16)
    with psycopg.connect(
        host=engine_settings.pg_host, port=engine_settings.pg_port,
        user=engine_settings.app_db_user, password=engine_settings.app_db_password,
        dbname=engine_settings.control_db,
    ) as other:  # fmt: skip
        other.execute("SELECT pg_advisory_lock(%s)", (number,))
        answer = patch(alice, url, CSV, offset=0)
        assert patch(charlie, url, CSV, offset=0).status_code == 404
        assert charlie.client.delete(url, headers=TUS).status_code == 404
        # Given back by name: closing the connection lets go a moment later.
        other.execute("SELECT pg_advisory_unlock(%s)", (number,))
    assert (answer.status_code, answer.json()["code"]) == (423, "upload_locked")
    assert patch(alice, url, CSV, offset=0).status_code == 204


def test_a_kill_between_renaming_and_record_costs_no_byte(
    alice: Person, engine_settings: Settings
) -> None:
    url = begun(alice)
    patch(alice, url, CSV[:10], offset=0)
    row = ResumableUpload.objects.get()
    place = incoming(
        Storage(engine_settings.storage_url), OrgId(alice.org), key=row.key,
        file_id=row.file_id, name=row.name,
    )  # fmt: skip
    place.begin(10)
    place.write(CSV[10:])
    place.sync()
    place.close()
    place.place(size=len(CSV), sha256=hashlib.sha256(CSV).hexdigest())

    assert offset_of(alice, url) == 10
    assert patch(alice, url, CSV[10:], offset=10).status_code == 204

    assert Upload.objects.get().sha256 == hashlib.sha256(CSV).hexdigest()


def test_bytes_that_are_not_there_any_more_are_not_made_up(
    alice: Person, engine_settings: Settings
) -> None:
    url = begun(alice)
    patch(alice, url, CSV[:10], offset=0)
    root = Path(urlparse(engine_settings.storage_url).path)
    (root / ".incoming" / alice.org / ResumableUpload.objects.get().key).unlink()

    answer = patch(alice, url, CSV[10:], offset=10)

    assert (answer.status_code, answer.json()["code"]) == (410, "upload_lost")
    assert not Upload.objects.exists()


def test_storage_that_cannot_append_keeps_stretches_and_joins_them() -> None:
    storage = Storage("memory://tus-pieces")
    make = lambda: incoming(storage, OrgId("1"), key="k", file_id="f", name="a.csv")  # noqa: E731
    first = make()
    assert isinstance(first, PiecesIncoming)
    first.begin(0)
    first.write(b"abc")
    first.sync()
    first.write(b"lost, as it was never recorded")
    first.close()
    second = make()
    second.begin(3)
    second.write(b"def")
    second.sync()
    second.close()
    with pytest.raises(UploadLost):
        make().begin(7)

    assert b"".join(second.read()) == b"abcdef"
    stored = second.place(size=6, sha256=hashlib.sha256(b"abcdef").hexdigest())

    with storage.open(stored) as source:
        assert source.read() == b"abcdef"
    assert not storage.fs.exists(f"{storage.root}/.incoming/1/k")


@pytest.mark.parametrize("method", ["head", "get", "delete"])
def test_another_organizations_upload_does_not_exist(
    alice: Person, charlie: Person, method: str
) -> None:
    url = begun(alice)
    answer = getattr(charlie.client, method)(url, headers=TUS)
    assert answer.status_code == 404
    assert patch(charlie, url, CSV, offset=0).json()["code"] == "upload_not_found"
    assert offset_of(alice, url) == 0


def test_a_viewer_may_not_upload(alice: Person, bob: Person) -> None:
    url = begun(alice)
    assert create(bob).status_code == 403
    assert patch(bob, url, CSV, offset=0).status_code == 403
    assert bob.client.delete(url, headers=TUS).status_code == 403
    assert APIClient().head(url, headers=TUS).status_code == 401
