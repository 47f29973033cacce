"""Readers of a table are not queued behind a load that waits for one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor

import pytest

from supplyline.settings import Settings
from supplyline.tenancy.connections import connect
from tests.integration.load.books import Books

WORK: dict[str, Callable[[Books], object]] = {
    "a load that adds a column": lambda books: books.deliver("b", b"id,a,b\n2,y,z\n"),
    "a load that widens a column": lambda books: books.deliver("b", b"id,a\n2,y\n"),
    "an undo": lambda books: books.undo("a", later="refuse"),
    "a rebuild": lambda books: books.rebuild(),
}

WAITING = (
    "SELECT count(*) FROM pg_locks WHERE relation = to_regclass('public.t') AND NOT granted"
    " AND mode = 'AccessExclusiveLock'"
)


@pytest.mark.parametrize("what", WORK)
def test_an_open_transaction_holds_up_the_change_and_no_other_reader(
    fresh: Books, engine_settings: Settings, what: str
) -> None:
    fresh.deliver("a", b"id,a\n1,5\n")
    with (
        ThreadPoolExecutor(1) as pool,
        connect(fresh.org, settings=engine_settings) as first,
        connect(fresh.org, settings=engine_settings, autocommit=True) as second,
    ):
        first.execute("SELECT * FROM t").fetchall()
        try:
            done = pool.submit(WORK[what], fresh)
            while second.execute(WAITING).fetchone() == (0,) and not done.done():
                time.sleep(0.01)
            assert not done.done()
            second.execute("SET lock_timeout = '5s'")
            for _ in range(3):
                assert second.execute("SELECT count(*) FROM t").fetchone() == (1,)
        finally:
            first.rollback()
        done.result()
    assert fresh.verify().holds
