"""A workbook in a process of its own, whose memory and time are limited.

The reader of workbooks holds a whole sheet in memory and ends its process when there is not enough;
a few hundred bytes can ask for terabytes. So this file runs alone (of Supplyline it imports nothing
but its neighbour), answers one line of JSON for each line of JSON that it gets, and may die.

Whole numbers are written without `.0`, others with all their digits; dates as ISO text (both date
systems); errors and booleans as the sheet shows them (errors: xlsx alone, see `xlsx_cells`).
"""

from __future__ import annotations

import json
import resource
import sys
from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from supplyline.ingest.readers.xlsx_cells import Cells

MEMORY = 2 << 30
"""Bytes of address space."""
CPU_SECONDS = 300


def text(value: Any) -> str:
    """The cell as text: 7.0 → `7`, 0.1 → `0.1`, a date without time → `2024-01-31`."""
    written = _WRITTEN.get(type(value))
    return str(value) if written is None else written(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _moment(value: datetime) -> str:
    return value.isoformat(sep=" ") if value.time() != time() else value.date().isoformat()


def _duration(value: timedelta) -> str:
    if value < timedelta():
        return f"-{_duration(-value)}"
    seconds = int(value.total_seconds())
    whole = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    return whole + (f".{value.microseconds:06d}".rstrip("0") if value.microseconds else "")


_WRITTEN: dict[type, Callable[[Any], str]] = {
    bool: lambda v: "TRUE" if v else "FALSE",
    float: _number,
    datetime: _moment,
    date: date.isoformat,
    time: time.isoformat,
    timedelta: _duration,
    type(None): lambda _: "",
}
_TIMELY = frozenset({datetime, date, time, timedelta})


def _doubtful(value: Any) -> bool:
    """What a number that is no day or time may have become (see `xlsx_cells`)."""
    if isinstance(value, date):
        return (value.year, value.month, value.day) == (1900, 2, 28)
    return isinstance(value, time | timedelta)


class Session:
    """What is open, and how far it was read."""

    def __init__(self, path: str, form: str) -> None:
        from python_calamine import CalamineWorkbook

        with open(path, "rb") as source:  # noqa: PTH123 - nothing but the file
            self._book = CalamineWorkbook.from_filelike(source)
        self._path, self._form = path, form
        self._rows: Iterator[tuple[int, list[str]]] = iter(())
        self._sheet: Any = None
        self._cells: Cells | None = None

    def sheets(self) -> list[tuple[str, bool]]:
        """Name of each sheet of cells, and whether it is shown."""
        from python_calamine import SheetTypeEnum, SheetVisibleEnum

        return [
            (about.name, about.visible == SheetVisibleEnum.Visible)
            for about in self._book.sheets_metadata
            if about.typ == SheetTypeEnum.WorkSheet
        ]

    def sheet(self, name: str) -> dict[str, int]:
        """Opens a sheet."""
        self._sheet = self._cells = None
        self._rows = iter(())
        self._sheet = self._book.get_sheet_by_name(name)
        if self._form == "xlsx":
            sys.path.append(str(Path(__file__).parent))
            self._cells = import_module("xlsx_cells").Cells(self._path, name)
            sys.path.pop()
        return {"height": self._sheet.total_height, "width": self._sheet.total_width}

    def count(self) -> int:
        """Rows with any cell that is not empty."""
        return sum(1 for _ in self._filled())

    def rewind(self) -> None:
        self._rows = ((at + 1, self._texts(at, row)) for at, row in self._filled())

    def rows(self, count: int) -> list[tuple[int, list[str]]]:
        """The next rows that are not empty, numbered from 1; fewer than `count` at the end."""
        return [row for _, row in zip(range(count), self._rows, strict=False)]

    def _filled(self) -> Iterator[tuple[int, list[Any]]]:
        for at, values in enumerate(self._sheet.iter_rows()):
            wrong = self._cells is not None and at in self._cells.error_rows
            if wrong or values.count("") < len(values):
                yield at, values

    def _texts(self, at: int, values: list[Any]) -> list[str]:
        out = [value if type(value) is str else text(value) for value in values]
        cells = self._cells
        if cells is None:
            return out
        first = self._sheet.start[1]
        for place, value in enumerate(values):
            if type(value) in _TIMELY and _doubtful(value):
                out[place] = cells.no_day((at, first + place)) or out[place]
        if at in cells.error_rows:
            for place, value in enumerate(values):
                out[place] = out[place] if value != "" else cells.error((at, first + place))
        return out


def main(path: str, form: str) -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    resource.setrlimit(resource.RLIMIT_CPU, (CPU_SECONDS, CPU_SECONDS))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    session = None
    for line in sys.stdin:
        name, *arguments = json.loads(line)
        try:
            if session is None:
                session = Session(path, form)
            answer = {"ok": getattr(session, name)(*arguments)}
        except BaseException as error:  # noqa: BLE001 - a panic of the Rust reader is no Exception
            answer = {"error": str(error), "kind": type(error).__name__}
        print(json.dumps(answer), flush=True)  # noqa: T201 - the answer


if __name__ == "__main__":
    main(*sys.argv[1:])
