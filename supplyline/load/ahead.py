"""Reading ahead: the next batches are fetched and decoded while those before are loaded.

One thread for each stream, at most DEPTH batches wait. Promises: batches come in order, each once;
what the source raises is raised where the batch would have come; when the reader stops, for
whatever reason, the source is closed by the thread that read it, and the thread has ended.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import copy_context
from queue import Empty, Queue
from typing import TypeVar

T = TypeVar("T")

DEPTH = 2


class _End:
    """Behind the last batch, with what the source raised, if it did."""

    def __init__(self, error: BaseException | None = None) -> None:
        self.error = error


@contextmanager
def ahead(source: Iterator[T]) -> Iterator[Iterator[T]]:
    """The batches of `source`, read in a thread that has ended when the context has."""
    waiting: Queue[T | _End] = Queue(DEPTH)
    stopped = threading.Event()

    def read() -> None:
        end = _End()
        try:
            for batch in source:
                waiting.put(batch)
                if stopped.is_set():
                    break
        except BaseException as error:  # noqa: BLE001 - it is raised where it is waited for
            end = _End(error)
        try:
            close = getattr(source, "close", None)
            if close is not None:
                close()
        except BaseException as error:  # noqa: BLE001
            end = end if end.error else _End(error)
        waiting.put(end)

    thread = threading.Thread(
        target=copy_context().run, args=(read,), name="reading ahead", daemon=True
    )
    thread.start()
    try:
        yield _taken(waiting)
    finally:
        stopped.set()
        while thread.is_alive():
            _empty(waiting)  # so that the thread is not kept from ending
            thread.join(0.02)


def _taken(waiting: Queue[T | _End]) -> Iterator[T]:
    while True:
        batch = waiting.get()
        if isinstance(batch, _End):
            if batch.error is not None:
                raise batch.error
            return
        yield batch


def _empty(waiting: Queue[T | _End]) -> None:
    while True:
        try:
            waiting.get_nowait()
        except Empty:
            return
