"""A workbook in a process of its own, whose memory and time are limited.

The reader of workbooks holds a whole sheet in memory and ends its process when there is not enough;
a few hundred bytes can ask for terabytes. So this file runs alone (it imports nothing of
Supplyline), answers one line of JSON for each line of JSON that it gets, and may die.

Whole numbers are written without `.0`, others with all their digits; dates as ISO text (both date
systems); errors and booleans as the sheet shows them.
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

MEMORY = 2 << 30
"""Bytes of address space."""
CPU_SECONDS = 300


def text(value: Any) -> str:
    """The cell as text: 7.0 → `7`, 0.1 → `0.1`, a date without time → `2024-01-31`."""
    for types, written in _WRITTEN:
        if isinstance(value, types):
            return written(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _moment(value: datetime) -> str:
    return value.isoformat(sep=" ") if value.time() != time() else value.date().isoformat()


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    whole = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    return whole + (f".{value.microseconds:06d}".rstrip("0") if value.microseconds else "")


_WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (str, str),
    (bool, lambda v: "TRUE" if v else "FALSE"),
    (float, _number),
    (datetime, _moment),
    ((date, time), lambda v: v.isoformat()),
    (timedelta, _duration),
)


class Session:
    """What is open, and how far it was read."""

    def __init__(self, path: str) -> None:
        from python_calamine import CalamineWorkbook

        with open(path, "rb") as source:  # noqa: PTH123 - nothing but the file
            self._book = CalamineWorkbook.from_filelike(source)
        self._rows: Iterator[list[Any]] = iter(())

    def names(self) -> list[str]:
        return list(self._book.sheet_names)

    def sheet(self, name: str) -> dict[str, int]:
        self._sheet = self._book.get_sheet_by_name(name)
        start = self._sheet.start
        return {
            "height": self._sheet.total_height,
            "width": self._sheet.total_width,
            "first": start[0] if start else 0,
        }

    def rewind(self) -> None:
        self._rows = self._sheet.iter_rows()

    def rows(self, count: int) -> list[list[str]]:
        """The next rows; fewer than `count` at the end."""
        out = []
        for _, values in zip(range(count), self._rows, strict=False):
            out.append([text(v) for v in values])
        return out


def main(path: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    session = None
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            if session is None:
                session = Session(path)
            answer = {"ok": getattr(session, name)(*arguments)}
        except BaseException as error:  # noqa: BLE001 - a panic of the Rust reader is no Exception
            answer = {"error": str(error), "kind": type(error).__name__}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main(sys.argv[1])
