"""Storage: a draft gets its place whole or not at all, and never another's."""

from __future__ import annotations

import os
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from supplyline.contracts import OrgId, ParseOptions, StoredFile
from supplyline.errors import (
    ConfigurationError,
    FileNotStored,
    StorageUnavailable,
    StoredFileDamaged,
)
from supplyline.storage import FileIdTaken, Storage
from supplyline.storage.files import storage_mapped

ORG = OrgId("1")


@pytest.fixture(params=["file", "memory"])
def storage(request: pytest.FixtureRequest, tmp_path: Path) -> Storage:
    here = tmp_path / "files" if request.param == "file" else uuid4().hex
    return Storage(f"{request.param}://{here}")


def draft(storage: Storage, content: bytes, *, file_id: str = "f1") -> StoredFile:
    writer = storage.begin(ORG, file_id=file_id, name="a.csv")
    writer.write(content)
    return writer.finish()


def content(storage: Storage, file: StoredFile) -> bytes:
    with storage.open(file) as source:
        return source.read()


def test_a_draft_can_be_read_but_not_found(storage: Storage) -> None:
    arrived = draft(storage, b"a\n1\n")

    assert content(storage, arrived) == b"a\n1\n"
    with pytest.raises(FileNotStored):
        storage.find(ORG, "f1")


def test_what_is_kept_is_found_with_all_that_was_said(storage: Storage) -> None:
    arrived = draft(storage, b"a\n1\n")
    kept = storage.keep(replace(arrived, options=ParseOptions(delimiter=";")))

    assert storage.find(ORG, "f1") == kept
    assert content(storage, kept) == b"a\n1\n"
    assert not [p for p in storage._fs.find(storage._root) if ".incoming" in p]


def test_an_id_is_never_given_to_other_bytes(storage: Storage) -> None:
    first, second = draft(storage, b"a\n1\n"), draft(storage, b"a\n2\n")
    storage.keep(second)

    with pytest.raises(FileIdTaken):
        storage.keep(first)
    storage.discard(first)

    assert content(storage, storage.find(ORG, "f1")) == b"a\n2\n"


def test_keeping_the_same_again_changes_nothing(storage: Storage) -> None:
    first, second = draft(storage, b"a\n1\n"), draft(storage, b"a\n1\n")

    assert storage.keep(first) == storage.keep(second) == storage.find(ORG, "f1")
    assert not [p for p in storage._fs.find(storage._root) if ".incoming" in p]


def test_discarding_never_touches_what_is_kept(storage: Storage) -> None:
    kept = storage.keep(draft(storage, b"a\n1\n"))
    storage.discard(kept)
    assert storage.find(ORG, "f1") == kept


def test_drafts_whose_writer_died_are_swept(storage: Storage) -> None:
    draft(storage, b"a\n1\n")
    kept = storage.keep(draft(storage, b"a\n1\n", file_id="f2"))
    now = datetime.now(UTC)

    assert storage.sweep(now=now + timedelta(hours=47)) == 0
    assert storage.sweep(now=now + timedelta(hours=49)) == 1
    assert storage._fs.find(storage._root) == storage._fs.find(kept.url.rpartition("/")[0])
    assert content(storage, storage.find(ORG, "f2")) == b"a\n1\n"


def test_a_full_disk_asks_for_room() -> None:
    with (
        pytest.raises(StorageUnavailable) as caught,
        storage_mapped(),
        Path("/dev/full").open("wb") as full,
    ):
        full.write(b"x" * 100_000)
    assert "No space left" in caught.value.detail
    assert caught.value.advice.startswith("Make room")


@pytest.mark.parametrize("harm", [b"", b"a\n", b"a\n2\n", b"a\n1\n1\n"])
def test_bytes_that_changed_in_storage_are_not_whole(storage: Storage, harm: bytes) -> None:
    kept = storage.keep(draft(storage, b"a\n1\n"))
    storage.require_whole(kept)
    storage._fs.pipe_file(kept.url, harm)
    with pytest.raises(StoredFileDamaged, match="not those that were uploaded"):
        storage.require_whole(kept)


@pytest.mark.parametrize("harm", [b"", b"{", b"[]", b"null", b'{"name": 5}', b"\xff"])
def test_a_damaged_sidecar_is_said_to_be_damaged(storage: Storage, harm: bytes) -> None:
    kept = storage.keep(draft(storage, b"a\n1\n"))
    storage._fs.pipe_file(kept.url.rpartition("/")[0] + "/.supplyline.json", harm)
    with pytest.raises(StoredFileDamaged):
        storage.find(ORG, "f1")


def test_what_is_kept_is_on_disk_with_its_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A power cut after the answer takes no file away: folders are forced to disk, too."""
    synced: list[str] = []
    real = os.fsync

    def noted(number: int) -> None:
        synced.append(str(Path(f"/proc/self/fd/{number}").readlink()))
        real(number)

    monkeypatch.setattr(os, "fsync", noted)
    storage = Storage(tmp_path.as_uri())
    part = draft(storage, b"a\n1\n")
    storage.keep(part)
    folder = tmp_path / ORG
    assert {str(tmp_path), str(folder), part.url.rpartition("/")[0]} <= set(synced)

    synced.clear()
    storage.adopt(ORG, file_id="f2", name="x.csv", size=0, sha256="")
    assert {str(tmp_path), str(folder), str(folder / "f2")} <= set(synced)


@pytest.mark.parametrize("url", ["", " ", "klingon://x"])
def test_what_is_no_place_is_refused_and_never_the_folder_of_the_process(url: str) -> None:
    with pytest.raises(ConfigurationError, match="SUPPLYLINE_STORAGE_URL"):
        Storage(url)


def test_a_place_that_does_not_answer_is_transient() -> None:
    with pytest.raises(StorageUnavailable):
        Storage("ftp://127.0.0.1:9/files")
