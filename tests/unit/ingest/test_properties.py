"""Any table of any text, written in any supported dialect, comes back cell for cell."""

from __future__ import annotations

import csv
import io

from hypothesis import assume, given, settings
from hypothesis import strategies as st

from supplyline.contracts import ParseOptions
from supplyline.ingest import open_file
from supplyline.ingest.records import Record

TEXT = st.text(
    st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=12
)  # fmt: skip
TRICKY = st.sampled_from(['"', '""', "a,b", "x\ny", "x\r\ny", "'", ";", " ", "01730", "1E5", "\\"])
TABLES = st.integers(2, 5).flatmap(
    lambda width: st.lists(
        st.lists(TEXT | TRICKY, min_size=width, max_size=width), min_size=1, max_size=8
    )
)


@settings(max_examples=200, deadline=None)
@given(
    table=TABLES,
    delimiter=st.sampled_from([",", ";", "\t", "|", "||"]),
    quote=st.sampled_from(['"', "'"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16-le", "utf-32-be"]),
)
def test_any_table_comes_back(
    table: list[list[str]], delimiter: str, quote: str, line_end: str, encoding: str
) -> None:
    assume(all(any(c.strip() for c in row) for row in table))
    lines = [
        delimiter.join(quote + c.replace(quote, quote * 2) + quote for c in row) for row in table
    ]
    data = (line_end.join(lines) + line_end).encode(encoding)
    options = ParseOptions(
        format="csv",
        encoding=encoding,
        delimiter=delimiter,
        quote=quote,
        escape="",
        header_row=0,
        skip_footer=0,
    )
    reading = open_file(io.BytesIO(data), name="t.csv", options=options)
    assert [e.cells for _, e in reading.events() if isinstance(e, Record)] == table


WORD = st.text(st.sampled_from("abcdefgh XYZ,;\n'\"-."), min_size=1, max_size=10).filter(str.strip)


@settings(max_examples=100, deadline=None)
@given(
    rows=st.lists(st.tuples(WORD, st.integers(0, 10**9), WORD), min_size=4, max_size=20),
    delimiter=st.sampled_from([",", ";", "\t"]),
)
def test_reasonable_tables_are_sniffed(rows: list[tuple[str, int, str]], delimiter: str) -> None:
    out = io.StringIO()
    writer = csv.writer(out, delimiter=delimiter, quoting=csv.QUOTE_NONNUMERIC)
    table = [["name", "quantity", "note"], *[[a, str(n), b] for a, n, b in rows]]
    writer.writerow(table[0])
    writer.writerows(rows)
    reading = open_file(io.BytesIO(out.getvalue().encode()), name="t.csv")
    assert list(reading.names) == table[0]
    assert [e.cells for _, e in reading.events() if isinstance(e, Record)] == table[1:]


@settings(max_examples=200, deadline=None)
@given(
    table=TABLES,
    delimiter=st.sampled_from([",", ";", "\t"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
)
def test_any_table_written_with_an_escape_comes_back(
    table: list[list[str]], delimiter: str, line_end: str
) -> None:
    assume(all(any(c.strip() for c in row) for row in table))

    def cell(text: str) -> str:
        return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'

    lines = [delimiter.join(map(cell, row)) for row in table]
    options = ParseOptions(
        format="csv", encoding="utf-8", delimiter=delimiter, quote='"', escape="\\",
        header_row=0, skip_footer=0,
    )  # fmt: skip
    data = (line_end.join(lines) + line_end).encode()
    reading = open_file(io.BytesIO(data), name="t.csv", options=options)
    assert [e.cells for _, e in reading.events() if isinstance(e, Record)] == table
