"""A workbook that is open in a process of its own, and its sheets."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tempfile
import weakref
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from supplyline.errors import UnreadableFile
from supplyline.ingest.readers import workbook
from supplyline.ingest.records import Record
from supplyline.ingest.sniff import structure
from supplyline.ingest.source import Opened

MAX_CELLS = 60_000_000
PAGE = 1_000


class Book:
    """A workbook that is open in a process of its own (see `workbook`)."""

    def __init__(self, opened: Opened) -> None:
        self._copy = tempfile.NamedTemporaryFile(prefix="supplyline-")  # noqa: SIM115 - see close
        opened.stream.seek(0)
        shutil.copyfileobj(opened.stream, self._copy, 1 << 20)
        self._copy.flush()
        self._process = subprocess.Popen(  # noqa: S603 - our own program
            [sys.executable, "-I", str(workbook.__file__), self._copy.name, opened.format],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        self.dead = False
        self.close = weakref.finalize(self, _end, self._process, self._copy)

    def ask(self, what: str, *arguments: object) -> Any:
        """Raises UnreadableFile if the process dies, _Failed for what it says it cannot do."""
        process = self._process
        if process.stdin is None or process.stdout is None:
            raise RuntimeError("the workbook's process has no pipes")
        answer = b""
        with suppress(BrokenPipeError):
            process.stdin.write(json.dumps([what, *arguments]).encode() + b"\n")
            process.stdin.flush()
            answer = process.stdout.readline()
        if not answer:
            self.dead = True
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

    def count(self) -> int:
        """Rows with any cell that is not empty."""
        try:
            return int(self.book.ask("count"))
        except _Failed as error:
            raise UnreadableFile(f"The sheet {error}") from error

    def records(self, *, limit: int | None = None) -> Iterator[Record]:
        """Rows with any text, numbered from 1 as the sheet does."""
        taken = 0
        try:
            self.book.ask("rewind")
            while limit is None or taken < limit:
                count = PAGE if limit is None else min(PAGE, limit - taken)
                page = self.book.ask("rows", count)
                yield from (Record(n, c) for n, c in page if structure.filled(c))
                taken += len(page)
                if len(page) < count:
                    return
        except _Failed as error:
            raise UnreadableFile(f"The sheet {error}") from error


def open_book(opened: Opened) -> tuple[Book, list[tuple[str, bool]]]:
    book = Book(opened)
    try:
        return book, [(name, shown) for name, shown in book.ask("sheets")]
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


def open_sheet(book: Book, name: str) -> Sheet:
    try:
        sheet = Sheet(book, **book.ask("sheet", name))
    except _Failed as error:
        raise UnreadableFile(f"The sheet {name!r} {error}") from error
    if sheet.height * sheet.width > MAX_CELLS:
        raise UnreadableFile("The sheet has an unreasonable number of cells.")
    return sheet
