"""What an upload costs the backend: memory that it adds, seconds, CPU seconds.

    .venv/bin/python benchmarks/upload.py --megabytes 2048 --json

A backend of this run's own (granian, one worker) takes the same CSV as multipart, by tus in one
request, by tus in requests of 16 MiB, and by tus with a kill -9 of the backend in the middle. The
client makes the bytes as it sends them. The peer, in the same run: this process makes, hashes and
writes the same bytes and syncs them. `added_mb` is the peak of the backend's processes (VmHWM)
beyond what they held after a small upload of the same kind; `ratio` is the peer's time over ours.
"""

from __future__ import annotations

import argparse
import hashlib
import http.client
import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

from supplyline.local.process import free_port
from supplyline.settings import read
from supplyline.tenancy.connections import connect_admin
from tests import servers

ROOT = Path(__file__).resolve().parents[1]
BLOCK = b"".join(b"SKU-%06d,Widget of size %02d,%d,2024-01-31\n" % (n, n % 40, n % 500)
                 for n in range(24_000))  # fmt: skip
HEAD = b"sku,name,qty,day\n"
PIECE = 16 << 20


def chunks(size: int, *, start: int = 0) -> Iterator[bytes]:
    """The file's bytes from `start` on: a header, then the same rows again and again."""
    at = start
    while at < size:
        if at < len(HEAD):
            part = HEAD[at : min(size, len(HEAD))]
        else:
            inside = (at - len(HEAD)) % len(BLOCK)
            part = BLOCK[inside : inside + min(1 << 20, size - at)]
        yield part
        at += len(part)


@dataclass
class Backend:
    port: int
    token: str
    process: subprocess.Popen[bytes]

    def pids(self) -> list[int]:
        """granian and its workers."""
        out, waiting = [], [self.process.pid]
        while waiting:
            pid = waiting.pop()
            out.append(pid)
            for task in Path(f"/proc/{pid}/task").iterdir():
                waiting += map(int, (task / "children").read_text().split())
        return out

    def memory(self, field: str) -> float:
        """VmRSS or VmHWM of all processes together, MB."""
        kilobytes = 0
        for pid in self.pids():
            lines = Path(f"/proc/{pid}/status").read_text().splitlines()
            kilobytes += next(int(x.split()[1]) for x in lines if x.startswith(f"{field}:"))
        return kilobytes / 1024

    def forget_peak(self) -> None:
        for pid in self.pids():
            Path(f"/proc/{pid}/clear_refs").write_text("5")

    def cpu(self) -> float:
        ticks = 0
        for pid in self.pids():
            fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
            ticks += int(fields[11]) + int(fields[12])
        return ticks / os.sysconf("SC_CLK_TCK")

    def request(
        self, method: str, path: str, body: Any = None, **headers: str
    ) -> tuple[int, dict[str, str], bytes]:
        line = http.client.HTTPConnection("127.0.0.1", self.port, timeout=600)
        told = {"Authorization": f"Bearer {self.token}", "Tus-Resumable": "1.0.0"}
        told |= {name.replace("_", "-"): value for name, value in headers.items()}
        line.request(method, path, body=body, headers=told)
        answer = line.getresponse()
        return answer.status, {k.lower(): v for k, v in answer.getheaders()}, answer.read()


def multipart(backend: Backend, size: int) -> None:
    head = (b'--x\r\nContent-Disposition: form-data; name="table"\r\n\r\nbench\r\n--x\r\n'
            b'Content-Disposition: form-data; name="file"; filename="big.csv"\r\n\r\n')  # fmt: skip
    tail = b"\r\n--x--\r\n"

    def body() -> Iterator[bytes]:
        yield head
        yield from chunks(size)
        yield tail

    status, _, text = backend.request(
        "POST", "/api/files/upload/", body(),
        Content_Type="multipart/form-data; boundary=x",
        Content_Length=str(len(head) + size + len(tail)),
    )  # fmt: skip
    assert status == 202, text


def begin(backend: Backend, size: int) -> str:
    status, headers, text = backend.request(
        "POST", "/api/files/tus/", Upload_Length=str(size),
        Upload_Metadata="filename YmlnLmNzdg==,table YmVuY2g=", Content_Length="0",
    )  # fmt: skip
    assert status == 201, text
    return urlparse(headers["location"]).path


def send(backend: Backend, path: str, body: Iterator[bytes], *, offset: int, length: int) -> int:
    status, headers, text = backend.request(
        "PATCH", path, body, Upload_Offset=str(offset), Content_Length=str(length),
        Content_Type="application/offset+octet-stream",
    )  # fmt: skip
    assert status == 204, text
    return int(headers["upload-offset"])


def tus_whole(backend: Backend, size: int) -> None:
    assert send(backend, begin(backend, size), chunks(size), offset=0, length=size) == size


def tus_pieces(backend: Backend, size: int) -> None:
    path, at = begin(backend, size), 0
    while at < size:
        end = min(size, at + PIECE)
        at = send(backend, path, chunks(end, start=at), offset=at, length=end - at)


