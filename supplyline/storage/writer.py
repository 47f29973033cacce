"""Bytes on their way in: a draft, hashed while it is written."""

from __future__ import annotations

import hashlib
import posixpath
import re
import uuid
from typing import Any

from supplyline.contracts import OrgId, StoredFile
from supplyline.storage.files import remove, storage_mapped, to_disk
from supplyline.tenancy.names import parse_file_id


def safe_name(name: str) -> str:
    """The last part of an uploaded file's name, without control characters, at most 200 bytes."""
    last = re.split(r"[\\/]", name)[-1]
    last = "".join(c for c in last if c.isprintable()).strip().lstrip(".")
    while len(last.encode()) > 200:
        last = last[1:]
    return last or "upload"


class StorageWriter:
    """Takes bytes as they come, hashing on the way; written once, as a draft.

    Raises StorageUnavailable when bytes cannot be written; nothing half is ever visible.
    """

    def __init__(self, fs: Any, org: OrgId, *, incoming: str, file_id: str, name: str) -> None:
        """`incoming`: the organization's folder for what is being written."""
        self._fs, self._org, self._name = fs, org, safe_name(name)
        self._file_id = parse_file_id(file_id)
        self._folder = posixpath.join(incoming, uuid.uuid4().hex)
        self._part = posixpath.join(self._folder, self._name)
        self._digest, self.size = hashlib.sha256(), 0
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
            to_disk(self._out)
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
            remove(self._fs, self._folder)
