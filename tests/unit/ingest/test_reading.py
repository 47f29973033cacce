"""What comes out of `open_file`: every row, every cell as read, broken rows set aside."""

from __future__ import annotations

import io

import pytest

from supplyline.contracts import ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest import Reading, open_file
from supplyline.ingest.records import Record


def read(data: bytes, name: str = "file.csv", **options: object) -> Reading:
    return open_file(io.BytesIO(data), name=name, options=ParseOptions(**options))  # type: ignore[arg-type] # tests pass what they mean


def cells(reading: Reading) -> list[list[str]]:
    return [e.cells for _, e in reading.events() if isinstance(e, Record)]


def test_batches_have_row_line_columns_and_extra() -> None:
    reading = read(b"sku,qty\n01730,5\n\nB2\nC3,1,x,y\n")
    (batch,) = list(reading.batches())
    assert batch.data.to_pydict() == {
        "_row": [1, 2, 3],
        "_line": [2, 4, 5],
        "sku": ["01730", "B2", "C3"],
        "qty": ["5", None, "1"],
        "_extra": [None, None, ["x", "y"]],
    }
    assert reading.rows_read == 3


def test_read_is_landed_plus_quarantined() -> None:
    reading = read(b"a,b\n1,2\n3,\xff4\n5,6\n7,8\x00\n", encoding="utf-8")
    batches = list(reading.batches(max_rows=1))
    aside = [q for b in batches for q in b.quarantined]
    assert [(q.row, q.line, q.column, q.code, q.raw) for q in aside] == [
        (2, 3, "b", "undecodable", "3,\\xff4"),
        (4, 5, "b", "nul_character", "7,8\x00"),
    ]
    assert sum(b.data.num_rows for b in batches) + len(aside) == reading.rows_read == 4


def test_stray_quote_spoils_no_other_row() -> None:
    reading = read(b'a,b,c\n1,"x,3\n4,"y, z",6\n7,8,"\n9,10,11\n')
    assert cells(reading) == [
        ["1", '"x', "3"],
        ["4", "y, z", "6"],
        ["7", "8", '"'],
        ["9", "10", "11"],
    ]


def test_quoted_line_ends_stay_in_the_cell() -> None:
    reading = read(b'a,b\r\n1,"x\r\ny"\r\n2,z\r\n')
    assert cells(reading) == [["1", "x\r\ny"], ["2", "z"]]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "utf-32", "cp1252"])
def test_encodings_are_found(encoding: str) -> None:
    text = "Artikel;Größe;Menge\nÜberzieher;groß;5\nKännchen weiß;klein;7\n"
    assert cells(read(text.encode(encoding)))[1] == ["Kännchen weiß", "klein", "7"]


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (b"<!DOCTYPE html><html><body>login</body></html>", "data.csv"),
        (b"%PDF-1.7 ...", "data.csv"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "x.csv"),
        (b"PK\x03\x04 broken", "x.xlsx"),
    ],
)
def test_what_is_no_table_is_refused(data: bytes, name: str) -> None:
    with pytest.raises(UnreadableFile):
        read(data, name)


def test_an_empty_file_has_no_rows() -> None:
    reading = read(b"")
    assert reading.layout.columns == ()
    assert list(reading.batches()) == []
