"""Batches that are read ahead are the batches; nothing is left running."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextvars import ContextVar

import pytest

from supplyline.load.ahead import DEPTH, ahead

PLACE: ContextVar[str] = ContextVar("place", default="nowhere")


class Source:
    """Numbers; remembers how many were asked for, and in which thread it was closed."""

    def __init__(self, count: int, *, fails: bool = False) -> None:
        self.count, self.fails = count, fails
        self.asked = 0
        self.closed: list[str] = []

    def __call__(self) -> Iterator[int]:
        try:
            for n in range(self.count):
                self.asked += 1
                yield n
            if self.fails:
                raise LookupError("the source is gone")
        finally:
            self.closed.append(threading.current_thread().name)


@pytest.fixture(autouse=True)
def _no_thread_is_left() -> Iterator[None]:
    yield
    assert [t.name for t in threading.enumerate() if t.name == "reading ahead"] == []


@pytest.mark.parametrize("count", [0, 1, DEPTH, 100])
def test_every_batch_comes_once_in_order(count: int) -> None:
    source = Source(count)
    with ahead(source()) as read:
        assert list(read) == list(range(count))
    assert source.closed == ["reading ahead"]


def test_what_the_source_raises_comes_behind_its_batches() -> None:
    source = Source(5, fails=True)
    with ahead(source()) as read:
        assert [next(read) for _ in range(5)] == list(range(5))
        with pytest.raises(LookupError):
            next(read)
    assert len(source.closed) == 1


@pytest.mark.parametrize("taken", [0, 1, 50])
def test_a_reader_that_fails_ends_the_source(taken: int) -> None:
    source = Source(10**9)
    with pytest.raises(KeyboardInterrupt), ahead(source()) as read:  # noqa: PT012
        for _ in range(taken):
            next(read)
        raise KeyboardInterrupt
    assert source.closed == ["reading ahead"]
    assert source.asked <= taken + DEPTH + 2


def test_no_more_than_a_few_batches_wait() -> None:
    source = Source(100)
    with ahead(source()) as read:
        for n, _ in enumerate(read, 1):
            assert source.asked <= n + DEPTH + 1


def test_the_context_goes_along() -> None:
    def places() -> Iterator[str]:
        yield PLACE.get()

    token = PLACE.set("here")
    with ahead(places()) as read:
        assert list(read) == ["here"]
    PLACE.reset(token)


def test_a_plain_iterator_will_do() -> None:
    with ahead(iter([1, 2])) as read:
        assert list(read) == [1, 2]
