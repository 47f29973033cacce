"""A table taken for oneself, without making its readers wait behind a transaction that lasts.

PostgreSQL queues whoever reads a table behind a statement that waits to change it. So the lock is
asked for in short attempts: between them readers go on, and none waits longer than one attempt.
"""

from __future__ import annotations

import time
from collections.abc import Sequence

import psycopg
from psycopg import sql

from supplyline.errors import DatabaseUnavailable
from supplyline.tenancy.connections import Connection

ATTEMPT_MS = 200
PAUSE_S = (0.2, 5.0)
"""The first pause between attempts, and the longest; each is half again the one before."""
PATIENCE_S = 900.0


def take_exclusively(conn: Connection, relations: Sequence[str]) -> None:
    """ACCESS EXCLUSIVE on those of the tables in `public` that there are, until the end of the
    caller's transaction. Raises DatabaseUnavailable when others keep them for 15 minutes."""
    there = [
        sql.Identifier("public", name)
        for (name,) in conn.execute(
            "SELECT relname FROM pg_class WHERE relnamespace = 'public'::regnamespace"
            " AND relkind IN ('r', 'p') AND relname = ANY (%s) ORDER BY 1",
            (list(relations),),
        ).fetchall()
    ]
    if not there:
        return
    lock = sql.SQL("LOCK TABLE {} IN ACCESS EXCLUSIVE MODE").format(sql.SQL(", ").join(there))
    until, pause = time.monotonic() + PATIENCE_S, PAUSE_S[0]
    while not _taken(conn, lock):
        if time.monotonic() > until:
            raise DatabaseUnavailable(
                f"An open transaction has been reading {relations[0]} for a long time, so that its"
                " columns cannot be changed.",
                next_step="End the session that keeps it (pg_stat_activity shows it as `idle in"
                " transaction`); the load is repeated by itself.",
            )
        time.sleep(pause)
        pause = min(1.5 * pause, PAUSE_S[1])


def hold_shape(conn: Connection, table: str, *, patience_s: int = 0) -> None:
    """Keeps the table and its history from being changed or made again, until the end of the
    caller's transaction; rows may be written.

    As the first statement of a transaction that looks at one moment: what is under way is waited
    for, and the moment comes after. (A table that is written anew, to another type of a column,
    looks empty to whoever has looked around before.) After `patience_s`, if it is given, what is
    under way is waited for no longer: raises psycopg.errors.LockNotAvailable.
    """
    # Begins a transaction, and looks at nothing yet.
    conn.execute(f"SET LOCAL lock_timeout = {1000 * int(patience_s)}".encode())
    for relation in (table, f"{table}_history"):
        lock = sql.SQL("LOCK TABLE {} IN ACCESS SHARE MODE")
        try:
            with conn.transaction():
                conn.execute(lock.format(sql.Identifier("public", relation)))
        except (
            psycopg.errors.UndefinedTable,
            psycopg.errors.WrongObjectType,
            psycopg.errors.InsufficientPrivilege,
        ):
            continue  # not there, or not as it should be: that shows when it is looked at
    conn.execute("SET LOCAL lock_timeout = 0")


def _taken(conn: Connection, lock: sql.Composed) -> bool:
    try:
        with conn.transaction():  # a savepoint: what was staged before stays
            conn.execute(sql.SQL("SET LOCAL lock_timeout = {}").format(sql.Literal(ATTEMPT_MS)))
            conn.execute(lock)
            conn.execute("SET LOCAL lock_timeout = 0")
    except psycopg.errors.LockNotAvailable:
        return False
    return True
