"""A resumable upload goes on after kill -9 of the backend in the middle of its bytes."""

from __future__ import annotations

import hashlib
import os
import signal
import socket
import time
from pathlib import Path
from urllib.parse import urlparse

import httpx
import pytest

from backend.accounts.services import create_token
from backend.files.models import ResumableUpload, Upload
from backend.runs.models import Outbox
from supplyline.local.process import free_port
from supplyline.settings import Settings
from tests.faults.trigger_tools import start_program
from tests.integration.backend.conftest import Person
from tests.servers import Watchdog
from tests.waiting import wait_for

pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True)]

ROWS = b"".join(b"%d,item-%d,7\n" % (n, n % 100) for n in range(2_200_000))
CONTENT = b"line,sku,qty\n" + ROWS
"""About 40 MB: more than two stretches between syncs."""


def start_backend(watchdog: Watchdog, env: dict[str, str]) -> tuple[int, str]:
    port = free_port()
    process = start_program(
        watchdog, "-m", "granian", "--interface=wsgi", "--host=127.0.0.1", f"--port={port}",
        "backend.config.wsgi:application", variables=env,
    )  # fmt: skip
    base = f"http://127.0.0.1:{port}"

    def answers() -> bool:
        try:
            return httpx.options(f"{base}/api/files/tus/", timeout=5).status_code == 204
        except httpx.TransportError:
            return False

    wait_for(answers, seconds=60, what="the backend")
    return process.pid, base


def kill(pid: int) -> None:
    os.killpg(pid, signal.SIGKILL)
    os.waitpid(pid, 0)


def send_and_stop(url: str, headers: dict[str, str], content: bytes) -> socket.socket:
    """Begins a PATCH, sends some of the promised bytes and leaves the connection open."""
    place = urlparse(url)
    line = socket.create_connection((place.hostname or "", place.port or 80))
    told = {**headers, "Host": place.netloc, "Content-Length": str(len(CONTENT))}
    head = "".join(f"{name}: {value}\r\n" for name, value in told.items())
    line.sendall(f"PATCH {place.path} HTTP/1.1\r\n{head}\r\n".encode() + content)
    return line


def test_a_kill_in_the_middle_costs_only_what_was_not_synced(
    alice: Person, watchdog: Watchdog, engine_env: dict[str, str], engine_settings: Settings
) -> None:
    token, _ = create_token(alice.user)
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    bytes_ = {**headers, "Content-Type": "application/offset+octet-stream"}
    pid, base = start_backend(watchdog, engine_env)
    created = httpx.post(
        f"{base}/api/files/tus/",
        headers={
            **headers,
            "Upload-Length": str(len(CONTENT)),
            "Upload-Metadata": "filename YmlnLmNzdg==,table dHVzX2JpZw==",  # big.csv, tus_big
        },
        timeout=60,
    )
    path = urlparse(created.headers["Location"]).path
    line = send_and_stop(base + path, {**bytes_, "Upload-Offset": "0"}, CONTENT[:36_000_000])
    wait_for(lambda: ResumableUpload.objects.get().offset >= 32 << 20, seconds=60, what="two syncs")
    kill(pid)
    line.close()
    assert not Upload.objects.exists()

    pid, base = start_backend(watchdog, engine_env)
    answer = httpx.head(base + path, headers=headers, timeout=60)
    offset = int(answer.headers["Upload-Offset"])
    assert offset == 32 << 20
    last = httpx.patch(
        base + path,
        headers={**bytes_, "Upload-Offset": str(offset)},
        content=CONTENT[offset:],
        timeout=120,
    )

    assert last.status_code == 204, last.text
    upload = Upload.objects.get()
    assert (upload.size, upload.sha256) == (len(CONTENT), hashlib.sha256(CONTENT).hexdigest())
    assert Outbox.objects.filter(run=upload.run).count() == 1
    root = Path(urlparse(engine_settings.storage_url).path)
    assert (root / alice.org / upload.file_id / "big.csv").stat().st_size == len(CONTENT)
    kill(pid)
    ResumableUpload.objects.all().delete()


def test_a_connection_that_breaks_costs_no_byte_that_arrived(
    alice: Person, watchdog: Watchdog, engine_env: dict[str, str]
) -> None:
    token, _ = create_token(alice.user)
    headers = {"Authorization": f"Bearer {token}", "Tus-Resumable": "1.0.0"}
    bytes_ = {**headers, "Content-Type": "application/offset+octet-stream"}
    pid, base = start_backend(watchdog, engine_env)
    created = httpx.post(
        f"{base}/api/files/tus/", headers={**headers, "Upload-Length": str(len(CONTENT))},
        timeout=60,
    )  # fmt: skip
    path = urlparse(created.headers["Location"]).path
    line = send_and_stop(base + path, {**bytes_, "Upload-Offset": "0"}, CONTENT[:1_000_000])
    time.sleep(0.5)
    line.close()

    wait_for(
        lambda: ResumableUpload.objects.get().offset == 1_000_000, seconds=30, what="the bytes"
    )
    kill(pid)
    ResumableUpload.objects.all().delete()
