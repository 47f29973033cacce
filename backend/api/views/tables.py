"""`/api/tables/…`: a table's columns, what the organization decided for it, and drift to come."""

from __future__ import annotations

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import read_org, require
from backend.accounts.models import Role
from backend.api.requests import OrgNamed, PageQuery, asked_for, caller, payload
from supplyline import operations, tables
from supplyline import settings as supplyline_settings
from supplyline.tenancy.names import parse_file_id, parse_table_name


class FileQuery(OrgNamed):
    """A table, or one of its files."""

    file_id = serializers.CharField(max_length=64, required=False)

    def validate_file_id(self, text: str) -> str:
        return parse_file_id(text)


class TablePayload(OrgNamed):
    types = serializers.DictField(
        child=serializers.CharField(max_length=80, allow_null=True), required=False, default=dict
    )
    drift = serializers.ChoiceField(choices=tables.DRIFT, required=False, allow_null=True)


class TableView(APIView):
    """A table's columns and settings."""

    @extend_schema(parameters=[OrgNamed], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, table: str) -> Response:
        org, _ = asked_for(OrgNamed, request)
        config = supplyline_settings.get()
        return Response(tables.describe_table(org, parse_table_name(table), settings=config))

    @extend_schema(request=TablePayload, responses=OpenApiTypes.OBJECT)
    def patch(self, request: Request, table: str) -> Response:
        user, sent = caller(request), payload(TablePayload, request)
        require(user, Role.EDITOR)
        return Response(
            tables.change_table(
                read_org(user, sent.get("org_id")),
                parse_table_name(table),
                types=sent["types"],
                drift=sent.get("drift"),
                actor=str(user.pk),
                settings=supplyline_settings.get(),
            )
        )


class RejectedQuery(FileQuery, PageQuery):
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=100)


class RejectedView(APIView):
    """The rows that loads set aside, with their reasons and all their cells."""

    @extend_schema(parameters=[RejectedQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, table: str) -> Response:
        org, asked = asked_for(RejectedQuery, request)
        return Response(
            tables.rejected_rows(
                org,
                parse_table_name(table),
                file_id=asked.get("file_id"),
                limit=asked["limit"],
                offset=asked["offset"],
                settings=supplyline_settings.get(),
            )
        )


class UndoPayload(OrgNamed):
    file_id = serializers.CharField(max_length=64)
    later = serializers.ChoiceField(
        choices=("refuse", "cascade", "replay"),
        required=False,
        default="refuse",
        help_text="what becomes of later loads that rest on this one",
    )


class UndoView(APIView):
    """Takes the load of a file back, exactly."""

    @extend_schema(request=UndoPayload, responses=OpenApiTypes.OBJECT)
    def post(self, request: Request, table: str) -> Response:
        user, sent = caller(request), payload(UndoPayload, request)
        require(user, Role.EDITOR)
        return Response(
            operations.undo_load(
                read_org(user, sent.get("org_id")),
                table=parse_table_name(table),
                file_id=parse_file_id(sent["file_id"]),
                later=sent["later"],
                user=str(user.pk),
                settings=supplyline_settings.get(),
            )
        )


class DriftView(APIView):
    """What loading a landed file would change."""

    @extend_schema(parameters=[FileQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, table: str) -> Response:
        org, asked = asked_for(FileQuery, request)
        return Response(
            tables.preview_load(
                org,
                parse_table_name(table),
                file_id=asked.get("file_id"),
                settings=supplyline_settings.get(),
            )
        )
