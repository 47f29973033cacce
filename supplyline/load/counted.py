"""Sentences of certificates that begin with a count of rows: said, and read again from old ones."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Counted:
    """What is said of one row and of several; a count of neither is said as of several."""

    one: str
    many: str

    def of(self, count: int, rest: str = "") -> str:
        return f"{count} {self.one if count == 1 else self.many}{rest}"

    def read(self, said: str) -> tuple[int, str] | None:
        """The count and the rest of a sentence; None for another one.

        Certificates of before a single row had a form of its own speak of `1 rows`.
        """
        number, _, text = said.partition(" ")
        form = next((f for f in (self.many, self.one) if text.startswith(f)), None)
        if form is None or not number.isdecimal():
            return None
        return int(number), text[len(form) :]


IN_QUARANTINE = Counted(one="row is in quarantine", many="rows are in quarantine")
MISFITS = Counted(
    one="row does not fit the table's columns and was set aside",
    many="rows do not fit the table's columns and were set aside",
)
NO_KEY = Counted(one="row was rejected: its key", many="rows were rejected: their key")
AWAITED = Counted(
    one="row waits for its correction, whose load was undone",
    many="rows wait for their correction, whose load was undone",
)
SHARED = Counted(one="row shares", many="rows share")
REPLACED = Counted(
    one="row took the place of a row of an earlier file",
    many="rows took the place of rows of earlier files",
)
FATE = Counted(one="row has a fate", many="rows have a fate")
