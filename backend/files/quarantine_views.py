"""`/api/files/<id>/quarantine/` and `/replay/`: rows set aside, to mend and to send again."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterator
from itertools import chain

from django.http.response import HttpResponseBase, StreamingHttpResponse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import own_org, require
from backend.accounts.models import Role
from backend.api.downloads import CSV, XLSX, require_type, table_response
from backend.api.requests import IDEMPOTENCY, OrgNamed, asked_for, caller, idempotency_key
from backend.files.errors import NothingToReplay
from backend.files.forms import OptionsForm, options_among
from backend.files.receiving import received
from backend.files.services import accept_upload
from backend.files.views import accepted, find_upload
from supplyline import quarantine
from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.storage import Storage

FILES = {(200, CSV): OpenApiTypes.STR, (200, XLSX): OpenApiTypes.BINARY}


class QuarantineQuery(OrgNamed):
    all = serializers.BooleanField(
        required=False, default=False, help_text="also the rows that were corrected since"
    )


class QuarantineView(APIView):
    """The rows of a file that were set aside, all of them, with the reasons beside their cells."""

    @extend_schema(parameters=[QuarantineQuery], responses=FILES)
    def get(self, request: Request, file_id: str, file_type: str = "csv") -> HttpResponseBase:
        org, asked = asked_for(QuarantineQuery, request)
        upload = find_upload(org, file_id)
        require_type(file_type)
        lines = quarantine.lines(
            org,
            file_id=upload.file_id,
            open_only=not asked["all"],
            settings=supplyline_settings.get(),
        )
        # The header is asked for now: once the answer has begun, it cannot become a problem.
        header = next(lines)
        name = f"{upload.file_id}-quarantine"
        if file_type == "csv":
            answer = StreamingHttpResponse(_csv(chain([header], lines)), content_type=CSV)
            answer["Content-Disposition"] = f'attachment; filename="{name}.csv"'
            return answer
        return table_response(lines, header=header, kind="xlsx", name=name)


def _csv(lines: Iterator[list[str]]) -> Iterator[str]:
    """With a byte order mark, without which Excel reads it in a local code page, and so changes
    what is sent back as a correction."""
    buffer = io.StringIO()
    buffer.write("\ufeff")
    writer = csv.writer(buffer)
    for line in lines:
        writer.writerow(line)
        if buffer.tell() > 2**16:
            yield buffer.getvalue()
            buffer.seek(0)
            buffer.truncate()
    yield buffer.getvalue()


class ReplayForm(OptionsForm):
    file = serializers.FileField(help_text="the quarantine as downloaded, with its rows corrected")


class ReplayView(APIView):
    """Takes corrected rows: each is linked to the row that was set aside and takes its place."""

    parser_classes = (MultiPartParser,)

    @extend_schema(
        parameters=[IDEMPOTENCY],
        request={"multipart/form-data": ReplayForm},
        responses={202: OpenApiTypes.OBJECT},
    )
    def post(self, request: Request, file_id: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        key = idempotency_key(request)
        upload = find_upload(org, file_id)
        settings = supplyline_settings.get()
        _require_rows(org, upload.file_id)
        storage = Storage(settings.storage_url)
        with received(
            request, ReplayForm, org=org, storage=storage, settings=settings, key=key
        ) as (stored, form):
            replay = accept_upload(
                org,
                stored=stored,
                storage=storage,
                user=user,
                table=upload.table,
                options=options_among(form),
                replay_of=upload,
                idempotency_key=key,
            )
        return accepted(replay)


def _require_rows(org: OrgId, file_id: str) -> None:
    if not quarantine.has_rows(org, file_id=file_id, settings=supplyline_settings.get()):
        raise NothingToReplay(f"No row of {file_id} was set aside.")
