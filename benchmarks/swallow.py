"""A server in front of MongoDB that answers large inserts itself and keeps nothing of them.

What a client costs can then be measured on a machine whose MongoDB would take all of its time.
Everything else goes through to the server behind. The answer counts the documents that came.
"""

from __future__ import annotations

import socket
import struct
import threading
from typing import Any
from urllib.parse import urlsplit, urlunsplit

import bson

LARGE = 1 << 16
HEADER = struct.Struct("<iiii")


def start(host: str, port: int) -> int:
    """Listens on a free port of loopback, for as long as this process lives; answers the port."""
    listener = socket.create_server(("127.0.0.1", 0))
    in_background(accept, listener, host, port, _swallowed)
    return int(listener.getsockname()[1])


def address(uri: str) -> tuple[str, int]:
    """Host and port of a MongoDB URI."""
    parts = urlsplit(uri)
    return parts.hostname or "127.0.0.1", parts.port or 27017


def through(uri: str, port: int) -> str:
    """The URI by way of a server on a port of loopback."""
    parts = urlsplit(uri)
    login = parts.netloc.rpartition("@")[0]
    return urlunsplit(parts._replace(netloc=f"{login}@127.0.0.1:{port}"))


def accept(
    listener: socket.socket, host: str, port: int, known: Any, keep: Any = lambda *_: None
) -> None:
    """Answers what `known(message)` has the body of; passes the rest on, and shows it to `keep`."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:  # the listener was closed
            return
        behind = socket.create_connection((host, port))
        for side in (client, behind):  # what is written in two pieces waits for no acknowledgement
            side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        in_background(_serve, client, behind, known, keep)


def _serve(client: socket.socket, behind: socket.socket, known: Any, keep: Any) -> None:
    with client, behind:
        while (message := receive(client)) is not None:
            body = known(message)
            if body is not None:
                (request,) = struct.unpack_from("<i", message, 4)
                client.sendall(HEADER.pack(HEADER.size + len(body), 1, request, 2013))
                client.sendall(body)
                continue
            behind.sendall(message)
            reply = receive(behind)
            if reply is None:
                return
            keep(message, reply)
            client.sendall(reply)


def in_background(work: Any, *args: Any) -> None:
    threading.Thread(target=work, args=args, daemon=True).start()


def receive(source: socket.socket) -> bytes | None:
    """One message of the wire protocol; None when the other side has gone."""
    head = source.recv(4, socket.MSG_WAITALL)
    if len(head) < 4:
        return None
    (size,) = struct.unpack("<i", head)
    rest = bytearray(size - 4)
    view = memoryview(rest)
    while view:
        got = source.recv_into(view)
        if not got:
            return None
        view = view[got:]
    return head + rest


def _documents(message: bytes) -> int:
    """How many documents an insert brings; 0 for every other command."""
    at, count = 20, 0
    while at < len(message):
        kind, (size,) = message[at], struct.unpack_from("<i", message, at + 1)
        if kind == 0 and not message.startswith(b"\x02insert\0", at + 5):
            return 0
        if kind == 1:
            inside = message.index(b"\0", at + 5) + 1
            while inside < at + 1 + size:
                (length,) = struct.unpack_from("<i", message, inside)
                inside, count = inside + length, count + 1
        at += 1 + size
    return count


def _swallowed(message: bytes) -> bytes | None:
    """The answer to a large insert; None for every other command."""
    count = _documents(message) if len(message) > LARGE else 0
    return struct.pack("<iB", 0, 0) + bson.encode({"n": count, "ok": 1.0}) if count else None
