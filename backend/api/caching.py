"""No answer of the API is kept by anybody between it and the caller: each is one caller's own."""

from __future__ import annotations

from collections.abc import Callable

from django.http import HttpRequest, HttpResponse
from django.utils.cache import patch_vary_headers


class NotKeptMiddleware:
    """Proxies keep answers without a look at the token, unless they are told not to."""

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        response = self.get_response(request)
        if request.path_info.startswith("/api/"):
            response.setdefault("Cache-Control", "private, no-store")
            patch_vary_headers(response, ["Authorization"])
        return response
