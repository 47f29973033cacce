"""`/api/tables/…`: what is agreed for a table, version by version."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from backend.accounts.access import own_org, require
from backend.accounts.models import Role
from backend.api.requests import OrgNamed, asked_for, caller, checked, payload
from backend.files.forms import OptionsForm
from supplyline import settings as supplyline_settings
from supplyline import table_contracts
from supplyline.tenancy.names import parse_table_name


class VersionQuery(OrgNamed):
    version = serializers.IntegerField(required=False, min_value=1, max_value=2**31 - 1)


def _texts(text: str) -> serializers.DictField:
    return serializers.DictField(
        child=serializers.CharField(max_length=120), required=False, help_text=text
    )


class ContractForm(serializers.Serializer[None]):
    version = serializers.IntegerField(
        min_value=0, help_text="the version that was read and is changed; 0: there is none"
    )
    options = serializers.DictField(required=False, help_text="how its files are written")
    mapping = _texts("standard field, such as item → column")
    rules = serializers.DictField(required=False, help_text="column → what its cells must be")
    aliases = _texts("another spelling of a column in files → the column")
    key = serializers.ListField(
        child=serializers.CharField(max_length=63), required=False, allow_null=True
    )
    types = _texts("column → type set by hand")
    drift = serializers.ChoiceField(("evolve", "freeze", "quarantine"), required=False)


class TablesView(APIView):
    """The organization's tables, with the version of each one's contract."""

    @extend_schema(parameters=[OrgNamed], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request) -> Response:
        org, _ = asked_for(OrgNamed, request)
        found = table_contracts.list_contracts(org, settings=supplyline_settings.get())
        return Response({"results": found})


class ContractView(APIView):
    """A table's contract: read it with what is proposed, or save its next version."""

    @extend_schema(parameters=[VersionQuery], responses=OpenApiTypes.OBJECT)
    def get(self, request: Request, table: str) -> Response:
        org, asked = asked_for(VersionQuery, request)
        return Response(
            table_contracts.contract_of(
                org,
                table=parse_table_name(table),
                version=asked.get("version"),
                settings=supplyline_settings.get(),
            )
        )

    @extend_schema(request=ContractForm, responses=OpenApiTypes.OBJECT)
    def put(self, request: Request, table: str) -> Response:
        user = caller(request)
        require(user, Role.EDITOR)
        org = own_org(user)
        given: dict[str, Any] = payload(ContractForm, request)
        version = given.pop("version")
        if "options" in given:
            given["options"] = checked(OptionsForm, given["options"])
        return Response(
            table_contracts.save_contract(
                org,
                table=parse_table_name(table),
                given=given,
                version=version,
                actor=user.pk,
                settings=supplyline_settings.get(),
                now=timezone.now,
            )
        )
