"""A multipart request's file, streamed to storage while it arrives, and the request's fields."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Set
from contextlib import contextmanager
from typing import Any, cast

from django.utils import timezone
from rest_framework.exceptions import ParseError
from rest_framework.request import Request

from backend.api.errors import InvalidPayload
from backend.files.errors import FileTooLarge, LengthRequired, NoFile, UploadIncomplete
from backend.files.forms import OptionsForm
from backend.files.models import Upload
from backend.files.services import key_of_upload, new_file_id
from backend.files.upload_handler import StorageUploadHandler, StoredUpload
from supplyline.contracts import OrgId, StoredFile
from supplyline.settings import Settings
from supplyline.storage import FileIdTaken, Storage
from supplyline.tenancy.names import parse_file_id

_IN_ADDRESS = frozenset({"file_id"})
"""Parameters of an upload's address: they must be known before its body is read."""


@contextmanager
def received(
    request: Request,
    form: type[OptionsForm],
    *,
    org: OrgId,
    storage: Storage,
    settings: Settings,
    key: str | None,
) -> Iterator[tuple[StoredFile, Mapping[str, Any]]]:
    """The file as a draft and the other fields; permission must have been checked before.

    `form`: the fields that there are. Whatever the block raises, the draft goes with it; what is
    kept under the id stays. Raises NoFile, LengthRequired, UploadIncomplete, FileTooLarge,
    FileIdTaken, and InvalidPayload for a field that nobody knows: what somebody said about a file
    is never passed over in silence. Drafts of dead processes are removed.
    """
    fields = set(form().fields)
    _require_known(request.query_params, _IN_ADDRESS, elsewhere=fields, where="a field of the form")
    if not request.META.get("CONTENT_LENGTH") and request.META.get("HTTP_TRANSFER_ENCODING"):
        raise LengthRequired("The upload does not say how many bytes it has.")
    if int(request.META.get("CONTENT_LENGTH") or 0) > settings.max_upload_bytes:
        raise FileTooLarge(f"A file may have {settings.max_upload_bytes:,} bytes at most.")
    file_id = wanted_id(request.query_params.get("file_id"), org, key=key)
    storage.sweep(now=timezone.now())
    # The handlers must stand before the body is read.
    handler = StorageUploadHandler(storage, org=org, file_id=file_id)
    request._request.upload_handlers = [handler]
    try:
        sent = _form(request)
        stored = _file_in(sent, handler)
        _require_known(sent, fields, elsewhere=_IN_ADDRESS, where="a parameter of the address")
        yield stored, sent
    except BaseException:
        handler.abort()
        raise


def _require_known(
    given: Iterable[str], known: Set[str], *, elsewhere: Set[str], where: str
) -> None:
    """Raises InvalidPayload for names that are not `known`; those `elsewhere` belong `where`."""
    errors = {
        name: [f"Send it as {where}." if name in elsewhere else "This field is not known."]
        for name in sorted(set(given) - known)
    }
    if errors:
        named = ", ".join(name[:60] for name in errors)
        raise InvalidPayload(f"These fields are wrong: {named}.", errors=errors)


def _form(request: Request) -> Mapping[str, Any]:
    try:
        return cast("Mapping[str, Any]", request.data)
    except ParseError as error:
        raise InvalidPayload(
            f"The request's body cannot be read: {error.detail}.",
            next_step="Send multipart/form-data with the boundary that its Content-Type names.",
        ) from None


def _file_in(form: Mapping[str, Any], handler: StorageUploadHandler) -> StoredFile:
    given = form.get("file")
    if handler.is_interrupted:
        raise UploadIncomplete("The upload ended before the file did.")
    if not isinstance(given, StoredUpload):
        raise NoFile("The request has no file.")
    return given.stored


def wanted_id(text: str | None, org: OrgId, *, key: str | None) -> str:
    """The id that was asked for, or a new one. Raises InvalidName, FileIdTaken.

    Only the request that `key` repeats may ask for an id again: it gets its first answer.
    """
    if not text:
        return new_file_id()
    file_id = parse_file_id(text)
    taken = Upload.objects.filter(org_id=org, file_id=file_id)
    if key is not None:
        taken = taken.exclude(run__idempotency_key=key_of_upload(key))
    if taken.exists():
        raise FileIdTaken(f"There is a file {file_id} already.")
    return file_id
