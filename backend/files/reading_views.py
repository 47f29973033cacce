"""`/api/files/<id>/preview/`, `/dry-run/`, `/reingest/`: how a file is understood, or otherwise."""

from __future__ import annotations

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import own_org, require
from backend.accounts.models import Role
from backend.api.requests import (
    IDEMPOTENCY,
    OrgNamed,
    asked_for,
    caller,
    idempotency_key,
    payload,
)
from backend.files.forms import OptionsForm, options_in
from backend.files.services import read_anew
from backend.files.views import accepted, find_upload
from supplyline import settings as supplyline_settings
from supplyline import table_contracts, trial
from supplyline.storage import Storage
from supplyline.tenancy.names import parse_table_name


class PreviewQuery(OptionsForm, OrgNamed):
    rows = serializers.IntegerField(required=False, default=10, min_value=0, max_value=1000)
    count = serializers.BooleanField(
        required=False, default=False, help_text="read the whole file and count its rows"
    )


class DryRunForm(OptionsForm):
    table = serializers.CharField(required=False, max_length=48)


class ReingestForm(OptionsForm):
    remember = serializers.BooleanField(
        required=False, default=False, help_text="also for the next files of the table"
    )


class PreviewView(APIView):
    """How a file is understood, or would be with other options: format, dialect, header, reasons,
    first rows, the table it looks like and what its columns mean."""

    @extend_schema(parameters=[PreviewQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, file_id: str) -> Response:
        org, asked = asked_for(PreviewQuery, request)
        upload = find_upload(org, file_id)
        return Response(
            trial.preview_file(
                org,
                file_id=upload.file_id,
                table=parse_table_name(upload.table),
                given=options_in(asked),
                rows=asked["rows"],
                count=asked["count"],
                settings=supplyline_settings.get(),
            )
        )


class DryRunView(APIView):
    """What a file would become: landed, set aside, inserted, updated, unchanged. Writes nothing."""

    @extend_schema(request=DryRunForm, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, file_id: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        upload = find_upload(org, file_id)
        given = payload(DryRunForm, request)
        settings = supplyline_settings.get()
        storage = Storage(settings.storage_url)
        file = storage.find(org, upload.file_id)
        with storage.open(file) as source:
            told = trial.dry_run(
                org,
                source=source,
                file=file,
                table=parse_table_name(given.get("table") or upload.table),
                given=options_in(given),
                settings=settings,
                now=timezone.now(),
            )
        return Response({"file_id": upload.file_id, **told})


class ReingestView(APIView):
    """Reads the kept bytes anew with other options; the rows of the earlier reading go."""

    @extend_schema(
        request=ReingestForm, responses={202: OpenApiTypes.OBJECT}, parameters=[IDEMPOTENCY]
    )
    def post(self, request: Request, file_id: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        key = idempotency_key(request)
        upload = find_upload(org, file_id)
        given = payload(ReingestForm, request)
        options = options_in(given)
        settings = supplyline_settings.get()
        again = read_anew(
            org,
            upload=upload,
            options=options,
            settings=settings,
            user=user,
            idempotency_key=key,
        )
        if given["remember"]:
            table_contracts.remember_options(
                org,
                table=parse_table_name(upload.table),
                options=options,
                actor=user.pk,
                settings=settings,
                now=timezone.now,
            )
        return accepted(again)
