"""One correlation id per request, from the caller's `X-Correlation-Id` or made here.

It goes back in the answer, into every log line, into the run that the request started, and to
Airflow with every call about that run.
"""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable
from contextvars import ContextVar

from django.http import HttpRequest, HttpResponse

HEADER = "X-Correlation-Id"
_SHAPE = re.compile(r"[A-Za-z0-9_.-]{1,64}")
_current: ContextVar[str] = ContextVar("correlation_id", default="")


def current_correlation_id() -> str:
    """The id of the request that is being answered; empty outside of one."""
    return _current.get()


class CorrelationMiddleware:
    """Takes over a well-formed id, replaces anything else."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        given = request.headers.get(HEADER, "")
        correlation_id = given if _SHAPE.fullmatch(given) else uuid.uuid4().hex
        token = _current.set(correlation_id)
        try:
            response = self.get_response(request)
        finally:
            _current.reset(token)
        response[HEADER] = correlation_id
        return response
