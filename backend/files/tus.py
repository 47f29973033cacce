"""Resumable uploads: tus 1.0 (https://tus.io/protocols/resumable-upload) at `/api/files/tus/`.

Core, creation, creation-with-upload, termination, checksum and expiration.
"""

from __future__ import annotations

import base64
import binascii
from collections.abc import Sequence
from typing import Any

from django.http.request import UnreadablePostError
from django.utils.http import http_date
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.authentication import BaseAuthentication
from rest_framework.exceptions import UnsupportedMediaType
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import own_org, require
from backend.accounts.models import Role
from backend.api.errors import InvalidPayload
from backend.api.requests import caller
from backend.files.errors import TusVersion
from backend.files.forms import options_among
from backend.files.models import ResumableUpload
from backend.files.resumable import Checksum, Read, append, begin_upload, find_resumable, terminate
from backend.files.views import describe
from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.storage import Storage

VERSION = "1.0.0"
EXTENSIONS = "creation,creation-with-upload,termination,checksum,expiration"
ALGORITHMS = ("sha1", "sha256", "md5")
MEDIA_TYPE = "application/offset+octet-stream"
_BASE = "/api/files/tus/"

RESUMABLE = OpenApiParameter("Tus-Resumable", str, OpenApiParameter.HEADER, enum=[VERSION])
LENGTH = OpenApiParameter("Upload-Length", int, OpenApiParameter.HEADER, required=True)
METADATA = OpenApiParameter(
    "Upload-Metadata",
    str,
    OpenApiParameter.HEADER,
    description="filename, table, and options such as delimiter; values in Base64",
)
OFFSET = OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, required=True)
CHECKSUM = OpenApiParameter(
    "Upload-Checksum",
    str,
    OpenApiParameter.HEADER,
    description=f"{', '.join(ALGORITHMS)}, a space, and the digest in Base64",
)
NOTHING = OpenApiResponse(description="no body; the headers tell")


class TusView(APIView):
    """What every answer has; OPTIONS needs no token."""

    def initialize_request(self, request: Any, *args: Any, **kwargs: Any) -> Request:
        override = request.META.get("HTTP_X_HTTP_METHOD_OVERRIDE", "").upper()
        if request.method == "POST" and override in ("PATCH", "DELETE", "HEAD"):
            request.method = override
        return super().initialize_request(request, *args, **kwargs)

    def get_authenticators(self) -> list[BaseAuthentication]:
        free = self.request is not None and self.request.method == "OPTIONS"
        return [] if free else super().get_authenticators()

    def get_permissions(self) -> Sequence[Any]:
        return [] if self.request.method == "OPTIONS" else super().get_permissions()

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        super().initial(request, *args, **kwargs)
        if request.method in ("OPTIONS", "GET"):
            return
        if request.headers.get("Tus-Resumable") != VERSION:
            raise TusVersion(f"Only tus {VERSION} is spoken here.")

    def finalize_response(self, request: Request, response: Any, *args: Any, **kwargs: Any) -> Any:
        answer = super().finalize_response(request, response, *args, **kwargs)
        answer["Tus-Resumable"] = VERSION
        answer["Cache-Control"] = "no-store"
        if answer.status_code == 412:
            answer["Tus-Version"] = VERSION
        return answer

    @extend_schema(responses={204: NOTHING}, auth=[])
    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override] # noqa: ARG002 - DRF's signature
        answer = Response(status=status.HTTP_204_NO_CONTENT)
        answer["Tus-Version"] = VERSION
        answer["Tus-Extension"] = EXTENSIONS
        answer["Tus-Checksum-Algorithm"] = ",".join(ALGORITHMS)
        answer["Tus-Max-Size"] = str(supplyline_settings.get().max_upload_bytes)
        return answer


class TusCreateView(TusView):
    """Begins an upload; `Location` is where its bytes go."""

    @extend_schema(parameters=[RESUMABLE, LENGTH, METADATA], request=None, responses={201: NOTHING})
    def post(self, request: Request) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        settings = supplyline_settings.get()
        storage = Storage(settings.storage_url)
        size = _number(request, "Upload-Length")
        told = _metadata(request.headers.get("Upload-Metadata", ""))
        row = begin_upload(
            org,
            user=user,
            name=told.get("filename") or told.get("name") or "upload",
            size=size,
            table=told.get("table", ""),
            options=options_among(told),
            max_size=settings.max_upload_bytes,
            storage=storage,
        )
        if request.content_type == MEDIA_TYPE:
            row = _append(request, org, row.key, offset=0, storage=storage)
        answer = _answer(row, status.HTTP_201_CREATED)
        answer["Location"] = request.build_absolute_uri(f"{_BASE}{row.key}/")
        return answer


