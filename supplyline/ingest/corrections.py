"""Rows set aside as a table to mend in a spreadsheet, and the mended table read again.

The table has the columns of `HEAD`, then one per column of the file. Promises: no cell is a formula
for a spreadsheet, and what is read back is the text that was written. A row that is still wrong, or
was never set aside, is set aside in its turn.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, replace
from typing import Any, BinaryIO

import numpy as np
import pyarrow as pa

from supplyline.contracts import (
    ROW,
    Column,
    Layout,
    ParseOptions,
    QuarantinedRow,
    RowBatch,
)
from supplyline.errors import UnreadableFile
from supplyline.ingest import checks
from supplyline.ingest.batches import build
from supplyline.ingest.reading import Reading, open_file
from supplyline.ingest.records import Event, Record, Refused
from supplyline.tenancy.names import column_names

HEAD = ("row", "line", "column", "code", "reason", "raw")
_FORMULA = re.compile(r"'*[=+\-@\t\r\n\uff1d\uff0b\uff0d\uff20]")
_NUMBER = re.compile(r"[+-]?(?:\d+(?:[.,]\d+)*|[.,]\d+)(?:[eE][+-]?\d+)?%?")
_WHY = {
    "not_in_quarantine": "this row of the file was not set aside",
    "already_replayed": "this row of the file was corrected before",
}

Claim = Callable[[Mapping[int, int]], Mapping[int, str]]
"""Row of the first file → row of the corrections; answers those that cannot be, with the code."""


def harmless(text: str) -> str:
    """An apostrophe before what a spreadsheet would take for a formula; plain numbers are none."""
    if _FORMULA.match(text) and not _NUMBER.fullmatch(text):
        return f"'{text}"
    return text


def as_written(text: str) -> str:
    """What `harmless` was given."""
    return text[1:] if text[:1] == "'" and _FORMULA.match(text) else text


def header(columns: Sequence[str]) -> list[str]:
    """The header of the table to mend; a column called like one of ours gets a number."""
    return list(column_names([*HEAD, *columns]))


def line(row: QuarantinedRow, *, layout: Mapping[str, Any], cells: Sequence[str] = ()) -> list[str]:
    """One row set aside, as a line below `header`; with its cells where they could be read."""
    told = asdict(row)
    out = ["" if told[name] is None else harmless(str(told[name])) for name in HEAD]
    if not cells and row.code in checks.CODES:
        cells = checks.cells_of(row.raw, delimiter=checks.raw_delimiter(layout))
    width = len(layout["columns"])
    shown = [harmless(cell) for cell in cells]
    return [*out, *shown, *[""] * (width - len(shown))]


def read(
    source: BinaryIO, *, name: str, options: ParseOptions, columns: Sequence[Mapping[str, str]]
) -> tuple[Reading, Layout]:
    """Opens a mended table, and the layout of its rows: that of the file which it corrects.

    Raises UnreadableFile when it lacks the column `row` or one of the file's.
    """
    said = {"header_row": 1, "skip_footer": 0, **options.as_json()}
    reading = open_file(source, name=name, options=ParseOptions(**said))
    headers = [c.header.strip() for c in reading.layout.columns]
    wanted = header([c["name"] for c in columns])[len(HEAD) :]
    # A column left out would be emptied in every row; so none may be.
    if missing := [name for name in ("row", *wanted) if name not in headers]:
        raise UnreadableFile(
            f"The corrections lack the columns {', '.join(missing)}.",
            next_step="Download the quarantine, correct its rows, keep its header, upload it.",
        )
    own = tuple(Column(header=c["header"], name=c["name"]) for c in columns)
    return reading, replace(reading.layout, columns=own)


def batches(
    reading: Reading, *, layout: Layout, asked: checks.Checks, claim: Claim
) -> Iterator[RowBatch]:
    """The corrected rows, numbered as in the corrections; each one claimed is in place of another.

    What is no correction is set aside: no row number, still empty, still against the contract, or
    refused by `claim`.
    """
    originals: dict[int, int] = {}
    events = _events(reading, layout, originals)
    for batch in checks.apply(
        build((event for _, event in events), layout=layout, max_rows=2000, max_bytes=4 << 20),
        checks=asked,
        layout=layout,
    ):
        numbers = batch.data.column(ROW).to_pylist()
        first: dict[int, int] = {}
        for number in numbers:
            first.setdefault(originals[number], number)
        refused = claim(first) if first else {}
        wrong = {
            n: refused.get(originals[n], "already_replayed" if first[originals[n]] != n else "")
            for n in numbers
        }
        for number in (*numbers, *(q.row for q in batch.quarantined)):
            originals.pop(number, None)
        yield _without(batch, {n: code for n, code in wrong.items() if code}, layout)


def _events(
    reading: Reading, layout: Layout, originals: dict[int, int]
) -> Iterator[tuple[int, Event]]:
    headers = [c.header.strip() for c in reading.layout.columns]
    place = {text: at for at, text in reversed(list(enumerate(headers)))}
    names = header([c.name for c in layout.columns])[len(HEAD) :]
    positions = [place.get(n) for n in names]
    at_row = place["row"]
    width = 1 + max(at for at, text in enumerate(headers) if text)
    for number, event in reading.events():
        if isinstance(event, Refused):
            yield number, event
            continue
        given = [as_written(cell) for cell in event.cells]
        cells = [given[at] if at is not None and at < len(given) else "" for at in positions]
        row = given[at_row].strip() if at_row < len(given) else ""
        raw = checks.raw_of(given, delimiter=",")
        if not re.fullmatch(r"[0-9]{1,15}", row):
            yield number, Refused(event.line, "no_row_number", "column row holds no number", raw)
        elif not any(cell.strip() for cell in cells):
            yield number, Refused(event.line, "not_corrected", "all its cells are empty", raw)
        else:
            originals[number] = int(row)
            excess = given[width:] if any(given[width:]) else []
            yield number, Record(event.line, [*cells, *excess])


def _without(batch: RowBatch, wrong: Mapping[int, str], layout: Layout) -> RowBatch:
    if not wrong:
        return batch
    numbers = batch.data.column(ROW).to_pylist()
    keep = np.array([n not in wrong for n in numbers])
    delimiter = checks.raw_delimiter(layout)
    aside = [
        replace(
            checks.set_aside(batch.data, at, [("", wrong[n], _WHY[wrong[n]])], delimiter),
            column=None,
        )
        for at, n in enumerate(numbers)
        if n in wrong
    ]
    return RowBatch(
        data=batch.data.filter(pa.array(keep)),
        quarantined=tuple(sorted((*batch.quarantined, *aside), key=lambda q: q.row)),
    )
