"""One embedded PostgreSQL: a data folder, a loopback port, passwords from the first moment.

Promises: TCP on 127.0.0.1 only, no socket files, scram-sha-256 for everybody, UTF-8, UTC; data
durable (fsync) unless `durable=False`, which is for throw-away servers of tests.
Refuses to run without password, or on any other address.
"""

from __future__ import annotations

import os
import pwd
import signal
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import psycopg
from psycopg import sql

from supplyline.errors import ServiceFailed
from supplyline.local import places, privileges
from supplyline.local.process import Program

HOST = "127.0.0.1"
SUPERUSER = "postgres"
STOP_SIGNAL = signal.SIGINT
"""PostgreSQL's fast shutdown: sessions are ended, nothing is lost."""

_LIMITS = tuple(
    Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory/memory.limit_in_bytes")
)
"""Where Linux says how much memory a container may use (cgroup 2 and 1)."""


@dataclass(frozen=True, kw_only=True)
class Postgres:
    """A server that may or may not run. `data` holds everything it knows."""

    data: Path
    port: int
    password: str
    durable: bool = True
    max_connections: int = 200

    def connect(self, dbname: str = "postgres", *, timeout: int = 3) -> psycopg.Connection:
        """A superuser's connection, autocommit."""
        return psycopg.connect(
            host=HOST,
            port=self.port,
            user=SUPERUSER,
            password=self.password,
            dbname=dbname,
            connect_timeout=timeout,
            autocommit=True,
        )


def _require_a_name() -> None:
    """PostgreSQL will not start for a user id without a name."""
    try:
        pwd.getpwuid(os.getuid())
    except KeyError:
        raise ServiceFailed(
            f"The user id {os.getuid()} has no name in /etc/passwd, which PostgreSQL needs.",
            next_step="Run as a user that has one, or set PG_HOST to a PostgreSQL of your own.",
        ) from None


def initialize(server: Postgres) -> bool:
    """Makes the data folder if there is none; True when it did. Half a folder is made anew."""
    if (server.data / "PG_VERSION").exists():
        return False
    _require_a_name()
    binaries = places.postgres_bin()
    server.data.parent.mkdir(parents=True, exist_ok=True)
    drop = privileges.plan(program=binaries / "postgres", folder=server.data)
    server.data.mkdir(mode=0o700, exist_ok=True)
    if drop.user is not None:
        os.chown(server.data, drop.user, drop.group if drop.group is not None else -1)
    with _password_file(server.password, drop) as pwfile:
        done = subprocess.run(  # noqa: S603 - argv is made here, no shell
            [
                *drop.prefix,
                str(binaries / "initdb"),
                f"--pgdata={server.data}",
                f"--username={SUPERUSER}",
                "--auth=scram-sha-256",
                f"--pwfile={pwfile}",
                "--encoding=UTF8",
                "--locale=C.UTF-8",
                *([] if server.durable else ["--no-sync"]),
            ],
            user=drop.user,
            group=drop.group,
            extra_groups=None if drop.user is None else [],
            env=_environment(),
            cwd="/",
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode != 0:
        raise ServiceFailed(
            f"PostgreSQL could not make its data folder {server.data}: {done.stderr.strip()}",
            next_step="Empty that folder if nothing in it is needed, then start again.",
        )
    return True


@contextmanager
def _password_file(password: str, drop: privileges.Drop) -> Iterator[str]:
    handle, name = tempfile.mkstemp(prefix="supplyline-pw-")
    try:
        with os.fdopen(handle, "w") as out:
            out.write(password + "\n")
        if drop.user is not None:
            os.chown(name, drop.user, -1)
        yield name
    finally:
        Path(name).unlink()


def _environment() -> dict[str, str]:
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8", "TZ": "UTC"}


def sized(memory: int) -> dict[str, str]:
    """Settings for a machine with so many bytes of memory, which other services share.

    On a machine of 8 GiB or more a file of a million rows fits into the buffers, and its
    write-ahead log is not written out by a checkpoint in between. The log is written by the process
    that is there for it, while the load goes on, as it comes by often and finds room left.
    """
    mb = 1 << 20
    return {
        "shared_buffers": f"{min(max(memory // 8 // mb, 128), 1024)}MB",
        "effective_cache_size": f"{max(memory // 2 // mb, 256)}MB",
        "max_wal_size": "2GB",
        "wal_buffers": f"{min(max(memory // 64 // mb, 16), 128)}MB",
        "wal_writer_delay": "20ms",
        "checkpoint_timeout": "15min",
        "random_page_cost": "1.1",  # no embedded server of today is on a turning disk
    }


def memory(limits: Sequence[Path] = _LIMITS) -> int:
    """Bytes of memory that this machine, or the container it seems to be, has."""
    found = [os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")]
    for path in limits:
        with suppress(OSError, ValueError):  # there is none, or it says "max"
            found.append(int(path.read_text()))
    return min(found)


def program(server: Postgres) -> Program:
    """The server as a foreground process; it ends in order on STOP_SIGNAL."""
    drop = privileges.of_existing(server.data)
    settings = {
        "listen_addresses": HOST,
        "port": str(server.port),
        "unix_socket_directories": "",
        "max_connections": str(server.max_connections),
        "timezone": "UTC",
        "log_timezone": "UTC",
        "password_encryption": "scram-sha-256",
        "log_line_prefix": "%m [%p] %q%u@%d ",
        **sized(memory()),
    }
    if not server.durable:
        settings |= {"fsync": "off", "synchronous_commit": "off", "full_page_writes": "off"}
    flags = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    binary = places.postgres_bin() / "postgres"
    return Program(
        argv=[*drop.prefix, str(binary), "-D", str(server.data), *flags],
        env=_environment(),
        user=drop.user,
        group=drop.group,
    )


def ensure_role(
    server: Postgres, name: str, *, password: str, createdb: bool = False, createrole: bool = False
) -> None:
    """Makes a login role, or corrects its password and rights when it is there."""
    with server.connect() as connection:
        found = connection.execute("SELECT 1 FROM pg_roles WHERE rolname = %s", [name]).fetchone()
        connection.execute(
            sql.SQL("{} ROLE {} LOGIN {} {} PASSWORD {}").format(
                sql.SQL("ALTER" if found else "CREATE"),
                sql.Identifier(name),
                sql.SQL("CREATEDB" if createdb else "NOCREATEDB"),
                sql.SQL("CREATEROLE" if createrole else "NOCREATEROLE"),
                sql.Literal(password),
            )
        )


def ensure_database(server: Postgres, name: str, *, owner: str) -> bool:
    """Makes a database that only its owner may enter; True when it was made now."""
    with server.connect() as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return False
        database = sql.Identifier(name)
        connection.execute(
            sql.SQL("CREATE DATABASE {} OWNER {}").format(database, sql.Identifier(owner))
        )
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))
    return True
