"""Reading in columns comes to exactly the same as reading the careful way, whatever the file."""

from __future__ import annotations

import functools
import io
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from supplyline.checksums import Checksum
from supplyline.contracts import ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest import Reading, open_file, reading
from supplyline.ingest.readers import columnar
from supplyline.ingest.readers.blocks import segments
from supplyline.ingest.readers.columnar import Chunk
from supplyline.ingest.readers.mixed import MixedRows

Outcome = tuple[list[dict[str, Any]], list[Any], int, str]


@pytest.fixture(autouse=True, scope="module")
def _small_blocks() -> Iterator[None]:
    """Blocks so small that rows of a few cells go over their ends."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(reading, "segments", functools.partial(segments, size=64))
        patch.setattr(reading, "MixedRows", functools.partial(MixedRows, smallest=16))
        yield


def outcome(of: Reading, *, max_rows: int = 7) -> Outcome:
    rows, aside = [], []
    checksum = Checksum.over([c.name for c in of.layout.columns])
    for batch in of.batches(max_rows=max_rows):
        rows += batch.data.to_pylist()
        aside += batch.quarantined
        checksum = checksum.plus(batch.data)
        assert 0 < batch.data.num_rows + len(batch.quarantined) <= max_rows
    return rows, aside, of.rows_read, checksum.text


def both(data: bytes, options: ParseOptions) -> tuple[Outcome, Outcome]:
    fast = open_file(io.BytesIO(data), name="t.csv", options=options)
    careful = open_file(io.BytesIO(data), name="t.csv", options=options)
    careful._pieces = None
    return outcome(fast), outcome(careful)


def compare(data: bytes, options: ParseOptions) -> None:
    try:
        fast, careful = both(data, options)
    except UnreadableFile:
        return
    assert fast == careful


CELL = st.one_of(
    st.sampled_from(
        ["1", "22", "abc", "", "x y", "a,b", "l1\nl2", 'q"q', "name", "qty", "é", "€uro"]
    ),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
)
WIDTH = 3
ODD = st.sampled_from(
    [
        b"", b" ", b"\t", b"1,2", b"1,2,3,4", b'"a,2,3', b'a"b,2,3', b'"a"b,2,3', b"a\0,2,3",
        b"\xff,2,3", b"\xef\xbb\xbf1,2,3", b"name,qty,note", b"name,qty,note,x",
        b"\xc2\xa0name,qty\x1f,note", b' name , qty,"note"',
        b"a\rb,2,3", b"\\,2,3", b'"\\"",2,3', b'"a""",2,3', b'"",2,"3"', b'"x"",y',
        b'"",,""', b'"a\n\nb",2,3', b"\xc2\xa0name,1,2", b"1,2,3\r", b"\xed\xa0\x80,1,2", b",,",
    ]
)  # fmt: skip


@st.composite
def files(draw: st.DrawFn) -> bytes:
    """Mostly rows of three cells, as a writer of CSV quotes them, and some that are odd."""
    out = []
    for row in draw(st.lists(st.lists(CELL, min_size=WIDTH, max_size=WIDTH) | ODD, max_size=40)):
        if isinstance(row, bytes):
            out.append(row)
        else:
            quoted = (
                '"' + c.replace('"', '""') + '"' if set(c) & set('",\n\r') else c for c in row
            )
            out.append(",".join(quoted).encode())
    end = draw(st.sampled_from([b"\n", b"\n", b"\r\n"]))
    return b"name,qty,note" + end + end.join(out) + draw(st.sampled_from([b"", end]))


@settings(max_examples=600, deadline=None)
@given(files(), st.sampled_from(["", "\\"]), st.sampled_from([0, 0, 1, 3]))
@example(b'name,qty,note\n"x"",y\nz",2,3\n' * 3, "", 0)
@example(b"name,qty,note\n1,2,3\nname,qty,note,x\n4,5,6\nname,qty,note\n7,8,9\n" * 4, "", 0)
def test_any_file_of_rows(data: bytes, escape: str, footer: int) -> None:
    given_options = ParseOptions(
        format="csv", encoding="utf-8", delimiter=",", quote='"', escape=escape,
        header_row=1, skip_footer=footer,
    )  # fmt: skip
    compare(data, given_options)


@settings(max_examples=200, deadline=None)
@given(files())
def test_any_file_of_rows_as_it_is_sniffed(data: bytes) -> None:
    compare(data, ParseOptions(format="csv"))


@settings(max_examples=300, deadline=None)
@given(
    st.text(st.sampled_from("ab1,;\"'\n\r\t \\é\0\ufeff"), max_size=300),
    st.sampled_from([",", ";", "\t", " ", "a"]),
    st.sampled_from(['"', "'", ""]),
    st.sampled_from(["utf-8", "utf-16-le", "cp1252"]),
    st.sampled_from([0, 1, 2]),
)
def test_any_text(text: str, delimiter: str, quote: str, encoding: str, header: int) -> None:
    given_options = ParseOptions(
        format="csv", encoding=encoding, delimiter=delimiter, quote=quote, escape="",
        header_row=header, skip_footer=0,
    )  # fmt: skip
    compare(text.encode(encoding, "ignore"), given_options)


@settings(max_examples=100, deadline=None)
@given(
    table=st.lists(st.lists(CELL, min_size=4, max_size=4), min_size=1, max_size=30),
    delimiter=st.sampled_from([",", ";", "\t", "|"]),
    quote=st.sampled_from(['"', "'"]),
    line_end=st.sampled_from(["\n", "\r\n"]),
    encoding=st.sampled_from(["utf-8", "utf-16-be"]),
)
def test_any_table_in_any_dialect(
    table: list[list[str]], delimiter: str, quote: str, line_end: str, encoding: str
) -> None:
    lines = [
        delimiter.join(quote + c.replace(quote, quote * 2) + quote for c in r) + line_end
        for r in table
    ]
    given_options = ParseOptions(
        format="csv", encoding=encoding, delimiter=delimiter, quote=quote, escape="",
        header_row=0, skip_footer=0,
    )  # fmt: skip
    compare("".join(lines).encode(encoding), given_options)


def test_plain_rows_are_read_in_columns() -> None:
    data = b"name,qty,note\n" + b'a,1,"x, y"\r\n"l1\nl2",2,z\n' * 50
    of = open_file(io.BytesIO(data), name="t.csv")
    assert of._pieces is not None
    assert {type(p) for p in of._pieces()} == {Chunk}


def test_a_broken_row_leaves_its_neighbours_in_columns() -> None:
    data = b"name,qty,note\n" + b"a,1,x\n" * 40 + b"b,2\n" + b"c,3,y\n" * 40
    of = open_file(io.BytesIO(data), name="t.csv")
    assert of._pieces is not None
    alone = sum(not isinstance(p, Chunk) for p in of._pieces())
    assert 1 <= alone <= 12


def test_rows_of_many_lines_are_left_to_the_careful_reader(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(columnar, "MAX_ROW_LINES", 2)
    compare(b'name,qty,note\n"1\n2\n3\n4",1,x\n"1\n2",1,x\n' * 5, ParseOptions(header_row=1))
