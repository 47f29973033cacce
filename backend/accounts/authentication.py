"""`Authorization: Bearer <token>`, on knox's hashed tokens."""

from __future__ import annotations

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from knox.auth import TokenAuthentication
from rest_framework.exceptions import AuthenticationFailed


class BearerAuthentication(TokenAuthentication):  # type: ignore[misc] # knox has no types
    """knox's check; a token that is not text is an invalid token, not a crash."""

    def authenticate_credentials(self, token: bytes) -> tuple[object, object]:
        if not token.isascii() or b"\0" in token:
            raise AuthenticationFailed("Invalid token.")
        user, auth = super().authenticate_credentials(token)
        return user, auth


class BearerScheme(OpenApiAuthenticationExtension):  # type: ignore[no-untyped-call] # its base has no types
    """How the OpenAPI document speaks of it."""

    target_class = "backend.accounts.authentication.BearerAuthentication"
    name = "bearer"

    def get_security_definition(self, auto_schema: object) -> dict[str, str]:  # noqa: ARG002 - drf-spectacular's signature
        return {"type": "http", "scheme": "bearer"}