def plain(folder: Path, size: int) -> dict[str, float]:
    began, cpu = time.perf_counter(), time.process_time()
    digest = hashlib.sha256()
    with (folder / "plain").open("wb") as out:
        for chunk in chunks(size):
            digest.update(chunk)
            out.write(chunk)
        out.flush()
        os.fsync(out.fileno())
    (folder / "plain").unlink()
    return {"seconds": time.perf_counter() - began, "cpu_s": time.process_time() - cpu}


def measure(
    backend: Backend, way: Callable[[Backend, int], None], size: int, peer: dict[str, float]
) -> dict[str, float]:
    way(backend, 1 << 20)
    before, cpu = backend.memory("VmRSS"), backend.cpu()
    backend.forget_peak()
    began = time.perf_counter()
    way(backend, size)
    seconds = time.perf_counter() - began
    return {
        "seconds": seconds, "mb_per_s": size / 2**20 / seconds,
        "ratio": peer["seconds"] / seconds, "cpu_s": backend.cpu() - cpu,
        "before_mb": before, "added_mb": backend.memory("VmHWM") - before,
    }  # fmt: skip


def killed(
    start: Callable[[], Backend], backend: Backend, size: int
) -> tuple[Backend, dict[str, float]]:
    """kill -9 of granian and its worker when half has been sent; then on from what is safe."""
    path = begin(backend, size)

    def half() -> Iterator[bytes]:
        sent = 0
        for chunk in chunks(size):
            if sent >= size // 2:
                for pid in backend.pids():
                    os.kill(pid, signal.SIGKILL)
            sent += len(chunk)
            yield chunk

    try:
        send(backend, path, half(), offset=0, length=size)
    except (OSError, http.client.HTTPException):
        backend.process.wait()
    backend = start()
    _, headers, _ = backend.request("HEAD", path)
    safe = int(headers["upload-offset"])
    done = send(backend, path, chunks(size, start=safe), offset=safe, length=size - safe)
    assert done == size
    told = json.loads(backend.request("GET", path)[2])
    digest = hashlib.sha256()
    for chunk in chunks(size):
        digest.update(chunk)
    assert told["file"]["sha256"] == digest.hexdigest()
    return backend, {"sent_again_mb": size / 2 / 2**20 - safe / 2**20, "sha256_is_right": True}


@contextmanager
def backends() -> Iterator[tuple[Callable[[], Backend], Path]]:
    dog = servers.Watchdog()
    try:
        pg, mongo, folder = (
            servers.start_postgres(dog, durable=True),
            servers.start_mongo(dog),
            dog.folder(),
        )
        named = servers.engine_environment(pg, mongo.uri, storage=folder / "storage", name="bench")
        with connect_admin(settings=read(named)) as conn:
            conn.execute(b"CREATE DATABASE " + named["SUPPLYLINE_CONTROL_DB"].encode())
        env = {**os.environ, **named, "PYTHONPATH": str(ROOT)}
        manage = [sys.executable, "manage.py"]

        def run(*arguments: str) -> str:
            return subprocess.run(
                [*manage, *arguments], cwd=ROOT, env=env, check=True, capture_output=True, text=True
            ).stdout

        run("migrate", "-v0")
        run("create_organization", "bench")
        run("create_user", "bench", "--org-id=bench", "--role=editor", "--generate-password")
        token = run("create_token", "bench").strip().split()[-1]
        started: list[Backend] = []

        def start() -> Backend:
            port = free_port()
            process = subprocess.Popen(
                [sys.executable, "-m", "granian", "--interface=wsgi", "--host=127.0.0.1",
                 f"--port={port}", "--workers=1", "backend.config.wsgi:application"],
                cwd=ROOT, env=env, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
            )  # fmt: skip
            backend = Backend(port, token, process)
            started.append(backend)
            for _ in range(300):
                try:
                    if backend.request("OPTIONS", "/api/files/tus/")[0] == 204:
                        return backend
                except OSError:
                    time.sleep(0.1)
            raise SystemExit("the backend did not start")

        try:
            yield start, folder
        finally:
            for backend in started:
                backend.process.kill()
                backend.process.wait()
    finally:
        dog.close()


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--megabytes", type=int, default=2048)
    parser.add_argument("--json", action="store_true", help="one JSON object")
    given = parser.parse_args()
    size = given.megabytes << 20
    out: dict[str, Any] = {"megabytes": given.megabytes}
    with backends() as (start, folder):
        out["plain"] = plain(folder, size)
        backend = start()
        for name, way in (
            ("multipart", multipart), ("tus_whole", tus_whole), ("tus_pieces", tus_pieces)
        ):  # fmt: skip
            print(f"{name} ...", file=sys.stderr)
            out[name] = measure(backend, way, size, out["plain"])
        print("tus, killed in the middle ...", file=sys.stderr)
        _, out["tus_killed"] = killed(start, backend, size)
    if given.json:
        print(json.dumps(out))
        return 0
    for name, told in out.items():
        if isinstance(told, dict):
            figures = ", ".join(
                f"{k} {v:.2f}" if isinstance(v, float) else f"{k} {v}" for k, v in told.items()
            )
            print(f"{name:12s} {figures}")
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
