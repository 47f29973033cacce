"""Uploaded bytes, kept unchanged: `<storage>/<org>/<file_id>/<original name>`.

Promises: what arrives is a draft that nobody finds until `keep` gives it its place, whole, after
its last byte was on disk; a file that `find` returns never changes afterwards, and its id is never
given to other bytes.
Refuses names that would leave the organization's folder. Local folders and whatever fsspec has a
driver for (`s3://` with s3fs) are addressed alike, by SUPPLYLINE_STORAGE_URL.
"""

from __future__ import annotations

import errno
import hashlib
import io
import json
import os
import posixpath
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from supplyline.contracts import OrgId, ParseOptions, StoredFile
from supplyline.errors import FileNotStored, StorageUnavailable, Terminal
from supplyline.tenancy.names import parse_file_id

_SIDECAR = ".supplyline.json"
_INCOMING = ".incoming"
DRAFT_KEPT = timedelta(days=2)
"""From its last byte; longer than a resumable upload waits. Then nobody writes it any more."""


_NEVER = datetime.min.replace(tzinfo=UTC)


class FileIdTaken(Terminal):
    code = "file_id_taken"
    next_step = "Leave `file_id` out, or give an id that was not used before."


def safe_name(name: str) -> str:
    """The last part of an uploaded file's name, without control characters, at most 200 bytes."""
    last = re.split(r"[\\/]", name)[-1]
    last = "".join(c for c in last if c.isprintable()).strip().lstrip(".")
    while len(last.encode()) > 200:
        last = last[1:]
    return last or "upload"


