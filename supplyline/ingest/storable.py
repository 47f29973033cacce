"""What no text column can hold, whatever the format it came in: set aside here, with its row.

PostgreSQL's text takes every character but NUL, and lone halves of surrogate pairs are no
characters. Delimited text is looked at where it is cut (`readers.delimited`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from supplyline.ingest.readers.lines import readable
from supplyline.ingest.records import Event, Refused

BAD = re.compile("[\0\ud800-\udfff]")
NUL = "A value has a NUL character, which is no text."
HALF = "A value has bytes that are no text, or half of a surrogate pair."


def storable(events: Iterator[Event]) -> Iterator[Event]:
    """The rows; those with a character that cannot be kept are set aside."""
    return map(_checked, events)


def header(text: str) -> str:
    """A header's text; what cannot be kept is written out (`\\x00`, `\\ud800`)."""
    return BAD.sub(lambda m: "\\x00" if m[0] == "\0" else f"\\u{ord(m[0]):04x}", text)


def _checked(event: Event) -> Event:
    if isinstance(event, Refused):
        return event
    found = BAD.search("".join(event.cells))
    if found is None:
        return event
    from supplyline.ingest.checks import raw_of

    column = next(at for at, cell in enumerate(event.cells, start=1) if BAD.search(cell))
    code, reason = ("nul_character", NUL) if found[0] == "\0" else ("undecodable", HALF)
    raw = readable(raw_of(event.cells, delimiter=","))
    return Refused(event.line, code, reason, raw, column)
