"""One correlation id per request, from the caller's `X-Correlation-Id` or made here.

It goes back in the answer, into every log line of the request, into the run that it started, and
to Airflow with every call about that run.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

HEADER = "X-Correlation-Id"
SAID = "_supplyline_said"
"""Attribute of a request: fields of every log line that speaks of it."""
_SHAPE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current_correlation_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    return _current.get()


def note(request: HttpRequest, **fields: str) -> None:
    """Adds fields to the log lines that speak of the request from now on."""
    getattr(request, SAID, {}).update(fields)


class CorrelationMiddleware:
    """Takes over a well-formed id, replaces anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        correlation_id = given if _SHAPE.fullmatch(given) else uuid.uuid4().hex
        # Django logs a refused request when this is over: the request carries what is to be said.
        setattr(request, SAID, {"method": request.method, "correlation_id": correlation_id})
        token = _current.set(correlation_id)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = correlation_id
        return response