@dataclass(frozen=True)
class Storage:
    """One place for files, of all organizations, each in a folder of its own."""

    url: str
    _fs: Any = field(init=False, repr=False)
    _root: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        fs, root = fsspec.core.url_to_fs(self.url)
        object.__setattr__(self, "_fs", fs)
        object.__setattr__(self, "_root", root.rstrip("/"))

    @property
    def fs(self) -> Any:
        """fsspec's file system."""
        return self._fs

    @property
    def root(self) -> str:
        return self._root

    def folder(self, org: OrgId, file_id: str) -> str:
        """Where a file's bytes lie, and nobody else's."""
        return posixpath.join(self._root, org, parse_file_id(file_id))

    def put(self, org: OrgId, *, file_id: str, name: str, chunks: Iterable[bytes]) -> StoredFile:
        """Streams `chunks` to their place. See `StorageWriter`, `keep`."""
        writer = self.begin(org, file_id=file_id, name=name)
        try:
            for chunk in chunks:
                writer.write(chunk)
        except BaseException:
            writer.abort()
            raise
        return self.keep(writer.finish())

    def begin(self, org: OrgId, *, file_id: str, name: str) -> StorageWriter:
        """Opens a writer for a draft; nothing is found before `keep`."""
        return StorageWriter(self, org, file_id=file_id, name=safe_name(name))

    def find(self, org: OrgId, file_id: str) -> StoredFile:
        """The file behind an id. Raises FileNotStored when this organization has none such."""
        sidecar = posixpath.join(self.folder(org, file_id), _SIDECAR)
        try:
            with self._fs.open(sidecar, "rb") as source:
                about = json.load(source)
        except FileNotFoundError:
            raise FileNotStored(
                f"Organization {org} has no stored file {file_id}.", org=org, file_id=file_id
            ) from None
        except OSError as error:
            raise StorageUnavailable(f"The file could not be read: {error}.") from error
        return self._stored(org, file_id, about)

    def _stored(self, org: OrgId, file_id: str, about: dict[str, Any]) -> StoredFile:
        known = {k: v for k, v in about.items() if k in StoredFile.__dataclass_fields__}
        if "options" in known:
            known["options"] = ParseOptions(**known["options"])
        folder = self.folder(org, known.get("origin") or file_id)
        url = posixpath.join(folder, known["name"])
        return StoredFile(org=org, file_id=file_id, url=url, **known)

    def adopt(self, org: OrgId, *, file_id: str, name: str, size: int, sha256: str) -> StoredFile:
        """Declares bytes that were moved to their place complete."""
        about = {"name": name, "size": size, "sha256": sha256}
        stored = self._stored(org, file_id, about)
        self._write_sidecar(stored)
        return stored

    def keep(self, draft: StoredFile) -> StoredFile:
        """Gives a draft the place of its id, whole and for good.

        Bytes that lie there already stay: they are the answer when they are the same, and otherwise
        it raises FileIdTaken and the draft is still there to be discarded.
        """
        kept = self._stored(draft.org, draft.file_id, _about(draft))
        if draft.url == kept.url:
            self._write_sidecar(draft)
            return kept
        folder, part = posixpath.dirname(kept.url), posixpath.dirname(draft.url)
        with storage_mapped():
            self._write(posixpath.join(part, _SIDECAR), _about(draft))
            self._fs.makedirs(posixpath.dirname(folder), exist_ok=True)
            claimed = self._claim(part, folder, name=draft.name)
        if claimed:
            return kept
        try:
            known = self.find(draft.org, draft.file_id)
        except FileNotStored:
            known = None
        if known != kept:
            raise FileIdTaken(f"There is a file {draft.file_id} already.")
        self.discard(draft)
        return kept

    def _claim(self, part: str, folder: str, *, name: str) -> bool:
        """Whether the folder was free and is now the draft's."""
        if isinstance(self._fs, LocalFileSystem):
            try:
                Path(part).rename(folder)  # atomic; refuses a folder that holds anything
            except OSError as error:
                if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                    return False
                raise
            return True
        # Object stores have no such step: there the caller's record of the id is what excludes.
        if self._fs.exists(posixpath.join(folder, _SIDECAR)):
            return False
        for each in (name, _SIDECAR):
            self._fs.mv(posixpath.join(part, each), posixpath.join(folder, each))
        self._remove(part)
        return True

    def discard(self, draft: StoredFile) -> None:
        """Gives a draft up. What was kept meanwhile, under the same id too, stays."""
        if f"/{_INCOMING}/" in draft.url.removeprefix(self._root):
            self._remove(posixpath.dirname(draft.url))

    def _remove(self, folder: str) -> None:
        with storage_mapped():
            if self._fs.exists(folder):
                self._fs.rm(folder, recursive=True)

    def sweep(self, *, now: datetime, older_than: timedelta = DRAFT_KEPT) -> int:
        """Removes drafts whose process died while it wrote them; returns how many."""
        place = posixpath.join(self._root, _INCOMING)
        touched: dict[str, datetime] = {}
        with storage_mapped():
            self._fs.invalidate_cache(place)
            if not self._fs.exists(place):
                return 0
            for path, about in self._fs.find(place, detail=True).items():
                draft = posixpath.join(place, *path[len(place) + 1 :].split("/")[:2])
                touched[draft] = max(_touched(about), touched.get(draft, _NEVER))
        old = [draft for draft, at in touched.items() if now - at > older_than]
        for draft in old:
            self._remove(draft)
        return len(old)

    def describe(
        self,
        file: StoredFile,
        *,
        options: ParseOptions | None = None,
        replay_of: str = "",
    ) -> StoredFile:
        """Keeps what was said about a file beside its bytes, before anybody has read it."""
        told = replace(file, options=options, replay_of=replay_of)
        self._write_sidecar(told)
        return told

    def again(self, file: StoredFile, *, file_id: str, options: ParseOptions | None) -> StoredFile:
        """The same bytes under a further file id, to be understood otherwise; nothing is copied."""
        origin = file.origin or file.file_id
        told = replace(
            file,
            file_id=parse_file_id(file_id),
            origin=origin,
            options=options,
            replay_of="",
        )
        self._write_sidecar(told)
        return told

    def _write_sidecar(self, file: StoredFile) -> None:
        folder = self.folder(file.org, file.file_id)
        part = posixpath.join(self.incoming(file.org), uuid.uuid4().hex)
        with storage_mapped():
            for needed in (posixpath.dirname(part), folder):
                self._fs.makedirs(needed, exist_ok=True)
            self._write(part, _about(file))
            self._fs.mv(part, posixpath.join(folder, _SIDECAR))

    def _write(self, path: str, about: dict[str, Any]) -> None:
        with self._fs.open(path, "wb") as out:
            out.write(json.dumps(about).encode())
            _to_disk(out)

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """The bytes, seekable, from the beginning. Raises FileNotStored when they are gone."""
        try:
            handle = self._fs.open(file.url, "rb")
        except FileNotFoundError:
            raise FileNotStored(
                f"The bytes of the file {file.file_id} are not where they were stored.",
                org=file.org, file_id=file.file_id,
            ) from None  # fmt: skip
        except OSError as error:
            raise StorageUnavailable(f"The file could not be read: {error}.") from error
        with handle:
            yield handle

    def delete(self, org: OrgId, file_id: str) -> None:
        """Removes a kept file, when its organization is erased. Never for a refused upload: its
        id may be another's."""
        self._remove(self.folder(org, file_id))

    def incoming(self, org: OrgId) -> str:
        """Where an organization's files are while they are being written."""
        return posixpath.join(self._root, _INCOMING, org)

    def everything(self, org: OrgId) -> list[tuple[str, int]]:
        """Path and size of all that is stored of an organization, also what is half written."""
        out = []
        with storage_mapped():
            for folder in (posixpath.join(self._root, org), self.incoming(org)):
                self._fs.invalidate_cache()
                if self._fs.exists(folder):
                    found = self._fs.find(folder, detail=True)
                    out += [(path[len(self._root) + 1 :], int(f["size"] or 0))
                            for path, f in found.items()]  # fmt: skip
        return sorted(out)

    def erase(self, org: OrgId) -> None:
        """Removes everything of an organization."""
        with storage_mapped():
            for folder in (posixpath.join(self._root, org), self.incoming(org)):
                if self._fs.exists(folder):
                    self._fs.rm(folder, recursive=True)


