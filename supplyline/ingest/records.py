"""What readers hand over, before rows become columns: one event for each row of the file."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Record:
    """A row as read. `line`: 1-based physical line (for sheets: row) on which it begins."""

    line: int
    cells: list[str]


@dataclass(frozen=True, slots=True)
class Refused:
    """A row that cannot be read as one. `raw` gives its text, undecodable bytes as `\\xNN`."""

    line: int
    code: str
    reason: str
    raw: str
    column: int | None = None
    """1-based position of the offending cell, where there is one."""


Event = Record | Refused
