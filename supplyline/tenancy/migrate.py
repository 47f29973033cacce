"""The schema of an organization's database, in numbered steps.

Promises: every step runs once, whole or not at all, in order, and is recorded in
`supplyline.schema_version`, and in the audit trail, by the transaction that ran it; two that
migrate at once take turns.
Refuses to go on when a recorded step's text is no longer the text that was run.

How to add a step: put `NNNN_room_what.sql` into `tenancy/schema/`. NNNN is the next free number;
the file name, without its ending, is the step's name. Never change a file that was released: add
another. In the file

* `:"org_role"` (psql's way of writing a quoted variable) is the organization's role;
* statements run as APP_DB_USER, who owns the schema `supplyline`. A table made in that schema is
  readable and writable for the organization's role by default privileges; a table that it must
  not change gets a `REVOKE ... ON ... FROM :"org_role"` in the same file;
* tables that hold the organization's data are made in `public` and handed over with
  `ALTER TABLE public.x OWNER TO :"org_role"`;
* no BEGIN, COMMIT, or anything that cannot run in a transaction.
"""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass
from importlib import resources

import psycopg
from psycopg import sql

from supplyline.audit.events import append, head, org_of
from supplyline.contracts import OrgId
from supplyline.errors import DatabaseUnavailable, SchemaMismatch
from supplyline.settings import Settings
from supplyline.tenancy.connections import Connection, connect_admin, unavailable_mapped
from supplyline.tenancy.names import database_name, role_name

_FILE = re.compile(r"(\d{4}_[a-z0-9_]+)\.sql")
_LOCK = 0x5355_504C_0001  # "SUPL" and a number: one migration at a time in one database

PATIENCE_MS = 30_000
"""How long a step waits for a lock."""

_BASE = """
CREATE SCHEMA IF NOT EXISTS supplyline;
REVOKE ALL ON SCHEMA supplyline FROM PUBLIC;
GRANT USAGE ON SCHEMA supplyline TO :"org_role";
ALTER DEFAULT PRIVILEGES IN SCHEMA supplyline
  GRANT SELECT, INSERT, UPDATE, DELETE ON TABLES TO :"org_role";
ALTER DEFAULT PRIVILEGES IN SCHEMA supplyline GRANT USAGE, SELECT ON SEQUENCES TO :"org_role";
CREATE TABLE IF NOT EXISTS supplyline.schema_version (
  step text PRIMARY KEY,
  sha256 text NOT NULL,
  applied_at timestamptz NOT NULL DEFAULT now()
);
REVOKE INSERT, UPDATE, DELETE ON supplyline.schema_version FROM :"org_role";
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT USAGE, CREATE ON SCHEMA public TO :"org_role";
"""


@dataclass(frozen=True, kw_only=True)
class Step:
    """One numbered file. `name`: `0001_audit_settings`; `text`: its SQL."""

    name: str
    text: str

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.text.encode()).hexdigest()


def steps() -> tuple[Step, ...]:
    """All steps that this version of the software knows, in order."""
    folder = resources.files("supplyline.tenancy").joinpath("schema")
    found = [
        Step(name=match[1], text=entry.read_text(encoding="utf-8"))
        for entry in folder.iterdir()
        if (match := _FILE.fullmatch(entry.name))
    ]
    return tuple(sorted(found, key=lambda step: step.name))


def migrate(org: OrgId, *, settings: Settings) -> tuple[str, ...]:
    """Brings one organization's database up to date; returns the steps that were run.

    Raises DatabaseUnavailable, SchemaMismatch.
    """
    database = database_name(org, prefix=settings.pg_db_prefix)
    role = role_name(org, prefix=settings.pg_db_prefix)
    with (
        unavailable_mapped(),
        connect_admin(settings=settings, dbname=database, autocommit=False) as conn,
    ):
        return apply(conn, org_role=role)


def apply(
    conn: Connection, *, org_role: str, known: tuple[Step, ...] | None = None
) -> tuple[str, ...]:
    """Runs what is missing, each step in a transaction of its own, as the connection's role."""
    with conn.transaction():
        _lock(conn)
        if not _is_prepared(conn):
            _run(conn, _BASE, org_role=org_role)
    done = []
    for step in steps() if known is None else known:
        with conn.transaction():
            _lock(conn)
            if _is_due(conn, step):
                _run_step(conn, step, org_role=org_role)
                done.append(step.name)
    return tuple(done)


def pending(conn: Connection) -> tuple[str, ...]:
    """Names of the steps that this database has not seen yet."""
    recorded = {name for (name,) in conn.execute("SELECT step FROM supplyline.schema_version")}
    return tuple(step.name for step in steps() if step.name not in recorded)


def _lock(conn: Connection) -> None:
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))


def _is_prepared(conn: Connection) -> bool:
    row = conn.execute("SELECT to_regclass('supplyline.schema_version') IS NOT NULL").fetchone()
    return bool(row and row[0])


def _is_due(conn: Connection, step: Step) -> bool:
    row = conn.execute(
        "SELECT sha256 FROM supplyline.schema_version WHERE step = %s", (step.name,)
    ).fetchone()
    if row is None:
        return True
    if row[0] != step.sha256:
        raise SchemaMismatch(
            f"The schema step {step.name} was changed after it had been run in {conn.info.dbname}.",
            step=step.name,
        )
    return False


def _run_step(conn: Connection, step: Step, *, org_role: str) -> None:
    try:
        # One organization's open session holds up neither its own readers nor the others' steps.
        conn.execute(f"SET LOCAL lock_timeout = {PATIENCE_MS}".encode())
        _run(conn, step.text, org_role=org_role)
        conn.execute(
            "INSERT INTO supplyline.schema_version (step, sha256) VALUES (%s, %s)",
            (step.name, step.sha256),
        )
        _audit(conn, step)
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"The schema step {step.name} was interrupted in {conn.info.dbname}:"
            f" {error.diag.message_primary or type(error).__name__}.",
            next_step="Try again; for a lock timeout, end the session that is `idle in transaction`"
            " there first (pg_stat_activity shows it).",
        ) from error
    except psycopg.Error as error:
        raise SchemaMismatch(
            f"The schema step {step.name} failed in {conn.info.dbname}: {error}", step=step.name
        ) from error


def _audit(conn: Connection, step: Step) -> None:
    """A change of the schema is an event too; the steps of the first provision are in its event."""
    row = conn.execute("SELECT to_regclass('supplyline.audit_events') IS NOT NULL").fetchone()
    if row and row[0] and head(conn)[0] > 0:
        append(
            conn,
            org=org_of(conn),
            kind="schema.migrated",
            actor="system",
            subject=step.name,
            detail={"sha256": step.sha256},
        )


def _run(conn: Connection, text: str, *, org_role: str) -> None:
    quoted = sql.Identifier(org_role).as_string(conn)
    statements = text.replace(':"org_role"', quoted)
    # The text is a file of ours; the only thing put into it was quoted by psycopg one line above.
    conn.execute(statements.encode())
