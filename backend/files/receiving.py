"""A multipart request's file, streamed to storage while it arrives, and the request's fields."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, cast

from rest_framework.request import Request

from backend.files.errors import FileTooLarge, NoFile, UploadIncomplete
from backend.files.models import Upload
from backend.files.services import new_file_id
from backend.files.upload_handler import StorageUploadHandler, StoredUpload
from supplyline.contracts import OrgId, StoredFile
from supplyline.settings import Settings
from supplyline.storage import FileIdTaken, Storage
from supplyline.tenancy.names import parse_file_id


def receive(
    request: Request, *, org: OrgId, storage: Storage, settings: Settings
) -> tuple[StoredFile, Mapping[str, Any]]:
    """The stored file and the other fields; permission must have been checked before.

    Raises NoFile, UploadIncomplete, FileTooLarge, FileIdTaken; nothing is kept then.
    """
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.max_upload_bytes:
        raise FileTooLarge(f"A file may have {settings.max_upload_bytes:,} bytes at most.")
    file_id = wanted_id(request.query_params.get("file_id"), org)
    # The handlers must stand before the body is read.
    handler = StorageUploadHandler(storage, org=org, file_id=file_id)
    request._request.upload_handlers = [handler]
    try:
        form: Mapping[str, Any] = cast("Mapping[str, Any]", request.data)
    except BaseException:
        handler.abort()
        storage.delete(org, file_id)
        raise
    given = form.get("file")
    if handler.is_interrupted:
        raise UploadIncomplete("The upload ended before the file did.")
    if not isinstance(given, StoredUpload):
        raise NoFile("The request has no file.")
    return given.stored, form


def wanted_id(text: str | None, org: OrgId) -> str:
    """The id that was asked for, or a new one. Raises InvalidName, FileIdTaken."""
    if not text:
        return new_file_id()
    file_id = parse_file_id(text)
    if Upload.objects.filter(org_id=org, file_id=file_id).exists():
        raise FileIdTaken(f"There is a file {file_id} already.")
    return file_id
