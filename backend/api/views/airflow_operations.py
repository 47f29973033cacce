"""The five promised views: three triggers and two kinds of status."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import named_org, read_org, require
from backend.accounts.errors import OtherUserNamed
from backend.accounts.models import Role, User
from backend.airflow_client.client import AirflowClient
from backend.api.errors import InvalidPayload
from backend.api.requests import IDEMPOTENCY, PageQuery, caller, idempotency_key, payload, query
from backend.files.services import require_upload
from backend.runs import selectors
from backend.runs.services import FORECAST, INGEST, LOAD, request_run
from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.errors import InvalidName
from supplyline.tenancy.names import parse_client_id, parse_org_id, parse_table_name


class IngestPayload(serializers.Serializer[None]):
    org_id = serializers.CharField(max_length=40)
    table = serializers.CharField(max_length=48)
    file_id = serializers.CharField(max_length=64)
    user_id = serializers.CharField(max_length=64, required=False)
    triggered_by = serializers.CharField(max_length=40, required=False, default="api")


class LoadPayload(serializers.Serializer[None]):
    org_id = serializers.CharField(max_length=40)
    table = serializers.CharField(max_length=48)
    triggered_by = serializers.CharField(max_length=40, required=False, default="api")


class ForecastPayload(serializers.Serializer[None]):
    client_id = serializers.CharField(max_length=44)


class RunsQuery(PageQuery):
    limit = serializers.IntegerField(min_value=1, max_value=500, required=False, default=50)


class Accepted(serializers.Serializer[None]):
    success = serializers.BooleanField()
    message = serializers.CharField()
    dag_id = serializers.CharField()
    dag_run_id = serializers.CharField()
    state = serializers.CharField()
    status_url = serializers.CharField()


def started(request: Request, org: OrgId, *, dag_id: str, conf: dict[str, Any]) -> Response:
    """The answer of every trigger; a pending run starts as soon as Airflow can be reached."""
    run = request_run(
        org,
        dag_id=dag_id,
        conf=conf,
        user_id=caller(request).pk,
        source="api",
        idempotency_key=idempotency_key(request),
    )
    return Response(
        {
            "success": True,
            "message": f"{run.dag_id} is accepted; status_url tells how it goes.",
            "dag_id": run.dag_id,
            "dag_run_id": run.dag_run_id,
            "state": run.state,
            "status_url": selectors.status_url(run),
        },
        status=status.HTTP_202_ACCEPTED,
    )


def trigger_org(user: User, text: str, *, client: bool = False) -> OrgId:
    """The organization that a payload names, if the caller may trigger for it."""
    require(user, Role.EDITOR)
    try:
        org = parse_client_id(text) if client else parse_org_id(text)
    except InvalidName as error:
        field = "client_id" if client else "org_id"
        raise InvalidPayload(
            f"{field} is not an organization id.", errors={field: [str(error)]}
        ) from None
    return named_org(user, org=org)


class EnhancedIngestDAGView(APIView):
    """Starts the ingest of an uploaded file."""

    @extend_schema(request=IngestPayload, responses={202: Accepted}, parameters=[IDEMPOTENCY])
    def post(self, request: Request) -> Response:
        user = caller(request)
        given = payload(IngestPayload, request)
        org = trigger_org(user, given["org_id"])
        table = parse_table_name(given["table"])
        named = given.get("user_id") or user.pk
        if named != user.pk and not user.is_platform_staff:
            raise OtherUserNamed("user_id names somebody else.")
        require_upload(org, file_id=given["file_id"], table=table)
        conf = {
            "org_id": str(org),
            "table": str(table),
            "file_id": given["file_id"],
            "user_id": named,
            "triggered_by": given["triggered_by"],
        }
        return started(request, org, dag_id=INGEST, conf=conf)


class EnhancedMongoToPostgresDAGView(APIView):
    """Starts the load of a table's landed files."""

    @extend_schema(request=LoadPayload, responses={202: Accepted}, parameters=[IDEMPOTENCY])
    def post(self, request: Request) -> Response:
        user = caller(request)
        given = payload(LoadPayload, request)
        org = trigger_org(user, given["org_id"])
        conf = {
            "org_id": str(org),
            "table": str(parse_table_name(given["table"])),
            "triggered_by": given["triggered_by"],
        }
        return started(request, org, dag_id=LOAD, conf=conf)


class ForecastInventoryDAGView(APIView):
    """Starts the forecast of an organization's inventory."""

    @extend_schema(request=ForecastPayload, responses={202: Accepted}, parameters=[IDEMPOTENCY])
    def post(self, request: Request) -> Response:
        user = caller(request)
        given = payload(ForecastPayload, request)
        org = trigger_org(user, given["client_id"], client=True)
        return started(request, org, dag_id=FORECAST, conf={"client_id": f"org_{org}"})


class DAGStatusView(APIView):
    """The organization's runs of a DAG, or one of them with its tasks."""

    @extend_schema(parameters=[RunsQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, dag_id: str, dag_run_id: str | None = None) -> Response:
        user = caller(request)
        asked: dict[str, Any] = query(RunsQuery, request)
        named = asked.get("org_id")
        if dag_run_id is not None and user.is_platform_staff and not named:
            org = None  # a run's id says whose it is, and staff may see all
        else:
            org = read_org(user, named)
        if dag_run_id is None and org is not None:
            return Response(
                selectors.runs_of(org, dag_id=dag_id, limit=asked["limit"], offset=asked["offset"])
            )
        run = selectors.run_of(org, dag_id=dag_id, dag_run_id=str(dag_run_id))
        with AirflowClient.of(supplyline_settings.get(), timeout=3.0) as client:
            return Response(selectors.run_detail(run, client=client))


class PipelineStatusView(APIView):
    """The whole pipeline of the caller's organization."""

    @extend_schema(
        parameters=[OpenApiParameter("org_id", str, description="for platform staff")],
        responses=OpenApiTypes.OBJECT,
    )
    def get(self, request: Request) -> Response:
        org = read_org(caller(request), request.query_params.get("org_id"))
        return Response(
            selectors.pipeline_status(org, settings=supplyline_settings.get(), now=timezone.now())
        )
