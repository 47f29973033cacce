"""A file opened for reading: what it is, and its rows, in bounded memory.

`rows_read` = rows in the batches + quarantined rows, always.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from itertools import chain
from typing import BinaryIO

from supplyline.contracts import Layout, ParseOptions, RowBatch
from supplyline.errors import UnreadableFile
from supplyline.ingest import plan as plans
from supplyline.ingest.readers.blocks import error_handler, segments
from supplyline.ingest.readers.columnar import Chunk, suits
from supplyline.ingest.readers.delimited import DelimitedRows, Numbered, numbered
from supplyline.ingest.readers.lines import decoded, lines
from supplyline.ingest.readers.mixed import MixedRows
from supplyline.ingest.records import Event
from supplyline.ingest.source import Opened, unpack
from supplyline.ingest.storable import storable
from supplyline.ingest.tables import FirstTable


@dataclass
class Reading:
    """One file, opened. Iterate once; opening again reads again."""

    layout: Layout
    names: tuple[str, ...]
    """The header as it stands in the file; () when there is none."""
    _events: Callable[[], Iterator[Event]]
    _pieces: Callable[[], Iterator[Chunk | Event]] | None = None
    """The same rows, in columns where that is faster."""
    rows_read: int = field(default=0, init=False)

    def events(self) -> Iterator[tuple[int, Event]]:
        """(row number from 1, row) in the order of the file; quarantined rows use up a number."""
        self.rows_read = 0
        for event in self._events():
            self.rows_read += 1
            yield self.rows_read, event

    def batches(self, *, max_rows: int = 5000, max_bytes: int = 4 << 20) -> Iterator[RowBatch]:
        """The rows in columns (see `contracts`), at most `max_rows` and about `max_bytes` each."""
        from supplyline.ingest.batches import build

        self.rows_read = 0
        pieces = (self._pieces or self._events)()
        for batch in build(pieces, layout=self.layout, max_rows=max_rows, max_bytes=max_bytes):
            self.rows_read += batch.data.num_rows + len(batch.quarantined)
            yield batch


_FIND_OUT = ParseOptions()


def open_file(source: BinaryIO, *, name: str, options: ParseOptions = _FIND_OUT) -> Reading:
    """Finds out what `source` (seekable, binary) is and makes it ready to be read.

    `name` is the file's name; only its ending is looked at, and the bytes count for more.
    Raises UnreadableFile for what can be no table: encrypted, a zip bomb, HTML, an image, and what
    is not of the format that was said.
    """
    said = options.format
    if said is None:
        return _opened(source, name, options)
    advice = f"Leave the format out, which was said to be {said}, and it is found out."
    try:
        reading = _opened(source, name, options)
    except UnreadableFile as error:
        raise UnreadableFile(error.detail, next_step=f"{advice} {error.advice}") from error
    if said != "csv" and not reading.layout.columns:
        raise UnreadableFile(f"There is no row of {said} in the file.", next_step=advice)
    return reading


def _opened(source: BinaryIO, name: str, options: ParseOptions) -> Reading:
    opened = unpack(source, name=name, options=options)
    if opened.format == "csv":
        return _delimited(opened, options)
    if opened.format in {"jsonl", "json"}:
        from supplyline.ingest.readers.jsonl import read_json

        layout, events = read_json(opened)
    elif opened.format == "parquet":
        from supplyline.ingest.readers.parquet import read_parquet

        layout, events = read_parquet(opened)
    else:
        from supplyline.ingest.readers.excel import read_sheet

        layout, events = read_sheet(opened, options=options)
    names = tuple(c.header for c in layout.columns) if layout.header_row else ()
    return Reading(layout=layout, names=names, _events=lambda: storable(events()))


def _delimited(opened: Opened, options: ParseOptions) -> Reading:
    plan = plans.make(opened.stream, options=options)
    plan = plans.with_compression(plan, opened.compression)
    dialect = plan.layout.dialect

    def events() -> Iterator[Event]:
        if dialect is None or not plan.width:
            return iter(())
        opened.stream.seek(0)
        pairs = lines(decoded(opened.stream, encoding=dialect.encoding), line_end=dialect.line_end)
        numbers = numbered(pairs, footer_lines=plan.footer_lines)
        reader = DelimitedRows(plan.tokens, width=plan.width)
        rows = chain(plan.unreadable, reader.read(_from_line(numbers, plan.data_line)))
        table = FirstTable(plan.names, delimiter=plan.tokens.delimiter)
        return chain(table.of(rows), plan.below)

    def pieces() -> Iterator[Chunk | Event]:
        if dialect is None or not suits(plan.tokens, width=plan.width, line_end=dialect.line_end):
            yield from events()
            return
        opened.stream.seek(0)
        reader = MixedRows(
            tokens=plan.tokens,
            width=plan.width,
            table=FirstTable(plan.names, delimiter=plan.tokens.delimiter),
            line_end=dialect.line_end,
            errors=error_handler(dialect.encoding),
        )
        blocks = segments(
            opened.stream,
            encoding=dialect.encoding,
            first_line=plan.data_line,
            footer_lines=plan.footer_lines,
        )
        yield from plan.unreadable
        yield from reader.read(blocks, line=plan.data_line)
        yield from plan.below

    return Reading(layout=plan.layout, names=plan.names, _events=events, _pieces=pieces)


def _from_line(numbers: Iterator[Numbered], first: int) -> Iterator[Numbered]:
    return (line for line in numbers if line[0] >= first)
