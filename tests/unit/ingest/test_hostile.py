"""What is no table, or pretends to be another one: refused with a reason, or read rightly."""

from __future__ import annotations

import gzip
import io
import zipfile

import pytest

from supplyline.contracts import ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest import Reading, open_file
from supplyline.ingest.source import Limited

TABLE = b"sku,qty,date\n" + b"A1,5,2024-01-31\n" * 20
ROWS = [["A1", "5", "2024-01-31"]] * 20


def zipped(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()


def encrypted_zip() -> bytes:
    """An archive whose member is marked as encrypted."""
    data = bytearray(zipped("a.csv", TABLE))
    data[data.index(b"PK\x03\x04") + 6] |= 1
    data[data.index(b"PK\x01\x02") + 8] |= 1
    return bytes(data)


def workbook(cells: str) -> bytes:
    """The smallest xlsx with one sheet of these cells."""
    spreadsheet = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
    office = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
    package = "http://schemas.openxmlformats.org/package/2006/relationships"
    parts = {
        "[Content_Types].xml": "<Types/>",
        "_rels/.rels": f'<Relationships xmlns="{package}"><Relationship Id="r" '
        f'Type="{office}/officeDocument" Target="xl/workbook.xml"/></Relationships>',
        "xl/workbook.xml": f'<workbook xmlns="{spreadsheet}" xmlns:r="{office}"><sheets>'
        '<sheet name="S" sheetId="1" r:id="r1"/></sheets></workbook>',
        "xl/_rels/workbook.xml.rels": f'<Relationships xmlns="{package}"><Relationship Id="r1" '
        f'Type="{office}/worksheet" Target="worksheets/s.xml"/></Relationships>',
        "xl/worksheets/s.xml": f'<worksheet xmlns="{spreadsheet}"><sheetData>{cells}</sheetData>'
        "</worksheet>",
    }
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, text in parts.items():
            archive.writestr(name, text)
    return out.getvalue()


def cells(reading: Reading) -> list[list[str]]:
    return [
        list(row.values())[2:-1] for batch in reading.batches() for row in batch.data.to_pylist()
    ]


def opened(data: bytes, name: str = "upload.csv", **options: object) -> Reading:
    return open_file(io.BytesIO(data), name=name, options=ParseOptions(**options))  # type: ignore[arg-type] # tests pass what they mean


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (gzip.compress(gzip.compress(TABLE)), "archive within an archive"),
        (gzip.compress(zipped("a.csv", TABLE)), "archive within an archive"),
        (zipped("a.zip", zipped("a.csv", TABLE)), "archive within an archive"),
        (zipped("a.csv.gz", gzip.compress(TABLE)), "archive within an archive"),
        (encrypted_zip(), "encrypted"),
        (gzip.compress(TABLE * 100)[:60], "damaged"),
        (zipped("a.csv", TABLE)[:70], "damaged"),
        (b"a.csv" + bytes(252) + b"ustar" + bytes(250) + TABLE, "tar archive"),
        (b"\xef\xbb\xbf\n <!-- x -->\n<html><body>sign in", "HTML"),
        (b"<div class='login'>Please sign in</div>", "HTML"),
        ("<!DOCTYPE html><html>".encode("utf-16"), "HTML"),
        (b'<html xmlns:x="urn:schemas-microsoft-com:office:excel"><table><tr><td>1', "HTML"),
        (b"<?xml version='1.0'?><rows><row a='1'/></rows>", "XML"),
        (b"<feed xmlns='http://www.w3.org/2005/Atom'><entry>", "XML"),
        (bytes(range(256)) * 40, "binary"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), "workbook"),
    ],
)
def test_what_is_no_table_is_refused_with_its_reason(data: bytes, said: str) -> None:
    with pytest.raises(UnreadableFile, match=said):
        list(opened(data).batches())


