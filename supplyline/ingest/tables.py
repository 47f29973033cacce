"""One table a file: header rows that come again, and further tables below the first, set aside.

A header repeated word for word (files written one behind the other) is set aside alone; the rows
below it belong to the table. A header that shares most of its names with the first but is another
one begins another table: it and what follows are set aside in full, until the first header returns.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from supplyline.ingest.records import Event, Record, Refused

_SHARED = 0.6


class FirstTable:
    """Passes the rows of the table whose header is `names`; () passes everything."""

    def __init__(self, names: Sequence[str], *, delimiter: str) -> None:
        self.own = [n.strip() for n in names]
        self.known = {n for n in self.own if n}
        self.delimiter = delimiter
        self.watching = len(self.known) >= 2
        self.other = False
        """Whether the rows at hand belong to another table."""

    def of(self, events: Iterator[Event]) -> Iterator[Event]:
        return map(self.passed, events) if self.watching else events

    def passed(self, event: Event) -> Event:
        """The row, or what is set aside in its place."""
        if isinstance(event, Refused):
            return event
        verdict = self.verdict(event.cells)
        if verdict == "same":
            self.other = False
            return _aside(event, "repeated_header", "The header stands here again.", self.delimiter)
        if verdict == "other":
            self.other = True
            return _aside(event, "second_table", "Another table begins here.", self.delimiter)
        return of_another_table(event, self.delimiter) if self.other else event

    def verdict(self, cells: Sequence[str]) -> str:
        """`same`, `other` or "": is this row a header like the table's own?"""
        known = self.known
        # Two cells decide nearly always that a row is none, at the price of two look-ups.
        if cells[0].strip() not in known and (len(cells) < 2 or cells[1].strip() not in known):
            return ""
        texts = [c.strip() for c in cells]
        if texts == self.own:
            return "same"
        filled = [t for t in texts if t]
        shared = sum(t in known for t in filled)
        if shared >= 3 and shared >= _SHARED * len(filled) and shared >= _SHARED * len(known):
            return "other" if len(texts) != len(self.own) else ""
        return ""


def of_another_table(event: Event, delimiter: str) -> Refused:
    if isinstance(event, Refused):
        return event
    return _aside(event, "second_table", "The row belongs to another table.", delimiter)


def _aside(event: Record, code: str, reason: str, delimiter: str) -> Refused:
    return Refused(event.line, code, reason, delimiter.join(event.cells))