class StorageWriter:
    """Takes bytes as they come, hashing on the way; written once, as a draft.

    Raises StorageUnavailable when bytes cannot be written; nothing half is ever visible.
    """

    def __init__(self, storage: Storage, org: OrgId, *, file_id: str, name: str) -> None:
        self._storage, self._org, self._file_id, self._name = storage, org, file_id, name
        self._fs = storage.fs
        self._folder = posixpath.join(storage.incoming(org), uuid.uuid4().hex)
        self._part = posixpath.join(self._folder, name)
        self._digest, self.size = hashlib.sha256(), 0
        parse_file_id(file_id)
        with storage_mapped():
            self._fs.makedirs(self._folder, exist_ok=True)
            self._out = self._fs.open(self._part, "wb")

    def write(self, chunk: bytes) -> None:
        with storage_mapped():
            self._out.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def finish(self) -> StoredFile:
        """The draft, to be kept or discarded."""
        with storage_mapped():
            _to_disk(self._out)
            self._out.close()
        return StoredFile(
            org=self._org,
            file_id=self._file_id,
            url=self._part,
            name=self._name,
            size=self.size,
            sha256=self._digest.hexdigest(),
        )

    def abort(self) -> None:
        """Gives the bytes up, also those of a draft that was not kept."""
        with storage_mapped():
            self._out.close()
            self._storage._remove(self._folder)


def _touched(entry: dict[str, Any]) -> datetime:
    """When a file was last written, as the storage's driver says it."""
    known = (entry.get(name) for name in ("mtime", "LastModified", "created"))
    at = next((one for one in known if one is not None), None)
    if isinstance(at, datetime):
        return at
    return datetime.max.replace(tzinfo=UTC) if at is None else datetime.fromtimestamp(at, UTC)


def _about(file: StoredFile) -> dict[str, Any]:
    about: dict[str, Any] = {"name": file.name, "size": file.size, "sha256": file.sha256}
    if file.options is not None:
        about["options"] = file.options.as_json()
    for name in ("origin", "replay_of"):
        if value := getattr(file, name):
            about[name] = value
    return about


def _to_disk(out: Any) -> None:
    out.flush()
    try:
        number = out.fileno()
    except (AttributeError, io.UnsupportedOperation):  # an object store
        return
    os.fsync(number)


@contextmanager
def storage_mapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"The file could not be stored: {error}.") from error
