"""Uploaded bytes, kept unchanged: `<storage>/<org>/<file_id>/<original name>`.

Promises: a file that `find` returns is complete (it was renamed into place after its last byte was
on disk, and the sidecar with its hash was written last); it never changes afterwards.
Refuses names that would leave the organization's folder. Local folders and whatever fsspec has a
driver for (`s3://` with s3fs) are addressed alike, by SUPPLYLINE_STORAGE_URL.
"""

from __future__ import annotations

import hashlib
import json
import os
import posixpath
import re
import uuid
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Any, BinaryIO

import fsspec
from fsspec.implementations.local import LocalFileSystem

from supplyline.contracts import OrgId, ParseOptions, StoredFile
from supplyline.errors import FileNotStored, StorageUnavailable, Terminal
from supplyline.tenancy.names import parse_file_id

_SIDECAR = ".supplyline.json"


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
        """Streams `chunks` to their place. See `StorageWriter`."""
        writer = self.begin(org, file_id=file_id, name=name)
        try:
            for chunk in chunks:
                writer.write(chunk)
        except BaseException:
            writer.abort()
            raise
        return writer.finish()

    def begin(self, org: OrgId, *, file_id: str, name: str) -> StorageWriter:
        """Opens a writer for a new file; nothing is visible before its `finish`."""
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
        about: dict[str, Any] = {"name": file.name, "size": file.size, "sha256": file.sha256}
        if file.options is not None:
            about["options"] = file.options.as_json()
        for name in ("origin", "replay_of"):
            if value := getattr(file, name):
                about[name] = value
        folder = self.folder(file.org, file.file_id)
        part = posixpath.join(self.incoming(file.org), uuid.uuid4().hex)
        with storage_mapped():
            for needed in (posixpath.dirname(part), folder):
                self._fs.makedirs(needed, exist_ok=True)
            with self._fs.open(part, "wb") as out:
                out.write(json.dumps(about).encode())
            self._fs.mv(part, posixpath.join(folder, _SIDECAR))

    @contextmanager
    def open(self, file: StoredFile) -> Iterator[BinaryIO]:
        """The bytes, seekable, from the beginning."""
        try:
            handle = self._fs.open(file.url, "rb")
        except OSError as error:
            raise StorageUnavailable(f"The file could not be read: {error}.") from error
        with handle:
            yield handle

    def delete(self, org: OrgId, file_id: str) -> None:
        """Removes one file; used when an organization is erased and for refused uploads."""
        folder = self.folder(org, file_id)
        if self._fs.exists(folder):
            self._fs.rm(folder, recursive=True)

    def incoming(self, org: OrgId) -> str:
        """Where an organization's files are while they are being written."""
        return posixpath.join(self._root, ".incoming", org)

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
    """Takes bytes as they come, hashing on the way; written once, then renamed into place.

    Raises StorageUnavailable when bytes cannot be written; nothing half is ever visible.
    """

    def __init__(self, storage: Storage, org: OrgId, *, file_id: str, name: str) -> None:
        self._storage, self._org, self._file_id, self._name = storage, org, file_id, name
        self._fs = storage.fs
        self._folder = storage.folder(org, file_id)
        self._part = posixpath.join(storage.incoming(org), uuid.uuid4().hex)
        self._digest, self.size = hashlib.sha256(), 0
        with storage_mapped():
            self._fs.makedirs(posixpath.dirname(self._part), exist_ok=True)
            self._out = self._fs.open(self._part, "wb")

    def write(self, chunk: bytes) -> None:
        with storage_mapped():
            self._out.write(chunk)
        self._digest.update(chunk)
        self.size += len(chunk)

    def finish(self) -> StoredFile:
        about = {"name": self._name, "size": self.size, "sha256": self._digest.hexdigest()}
        with storage_mapped():
            self._out.flush()
            if isinstance(self._fs, LocalFileSystem):
                os.fsync(self._out.fileno())
            self._out.close()
            try:
                self._fs.makedirs(self._folder, exist_ok=False)
            except FileExistsError:
                # Two uploads under one id at once: the bytes of the first may not be replaced.
                self._fs.rm(self._part)
                raise FileIdTaken(f"There is a file {self._file_id} already.") from None
            self._fs.mv(self._part, posixpath.join(self._folder, self._name))
        stored = self._storage._stored(self._org, self._file_id, about)
        self._storage._write_sidecar(stored)
        return stored

    def abort(self) -> None:
        """Gives the half-written bytes up."""
        with storage_mapped():
            self._out.close()
            if self._fs.exists(self._part):
                self._fs.rm(self._part)


@contextmanager
def storage_mapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise StorageUnavailable(f"The file could not be stored: {error}.") from error
