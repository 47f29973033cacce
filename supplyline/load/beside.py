"""The tables that a load makes beside the one it fills, and what it asks PostgreSQL over them.

PostgreSQL shares the work of a join or a sum between processes only over tables that all of them
can read. So those of a large file are unlogged tables, which the transaction makes and drops:
nobody else ever sees them, and nothing is left of them after a crash. Those of a small file are
temporary ones.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TypeVar

import psycopg
from psycopg import sql

from supplyline.tenancy.connections import Connection

T = TypeVar("T")

_SHARED_FROM = 20_000
"""Rows from which a file is staged where several processes can read it."""
_NOT_ENOUGH = (psycopg.errors.DiskFull, psycopg.errors.OutOfMemory)
"""What PostgreSQL says where the memory that its processes share (/dev/shm) is too small."""


class Beside:
    """The tables of one file; no table of a file begins with such names, and nobody else's has
    them by chance."""

    def __init__(self, conn: Connection, *, rows: int) -> None:
        self.conn = conn
        self.shared = rows >= _SHARED_FROM
        schema, token = "public" if self.shared else "pg_temp", secrets.token_hex(6)
        self.staged = (schema, f"_staged_{token}")
        """Schema and name of the table with the staged rows."""
        self.changed = (schema, f"_changed_{token}")
        """And of that with the rows that are new or changed."""

    @property
    def create(self) -> sql.Composed:
        """SQL: the beginning of a statement that makes one of these."""
        return sql.SQL("CREATE {} TABLE").format(sql.SQL("UNLOGGED" if self.shared else "TEMP"))

    def remove(self, *places: tuple[str, str]) -> None:
        """Drops tables. Emptied first, they give their space back now and not at the commit."""
        for place in places:
            self.conn.execute(
                sql.SQL("TRUNCATE {t}; DROP TABLE {t}").format(t=sql.Identifier(*place))
            )

    def in_parallel(self, work: Callable[[], T]) -> T:
        """Does `work`, which joins these tables, in several processes where they can be shared.

        Where the memory that processes share is too small it is done again by one.
        """
        if not self.shared:
            return work()
        try:
            with self.conn.transaction(), free(self.conn, "parallel_tuple_cost"):
                return work()
        except _NOT_ENOUGH:
            self.conn.execute("SELECT set_config('max_parallel_workers_per_gather', '0', true)")
            return work()


@contextmanager
def free(conn: Connection, cost: str) -> Iterator[None]:
    """Has PostgreSQL plan as if this cost nothing: nobody has counted the staged rows, so that it
    expects far too many from a join."""
    conn.execute("SELECT set_config(%s, '0', true)", (cost,))
    yield
    conn.execute(sql.SQL("SET LOCAL {} TO DEFAULT").format(sql.Identifier(cost)))
