"""Workbooks (xlsx, xls, xlsb, ods): one sheet's rows as text a person would recognise.

Refuses encrypted and damaged workbooks, and those that need too much memory or time.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from supplyline.contracts import Layout, ParseOptions
from supplyline.ingest import storable
from supplyline.ingest.plan import columns
from supplyline.ingest.readers.book import Sheet
from supplyline.ingest.readers.sheets import choose
from supplyline.ingest.records import Event
from supplyline.ingest.sniff import structure
from supplyline.ingest.source import Opened

MAX_FOOTED = 100_000
"""Rows above which no footer is looked for."""
ALL = 1 << 40
"""Behind the last row of any sheet."""


def read_sheet(
    opened: Opened, *, options: ParseOptions
) -> tuple[Layout, Callable[[], Iterator[Event]]]:
    """Raises UnreadableFile for what calamine cannot open, or a sheet that is not there."""
    found = choose(opened, options)
    if found.structure is None:
        layout = Layout(
            format=opened.format,
            columns=(),
            header_row=0,
            sheet=found.name,
            reasons=("the sheet is empty", *found.reasons),
        )
        return layout, lambda: iter(())
    sheet, sample, table = found.sheet, found.sample, found.structure
    width = max(table.width, len(table.names))
    data_line = sample[table.data].line if table.data < len(sample) else sample[-1].line + 1
    last = _last_row(sheet, table, options, data_line)
    header = sample[table.header].line if table.header_rows else 0
    layout = Layout(
        format=opened.format,
        columns=columns(tuple(map(storable.header, table.names)), width),
        header_row=header,
        preamble_lines=(header or data_line) - 1,
        sheet=found.name,
        reasons=(*found.reasons, *table.reasons),
    )

    def events() -> Iterator[Event]:
        for record in sheet.records():
            if data_line <= record.line <= last:
                yield record

    return layout, events


def _last_row(
    sheet: Sheet,
    found: structure.Structure,
    options: ParseOptions,
    data_line: int,
) -> int:
    if options.skip_footer:
        filled = [r.line for r in sheet.records()]
        return filled[-options.skip_footer - 1] if len(filled) > options.skip_footer else 0
    if options.skip_footer == 0 or (sheet.height > MAX_FOOTED and sheet.count() > MAX_FOOTED):
        return ALL
    rows = [r for r in sheet.records() if r.line >= data_line]
    count = structure.footer_rows(rows, width=found.width, header=found.names)
    return rows[-count - 1].line if count and len(rows) > count else ALL
