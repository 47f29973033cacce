"""Audit events: who did what, in the database in which it was done.

Promises (P9): `append` runs inside the caller's transaction, so an event and the change it speaks
of commit together or not at all. The events of a database form one hash chain: each event's hash is
SHA-256 over its canonical JSON, which holds its number and the hash of the event before. Numbers
have no gaps. The organization's role can add and read events, and triggers refuse every change, to
the tables' owner as well; `audit.chain.verify` finds what was done around them.

Refuses events outside a transaction and details that JSON cannot hold. Cell values and secrets do
not belong into a detail: ids, names and counts do.

An append holds a lock until the caller's transaction ends, and another append to the same database
waits for it. So append last, shortly before the commit.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Any

import psycopg
from psycopg.pq import TransactionStatus

from supplyline.contracts import Json, OrgId

Connection = psycopg.Connection[tuple[Any, ...]]

GENESIS = "0" * 64
"""`prev_hash` of the first event."""

COLUMNS = (
    "seq, at, org, kind, actor, subject, run_id, correlation_id, detail::text, prev_hash, hash"
)

_KIND = re.compile(r"[a-z][a-z0-9_]*(?:\.[a-z][a-z0-9_]*)*")
_LOCK = 0x5355_504C_0002  # "SUPL" and a number: one append at a time in one database


@dataclass(frozen=True, kw_only=True)
class Event:
    """One event of the chain. `at` is UTC; `detail` is plain JSON."""

    seq: int
    at: datetime
    org: OrgId
    kind: str
    actor: str
    subject: str
    detail: Json
    run_id: str
    correlation_id: str
    prev_hash: str
    hash: str

    def as_json(self) -> Json:
        return {**self.content(), "hash": self.hash}

    def content(self) -> Json:
        """What is hashed: everything but the hash itself."""
        return {
            "seq": self.seq,
            "at": self.at.astimezone(UTC).isoformat(timespec="microseconds"),
            "org": self.org,
            "kind": self.kind,
            "actor": self.actor,
            "subject": self.subject,
            "detail": self.detail,
            "run_id": self.run_id,
            "correlation_id": self.correlation_id,
            "prev_hash": self.prev_hash,
        }


def utc_now() -> datetime:
    return datetime.now(UTC)


def append(
    conn: Connection,
    *,
    org: OrgId,
    kind: str,
    actor: str,
    subject: str,
    detail: Mapping[str, Any],
    run_id: str = "",
    correlation_id: str = "",
    now: Callable[[], datetime] = utc_now,
) -> Event:
    """Adds an event to the chain inside the transaction that `conn` is in (or begins).

    `kind`: dotted lower-case words, e.g. `load.published`. Decimals, dates and times in `detail`
    become text. Raises ValueError outside a transaction or for a detail that is no JSON, and
    psycopg's SerializationFailure when the caller's isolation level hides a newer event.
    """
    if conn.autocommit and conn.info.transaction_status == TransactionStatus.IDLE:
        raise ValueError("an audit event needs the transaction of the change it speaks of")
    if not _KIND.fullmatch(kind):
        raise ValueError(f"{kind!r} is no kind of event, such as load.published")
    plain = json.loads(canonical(dict(detail)))
    conn.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))
    seq, prev_hash = head(conn)
    fields: Json = {
        "seq": seq + 1,
        "at": now().astimezone(UTC),
        "org": org,
        "kind": kind,
        "actor": storable(actor),
        "subject": storable(subject),
        "run_id": storable(run_id),
        "correlation_id": storable(correlation_id),
        "detail": plain,
        "prev_hash": prev_hash,
    }
    digest = hash_of(Event(**fields, hash=""))
    conn.execute(
        "INSERT INTO supplyline.audit_events (seq, at, org, kind, actor, subject, run_id,"
        " correlation_id, detail, prev_hash, hash) VALUES (%(seq)s, %(at)s, %(org)s, %(kind)s,"
        " %(actor)s, %(subject)s, %(run_id)s, %(correlation_id)s, %(detail)s::json,"
        " %(prev_hash)s, %(hash)s)",
        {**fields, "detail": canonical(plain), "hash": digest},
    )
    return Event(**fields, hash=digest)


def events(
    conn: Connection,
    *,
    limit: int = 100,
    before: int | None = None,
    kind: str | None = None,
    since: datetime | None = None,
) -> tuple[Event, ...]:
    """The newest events first. `before`: only those with a smaller number (to page on).

    `kind`: this kind and what lies under it (`load` finds `load.published`); `since`: aware time.
    """
    rows = conn.execute(
        f"SELECT {COLUMNS} FROM supplyline.audit_events"  # noqa: S608 - a constant of ours
        " WHERE (%(before)s::bigint IS NULL OR seq < %(before)s)"
        " AND (%(kind)s::text IS NULL OR kind = %(kind)s OR starts_with(kind, %(kind)s || '.'))"
        " AND (%(since)s::timestamptz IS NULL OR at >= %(since)s)"
        " ORDER BY seq DESC LIMIT %(limit)s",
        {"before": before, "kind": kind, "since": since, "limit": limit},
    ).fetchall()
    return tuple(from_row(row) for row in rows)


def head(conn: Connection) -> tuple[int, str]:
    """Number and hash of the newest event; (0, GENESIS) before the first one."""
    row = conn.execute("SELECT seq, hash FROM supplyline.audit_head").fetchone()
    return (0, GENESIS) if row is None else (int(row[0]), str(row[1]))


def org_of(conn: Connection) -> OrgId:
    """The organization whose database this is, as its first event says it."""
    row = conn.execute("SELECT org FROM supplyline.audit_events WHERE seq = 1").fetchone()
    if row is None:
        raise ValueError(f"the database {conn.info.dbname} has no first event")
    return OrgId(row[0])


def from_row(row: tuple[Any, ...]) -> Event:
    """An Event from a row of `COLUMNS`. Raises ValueError when its detail is no JSON."""
    seq, at, org, kind, actor, subject, run_id, correlation_id, detail, prev_hash, digest = row
    return Event(
        seq=seq,
        at=at.astimezone(UTC),
        org=OrgId(org),
        kind=kind,
        actor=actor,
        subject=subject,
        run_id=run_id,
        correlation_id=correlation_id,
        detail=json.loads(detail),
        prev_hash=prev_hash,
        hash=digest,
    )


def hash_of(event: Event) -> str:
    return hashlib.sha256(canonical(event.content()).encode("ascii")).hexdigest()


def canonical(data: Json) -> str:
    """JSON with sorted keys, no spaces and ASCII only: the same data is always the same text."""
    return json.dumps(
        data, sort_keys=True, separators=(",", ":"), allow_nan=False, default=_as_text
    )


def storable(text: str) -> str:
    """Text as PostgreSQL can hold it: NUL and lone surrogates, which it cannot, written out."""
    return text.encode("utf-8", "backslashreplace").decode().replace("\x00", "\\x00")


def _as_text(value: object) -> str:
    if isinstance(value, Decimal):
        return str(value)
    if isinstance(value, datetime | date):
        return value.isoformat()
    raise ValueError(f"a detail of an event cannot hold a {type(value).__name__}")
