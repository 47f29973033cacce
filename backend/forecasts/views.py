"""`/api/forecast/…`: what will sell, what to order, and why. Reads the organization's database."""

from __future__ import annotations

from typing import Any

from django.http import FileResponse
from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import read_org, require
from backend.accounts.models import Role
from backend.api.downloads import CSV, XLSX, require_type, table_response
from backend.api.requests import OrgNamed, asked_for, caller, payload
from backend.forecasts import schedule
from backend.forecasts.serializers import (
    FilterQuery,
    ItemAnswer,
    ItemQuery,
    OverridePayload,
    OverrideQuery,
    OverrideRow,
    OverridesAnswer,
    PlanPage,
    PlanQuery,
    RunsAnswer,
    ScheduleAnswer,
    SchedulePayload,
    SettingsAnswer,
    SettingsPayload,
    SummaryAnswer,
    ValueAddedAnswer,
    WithdrawQuery,
    filter_of,
)
from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.forecast import decisions, explain, overrides, read, value_added
from supplyline.tenancy.connections import session

FILE = {(200, CSV): OpenApiTypes.BINARY, (200, XLSX): OpenApiTypes.BINARY}


def opened(org: OrgId) -> Any:
    return session(org, settings=supplyline_settings.get(), application_name="supplyline api")


class PlanView(APIView):
    """What to order, most urgent first; explanations are with the single item."""

    @extend_schema(parameters=[PlanQuery], responses=PlanPage)
    def get(self, request: Request) -> Response:
        org, asked = asked_for(PlanQuery, request)
        with opened(org) as conn:
            page = read.plan_page(
                conn,
                limit=asked["limit"],
                offset=asked["offset"],
                order_by=asked["order_by"],
                run_id=asked.get("run_id"),
                only=filter_of(asked),
            )
        return Response(page)


class SummaryView(APIView):
    """The plan in numbers: items by status, grade and class, and the money in them."""

    @extend_schema(parameters=[ItemQuery], responses=SummaryAnswer)
    def get(self, request: Request) -> Response:
        org, asked = asked_for(ItemQuery, request)
        with opened(org) as conn:
            return Response(read.plan_summary(conn, run_id=asked.get("run_id")))


class ItemView(APIView):
    """One item: history, expected demand with its bands, the plan and how it came about."""

    @extend_schema(parameters=[ItemQuery], responses=ItemAnswer)
    def get(self, request: Request, item: str) -> Response:
        org, asked = asked_for(ItemQuery, request)
        with opened(org) as conn:
            return Response(explain(conn, item=item, run_id=asked.get("run_id")))


class RunsView(APIView):
    """Published runs, newest first: settings, and what became of the lines of sales."""

    @extend_schema(parameters=[OrgNamed], responses=RunsAnswer)
    def get(self, request: Request) -> Response:
        org, _ = asked_for(OrgNamed, request)
        with opened(org) as conn:
            return Response({"results": read.list_runs(conn)})


class PlanFileView(APIView):
    """The plan as a file: csv or xlsx, with the same filters and order as the list."""

    @extend_schema(parameters=[FilterQuery], responses=FILE)
    def get(self, request: Request, file_type: str) -> FileResponse:
        org, asked = asked_for(FilterQuery, request)
        kind = require_type(file_type)
        with opened(org) as conn:
            rows = read.plan_rows(
                conn,
                order_by=asked["order_by"],
                run_id=asked.get("run_id"),
                only=filter_of(asked),
            )
            return table_response(rows, header=read.LISTED, kind=kind, name="inventory-plan")


class PeriodsFileView(APIView):
    """Expected demand per item and period with its bands, as csv or xlsx."""

    @extend_schema(parameters=[FilterQuery], responses=FILE)
    def get(self, request: Request, file_type: str) -> FileResponse:
        org, asked = asked_for(FilterQuery, request)
        kind = require_type(file_type)
        with opened(org) as conn:
            rows = read.period_rows(conn, run_id=asked.get("run_id"), only=filter_of(asked))
            return table_response(rows, header=read.PERIODS, kind=kind, name="inventory-forecast")


class OverridesView(APIView):
    """What people say against the model. A new one takes effect with the next forecast."""

    @extend_schema(parameters=[OverrideQuery], responses=OverridesAnswer)
    def get(self, request: Request) -> Response:
        org, asked = asked_for(OverrideQuery, request)
        with opened(org) as conn:
            found = overrides.list_overrides(
                conn, item=asked.get("item"), in_force=not asked["all"]
            )
        return Response({"results": [overrides.as_json(o) for o in found]})

    @extend_schema(request=OverridePayload, responses={201: OverrideRow})
    def post(self, request: Request) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        given = payload(OverridePayload, request)
        org = read_org(user, given.pop("org_id", None))
        with opened(org) as conn:
            made = overrides.set_override(conn, org, actor=user.pk, now=timezone.now(), **given)
        return Response(overrides.as_json(made), status=status.HTTP_201_CREATED)


class OverrideView(APIView):
    """One override, to be withdrawn."""

    @extend_schema(parameters=[WithdrawQuery], responses={200: OverrideRow})
    def delete(self, request: Request, override_id: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        if not override_id.isdecimal() or len(override_id) > 18:
            raise overrides.OverrideNotFound(f"There is no override {override_id[:40]!r}.")
        org, asked = asked_for(WithdrawQuery, request)
        with opened(org) as conn:
            ended = overrides.withdraw(
                conn, org, override_id=int(override_id), reason=asked["reason"], actor=user.pk,
                now=timezone.now(),
            )  # fmt: skip
        return Response(overrides.as_json(ended))


class ValueAddedView(APIView):
    """Whether overrides made the forecast better, for periods that are over."""

    @extend_schema(parameters=[OrgNamed], responses=ValueAddedAnswer)
    def get(self, request: Request) -> Response:
        org, _ = asked_for(OrgNamed, request)
        with opened(org) as conn:
            return Response(value_added.report(conn))


class ScheduleView(APIView):
    """When the organization is forecast by itself. A night on which nothing changed has no run."""

    @extend_schema(parameters=[OrgNamed], responses=ScheduleAnswer)
    def get(self, request: Request) -> Response:
        org, _ = asked_for(OrgNamed, request)
        return Response(schedule.describe(org))

    @extend_schema(request=SchedulePayload, responses=ScheduleAnswer)
    def put(self, request: Request) -> Response:
        user = caller(request)
        require(user, Role.OWNER)
        given = payload(SchedulePayload, request)
        org = read_org(user, given.pop("org_id", None))
        schedule.set_schedule(org, now=timezone.now(), actor=user.pk, **given)
        return Response(schedule.describe(org))


class SettingsView(APIView):
    """What the organization decided for its forecast: docs/replenishment.md lists the settings."""

    @extend_schema(parameters=[OrgNamed], responses=SettingsAnswer)
    def get(self, request: Request) -> Response:
        org, _ = asked_for(OrgNamed, request)
        with opened(org) as conn:
            version, found = decisions.load_version(conn)
        return Response({"version": version, "settings": found.as_json()})

    @extend_schema(request=SettingsPayload, responses=SettingsAnswer)
    def put(self, request: Request) -> Response:
        user = caller(request)
        require(user, Role.OWNER)
        given = payload(SettingsPayload, request)
        org = read_org(user, given.get("org_id"))
        with opened(org) as conn:
            version, found = decisions.save_settings(
                conn, org, data=given["settings"], version=given["version"], actor=user.pk,
                now=timezone.now(),
            )  # fmt: skip
        return Response({"version": version, "settings": found.as_json()})
