"""A server in front of MongoDB that writes down its answers to reads of rows, or gives them again.

`record` passes everything through and keeps every answer to `find` and `getMore` of a collection.
`answering` is a process of its own that gives those answers at once, byte for byte, to the same
requests, and passes everything else through. So what a client of MongoDB costs can be timed as wall
clock, with all that overlaps, on a machine whose MongoDB would take nearly all of the time.

What it leaves out: every cost of the server itself, its part of the processor included. A request
that was not recorded goes to the server behind and is counted (`missed`).
"""

from __future__ import annotations

import mmap
import multiprocessing
import pickle
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import bson

from benchmarks import swallow

_READS = ("find", "getMore")
_OF_THE_SESSION = ("lsid", "$clusterTime", "txnNumber")


@dataclass
class Recording:
    """Answers in one file, and which request got which: request → place and size of its answer."""

    path: Path
    answers: dict[bytes, tuple[int, int]] = field(default_factory=dict)

    def save(self) -> None:
        self.path.with_suffix(".index").write_bytes(pickle.dumps(self.answers))

    @classmethod
    def load(cls, path: Path) -> Recording:
        return cls(path, pickle.loads(path.with_suffix(".index").read_bytes()))


def request_of(message: bytes, *, collections: str) -> bytes | None:
    """What a read of a collection whose name begins so asks for, whoever asks; else None."""
    if len(message) > 1 << 16 or message[20:21] != b"\0":
        return None
    command: dict[str, Any] = bson.decode(message[21:])
    name = next(iter(command))
    where = command.get("collection", command[name])
    if name not in _READS or not str(where).startswith(collections):
        return None
    return bson.encode({k: v for k, v in command.items() if k not in _OF_THE_SESSION})


@contextmanager
def record(host: str, port: int, *, collections: str, into: Path) -> Iterator[int]:
    """Listens on a loopback port, which it yields, and writes the recording at the end."""
    recording, lock = Recording(into), threading.Lock()
    with into.open("wb") as out, socket.create_server(("127.0.0.1", 0)) as listener:

        def keep(message: bytes, reply: bytes) -> None:
            request = request_of(message, collections=collections)
            with lock:
                if request is not None and request not in recording.answers:
                    recording.answers[request] = (out.tell(), len(reply) - swallow.HEADER.size)
                    out.write(reply[swallow.HEADER.size :])

        swallow.in_background(swallow.accept, listener, host, port, lambda _: None, keep)
        yield int(listener.getsockname()[1])
        out.flush()
        recording.save()


@contextmanager
def answering(host: str, port: int, *, collections: str, of: Path) -> Iterator[tuple[int, Any]]:
    """Yields the port of a process that answers from a recording, and the count of `missed`."""
    context = multiprocessing.get_context("spawn")
    ready, child = context.Pipe()
    missed = context.Value("i", 0)
    process = context.Process(
        target=_answer_for_ever, args=(child, host, port, collections, of, missed), daemon=True
    )
    process.start()
    try:
        yield int(ready.recv()), missed
    finally:
        process.terminate()
        process.join()


def _answer_for_ever(
    pipe: Any, host: str, port: int, collections: str, of: Path, missed: Any
) -> None:
    recording = Recording.load(of)
    with of.open("rb") as source, socket.create_server(("127.0.0.1", 0)) as listener:
        every = memoryview(mmap.mmap(source.fileno(), 0, prot=mmap.PROT_READ))

        def known(message: bytes) -> memoryview | None:
            request = request_of(message, collections=collections)
            if request is None:
                return None
            if request not in recording.answers:
                missed.value += 1
                return None
            at, size = recording.answers[request]
            return every[at : at + size]

        pipe.send(listener.getsockname()[1])
        swallow.accept(listener, host, port, known)
