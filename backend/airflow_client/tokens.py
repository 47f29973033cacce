"""Airflow 3's access token: fetched once, renewed before it expires, shared by threads."""

from __future__ import annotations

import base64
import json
import threading
import time
from collections.abc import Callable

import httpx

from backend.airflow_client.errors import AirflowAuthFailed, AirflowUnavailable, AirflowWrongBase

RENEW_BEFORE = 60.0
"""Seconds before its end at which a token is no longer used."""


class TokenSource:
    """`get()` answers a token that still holds. Nothing of it is ever logged."""

    def __init__(
        self,
        http: httpx.Client,
        *,
        root: str,
        username: str,
        password: str,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._http = http
        self._url = f"{root}/auth/token"
        self._login = {"username": username, "password": password}
        self._clock = clock
        self._lock = threading.Lock()
        self._token = ""
        self._ends = 0.0

    def get(self, *, renew: bool = False) -> str:
        """Raises AirflowAuthFailed, AirflowUnavailable, AirflowWrongBase."""
        with self._lock:
            if renew or not self._token or self._clock() > self._ends - RENEW_BEFORE:
                self._token = self._fetch()
                self._ends = expiry_of(self._token) or self._clock() + 300
            return self._token

    def _fetch(self) -> str:
        try:
            response = self._http.post(self._url, json=self._login)
        except httpx.RequestError as error:
            raise AirflowUnavailable(
                f"Airflow does not answer at {self._url} ({type(error).__name__})."
            ) from error
        if response.status_code in (401, 403):
            raise AirflowAuthFailed("Airflow refused the user name and password.")
        if response.status_code in (404, 405):
            raise AirflowWrongBase(f"There is no token to be had at {self._url}.")
        if not response.is_success:
            raise AirflowUnavailable(
                f"Airflow answered {response.status_code} to the request for a token."
            )
        try:
            return str(response.json()["access_token"])
        except (ValueError, KeyError, TypeError):
            raise AirflowWrongBase(f"What answers at {self._url} is not Airflow 3.") from None


def expiry_of(token: str) -> float | None:
    """The `exp` of a JWT in epoch seconds; None when it has none. The signature is not ours."""
    parts = token.split(".")
    if len(parts) != 3:
        return None
    try:
        padded = parts[1] + "=" * (-len(parts[1]) % 4)
        claims = json.loads(base64.urlsafe_b64decode(padded))
        return float(claims["exp"])
    except (ValueError, KeyError, TypeError):
        return None
