"""What stands around a table is told in full: title, notes, further tables, blank lines."""

from __future__ import annotations

import io
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from supplyline.ingest import Reading, open_file
from supplyline.ingest.commands import parse
from supplyline.ingest.records import Record, Refused

VISITS = "# All Web Site Data\n\nPage,Views,Unique,Time\n" + "".join(
    f'"/p/{n}","6,93{n % 10}",61,00:01:00\n' for n in range(25)
)
DAYS = "\nDay Index,Views\n1/1/21,123\n1/2/21,456\n,579\n"


def opened(text: str) -> Reading:
    return open_file(io.BytesIO(text.encode()), name="t.csv")


def set_aside(reading: Reading) -> list[tuple[int, str, str]]:
    return [(e.line, e.code, e.raw) for _, e in reading.events() if isinstance(e, Refused)]


def in_batches(reading: Reading) -> list[tuple[int | None, str, str]]:
    return [(q.line, q.code, q.raw) for b in reading.batches() for q in b.quarantined]


def test_the_report_tells_what_is_no_row(tmp_path: Path) -> None:
    source, report = tmp_path / "a.csv", tmp_path / "r.json"
    source.write_text(
        "Births by year\nas of 2020\n\nYear,Births,Share\n"
        + "".join(f"19{n},3895,1.{n}\n" for n in range(70, 90))
        + "\nSource: Registry\n"
    )
    given = [str(source), "--output", str(tmp_path / "o.csv"), "--report", str(report)]
    assert CliRunner().invoke(parse, given).exit_code == 0
    layout = json.loads(report.read_text())["layout"]
    assert layout["preamble"] == ["Births by year", "as of 2020"]
    assert layout["footer"] == ["Source: Registry"]
    assert (layout["preamble_lines"], layout["footer_lines"]) == (3, 1)


@pytest.mark.parametrize("rows", [0, 20_000], ids=["in the sample", "beyond it"])
def test_a_second_table_is_set_aside(rows: int) -> None:
    text = VISITS + '"/q",1,2,00:00:09\n' * rows + DAYS
    first = text[: text.index("Day Index")].count("\n") + 1
    expected = [(first + n, "second_table", raw) for n, raw in enumerate(DAYS.strip().split("\n"))]
    reading = opened(text)
    assert set_aside(reading) == expected
    assert reading.rows_read == 25 + rows + 4
    assert in_batches(opened(text)) == expected


def test_a_second_table_as_wide_as_the_first_is_set_aside() -> None:
    text = "Name,Qty\nNut,1\nBolt,2\nPin,3\n\nCity,People\nRome,7\nBonn,9\n"
    reading = opened(text)
    assert [line for line, _, _ in set_aside(reading)] == [6, 7, 8]


@pytest.mark.parametrize(
    "below",
    [
        "\nSmith,John\nNut,1,2,3\n",
        "\nSection two,,,\nNut,1,2,00:00:01\nPin,1,2,00:00:01\n",
        "\nTotal,9,9,00:00:09\n",
    ],
    ids=["a short row", "a section", "a total"],
)
def test_what_may_belong_to_the_table_stays_in_it(below: str) -> None:
    assert set_aside(opened(VISITS + below)) == []


def test_any_number_of_blank_lines_may_stand_before_the_table() -> None:
    reading = opened("\n" * 300_000 + "  \n" + "id,qty\n" + "a,1\nb,2\nc,3\n")
    assert reading.names == ("id", "qty")
    assert reading.layout.header_row == 300_002
    rows = [(e.line, e.cells) for _, e in reading.events() if isinstance(e, Record)]
    assert rows == [(300_003, ["a", "1"]), (300_004, ["b", "2"]), (300_005, ["c", "3"])]
    batches = list(opened("\n" * 300_000 + "id,qty\n" + "a,1\nb,2\nc,3\n").batches())
    assert sum(b.data.num_rows for b in batches) == 3
