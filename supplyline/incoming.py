"""Bytes of an upload that arrives in several requests, until they are complete.

Promises: what was synced is kept, also when the process is killed; what came after the last sync is
cut off when the upload goes on. In a local folder the bytes are written once and renamed into
place; elsewhere each stretch between two syncs is an object of its own, joined at the end.
"""

from __future__ import annotations

import os
import posixpath
from collections.abc import Iterator
from pathlib import Path
from typing import Any, BinaryIO, Protocol

from fsspec.implementations.local import LocalFileSystem

from supplyline.contracts import OrgId, StoredFile
from supplyline.errors import Terminal
from supplyline.storage import Storage, storage_mapped

CHUNK = 1 << 15


class UploadLost(Terminal):
    code = "upload_lost"
    next_step = "What had arrived is not in storage any more: begin the upload again."


class Incoming(Protocol):
    """One upload's bytes. Raises StorageUnavailable, UploadLost."""

    def begin(self, offset: int) -> None:
        """Goes on behind `offset` bytes; cuts off what lies beyond."""

    def write(self, chunk: bytes) -> None: ...

    def sync(self) -> None:
        """Returns when everything written is safe."""

    def close(self) -> None: ...

    def read(self) -> Iterator[bytes]:
        """All the bytes, to hash what was not hashed on the way."""

    def place(self, *, size: int, sha256: str) -> StoredFile:
        """The complete file in storage."""

    def discard(self) -> None: ...


def incoming(storage: Storage, org: OrgId, *, key: str, file_id: str, name: str) -> Incoming:
    """`key` names the upload; `file_id` and `name` its file, once it is complete."""
    local = isinstance(storage.fs, LocalFileSystem)
    return (LocalIncoming if local else PiecesIncoming)(
        storage, org, key=key, file_id=file_id, name=name
    )


class LocalIncoming:
    """One growing file."""

    def __init__(self, storage: Storage, org: OrgId, *, key: str, file_id: str, name: str) -> None:
        self._storage, self._org, self._file_id, self._name = storage, org, file_id, name
        self._part = Path(storage.incoming(org), key)
        self._final = Path(storage.folder(org, file_id), name)
        self._out: BinaryIO | None = None

    def begin(self, offset: int) -> None:
        with storage_mapped():
            self._part.parent.mkdir(parents=True, exist_ok=True)
            if not self._part.exists() and self._final.exists():
                # Killed between the renaming and the record of it: the file was not accepted.
                self._final.replace(self._part)
                self._storage.delete(self._org, self._file_id)
            self._out = self._part.open("r+b" if self._part.exists() else "w+b")
            if self._out.seek(0, os.SEEK_END) < offset:
                raise UploadLost(f"Of the upload's first {offset} bytes some are missing.")
            self._out.truncate(offset)
            self._out.seek(offset)

    def write(self, chunk: bytes) -> None:
        with storage_mapped():
            self._open.write(chunk)

    def sync(self) -> None:
        with storage_mapped():
            self._open.flush()
            os.fdatasync(self._open.fileno())

    def close(self) -> None:
        if self._out is not None:
            with storage_mapped():
                self._out.close()

    @property
    def _open(self) -> BinaryIO:
        if self._out is None:
            raise UploadLost("The upload was not begun.")
        return self._out

    def read(self) -> Iterator[bytes]:
        with storage_mapped(), self._part.open("rb") as source:
            while chunk := source.read(CHUNK):
                yield chunk

    def place(self, *, size: int, sha256: str) -> StoredFile:
        with storage_mapped():
            self._final.parent.mkdir(parents=True, exist_ok=True)
            self._part.replace(self._final)
        return self._storage.adopt(
            self._org, file_id=self._file_id, name=self._name, size=size, sha256=sha256
        )

    def discard(self) -> None:
        with storage_mapped():
            self._part.unlink(missing_ok=True)


class PiecesIncoming:
    """One object for each stretch, named by where it begins."""

    def __init__(self, storage: Storage, org: OrgId, *, key: str, file_id: str, name: str) -> None:
        self._storage, self._org, self._file_id, self._name = storage, org, file_id, name
        self._fs = storage.fs
        self._folder = posixpath.join(storage.incoming(org), key)
        self._at = 0
        self._out: Any = None

    def _pieces(self) -> list[tuple[int, str, int]]:
        """Beginning, path and size of each, in order."""
        if not self._fs.exists(self._folder):
            return []
        found = self._fs.ls(self._folder, detail=True)
        return sorted(
            (int(posixpath.basename(f["name"])), f["name"], int(f["size"])) for f in found
        )

    def begin(self, offset: int) -> None:
        with storage_mapped():
            kept = 0
            for start, path, size in self._pieces():
                if start >= offset:
                    self._fs.rm(path)
                else:
                    kept += size
        if kept != offset:
            raise UploadLost(f"Of the upload's first {offset} bytes some are missing.")
        self._at = offset

    def write(self, chunk: bytes) -> None:
        with storage_mapped():
            if self._out is None:
                self._fs.makedirs(self._folder, exist_ok=True)
                self._out = self._fs.open(posixpath.join(self._folder, f"{self._at:020d}"), "wb")
            self._out.write(chunk)
        self._at += len(chunk)

    def sync(self) -> None:
        self.close()

    def close(self) -> None:
        if self._out is not None:
            with storage_mapped():
                self._out.close()
            self._out = None

    def read(self) -> Iterator[bytes]:
        for _, path, _ in self._pieces():
            with storage_mapped(), self._fs.open(path, "rb") as source:
                while chunk := source.read(CHUNK):
                    yield chunk

    def place(self, *, size: int, sha256: str) -> StoredFile:
        stored = self._storage.put(
            self._org, file_id=self._file_id, name=self._name, chunks=self.read()
        )
        if (stored.size, stored.sha256) != (size, sha256):
            self._storage.delete(self._org, self._file_id)
            raise UploadLost("What was stored is not what was received.")
        self.discard()
        return stored

    def discard(self) -> None:
        with storage_mapped():
            if self._fs.exists(self._folder):
                self._fs.rm(self._folder, recursive=True)
