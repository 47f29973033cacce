"""Who listens on a port of this machine: a process of ours, or a stranger. Linux: reads /proc."""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Literal
from urllib.parse import urlsplit

from supplyline.errors import ServiceFailed
from supplyline.local import home as homes
from supplyline.local.process import Identity, descendants, session_members

Owner = Literal["ours", "stranger", "nobody", "unknown"]
_LISTEN = "0A"
_LOOPBACK = ("0100007F", "00000000", "0000000000000000FFFF00000100007F", "0" * 32)
"""Addresses as /proc/net writes them that answer on 127.0.0.1."""


class PortTaken(ServiceFailed):
    """Another program answers where a service of ours should."""


def owner(port: int, process: Identity) -> Owner:
    """Whether `process`, or one below it, listens on the port; `unknown` where we may not see."""
    sockets = set(_listening(port))
    if not sockets:
        return "nobody"
    hidden = False
    for pid in _family(process):
        try:
            if sockets & set(_sockets(pid)):
                return "ours"
        except PermissionError:
            hidden = True
        except OSError:
            continue  # it has just ended
    return "unknown" if hidden else "stranger"


def _family(process: Identity) -> Iterator[int]:
    """The process first: mostly it is the one that listens, and the others are dear to find."""
    yield process.pid
    yield from (p.pid for p in descendants(process.pid))
    yield from (p.pid for p in session_members(process.pid))


def require_ours(port: int | None, process: Identity) -> None:
    """Raises PortTaken where somebody else listens, so that nobody speaks to a stranger."""
    if port is not None and owner(port, process) == "stranger":
        raise PortTaken(f"Port {port} is taken by another program.")


def require_own_airflow(base: str, environ: Mapping[str, str] = os.environ) -> None:
    """Before credentials go to the Airflow of this machine's instance: that it is the one.

    Raises ServiceFailed where the instance runs none, or another program listens on its port. An
    Airflow elsewhere is none of our business.
    """
    home = homes.locate(environ)
    url = urlsplit(base)
    try:
        ports, state = homes.read_json(home.ports), homes.read_state(home)
    except homes.HomeOfAnother:
        return
    port = url.port
    if (
        url.hostname not in ("127.0.0.1", "localhost")
        or port is None
        or port != ports.get("airflow")
    ):
        return
    process = Identity.recorded(state.get("units", {}).get("airflow-api") or {})
    if process is None or not process.alive:
        raise ServiceFailed("This instance's Airflow does not run.")
    require_ours(port, process)


def _listening(port: int) -> Iterator[str]:
    """Inodes of the sockets that listen on the port."""
    for table in ("tcp", "tcp6"):
        try:
            lines = Path(f"/proc/net/{table}").read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            address, _, number = fields[1].rpartition(":")
            if fields[3] == _LISTEN and int(number, 16) == port and address in _LOOPBACK:
                yield fields[9]


def _sockets(pid: int) -> Iterator[str]:
    """Inodes of the sockets that a process has open. Raises PermissionError."""
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        try:
            target = str(entry.readlink())
        except FileNotFoundError:
            continue
        if target.startswith("socket:["):
            yield target[8:-1]
