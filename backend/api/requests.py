"""What every view does first: who asks, and what was sent, checked."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any, cast

from drf_spectacular.utils import OpenApiParameter
from rest_framework import serializers
from rest_framework.parsers import JSONParser
from rest_framework.request import Request

from backend.accounts.access import read_org
from backend.accounts.models import User
from backend.api.errors import InvalidPayload
from supplyline.contracts import OrgId

_NO_TEXT = re.compile("[\0\ud800-\udfff]")


class JsonParser(JSONParser):
    """JSON, of which even the wildest is a bad request at worst."""

    def parse(self, *args: Any, **kwargs: Any) -> Any:
        try:
            found = super().parse(*args, **kwargs)
            wrong = any(map(_NO_TEXT.search, _texts(found)))
        except RecursionError:
            raise InvalidPayload("The JSON is nested too deeply.") from None
        if wrong:
            raise InvalidPayload(
                "The JSON holds a NUL or half of a surrogate pair, which no text can hold.",
                next_step="Send texts of Unicode characters other than NUL.",
            )
        return found


def _texts(value: Any) -> Iterator[str]:
    """Every text within a JSON value, the keys of its objects too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        yield from value
        yield from _texts(list(value.values()))
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one)


IDEMPOTENCY = OpenApiParameter(
    "Idempotency-Key",
    str,
    OpenApiParameter.HEADER,
    description="the same key gives the first answer again, and no second run",
)


class OrgNamed(serializers.Serializer[None]):
    """Whose data are meant: the caller's own organization, or one that platform staff name."""

    org_id = serializers.CharField(max_length=40, required=False, help_text="for platform staff")


class PageQuery(OrgNamed):
    """Where a page of a list begins. How long it may be is the list's own affair."""

    offset = serializers.IntegerField(min_value=0, max_value=2**63 - 1, required=False, default=0)


def caller(request: Request) -> User:
    """The authenticated user (DRF has refused the request before, otherwise)."""
    return cast("User", request.user)


def payload(serializer: type[serializers.BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The request's body, checked. Raises InvalidPayload naming each wrong field."""
    return checked(serializer, request.data)


def query(serializer: type[serializers.BaseSerializer[Any]], request: Request) -> dict[str, Any]:
    """The request's query parameters, checked likewise."""
    return checked(serializer, request.query_params.dict())


def asked_for(serializer: type[OrgNamed], request: Request) -> tuple[OrgId, dict[str, Any]]:
    """The organization that is read, and the request's query parameters, checked."""
    asked = query(serializer, request)
    return read_org(caller(request), asked.get("org_id")), asked


def checked(serializer: type[serializers.BaseSerializer[Any]], data: object) -> dict[str, Any]:
    if not isinstance(data, Mapping):
        raise InvalidPayload("The body must be a JSON object.")
    form = serializer(data=data)
    fields = getattr(form, "fields", {})
    unknown = sorted(set(data) - set(fields))
    errors: dict[str, Any] = {} if form.is_valid() else dict(form.errors)
    errors.update({name: ["This field is not known."] for name in unknown})
    if errors:
        named = ", ".join(str(name)[:60] for name in errors)
        raise InvalidPayload(f"These fields are wrong: {named}.", errors=errors)
    return dict(form.validated_data)


def idempotency_key(request: Request) -> str | None:
    key = request.headers.get("Idempotency-Key")
    if key is not None and not 0 < len(key) <= 200:
        raise InvalidPayload("Idempotency-Key must have 1 to 200 characters.")
    return key
