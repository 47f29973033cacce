"""Quotes that open and do not close: each costs its row, and reading stays in proportion."""

from __future__ import annotations

import io

import pytest

from supplyline.contracts import ParseOptions
from supplyline.ingest import open_file
from supplyline.ingest.readers.delimited import DelimitedRows, numbered
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Record, Refused

ESCAPED = ParseOptions(
    format="csv", encoding="utf-8", delimiter=",", quote='"', escape="\\", header_row=1
)


@pytest.mark.parametrize("options", [ESCAPED, ParseOptions()])
@pytest.mark.parametrize(
    ("text", "cell"),
    [
        ('1,"12\\" pipe,\nblue",2', '12" pipe,\nblue'),
        ('1,"size\n5\\"",2', 'size\n5"'),
        ('1,"a \\" b\nc",2', 'a " b\nc'),
        ('1,"\n\\"Great\\"",2', '\n"Great"'),
    ],
)
def test_an_escaped_quote_neither_opens_nor_closes(
    options: ParseOptions, text: str, cell: str
) -> None:
    data = f'id,comment,n\n{text}\n2,"x",3\n3,"y",4\n4,"z",4\n'.encode()

    reading = open_file(io.BytesIO(data), name="t.csv", options=options)

    rows = [e.cells for _, e in reading.events() if isinstance(e, Record)]
    assert rows == [["1", cell, "2"], ["2", "x", "3"], ["3", "y", "4"], ["4", "z", "4"]]


class Counting(Tokenizer):
    """How many characters were looked at for the end of a quote."""

    looked = 0

    def may_close(self, line: str) -> bool:
        Counting.looked += len(line)
        return super().may_close(line)

    def open_cell(self, text: str, at: int, *, fits: bool) -> tuple[int, bool] | None:
        Counting.looked += len(text) - at
        return super().open_cell(text, at, fits=fits)


@pytest.mark.parametrize("row", ['1,"x', '7,"3/4 pipe,7', '1,x"y,"z" "w', 'x","y', 'x,"y""', 'x""'])
def test_looking_for_their_end_stays_in_proportion_to_the_file(row: str) -> None:
    """Once for each row it would be 2,000 times the file."""
    Counting.looked = 0
    lines = ["a,b", 'c,"d', *[row] * 20_000]

    events = list(
        DelimitedRows(Counting(","), width=2).read(numbered((line, "\n") for line in lines))
    )

    assert 10 < len(events) <= len(lines)
    assert Counting.looked < 200 * sum(map(len, lines))


def test_each_row_with_an_open_quote_is_itself_mended_or_set_aside() -> None:
    data = b"id,size,qty\n" + b"".join(b'%d,"3/4 pipe,%d\n' % (n, n) for n in range(30_000))

    reading = open_file(io.BytesIO(data), name="t.csv")

    events = [event for _, event in reading.events()]
    assert len(events) == 30_000
    assert not any(isinstance(e, Refused) for e in events)
    assert events[-1].cells == ["29999", '"3/4 pipe', "29999"]  # type: ignore[union-attr]


def test_a_long_cell_of_many_lines_is_one_cell() -> None:
    text = "\n".join(f'line {n}, with ""quotes"" and; signs' for n in range(1_500))
    data = f'id,text,n\n1,"{text}",2\n2,"b",3\n'.encode()

    reading = open_file(io.BytesIO(data), name="t.csv", options=ParseOptions(delimiter=","))

    first, second = (e.cells for _, e in reading.events() if isinstance(e, Record))
    assert first == ["1", text.replace('""', '"'), "2"]
    assert second == ["2", "b", "3"]
