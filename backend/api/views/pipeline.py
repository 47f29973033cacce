"""`/api/pipeline/…` and `/api/health/`: what the stages left behind."""

from __future__ import annotations

from django.db import connection
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.api.requests import OrgNamed, PageQuery, asked_for
from backend.files.views import find_upload
from supplyline import overview
from supplyline import settings as supplyline_settings


class CertificatesQuery(PageQuery):
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=50)
    table = serializers.CharField(max_length=48, required=False)


class AuditQuery(OrgNamed):
    limit = serializers.IntegerField(min_value=1, max_value=1000, required=False, default=50)
    before = serializers.IntegerField(
        min_value=1, max_value=2**63 - 1, required=False, help_text="events before this number"
    )
    kind = serializers.CharField(
        max_length=80, required=False, help_text="such as load.published, or load for all under it"
    )


class QualityQuery(OrgNamed):
    table = serializers.CharField(max_length=48)
    days = serializers.IntegerField(min_value=1, max_value=3650, required=False, default=7)


class CertificatesView(APIView):
    """Reconciliation certificates: of all files, newest first, or of one file."""

    @extend_schema(parameters=[CertificatesQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, file_id: str | None = None) -> Response:
        org, asked = asked_for(CertificatesQuery, request)
        if file_id is not None:
            find_upload(org, file_id)
        found = overview.certificates_of(
            org,
            settings=supplyline_settings.get(),
            file_id=file_id,
            table=asked.get("table"),
            limit=asked["limit"],
            offset=asked["offset"],
        )
        return Response({"results": [c.as_json() for c in found]})


class AuditView(APIView):
    """The audit trail, newest first, and whether its chain holds."""

    @extend_schema(parameters=[AuditQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        org, asked = asked_for(AuditQuery, request)
        return Response(
            overview.audit_trail(
                org,
                settings=supplyline_settings.get(),
                limit=asked["limit"],
                before=asked.get("before"),
                kind=asked.get("kind"),
            )
        )


class QualityView(APIView):
    """How good a table's data is, and was over the last days."""

    @extend_schema(parameters=[QualityQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        org, asked = asked_for(QualityQuery, request)
        return Response(
            overview.quality_report(
                org,
                table=asked["table"],
                days=asked["days"],
                settings=supplyline_settings.get(),
                now=timezone.now(),
            )
        )


class HealthView(APIView):
    """Whether this process and its database answer. Needs no token, tells no secret."""

    authentication_classes = ()
    permission_classes = ()

    @extend_schema(responses=OpenApiTypes.OBJECT, auth=[])
    def get(self, request: Request) -> Response:  # noqa: ARG002 - DRF's signature
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
        return Response({"status": "healthy"})
