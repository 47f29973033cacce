"""Where the services' words go: one file each in `<home>/logs`, bounded in size."""

from __future__ import annotations

import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from supplyline.local.home import Home

LIMIT = 10 * 1024 * 1024
"""Bytes after which a log is set aside as `.1` (and the `.1` of before as `.2`)."""


def path(home: Home, name: str) -> Path:
    return home.logs / f"{name}.log"


def trim(home: Home, *, limit: int = LIMIT) -> list[str]:
    """Sets aside what has grown too long; the names. Writers append, so they go on unharmed."""
    trimmed = []
    for log in sorted(home.logs.glob("*.log")):
        if log.stat().st_size <= limit:
            continue
        first, second = log.with_suffix(".log.1"), log.with_suffix(".log.2")
        if first.exists():
            first.replace(second)
        shutil.copyfile(log, first)
        first.chmod(0o600)
        with log.open("r+b") as writer:
            writer.truncate(0)
        trimmed.append(log.stem)
    return trimmed


def tail(log: Path, lines: int) -> list[str]:
    """The last lines, read from the end."""
    if lines <= 0:
        return []
    with log.open("rb") as source:
        source.seek(0, 2)
        end = position = source.tell()
        data = b""
        while position > 0 and data.count(b"\n") <= lines:
            step = min(65536, position)
            position -= step
            source.seek(position)
            data = source.read(end - position)
    return data.decode("utf-8", "replace").splitlines()[-lines:]


def follow(
    files: dict[str, Path], *, sleep: Callable[[float], None] = time.sleep
) -> Iterator[tuple[str, str]]:
    """(name, line) as they are written, without end."""
    places = {name: file.stat().st_size for name, file in files.items()}
    rest = dict.fromkeys(files, "")
    while True:
        for name, file in files.items():
            size = file.stat().st_size
            if size < places[name]:
                places[name] = 0
            if size > places[name]:
                with file.open("rb") as source:
                    source.seek(places[name])
                    data = source.read()
                places[name] += len(data)
                *whole, rest[name] = (rest[name] + data.decode("utf-8", "replace")).split("\n")
                yield from ((name, line) for line in whole)
        sleep(0.2)
