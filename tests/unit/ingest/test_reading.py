"""What comes out of `open_file`: every row, every cell as read, broken rows set aside."""

from __future__ import annotations

import gzip
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


def test_json_lines_keep_digits_and_set_broken_lines_aside() -> None:
    data = b'{"sku": "01730", "qty": 1.10, "big": 12345678901234567890}\n{"sku": "x"\n[1]\n'
    data += b'{"sku": "\\ud800", "qty": 1}\n{"qty": null, "tags": ["a", 1.0]}\n'
    reading = read(data, "x.jsonl")
    assert reading.names == ("sku", "qty", "big", "tags")
    (batch,) = list(reading.batches())
    assert batch.data.select([2, 3, 4, 5]).to_pylist() == [
        {"sku": "01730", "qty": "1.10", "big": "12345678901234567890", "tags": ""},
        {"sku": "", "qty": "", "big": "", "tags": '["a", 1.0]'},
    ]
    codes = [(q.line, q.code) for q in batch.quarantined]
    assert codes == [(2, "invalid_json"), (3, "not_an_object"), (4, "undecodable")]
    assert reading.rows_read == 5


def test_a_zip_bomb_of_nothing_is_refused() -> None:
    packed = gzip.compress(bytes(1 << 20) * 128)
    with pytest.raises(UnreadableFile):
        list(read(packed, "a.csv.gz").batches())


def test_a_second_table_is_set_aside_and_a_repeated_header_alone() -> None:
    first = b"sku,qty,date\n" + b"".join(b"A%d,%d,2024-01-01\n" % (i, i) for i in range(8))
    again = next(read(first + b"sku,qty,date\nC,3,2024-01-03\n").batches())
    assert (again.data.num_rows, [q.code for q in again.quarantined]) == (9, ["repeated_header"])
    other = next(read(first + b"sku,qty,date,store\nC,3,2024-01-03,X\n").batches())
    assert (other.data.num_rows, [q.line for q in other.quarantined]) == (8, [10, 11])


def test_preamble_header_rows_and_footer_are_found() -> None:
    data = (
        b"Stock report;;;\nas of 2024-01-31;;;\n\nItem;Qty;Price;Date\n;pcs;EUR;d/m/y\n"
        b"A1;5;1,20;01/02/2024\nB2;7;3,40;02/02/2024\nC3;9;5,60;03/02/2024\n\n* estimated;;;\n"
    )
    reading = read(data)
    assert reading.names == ("Item", "Qty pcs", "Price EUR", "Date d/m/y")
    assert [c[0] for c in cells(reading)] == ["A1", "B2", "C3"]
    assert reading.layout.preamble_lines == 3


GOOD = b"".join(b"%d,%d\n" % (n, n) for n in range(200))


@pytest.mark.parametrize(
    ("data", "refused_lines", "landed"),
    [
        (b"a,b\n1,\x002\n", [2], 0),
        (b"a,b\n" + b"1,\x002\n" * 50 + GOOD, [*range(2, 52)], 200),
        (b"a,b\n1,\x002\n" + b"7,8\n" * 90_000, [2], 90_000),
        (b"a,b\n\n1,\xff2\n" + GOOD + b"x\xe4\xc3,2\n", [3, 204], 200),
        (b"\x00\n" + GOOD, [1], 200),
        (b"Report of\x00 may\n\na,b\n" + GOOD, [1], 200),
        (b"a,b\n" + GOOD + b"1,\x002\n", [202], 200),
        (b"a,b,c\n" + b"1,2,3\n" * 50 + b"Note\n1,2,\x003\n", [53], 51),
        (b"a,b,c\n" + b"1,2,3\n" * 50_000 + b"Note\n1,2,\x003\n", [50_003], 50_001),
        (b"a,b,c\n" + b"1,2,3\n" * 50 + b"Note\n1\x00\nTotal\n", [53], 51),
    ],
)
@pytest.mark.parametrize("in_columns", [True, False])
def test_no_row_vanishes_wherever_a_broken_one_stands(
    data: bytes, refused_lines: list[int], landed: int, *, in_columns: bool
) -> None:
    reading = read(data, encoding="utf-8")
    if not in_columns:
        reading._pieces = None
    batches = list(reading.batches())

    assert [q.line for b in batches for q in b.quarantined] == refused_lines
    assert sum(b.data.num_rows for b in batches) == landed
    assert reading.rows_read == landed + len(refused_lines)


def test_what_stands_above_the_header_that_was_named_is_left_out() -> None:
    reading = read(b"x\x00\na,b\n1,\x002\n3,4\n", header_row=2)
    (batch,) = list(reading.batches())
    assert [q.line for q in batch.quarantined] == [3]
    assert batch.data.column("a").to_pylist() == ["3"]


def test_a_wrong_value_in_the_first_of_a_few_rows_is_no_second_header() -> None:
    reading = read(b"sku,name,price\nA1,Kettle,broken\n1,\xff,2\n3\n")
    assert reading.names == ("sku", "name", "price")


def test_a_header_row_behind_the_files_end_is_refused() -> None:
    with pytest.raises(UnreadableFile):
        list(read(b"sku,qty\nA,1\n", header_row=99).batches())
