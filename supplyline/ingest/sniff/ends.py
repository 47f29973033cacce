"""What stands below a table's rows: notes, and further tables."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from typing import BinaryIO

from supplyline.ingest.readers.delimited import DelimitedRows, numbered
from supplyline.ingest.readers.lines import decoded, lines, readable
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Event, Record, Refused
from supplyline.ingest.sniff.notes import footer_rows
from supplyline.ingest.sniff.second import second_table
from supplyline.ingest.tables import of_another_table

TAIL = 1 << 16
Pairs = list[tuple[str, str]]


@dataclass(frozen=True, kw_only=True)
class Below:
    """`lines`: physical lines at the end of the file that are no rows of the table; `footer`: how
    many of them are notes; `notes`: their texts; `second`: the rows of further tables."""

    lines: int = 0
    footer: int = 0
    notes: tuple[str, ...] = ()
    second: tuple[Refused, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Table:
    """What is known of the table when its end is looked for."""

    tokens: Tokenizer
    width: int
    names: tuple[str, ...]


def events(tokens: Tokenizer, pairs: Pairs, *, width: int = 0, before: int = 0) -> list[Event]:
    """The rows of `pairs`, before which the file has `before` lines."""
    shifted = ((n + before, text, end) for n, text, end in numbered(iter(pairs)))
    return list(DelimitedRows(tokens, width=width).read(shifted))


def of_file(source: BinaryIO, *, encoding: str, line_end: str, table: Table) -> Below:
    """The end of a larger file, from its last TAIL bytes."""
    if encoding.startswith(("utf-16", "utf-32")):
        return Below()
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - TAIL))
    text = source.read(TAIL).decode(encoding, "supplyline_keep")
    pairs = list(lines(iter([text]), line_end=line_end))[1:]
    body = events(table.tokens, pairs, width=table.width)
    found = of_sample(body, pairs, before=0, table=table)
    if not found.second:
        return found
    # The rows of a second table bear the line numbers of the whole file.
    before = _lines(source, encoding, line_end) - len(pairs)
    body = events(table.tokens, pairs, width=table.width, before=before)
    return of_sample(body, pairs, before=before, table=table)


def _lines(source: BinaryIO, encoding: str, line_end: str) -> int:
    source.seek(0)
    if line_end not in {"\n", "\r\n"}:
        return sum(1 for _ in lines(decoded(source, encoding=encoding), line_end=line_end))
    count, last = 0, b""
    while chunk := source.read(1 << 20):
        count, last = count + chunk.count(b"\n"), chunk
    return count + (not last.endswith(b"\n"))


def of_sample(body: list[Event], pairs: Pairs, *, before: int, table: Table) -> Below:
    """The end of a file that is at hand from line `before + 1` on: `pairs`. `body`: its rows below
    the header."""
    rows = [e for e in body if isinstance(e, Record)]
    end = before + len(pairs)
    at = second_table(rows, table.names)
    second: tuple[Refused, ...] = ()
    if at:
        first, rows = rows[at].line, rows[:at]
        further = (e for e in body if e.line >= first)
        second = tuple(of_another_table(e, table.tokens.delimiter) for e in further)
        end = first - 1
        body = [e for e in body if e.line < first]
    count = footer_rows(rows, width=table.width, header=table.names)
    unreadable = max((e.line for e in body if isinstance(e, Refused)), default=0)
    # What cannot be read is no note.
    note = next((r.line for r in rows[len(rows) - count :] if r.line > unreadable), 0)
    footer = end - note + 1 if note else 0
    return Below(
        lines=before + len(pairs) - end + footer,
        footer=footer,
        notes=texts(pairs[note - before - 1 : end - before]) if note else (),
        second=second,
    )


def texts(pairs: Sequence[tuple[str, str]], limit: int = TAIL) -> tuple[str, ...]:
    """The texts of lines that are no rows, without the blank ones; in all `limit` characters."""
    told: list[str] = []
    for text in (readable(t) for t, _ in pairs if t.strip()):
        limit -= len(text)
        if limit < 0:
            return (*told, "...")
        told.append(text)
    return tuple(told)
