"""The demonstration as an ordinary client of the API: everything goes over HTTP."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any

import httpx

from supplyline.errors import ServiceFailed

FINISHED = ("success", "partial", "failed", "refused")


class Api:
    """One user's view of the running backend."""

    def __init__(self, base: str, *, username: str, password: str) -> None:
        self._http = httpx.Client(base_url=base, timeout=60.0, trust_env=False)
        token = self._json(
            self._http.post("/api/auth/token/", json={"username": username, "password": password})
        )["token"]
        self._http.headers["Authorization"] = f"Bearer {token}"

    def _json(self, response: httpx.Response) -> dict[str, Any]:
        body = response.json()
        if response.is_error:
            raise ServiceFailed(
                f"{response.request.url.path} answered {response.status_code}: {body['detail']}",
                next_step=str(body.get("next_step", "")),
            )
        return dict(body)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        return self._json(self._http.get(path, params=params))

    def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        return self._json(self._http.post(path, json=body))

    def upload(self, path: Path) -> dict[str, Any]:
        with path.open("rb") as source:
            return self._send(path.name, source)

    def upload_bytes(self, name: str, content: bytes) -> dict[str, Any]:
        return self._send(name, content)

    def _send(self, name: str, content: Any) -> dict[str, Any]:
        return self._json(self._http.post("/api/files/upload/", files={"file": (name, content)}))

    def follow(self, status_url: str, *, seconds: float, tell: Any) -> dict[str, Any]:
        """Asks until the run has ended. Raises ServiceFailed when it takes too long."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            run = self.get(status_url)
            tell(run)
            if run["state"] in FINISHED:
                return run
            time.sleep(0.4)
        raise ServiceFailed(f"{status_url} did not end within {seconds:.0f} s.")

    def certificate(self, file_id: str, *, seconds: float) -> dict[str, Any]:
        """The certificate of a file, as soon as its load has published it."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            found = self.get(f"/api/pipeline/certificates/{file_id}/")["results"]
            if found:
                return dict(found[0])
            time.sleep(0.4)
        raise ServiceFailed(f"File {file_id} was not loaded within {seconds:.0f} s.")
