"""Workbooks (xlsx, xls, xlsb, ods): one sheet's rows as text a person would recognise.

Refuses encrypted and damaged workbooks, and those that need too much memory or time.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from supplyline.contracts import Layout, ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest.plan import columns
from supplyline.ingest.readers import workbook
from supplyline.ingest.records import Event, Record
from supplyline.ingest.sniff import structure
from supplyline.ingest.source import Opened

MAX_CELLS = 60_000_000
PAGE = 1_000


def read_sheet(
    opened: Opened, *, options: ParseOptions
) -> tuple[Layout, Callable[[], Iterator[Event]]]:
    """Raises UnreadableFile for what calamine cannot open, or a sheet that is not there."""
    book, names = _open(opened)
    if options.sheet is not None and options.sheet not in names:
        raise UnreadableFile(
            f"The workbook has no sheet {options.sheet!r}.",
            next_step=f"Its sheets are {', '.join(names)[:300]}.",
        )
    chosen, sheet = _choose(book, names, options)
    sample = [Record(n, c) for n, c in sheet.rows(limit=300) if structure.filled(c)]
    if not sample:
        layout = Layout(
            format=opened.format,
            columns=(),
            header_row=0,
            sheet=chosen,
            reasons=("the sheet is empty",),
        )
        return layout, lambda: iter(())
    found = _structure(sample, options)
    width = max(found.width, len(found.names))
    data_line = sample[found.data].line if found.data < len(sample) else sample[-1].line + 1
    last = _last_row(sheet, found, options, data_line)
    header = sample[found.header].line if found.header_rows else 0
    reasons = (f"sheet {chosen!r} of {len(names)}", *found.reasons)
    layout = Layout(
        format=opened.format,
        columns=columns(found.names, width),
        header_row=header,
        preamble_lines=(header or data_line) - 1,
        sheet=chosen,
        reasons=reasons,
    )

    def events() -> Iterator[Event]:
        for number, cells in sheet.rows():
            if number < data_line or not structure.filled(cells) or number > last:
                continue
            yield Record(number, cells)

    return layout, events


class Book:
    """A workbook that is open in a process of its own (see `workbook`)."""

    def __init__(self, opened: Opened) -> None:
        self._copy = tempfile.NamedTemporaryFile(prefix="supplyline-")  # noqa: SIM115 - see close
        opened.stream.seek(0)
        shutil.copyfileobj(opened.stream, self._copy, 1 << 20)
        self._copy.flush()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", str(workbook.__file__), self._copy.name],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.close = weakref.finalize(self, _end, self._process, self._copy)

    def ask(self, what: str, *arguments: object) -> Any:
        """Raises UnreadableFile for what the reader cannot do or does not survive."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the workbook's process has no pipes")
        answer = b""
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps([what, *arguments]).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            raise UnreadableFile(
                "The workbook needs more memory or time than a file may take.",
                next_step="Save the sheet as CSV and upload that; it can be of any size.",
            )
        told = json.loads(answer)
        if "error" not in told:
            return told["ok"]
        damaged = "is damaged" if told["kind"] == "PanicException" else "cannot be read"
        raise _Failed(f"{damaged}: {told['error']}.")


class _Failed(Exception):
    """What the reader of workbooks said."""


def _end(process: subprocess.Popen[bytes], copy: Any) -> None:
    process.kill()
    process.wait()
    for pipe in (process.stdin, process.stdout):
        if pipe is not None:
            with suppress(BrokenPipeError):
                pipe.close()
    copy.close()


@dataclass(frozen=True)
class Sheet:
    """A sheet of a book; one at a time can be read."""

    book: Book
    height: int
    width: int
    first: int

    def rows(self, *, limit: int | None = None) -> Iterator[tuple[int, list[str]]]:
        """Rows numbered from 1."""
        number = 0
        try:
            self.book.ask("rewind")
            while limit is None or number < limit:
                count = PAGE if limit is None else min(PAGE, limit - number)
                page = self.book.ask("rows", count)
                yield from enumerate(page, start=number + 1)
                number += len(page)
                if len(page) < count:
                    return
        except _Failed as error:
            raise UnreadableFile(f"The sheet {error}") from error


def _open(opened: Opened) -> tuple[Book, list[str]]:
    book = Book(opened)
    try:
        return book, book.ask("names")
    except _Failed as error:
        protected = _encrypted(opened) or "password" in str(error).lower()
        what = "is encrypted" if protected else str(error)
        raise UnreadableFile(f"The workbook {what}") from error


def _encrypted(opened: Opened) -> bool:
    """The marks that an encrypted workbook leaves near its beginning."""
    opened.stream.seek(0)
    head = opened.stream.read(1 << 18)
    marks = ("EncryptedPackage".encode("utf-16-le"), "EncryptionInfo".encode("utf-16-le"))
    return any(m in head for m in marks) or b"manifest:encryption-data" in head


def _choose(book: Book, names: list[str], options: ParseOptions) -> tuple[str, Sheet]:
    """The sheet asked for, or the first that has rows."""
    last_error: UnreadableFile | None = None
    fallback: tuple[str, Sheet] | None = None
    for name in [options.sheet] if options.sheet else names:
        try:
            sheet = _sheet(book, name)
        except UnreadableFile as error:
            last_error = error
            continue
        fallback = fallback or (name, sheet)
        if sheet.height and sheet.width:
            return name, sheet
    if fallback:
        return fallback[0], _sheet(book, fallback[0])
    raise last_error or UnreadableFile("The workbook has no sheet with cells.")


def _sheet(book: Book, name: str) -> Sheet:
    try:
        sheet = Sheet(book, **book.ask("sheet", name))
    except _Failed as error:
        raise UnreadableFile(f"The sheet {name!r} {error}") from error
    if sheet.height * sheet.width > MAX_CELLS:
        raise UnreadableFile("The sheet has an unreasonable number of cells.")
    return sheet


def _structure(sample: list[Record], options: ParseOptions) -> structure.Structure:
    if options.header_row is None:
        return structure.detect(sample)
    width = structure.usual_width(sample)
    if options.header_row == 0:
        return structure.Structure(
            header=0, header_rows=0, data=0, width=width, names=(), reasons=("no header, as given",)
        )
    at = next((i for i, r in enumerate(sample) if r.line >= options.header_row), 0)
    return structure.Structure(
        header=at,
        header_rows=1,
        data=at + 1,
        width=width,
        names=tuple(sample[at].cells),
        reasons=("header row as given",),
    )


def _last_row(
    sheet: Sheet,
    found: structure.Structure,
    options: ParseOptions,
    data_line: int,
) -> int:
    total = sheet.first + sheet.height + 1
    if options.skip_footer:
        filled = [n for n, c in sheet.rows() if structure.filled(c)]
        return filled[-options.skip_footer - 1] if len(filled) > options.skip_footer else 0
    if options.skip_footer == 0 or total > 100_000:
        return total + 1
    rows = [Record(n, c) for n, c in sheet.rows() if n >= data_line and structure.filled(c)]
    count = structure.footer_rows(rows, width=found.width, header=found.names)
    return rows[-count - 1].line if count and len(rows) > count else total + 1
