"""A GET on loopback, past every proxy, for health probes."""

from __future__ import annotations

import http.client
import json
from typing import Any

from supplyline.errors import ServiceFailed


def get(port: int, path: str, *, seconds: float) -> tuple[int, bytes]:
    """Status and body. Raises ServiceFailed when nobody answers in time."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=seconds)
    try:
        connection.request("GET", path, headers={"Accept": "application/json"})
        answer = connection.getresponse()
        return answer.status, answer.read()
    except (OSError, http.client.HTTPException) as error:
        raise ServiceFailed(f"Port {port} does not answer: {error}.") from error
    finally:
        connection.close()


def get_json(port: int, path: str, *, seconds: float) -> dict[str, Any]:
    """The object that a 200 carries. Raises ServiceFailed for everything else."""
    status, body = get(port, path, seconds=seconds)
    if status != 200:
        raise ServiceFailed(f"Port {port} answers {status} to {path}.")
    try:
        return dict(json.loads(body))
    except ValueError as error:
        raise ServiceFailed(f"Port {port} answers no JSON to {path}.") from error