class TusUploadView(TusView):
    """One upload: how far it is, its next bytes, its end."""

    @extend_schema(parameters=[RESUMABLE], responses={200: NOTHING})
    def head(self, request: Request, key: str) -> Response:
        row = find_resumable(own_org(caller(request)), key)
        answer = _answer(row, status.HTTP_200_OK)
        answer["Upload-Length"] = str(row.size)
        return answer

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, key: str) -> Response:
        """What became of an upload: its file once it is accepted, or why it was refused."""
        row = find_resumable(own_org(caller(request)), key)
        return Response(
            {
                "upload_id": row.key,
                "name": row.name,
                "size": row.size,
                "offset": row.offset,
                "state": row.state,
                "expires_at": row.expires_at.isoformat(),
                "problem": row.problem,
                "file": describe(row.upload) if row.upload else None,
            }
        )

    @extend_schema(
        parameters=[RESUMABLE, OFFSET, CHECKSUM],
        request={MEDIA_TYPE: OpenApiTypes.BINARY},
        responses={204: NOTHING, 409: NOTHING, 423: NOTHING, 460: NOTHING},
    )
    def patch(self, request: Request, key: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        if request.content_type != MEDIA_TYPE:
            raise UnsupportedMediaType(request.content_type, f"Send Content-Type: {MEDIA_TYPE}.")
        row = _append(
            request,
            org,
            key,
            offset=_number(request, "Upload-Offset"),
            storage=Storage(supplyline_settings.get().storage_url),
        )
        return _answer(row, status.HTTP_204_NO_CONTENT)

    @extend_schema(parameters=[RESUMABLE], responses={204: NOTHING})
    def delete(self, request: Request, key: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        storage = Storage(supplyline_settings.get().storage_url)
        terminate(own_org(user), key=key, storage=storage)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _append(
    request: Request, org: OrgId, key: str, *, offset: int, storage: Storage
) -> ResumableUpload:
    length = request.META.get("CONTENT_LENGTH")
    return append(
        org,
        key=key,
        offset=offset,
        read=_reader(request),
        length=int(length) if length else None,
        checksum=_checksum(request.headers.get("Upload-Checksum")),
        user=caller(request),
        storage=storage,
    )


def _reader(request: Request) -> Read:
    """The body, read as it comes; Django's own stream ends at once without a Content-Length."""
    source: Any = request._request
    if not request.META.get("CONTENT_LENGTH") and "wsgi.input" in request.META:
        source = request.META["wsgi.input"]

    def read(size: int) -> bytes:
        try:
            return bytes(source.read(size))
        except (UnreadablePostError, OSError):
            return b""  # the connection broke; what came before is kept

    return read


def _answer(row: ResumableUpload, code: int) -> Response:
    answer = Response(status=code)
    answer["Upload-Offset"] = str(row.offset)
    if row.state == ResumableUpload.State.OPEN:
        answer["Upload-Expires"] = http_date(row.expires_at.timestamp())
    if row.upload is not None:
        told = describe(row.upload)
        answer["Supplyline-File-Id"] = told["file_id"]
        answer["Supplyline-Status-Url"] = told["status_url"] or ""
        if told["duplicate_of"]:
            answer["Supplyline-Duplicate-Of"] = told["duplicate_of"]
    return answer


def _number(request: Request, header: str) -> int:
    text = request.headers.get(header, "")
    if not text.isascii() or not text.isdigit() or len(text) > 40:
        raise InvalidPayload(f"The header {header} must be a number of bytes.")
    return int(text)


def _metadata(header: str) -> dict[str, str]:
    """`filename c2FsZXMuY3N2,table c2FsZXM=` → texts."""
    out = {}
    for pair in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = pair.partition(" ")
        out[name] = _decoded(value.strip(), "Upload-Metadata").decode("utf-8", "replace")
    return out


def _checksum(header: str | None) -> Checksum | None:
    if header is None:
        return None
    algorithm, _, value = header.partition(" ")
    if algorithm not in ALGORITHMS:
        raise InvalidPayload(f"Upload-Checksum knows {', '.join(ALGORITHMS)}.")
    return Checksum(algorithm, _decoded(value.strip(), "Upload-Checksum"))


def _decoded(text: str, header: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise InvalidPayload(f"The header {header} holds something that is no Base64.") from None