@pytest.mark.parametrize(
    ("data", "name"),
    [
        (TABLE, "orders.xlsx"),
        (TABLE, "orders.json"),
        (TABLE.decode().encode("utf-16"), "orders.txt"),
        (TABLE.decode().encode("utf-16-le"), "orders.csv"),
        (TABLE.decode().encode("utf-16-be"), "orders.csv"),
        (gzip.compress(TABLE), "orders.csv"),
        (zipped("inner.dat", TABLE), "orders.csv"),
    ],
)
def test_the_bytes_count_and_not_the_name(data: bytes, name: str) -> None:
    assert cells(opened(data, name)) == ROWS


def test_headers_in_angle_brackets_are_no_xml() -> None:
    reading = opened(b"<TICKER>,<DATE>,<OPEN>\nA,20240101,5\nB,20240102,6\n")
    assert reading.names == ("<TICKER>", "<DATE>", "<OPEN>")


@pytest.mark.parametrize("encoding", ["cp1252", "mac_roman", "cp1250", "cp1251", "utf-16"])
def test_code_pages_are_found(encoding: str) -> None:
    words = {
        "cp1250": "Příliš žluťoučký kůň;Łódź;Kraków",
        "cp1251": "Склад;Количество;Наименование",
    }.get(encoding, "Größe;Menü für zwei;crème brûlée à la carte")
    text = "Name;Ort;Notiz\n" + f"{words}\n" * 4
    assert cells(opened(text.encode(encoding)))[0] == words.split(";")


def test_a_bomb_is_refused_before_it_is_unpacked(monkeypatch: pytest.MonkeyPatch) -> None:
    taken = 0
    inner = Limited.read

    def counted(self: Limited, size: int = -1) -> bytes:
        nonlocal taken
        data = inner(self, size)
        taken = max(taken, self.tell())
        return data

    monkeypatch.setattr(Limited, "read", counted)
    bomb = gzip.compress(b"a,b\n" + b"1,1\n" * 4 + b"1" * (1 << 28))
    with pytest.raises(UnreadableFile, match="unreasonable size"):
        list(opened(bomb, "a.csv.gz").batches())
    assert taken < 1 << 27


@pytest.fixture(params=["XFD", "GR"])
def far_apart(request: pytest.FixtureRequest) -> bytes:
    """Two cells, and as many as fit between them."""
    far = f'<row r="1048576"><c r="{request.param}1048576"><v>2</v></c></row>'
    return workbook(f'<row r="1"><c r="A1"><v>1</v></c></row>{far}')


def test_a_sheet_that_would_fill_all_memory_is_refused(far_apart: bytes) -> None:
    with pytest.raises(UnreadableFile, match="more memory or time"):
        list(opened(far_apart, "a.xlsx").batches())


def test_a_workbook_ends_its_process_when_it_is_let_go() -> None:
    row = "".join(f'<c r="{c}1"><v>{n}</v></c>' for n, c in enumerate("ABC"))
    reading = opened(workbook(f'<row r="1">{row}</row>'), "a.xlsx", header_row=0)
    assert cells(reading) == cells(reading) == [["0", "1", "2"]]


def test_a_workbook_that_lies_about_its_size_is_refused() -> None:
    blank = workbook(" " * (200 << 20) + '<row r="1"><c r="A1"><v>1</v></c></row>')
    with pytest.raises(UnreadableFile, match="unreasonable size"):
        opened(blank, "a.xlsx")


@pytest.mark.parametrize(
    ("data", "name", "kept", "aside"),
    [
        (b"a,b\n1,2\n" + b"x" * (4 << 20) + b",y\n3,4\n", "a.csv", 2, 2),
        (b'{"a": 1}\n{"a": "' + b"x" * (4 << 20) + b'"}\n{"a": 2}\n', "a.jsonl", 2, 2),
        (b'[{"a": 1}, {"a": "' + b"x" * (4 << 20) + b'"}, {"a": 2}]', "a.json", 2, 1),
    ],
)
def test_what_fits_no_document_is_set_aside(data: bytes, name: str, kept: int, aside: int) -> None:
    reading = opened(data, name)
    batches = list(reading.batches())
    assert sum(b.data.num_rows for b in batches) == kept
    refused = [q for b in batches for q in b.quarantined]
    assert [q.code for q in refused] == ["row_too_long"] * aside
    assert max(len(q.raw) for q in refused) <= (3 << 20) + 1
    assert reading.rows_read == kept + aside
