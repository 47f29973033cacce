"""No format gives rows that no text column can hold; none loses a value that it has twice."""

from __future__ import annotations

import io
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from supplyline.contracts import ParseOptions, QuarantinedRow
from supplyline.errors import UnreadableFile
from supplyline.ingest import Reading, open_file
from supplyline.ingest.preview import options_of
from supplyline.ingest.records import Record, Refused
from supplyline.ingest.storable import storable


def read(data: bytes, name: str) -> Reading:
    return open_file(io.BytesIO(data), name=name, options=ParseOptions())


def parquet(**columns: Any) -> bytes:
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out)
    return out.getvalue()


def rows(reading: Reading) -> tuple[list[dict[str, Any]], list[QuarantinedRow]]:
    kept: list[dict[str, Any]] = []
    aside: list[QuarantinedRow] = []
    for batch in reading.batches():
        kept += batch.data.select(range(2, batch.data.num_columns - 1)).to_pylist()
        aside += batch.quarantined
    return kept, aside


def test_a_nul_in_parquet_is_set_aside_with_its_column() -> None:
    kept, aside = rows(read(parquet(sku=["A", "B"], note=["x\0y", "z"]), "a.parquet"))
    assert kept == [{"sku": "B", "note": "z"}]
    assert [(q.row, q.column, q.code, q.raw) for q in aside] == [
        (1, "note", "nul_character", "A,x\0y")
    ]


def test_a_nul_deep_in_parquet_is_text_of_json() -> None:
    kept, aside = rows(read(parquet(a=[["x\0y"]]), "a.parquet"))
    assert (kept, aside) == ([{"a": '["x\\u0000y"]'}], [])


def test_bytes_in_parquet_that_are_no_text_are_set_aside() -> None:
    text = pa.Array.from_buffers(pa.string(), 2, pa.array([b"ok", b"\xff!"]).buffers())
    kept, aside = rows(read(parquet(a=text, b=["1", "2"]), "a.parquet"))
    assert kept == [{"a": "ok", "b": "1"}]
    assert [(q.column, q.code, q.raw) for q in aside] == [("a", "undecodable", "\\xff!,2")]


def test_days_beyond_the_years_of_python_are_read() -> None:
    kept, _ = rows(read(parquet(day=pa.array([0, 4_000_000], pa.date32())), "a.parquet"))
    assert [r["day"] for r in kept] == ["1970-01-01", "12921-08-18"]


@pytest.mark.parametrize(
    ("line", "code"),
    [
        (b'{"a": "x\\u0000y"}', "nul_character"),
        (b'{"a\\u0000": "x"}', "nul_character"),
        (b'{"a": "\\ud800"}', "undecodable"),
        (b'{"\\udfff": 1}', "undecodable"),
        (b'{"a": ["\\udfff"]}', "undecodable"),
    ],
)
def test_what_json_may_write_and_a_column_cannot_hold_is_set_aside(line: bytes, code: str) -> None:
    for data, name in ((line + b'\n{"b": 1}\n', "a.jsonl"), (b"[" + line + b',{"b":1}]', "a.json")):
        kept, aside = rows(read(data, name))
        assert [q.code for q in aside] == [code]
        assert aside[0].raw == line.decode()
        assert [r["b"] for r in kept] == ["1"]


def test_a_header_never_holds_what_a_column_cannot() -> None:
    assert read(parquet(**{"a\0b": ["1"]}), "a.parquet").names == ("a\\x00b",)


def test_half_a_surrogate_pair_is_readable_where_it_is_set_aside() -> None:
    (event,) = storable(iter([Record(4, ["a", "\ud800"])]))
    assert event == Refused(
        4,
        "undecodable",
        "A value has bytes that are no text, or half of a surrogate pair.",
        "a,\\ud800",
        2,
    )


def test_a_key_that_an_object_has_twice_is_two_columns() -> None:
    reading = read(b'{"a":1,"b":0,"a":2}\n{"a":3}\n', "a.jsonl")
    assert [c.header for c in reading.layout.columns] == ["a", "b", "a"]
    assert list(rows(reading)[0][0].values()) == ["1", "0", "2"]
    nested, _ = rows(read(b'[{"a": {"k": 1, "k": [{"z": 1, "z": 2}]}}]', "a.json"))
    assert nested == [{"a": '{"k": 1, "k": [{"z": 1, "z": 2}]}'}]


@pytest.mark.parametrize("name", ["a.json", "a.csv", "a.txt"])
def test_json_is_known_behind_any_number_of_blanks(name: str) -> None:
    for data in (b"[" + b" " * 20_000 + b'{"a": 1}]', b"\n" * 20_000 + b'[{"a": 1}]'):
        assert rows(read(data, name))[0] == [{"a": "1"}]


@pytest.mark.parametrize(
    "encoding", ["klingon", "rot13", "base64", "utf-7", "unicode_escape", "idna", "punycode", ""]
)
def test_what_is_no_encoding_of_files_is_refused(encoding: str) -> None:
    with pytest.raises(UnreadableFile, match="no known encoding"):
        options_of({"encoding": encoding})


@pytest.mark.parametrize(
    "encoding", ["utf-8", "UTF-16", "cp1252", "latin-1", "shift_jis", "gb18030"]
)
def test_encodings_of_files_may_be_given(encoding: str) -> None:
    assert options_of({"encoding": encoding}).encoding == encoding


@pytest.mark.parametrize("encoding", ["utf-16", "UTF16", "utf_32"])
def test_an_encoding_of_which_the_file_does_not_say_the_order_of_bytes_is_refused(
    encoding: str,
) -> None:
    for data in (b"a,b\n1,2\n", "a,b\n1,Ö\n".encode("utf-16-be")):
        with pytest.raises(UnreadableFile, match="byte order mark"):
            open_file(io.BytesIO(data), name="a.csv", options=ParseOptions(encoding=encoding))
    marked = "a,b\n1,Ö\n".encode(encoding)
    reading = open_file(io.BytesIO(marked), name="a.csv", options=ParseOptions(encoding=encoding))
    assert rows(reading)[0] == [{"a": "1", "b": "Ö"}]


@pytest.mark.parametrize("said", ["json", "jsonl", "parquet", "xlsx", "ods"])
def test_a_file_that_is_not_of_the_format_that_was_said_is_told_so(said: str) -> None:
    with pytest.raises(UnreadableFile) as refused:
        open_file(io.BytesIO(b"a,b\n1,2\n"), name="a.csv", options=ParseOptions(format=said))
    assert f"said to be {said}" in refused.value.advice
    assert not refused.value.detail.endswith("..")
