"""Tables as CSV and Excel files that a spreadsheet opens without running anything in them.

Promises: no cell becomes a formula (OWASP, "CSV Injection"): in CSV a text that a spreadsheet could
take for one gets an apostrophe in front, in Excel files texts are cells of type text, unchanged.
Numbers and dates stay numbers and dates. Memory does not grow with the rows.
"""

from __future__ import annotations

import csv
import io
import math
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from itertools import islice
from typing import IO, TYPE_CHECKING, Any

from django.http import FileResponse

from backend.api.errors import UnknownFileType

if TYPE_CHECKING:
    from xlsxwriter.worksheet import Worksheet

CSV = "text/csv"
XLSX = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
MEDIA_TYPES = {"csv": CSV, "xlsx": XLSX}
SHEET_ROWS = 1_048_575
"""Rows below the header that fit on one sheet; more go to further sheets."""
CELL_CHARACTERS = 32_767
FORMULA = frozenset("=+-@\t\r\n＝＋－＠")  # noqa: RUF001 - the full-width ones work too


def harmless(value: object) -> object:
    """A text that a spreadsheet would take for a formula gets an apostrophe in front."""
    if not isinstance(value, str) or not value:
        return value
    dangerous = value[0] in FORMULA or value.lstrip(" \ufeff\u00a0")[:1] in FORMULA
    return f"'{value}" if dangerous else value


def plain(value: object) -> object:
    """A number without what binary arithmetic adds behind its twelfth digit: 57546.740000000005 is
    57546.74."""
    return float(f"{value:.12g}") if isinstance(value, float) else value


def require_type(kind: str) -> str:
    """Raises UnknownFileType."""
    if kind not in MEDIA_TYPES:
        raise UnknownFileType(f"There is no such file as {kind[:40]!r}.")
    return kind


def table_response(
    rows: Iterable[Sequence[Any]], *, header: Sequence[str], kind: str, name: str
) -> FileResponse:
    """The whole table as a file to save; written before the answer begins, so that it is never
    half a file with a good status. `kind`: csv or xlsx."""
    spool = tempfile.TemporaryFile()  # noqa: SIM115 - FileResponse closes it
    if kind == "xlsx":
        write_xlsx(spool, header=header, rows=rows)
    else:
        write_csv(spool, header=header, rows=rows)
    spool.seek(0)
    return FileResponse(
        spool, as_attachment=True, filename=f"{name}.{kind}", content_type=MEDIA_TYPES[kind]
    )


def write_csv(out: IO[bytes], *, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    """RFC 4180, UTF-8 with a byte order mark, without which Excel reads it in a local code page."""
    text = io.TextIOWrapper(out, encoding="utf-8-sig", newline="")
    writer = csv.writer(text)
    writer.writerow(header)
    for row in rows:
        writer.writerow([harmless(plain(cell)) for cell in row])
    text.detach()


def write_xlsx(out: IO[bytes], *, header: Sequence[str], rows: Iterable[Sequence[Any]]) -> None:
    from xlsxwriter import Workbook

    options = {"constant_memory": True, "strings_to_formulas": False, "strings_to_urls": False}
    with Workbook(out, options) as book:
        bold, day = book.add_format({"bold": True}), book.add_format({"num_format": "yyyy-mm-dd"})
        source = iter(rows)
        while True:
            part = list(islice(source, 1))
            if not part and book.worksheets():
                break
            sheet = book.add_worksheet()
            sheet.freeze_panes(1, 0)
            for column, title in enumerate(header):
                sheet.write_string(0, column, title, bold)
            for line, row in enumerate(_up_to(part, source), start=1):
                for column, cell in enumerate(row):
                    _write(sheet, line, column, cell, day)


def _up_to(first: list[Sequence[Any]], source: Iterator[Sequence[Any]]) -> Iterator[Sequence[Any]]:
    yield from first
    yield from islice(source, SHEET_ROWS - len(first))


def _write(sheet: Worksheet, line: int, column: int, cell: Any, day: Any) -> None:
    match cell:
        case None:
            return
        case date():
            sheet.write_datetime(line, column, cell, day)
        case int() | float() if math.isfinite(cell):
            sheet.write_number(line, column, plain(cell))
        case _:
            sheet.write_string(line, column, str(cell)[:CELL_CHARACTERS])
