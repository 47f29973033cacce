"""One table a file: header rows that come again, and further tables below the first, set aside.

A header repeated word for word (files written one behind the other) is set aside alone; the rows
below it belong to the table. A header that shares most of its names with the first but is another
one begins another table: it and what follows are set aside in full, until the first header returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from supplyline.ingest.records import Event, Record, Refused

_SHARED = 0.6


def first_table(
    events: Iterator[Event], *, names: Sequence[str], delimiter: str
) -> Iterator[Event]:
    """Passes the rows of the table whose header is `names`; () passes everything."""
    own = [n.strip() for n in names]
    known = {n for n in own if n}
    if len(known) < 2:
        yield from events
        return
    other = False
    for event in events:
        if isinstance(event, Refused):
            yield event
            continue
        verdict = _header(event.cells, own, known)
        if verdict == "same":
            other = False
            yield _aside(event, "repeated_header", "The header stands here again.", delimiter)
        elif verdict == "other":
            other = True
            yield _aside(event, "second_table", "Another table begins here.", delimiter)
        elif other:
            yield _aside(event, "second_table", "The row belongs to another table.", delimiter)
        else:
            yield event


def _header(cells: Sequence[str], own: Sequence[str], known: set[str]) -> str:
    """`same`, `other` or "": is this row a header like the table's own?"""
    # Two cells decide nearly always that a row is none, at the price of two look-ups.
    if cells[0].strip() not in known and (len(cells) < 2 or cells[1].strip() not in known):
        return ""
    texts = [c.strip() for c in cells]
    if texts == own:
        return "same"
    filled = [t for t in texts if t]
    shared = sum(t in known for t in filled)
    if shared >= 3 and shared >= _SHARED * len(filled) and shared >= _SHARED * len(known):
        return "other" if len(texts) != len(own) else ""
    return ""


def _aside(event: Record, code: str, reason: str, delimiter: str) -> Refused:
    return Refused(event.line, code, reason, delimiter.join(event.cells))
