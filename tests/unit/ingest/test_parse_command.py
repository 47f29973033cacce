"""`supplyline parse`: standard CSV that others read back, and a report of any size."""

from __future__ import annotations

import csv
import io
import json
from pathlib import Path

import pyarrow.csv
import pytest
from click.testing import CliRunner

from supplyline.errors import UnreadableFile
from supplyline.ingest.commands import parse, preview


def test_every_line_end_in_a_cell_is_quoted(tmp_path: Path) -> None:
    source, out = tmp_path / "a.csv", tmp_path / "out.csv"
    source.write_bytes(b'id,note\r\n1,"a\rb"\r\n2,"c\nd"\r\n3,"e\r\nf"\r\n')

    result = CliRunner().invoke(parse, [str(source), "--output", str(out)])

    assert result.exit_code == 0
    rows = list(csv.reader(io.StringIO(out.read_bytes().decode(), newline="")))
    assert rows == [["id", "note"], ["1", "a\rb"], ["2", "c\nd"], ["3", "e\r\nf"]]
    table = pyarrow.csv.read_csv(
        out, parse_options=pyarrow.csv.ParseOptions(newlines_in_values=True)
    )
    assert table.num_rows == 3


def test_the_report_holds_every_row_that_was_set_aside(tmp_path: Path) -> None:
    source, out, report = tmp_path / "a.csv", tmp_path / "out.csv", tmp_path / "r.json"
    source.write_bytes(b"a,b\n1,2\n" + b"x\0y,2\n" * 30_000 + b"3,4\n")

    result = CliRunner().invoke(parse, [str(source), "--output", str(out), "--report", str(report)])

    assert result.exit_code == 1
    told = json.loads(report.read_text())
    assert told["rows"] == {"read": 30_002, "parsed": 2, "quarantined": 30_000}
    assert [q["row"] for q in told["quarantined"]] == list(range(2, 30_002))
    assert out.read_text() == "a,b\n1,2\n3,4\n"
    assert json.loads(_report_of_a_good_file(tmp_path))["quarantined"] == []


def _report_of_a_good_file(tmp_path: Path) -> str:
    source = tmp_path / "good.csv"
    source.write_bytes(b"a,b\n1,2\n")
    report = tmp_path / "good.json"
    CliRunner().invoke(
        parse, [str(source), "--output", str(tmp_path / "o"), "--report", str(report)]
    )
    return report.read_text()


@pytest.mark.parametrize("content", [b"", b"\n \n"])
def test_what_an_upload_refuses_for_being_no_table_has_no_preview(
    tmp_path: Path, content: bytes
) -> None:
    source = tmp_path / "empty.csv"
    source.write_bytes(content)
    result = CliRunner().invoke(preview, [str(source)])
    assert isinstance(result.exception, UnreadableFile)
    assert not result.output
    out = tmp_path / "out.csv"
    parsed = CliRunner().invoke(parse, [str(source), "--output", str(out)])
    assert (parsed.exit_code, out.read_text()) == (3, "")
    assert "neither a header nor a row" in parsed.stderr
