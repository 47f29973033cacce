"""Streams an upload to its place in storage as it arrives: hashed on the way, written once."""

from __future__ import annotations

from typing import Any

from django.core.files.uploadhandler import FileUploadHandler

from supplyline.contracts import OrgId, StoredFile
from supplyline.storage import Storage, StorageWriter


class StoredUpload:
    """What the parsed request holds in place of the bytes."""

    def __init__(self, stored: StoredFile) -> None:
        self.stored = stored
        self.name, self.size = stored.name, stored.size


class StorageUploadHandler(FileUploadHandler):
    """Takes the field `file` as a draft; any other file of the request is read past."""

    chunk_size = 2**18

    def __init__(self, storage: Storage, *, org: OrgId, file_id: str) -> None:
        super().__init__()
        self._storage, self._org, self._file_id = storage, org, file_id
        self._writer: StorageWriter | None = None
        self._is_ours = False
        self.is_interrupted = False

    def new_file(self, *args: Any, **kwargs: Any) -> None:
        super().new_file(*args, **kwargs)
        self._is_ours = self.field_name == "file" and self._writer is None
        if not self._is_ours:  # SkipFile would be told as an interruption
            return
        self._writer = self._storage.begin(
            self._org, file_id=self._file_id, name=self.file_name or "upload"
        )

    def receive_data_chunk(self, raw_data: bytes, start: int) -> None:  # noqa: ARG002 - Django's signature
        if self._is_ours and self._writer is not None:
            self._writer.write(raw_data)

    def file_complete(self, file_size: int) -> Any:  # noqa: ARG002 - Django's signature
        if not self._is_ours or self._writer is None:
            return None
        return StoredUpload(self._writer.finish())

    def upload_interrupted(self) -> None:
        """The body ended before the boundary that closes a file."""
        self.is_interrupted = True
        self.abort()

    def abort(self) -> None:
        """Takes back what was written; safe to call at any time before the file is kept."""
        if self._writer is not None:
            self._writer.abort()
