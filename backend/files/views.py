"""`/api/files/…`: uploads, and what became of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import serializers, status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import own_org, require
from backend.accounts.models import Role
from backend.api.requests import (
    IDEMPOTENCY,
    OrgNamed,
    PageQuery,
    asked_for,
    caller,
    idempotency_key,
)
from backend.files.forms import OptionsForm, options_among
from backend.files.models import Upload
from backend.files.receiving import received
from backend.files.selectors import twins_of
from backend.files.services import accept_upload
from backend.runs.selectors import status_url
from supplyline import overview
from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.errors import FileNotStored
from supplyline.storage import Storage


def describe(upload: Upload) -> dict[str, Any]:
    """An upload as the API tells of it."""
    return describe_all([upload])[0]


def describe_all(uploads: Sequence[Upload]) -> list[dict[str, Any]]:
    """Uploads as the API tells of them; asks once for all which bytes came before."""
    twins = twins_of(uploads)
    return [_described(upload, twins.get(upload.pk)) for upload in uploads]


def _described(upload: Upload, twin: str | None) -> dict[str, Any]:
    run = upload.run
    return {
        "file_id": upload.file_id,
        "name": upload.name,
        "size": upload.size,
        "sha256": upload.sha256,
        "table": upload.table,
        "table_reasons": upload.table_reasons,
        "options": upload.options,
        "reading_of": upload.origin or None,
        "replay_of": upload.replay_of or None,
        "duplicate_of": twin,
        "uploaded_at": upload.created_at.isoformat(),
        "user_id": upload.user_id_text,
        "dag_id": run.dag_id if run else None,
        "dag_run_id": run.dag_run_id if run else None,
        "state": run.state if run else None,
        "status_url": status_url(run) if run else None,
    }


class UploadForm(OptionsForm):
    file = serializers.FileField(help_text="the file itself")
    table = serializers.CharField(required=False, help_text="proposed from the file when left out")


class UploadView(APIView):
    """Takes a file, keeps its bytes unchanged and starts its ingest."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        parameters=[IDEMPOTENCY, OpenApiParameter("file_id", str, description="an id of yours")],
        request={"multipart/form-data": UploadForm},
        responses={202: OpenApiTypes.OBJECT, 422: OpenApiResponse(description="not a table")},
    )
    def post(self, request: Request) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        key = idempotency_key(request)
        settings = supplyline_settings.get()
        storage = Storage(settings.storage_url)
        with received(
            request, UploadForm, org=org, storage=storage, settings=settings, key=key
        ) as (stored, form):
            upload = accept_upload(
                org,
                stored=stored,
                storage=storage,
                user=user,
                table=form.get("table") or None,
                options=options_among(form),
                named=request.query_params.get("file_id"),
                idempotency_key=key,
            )
        return accepted(upload)


def accepted(upload: Upload) -> Response:
    """202: the bytes and the intent are kept."""
    told = describe(upload)
    message = f"{upload.name} is accepted."
    if told["duplicate_of"]:
        message += (
            f" The same bytes came for {upload.table} before, as {told['duplicate_of']}:"
            " no row is added twice."
        )
    body = {"success": True, "message": message, **told}
    return Response(body, status=status.HTTP_202_ACCEPTED)


class FilesQuery(PageQuery):
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=200)
    table = serializers.CharField(required=False, help_text="of this table only")


class FilesView(APIView):
    """The organization's files, newest first."""

    @extend_schema(parameters=[FilesQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        org, asked = asked_for(FilesQuery, request)
        rows = (
            Upload.objects.filter(org_id=org).select_related("run").order_by("-created_at", "-pk")
        )
        if "table" in asked:
            rows = rows.filter(table=asked["table"])
        page = list(rows[asked["offset"] : asked["offset"] + asked["limit"]])
        return Response({"results": describe_all(page), "count": rows.count()})


class FileView(APIView):
    """One file, with its certificate when it is loaded, or why it was refused."""

    @extend_schema(parameters=[OrgNamed], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, file_id: str) -> Response:
        org, _ = asked_for(OrgNamed, request)
        upload = find_upload(org, file_id)
        settings = supplyline_settings.get()
        issued = overview.certificates_of(org, file_id=upload.file_id, settings=settings)
        certificate = issued[0].as_json() if issued else None
        refused = "" if issued else overview.refusal(org, file_id=file_id, settings=settings)
        return Response(
            {**describe(upload), "certificate": certificate, "refused": refused or None}
        )


def find_upload(org: OrgId, file_id: str) -> Upload:
    """Raises FileNotStored; another organization's file does not exist."""
    upload = Upload.objects.filter(org_id=org, file_id=file_id).select_related("run").first()
    if upload is None:
        raise FileNotStored(f"There is no file {file_id[:64]}.")
    return upload
