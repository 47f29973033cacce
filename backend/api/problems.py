"""One place turns errors into answers: `application/problem+json` (RFC 9457).

Every problem has `type`, `title`, `status`, `detail`, `code` and `next_step`; ids that help are
added by name. The codes are listed in docs/errors.md, which a test holds against the classes.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from http import HTTPStatus
from typing import Any

from django.core.exceptions import DisallowedHost, RequestDataTooBig, SuspiciousOperation
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.multipartparser import MultiPartParserError
from django.http.request import UnreadablePostError
from rest_framework import exceptions

from backend.api.correlation import note
from backend.api.errors import InvalidPayload, UnknownHost
from supplyline.errors import DatabaseUnavailable, SupplylineError

log = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"

STATUS: dict[str, int] = {
    "invalid_payload": 400,
    "invalid_name": 400,
    "invalid_conf": 400,
    "invalid_contract": 400,
    "invalid_column_type": 400,
    "upload_incomplete": 400,
    "empty_file": 400,
    "no_file": 400,
    "password_refused": 400,
    "login_refused": 401,
    "not_authenticated": 401,
    "user_without_org": 403,
    "org_suspended": 403,
    "permission_denied": 403,
    "other_user_named": 403,
    "not_found": 404,
    "org_not_found": 404,
    "file_not_found": 404,
    "run_not_found": 404,
    "unknown_dag": 404,
    "unknown_file_type": 404,
    "user_not_found": 404,
    "table_not_found": 404,
    "load_not_found": 404,
    "forecast_not_found": 404,
    "item_not_found": 404,
    "override_not_found": 404,
    "method_not_allowed": 405,
    "org_exists": 409,
    "user_exists": 409,
    "file_id_taken": 409,
    "file_of_other_table": 409,
    "settings_conflict": 409,
    "undo_refused": 409,
    "landing_damaged": 409,
    "stored_file_damaged": 409,
    "landing_released": 409,
    "idempotency_key_reused": 409,
    "run_conflict": 409,
    "override_conflict": 409,
    "upload_not_found": 404,
    "upload_offset_conflict": 409,
    "upload_expired": 410,
    "upload_lost": 410,
    "tus_version_unsupported": 412,
    "upload_locked": 423,
    "checksum_mismatch": 460,
    "length_required": 411,
    "file_too_large": 413,
    "unsupported_media_type": 415,
    "unreadable_file": 422,
    "insufficient_history": 422,
    "unknown_host": 400,
    "schema_drift": 422,
    "table_damaged": 409,
    "too_many_logins": 429,
    "too_many_requests": 429,
    "not_acceptable": 406,
    "internal_error": 500,
    "configuration_error": 500,
    "dag_not_found": 503,
    "airflow_auth_failed": 503,
    "airflow_wrong_base": 503,
    "airflow_unavailable": 503,
    "database_unavailable": 503,
    "storage_unavailable": 503,
}
"""Code → HTTP status; a code that is not here is 503 when transient and 422 otherwise."""

_OWN_TITLES = {460: "Checksum Mismatch"}
"""Statuses that tus 1.0 has and HTTP has not."""

_OF_FRAMEWORK: dict[type[exceptions.APIException], tuple[str, str]] = {
    exceptions.NotAuthenticated: (
        "not_authenticated",
        "Send `Authorization: Bearer <token>`; POST /api/auth/token/ gives a token.",
    ),
    exceptions.AuthenticationFailed: (
        "not_authenticated",
        "Get a new token with POST /api/auth/token/.",
    ),
    exceptions.PermissionDenied: (
        "permission_denied",
        "Ask an owner of your organization for the role that this needs.",
    ),
    exceptions.NotFound: ("not_found", "See /api/schema/ for the paths."),
    exceptions.MethodNotAllowed: ("method_not_allowed", "See /api/schema/ for the methods."),
    exceptions.NotAcceptable: ("not_acceptable", "Accept application/json."),
    exceptions.ParseError: ("invalid_payload", "Send well-formed JSON."),
    exceptions.UnsupportedMediaType: (
        "unsupported_media_type",
        "Send Content-Type: application/json (uploads: multipart/form-data).",
    ),
    exceptions.Throttled: ("too_many_requests", "Wait, then try again."),
}


def problem(
    code: str, *, detail: str, next_step: str, status: int | None = None, **more: Any
) -> dict[str, Any]:
    """The body of a problem."""
    number = status or STATUS.get(code, 422)
    return {
        "type": f"urn:supplyline:problem:{code}",
        "title": _OWN_TITLES.get(number) or HTTPStatus(number).phrase,
        "status": number,
        "detail": detail,
        "code": code,
        "next_step": next_step,
        **more,
    }


def of_error(error: SupplylineError) -> dict[str, Any]:
    """The problem that tells of one of our errors."""
    number = STATUS.get(error.code, 503 if error.transient else 422)
    more: dict[str, Any] = {k: v for k, v in error.context.items() if v is not None}
    if isinstance(error, InvalidPayload) and error.errors:
        more["errors"] = error.errors
    return problem(error.code, detail=error.detail, next_step=error.advice, status=number, **more)


def exception_handler(error: Exception, context: Mapping[str, Any]) -> HttpResponse | None:
    """DRF's hook. Unknown exceptions go on to Django, which logs them and calls `server_error`.

    A problem is JSON, whatever the view's other answers are written in.
    """
    headers: dict[str, str] = {}
    if isinstance(error, SupplylineError):
        body = of_error(error)
    elif isinstance(error, OperationalError | InterfaceError):
        log.error("control database away", extra={"error": type(error).__name__})
        body = of_error(DatabaseUnavailable("The control database does not answer."))
    elif isinstance(error, Http404):
        body = problem("not_found", detail="Not found.", next_step="See /api/schema/.")
    elif isinstance(error, RequestDataTooBig):
        body = problem(
            "file_too_large",
            detail="The request's fields are too large.",
            next_step="Send the data as the multipart field `file`.",
        )
    elif isinstance(error, MultiPartParserError | UnreadablePostError | SuspiciousOperation):
        body = problem(
            "invalid_payload",
            detail="The request's body cannot be read.",
            next_step="Send it again, whole and well formed.",
        )
    elif isinstance(error, exceptions.APIException):
        body, headers = _of_framework(error)
    else:
        return None
    said = {"detail": body["detail"]} if body["status"] >= HTTPStatus.INTERNAL_SERVER_ERROR else {}
    note(context["request"], code=body["code"], **said)
    return JsonResponse(body, status=body["status"], headers=headers, content_type=MEDIA_TYPE)


def _of_framework(error: exceptions.APIException) -> tuple[dict[str, Any], dict[str, str]]:
    code, next_step = next(
        (found for kind, found in _OF_FRAMEWORK.items() if isinstance(error, kind)),
        ("invalid_payload", "See /api/schema/ for what is expected."),
    )
    headers: dict[str, str] = {}
    if header := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if wait := getattr(error, "wait", None):
        headers["Retry-After"] = str(int(wait) + 1)
    detail = error.detail if isinstance(error.detail, str) else "The request is not valid."
    body = problem(code, detail=str(detail), next_step=next_step, status=error.status_code)
    return body, headers


class NoNulMiddleware:
    """A NUL is part of no name, and PostgreSQL takes none as a value: such a path is nobody's."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if "\0" in request.path_info:
            return not_found(request, Http404())
        return self.get_response(request)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Django's handler404: paths that nobody serves."""
    hint = "" if request.path.endswith("/") else " (paths end in a slash)"
    body = problem(
        "not_found",
        detail=f"There is nothing at this path{hint}.",
        next_step="See /api/schema/ for the paths.",
    )
    return JsonResponse(body, status=404, content_type=MEDIA_TYPE)


def server_error(request: HttpRequest) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Django's handler500: a fault of ours, already logged."""
    body = problem(
        "internal_error",
        detail="Something went wrong on our side.",
        next_step="Try again; if it stays, look into the log with the correlation id.",
    )
    return JsonResponse(body, status=500, content_type=MEDIA_TYPE)


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:  # noqa: ARG001 - Django's signature
    """Django's handler400: what it refuses before any view, such as an unknown host name."""
    if isinstance(exception, DisallowedHost):
        body = of_error(UnknownHost("This server does not answer to that host name."))
    else:
        body = of_error(InvalidPayload("The request cannot be read."))
    return JsonResponse(body, status=400, content_type=MEDIA_TYPE)
