"""The proof that nobody touched the audit trail.

`verify` finds, and names the first number at which it shows:

* an event whose content was edited, also consistently with a new hash of its own (the next event,
  or the recorded head, still holds the old one);
* an event that was deleted from, or inserted into, the middle;
* events cut off at the end, since the head is recorded apart; a head that was changed or removed;
* triggers that guard the table and are missing or disabled (reported as a warning).

It cannot find, by itself, a change by somebody who may do everything in the database and rewrites
all hashes from there to the end *and* the head, or who cuts the tail off and sets the head back.
Against that, keep an `Anchor` (number and hash of the newest event, 64 characters to write down)
somewhere else and hand it to `verify`: then every change up to the anchor is found.
"""

from __future__ import annotations

import re
from dataclasses import asdict, dataclass

from supplyline.audit.events import COLUMNS, GENESIS, Connection, Event, from_row, hash_of
from supplyline.contracts import Json

_ANCHOR = re.compile(r"(\d{1,18}):([0-9a-f]{64})")
_TRIGGERS = frozenset({"audit_extend", "audit_refuse", "audit_refuse_truncate"})


@dataclass(frozen=True, kw_only=True)
class Anchor:
    """The newest event as it once was; written `SEQ:HASH`."""

    seq: int
    hash: str

    def __str__(self) -> str:
        return f"{self.seq}:{self.hash}"

    @classmethod
    def parse(cls, text: str) -> Anchor:
        """Raises ValueError."""
        match = _ANCHOR.fullmatch(text.strip())
        if match is None:
            raise ValueError(f"{text[:80]!r} is no anchor; one is written NUMBER:HASH")
        return cls(seq=int(match[1]), hash=match[2])


@dataclass(frozen=True, kw_only=True)
class ChainReport:
    """`ok`: nothing was touched as far as can be seen. `first_broken`: where it first shows."""

    ok: bool
    events: int
    head: Anchor
    first_broken: int | None = None
    problem: str = ""
    warnings: tuple[str, ...] = ()

    def as_json(self) -> Json:
        return {**asdict(self), "anchor": str(self.head)}


def verify(conn: Connection, *, anchor: Anchor | None = None) -> ChainReport:
    """Reads the whole chain, in constant memory and from one snapshot, and checks it."""
    last = Anchor(seq=0, hash=GENESIS)
    head: Anchor | None = None
    with conn.transaction(), conn.cursor(name="audit_verify") as cursor:
        cursor.itersize = 1000
        # One statement, so that head and events are of the same moment.
        cursor.execute(
            "SELECT (SELECT seq FROM supplyline.audit_head),"  # noqa: S608 - a constant of ours
            f" (SELECT hash FROM supplyline.audit_head), {COLUMNS}"
            " FROM (SELECT) one LEFT JOIN supplyline.audit_events e ON true ORDER BY e.seq"
        )
        problem: tuple[int, str] | None = None
        count = 0
        for head_seq, head_hash, *row in cursor:
            head = None if head_seq is None else Anchor(seq=head_seq, hash=head_hash)
            if row[0] is None:
                break  # no event at all
            count += 1
            if problem is None:
                problem, last = _next(tuple(row), last=last, anchor=anchor)
        warnings = _guards(conn)
    if problem is None:
        problem = _end(last=last, head=head, anchor=anchor)
    return ChainReport(
        ok=problem is None,
        events=count,
        head=last if problem is None else (head or last),
        first_broken=problem[0] if problem else None,
        problem=problem[1] if problem else "",
        warnings=warnings,
    )


def _next(
    row: tuple[object, ...], *, last: Anchor, anchor: Anchor | None
) -> tuple[tuple[int, str] | None, Anchor]:
    expected = last.seq + 1
    try:
        event: Event = from_row(row)
        digest = hash_of(event)
    except ValueError:
        return (expected, "its content is not as it was written"), last
    if event.seq != expected:
        return (expected, "the event was deleted" if event.seq > expected else "repeated"), last
    if event.prev_hash != last.hash:
        return (expected, "it does not continue the event before, which was edited"), last
    if event.hash != digest:
        return (expected, "its content was edited"), last
    if anchor is not None and anchor.seq == event.seq and anchor.hash != digest:
        return (expected, "it, or an event before, is not what the anchor recorded"), last
    return None, Anchor(seq=event.seq, hash=digest)


def _end(*, last: Anchor, head: Anchor | None, anchor: Anchor | None) -> tuple[int, str] | None:
    if head is None:
        return last.seq + 1, "the record of the newest event is missing"
    if head.seq > last.seq:
        return last.seq + 1, f"the events from here to {head.seq} were cut off"
    if head.seq < last.seq:
        return head.seq + 1, "events were added around the chain"
    if head.hash != last.hash:
        return last.seq, "the newest event was rewritten"
    if anchor is not None and anchor.seq > last.seq:
        return last.seq + 1, f"the events from here to {anchor.seq}, which the anchor saw, are gone"
    return None


def _guards(conn: Connection) -> tuple[str, ...]:
    rows = conn.execute(
        "SELECT tgname FROM pg_trigger WHERE tgrelid = 'supplyline.audit_events'::regclass"
        " AND tgenabled IN ('O', 'A')"
    ).fetchall()
    missing = sorted(_TRIGGERS - {name for (name,) in rows})
    return tuple(f"the trigger {name} is missing or disabled" for name in missing)
