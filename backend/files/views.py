"""`/api/files/…`: uploads, and what became of them."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator, Mapping
from typing import Any, cast

from django.http import StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import own_org, require
from backend.accounts.models import Role
from backend.api.downloads import harmless
from backend.api.requests import IDEMPOTENCY, caller, idempotency_key
from backend.files.errors import FileIdTaken, FileTooLarge, NoFile, UploadIncomplete
from backend.files.models import Upload
from backend.files.services import accept_upload, new_file_id
from backend.files.upload_handler import StorageUploadHandler, StoredUpload
from backend.runs.selectors import status_url
from supplyline import overview
from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.errors import FileNotStored
from supplyline.storage import Storage
from supplyline.tenancy.names import parse_file_id


def describe(upload: Upload) -> dict[str, Any]:
    """An upload as the API tells of it."""
    run = upload.run
    twin = (
        Upload.objects.filter(
            org_id=upload.org_id, sha256=upload.sha256, created_at__lt=upload.created_at
        )
        .order_by("created_at")
        .first()
    )
    return {
        "file_id": upload.file_id,
        "name": upload.name,
        "size": upload.size,
        "sha256": upload.sha256,
        "table": upload.table,
        "table_reasons": upload.table_reasons,
        "duplicate_of": twin.file_id if twin else None,
        "uploaded_at": upload.created_at.isoformat(),
        "user_id": upload.user_id_text,
        "dag_id": run.dag_id if run else None,
        "dag_run_id": run.dag_run_id if run else None,
        "state": run.state if run else None,
        "status_url": status_url(run) if run else None,
    }


class UploadForm(serializers.Serializer[None]):
    file = serializers.FileField(help_text="the file itself")
    table = serializers.CharField(required=False, help_text="proposed from the file when left out")
    file_id = serializers.CharField(
        required=False, help_text="as a query parameter; an id of yours"
    )


class UploadView(APIView):
    """Takes a file, keeps its bytes unchanged and starts its ingest."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        parameters=[IDEMPOTENCY],
        request={"multipart/form-data": UploadForm},
        responses={202: OpenApiTypes.OBJECT, 422: OpenApiResponse(description="not a table")},
    )
    def post(self, request: Request) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        settings = supplyline_settings.get()
        if int(request.META.get("CONTENT_LENGTH") or 0) > settings.max_upload_bytes:
            raise FileTooLarge(f"A file may have {settings.max_upload_bytes:,} bytes at most.")
        key = idempotency_key(request)
        storage = Storage(settings.storage_url)
        file_id = _wanted_id(request, org)
        # The handlers must stand before the body is read; permission was checked before that.
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
        upload = accept_upload(
            org,
            stored=given.stored,
            storage=storage,
            user=user,
            table=form.get("table") or None,
            idempotency_key=key,
        )
        body = {"success": True, "message": f"{upload.name} is accepted.", **describe(upload)}
        return Response(body, status=status.HTTP_202_ACCEPTED)


def _wanted_id(request: Request, org: OrgId) -> str:
    wanted = request.query_params.get("file_id")
    if not wanted:
        return new_file_id()
    file_id = parse_file_id(wanted)
    if Upload.objects.filter(org_id=org, file_id=file_id).exists():
        raise FileIdTaken(f"There is a file {file_id} already.")
    return file_id


class FilesView(APIView):
    """The organization's files, newest first."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        org = own_org(caller(request))
        rows = Upload.objects.filter(org_id=org).select_related("run").order_by("-created_at")
        return Response({"results": [describe(u) for u in rows[:200]], "count": rows.count()})


class FileView(APIView):
    """One file, with its certificate when it is loaded."""

    @extend_schema(responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, file_id: str) -> Response:
        org = own_org(caller(request))
        upload = find_upload(org, file_id)
        issued = overview.certificates_of(
            org, file_id=upload.file_id, settings=supplyline_settings.get()
        )
        certificate = issued[0].as_json() if issued else None
        return Response({**describe(upload), "certificate": certificate})


class QuarantineView(APIView):
    """The rows of a file that were set aside, all of them, as CSV with the reasons beside them."""

    @extend_schema(responses={(200, "text/csv"): OpenApiTypes.STR})
    def get(self, request: Request, file_id: str) -> StreamingHttpResponse:
        org = own_org(caller(request))
        upload = find_upload(org, file_id)
        answer = StreamingHttpResponse(
            _quarantine_csv(org, upload.file_id), content_type="text/csv"
        )
        answer["Content-Disposition"] = f'attachment; filename="{upload.file_id}-quarantine.csv"'
        return answer


def _quarantine_csv(org: OrgId, file_id: str) -> Iterator[str]:
    fields = ("row", "line", "column", "code", "reason", "raw")
    buffer = io.StringIO()
    writer = csv.writer(buffer)
    writer.writerow(fields)
    rows = overview.quarantined_rows(org, file_id=file_id, settings=supplyline_settings.get())
    for row in rows:
        writer.writerow([harmless(row[f]) for f in fields])
        if buffer.tell() > 2**16:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


def find_upload(org: OrgId, file_id: str) -> Upload:
    """Raises FileNotStored; another organization's file does not exist."""
    upload = Upload.objects.filter(org_id=org, file_id=file_id).select_related("run").first()
    if upload is None:
        raise FileNotStored(f"There is no file {file_id[:64]}.")
    return upload
