"""Files whose table is known: what stands before it, its rows, what stands below."""

from __future__ import annotations

import io
from dataclasses import dataclass

from supplyline.ingest import open_file
from supplyline.ingest.records import Record


@dataclass(frozen=True)
class Case:
    """`rows`: lines of the file that are rows of the table, as they stand there."""

    what: str
    before: str
    rows: str
    after: str
    delimiter: str
    names: tuple[str, ...]


def numbered(pattern: str, count: int = 9) -> str:
    return "".join(pattern.replace("#", str(n)) + "\n" for n in range(1, count + 1))


def cells_of(case: Case) -> list[list[str]]:
    """The rows as they are read."""
    text = case.before + case.rows + case.after
    reading = open_file(io.BytesIO(text.encode()), name="file.csv")
    return [e.cells for _, e in reading.events() if isinstance(e, Record)]


def check(case: Case) -> None:
    """Delimiter, header and the lines of the rows are those of the case."""
    text = case.before + case.rows + case.after
    reading = open_file(io.BytesIO(text.encode()), name="file.csv")
    dialect = reading.layout.dialect
    assert dialect is not None
    assert dialect.delimiter == case.delimiter
    assert reading.names == case.names
    first = case.before.count("\n") + 1
    wanted = [n for n, line in enumerate(case.rows.splitlines(), start=first) if line]
    assert [e.line for _, e in reading.events() if isinstance(e, Record)] == wanted
