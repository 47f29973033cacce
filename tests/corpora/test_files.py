"""csv-spectrum comes out exactly; every file of the corpora is parsed or refused with a reason."""

from __future__ import annotations

import functools
import io
import json
import os
import tarfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from supplyline.errors import UnreadableFile
from supplyline.ingest import Reading, open_file, reading
from supplyline.ingest.readers.blocks import segments
from supplyline.ingest.readers.mixed import MixedRows
from supplyline.ingest.records import Record

DATA = Path(
    os.environ.get("SUPPLYLINE_TEST_DATA", Path(__file__).resolve().parents[3] / "shared/data")
)
CORPORA = DATA / "corpora"
SPECTRUM = sorted((CORPORA / "csv-spectrum/csvs").glob("*.csv"))
EVERY = sorted(p for p in CORPORA.rglob("*") if p.is_file() and p.suffix not in {".md", ".json"})
needs_data = pytest.mark.skipif(not SPECTRUM, reason="the corpora are not here")


@needs_data
@pytest.mark.parametrize("path", SPECTRUM, ids=lambda p: p.name)
def test_csv_spectrum_is_exact(path: Path) -> None:
    text = (path.parent.parent / "json" / f"{path.stem}.json").read_text("utf-8")
    if b"\r" not in path.read_bytes():
        # A checkout may have turned the file's CRLF into LF; its truth then has to follow.
        text = text.replace("\\r\\n", "\\n")
    truth = json.loads(text)
    with path.open("rb") as source:
        reading = open_file(source, name=path.name)
        rows = [e.cells for _, e in reading.events() if isinstance(e, Record)]
    assert [dict(zip(reading.names, r, strict=True)) for r in rows] == truth


@needs_data
@pytest.mark.timeout(60)
@pytest.mark.parametrize("path", EVERY, ids=lambda p: p.name)
def test_every_file_is_parsed_or_refused(path: Path) -> None:
    with path.open("rb") as source:
        try:
            reading = open_file(source, name=path.name)
        except UnreadableFile as refusal:
            if not refusal.detail:
                pytest.fail("refused without a reason")
            return
        taken = aside = 0
        for batch in reading.batches():
            taken += batch.data.num_rows
            aside += len(batch.quarantined)
    assert reading.rows_read == taken + aside


def _contents(of: Reading) -> tuple[list[Any], list[Any], int]:
    rows, aside = [], []
    for batch in of.batches():
        rows += batch.data.to_pylist()
        aside += batch.quarantined
    return rows, aside, of.rows_read


def _polluted() -> Iterator[tuple[str, bytes]]:
    with tarfile.open(DATA / "pollock/polluted_files.tar.xz") as archive:
        for member in archive:
            content = archive.extractfile(member) if member.isfile() else None
            if content is not None and "/csv/" in member.name:
                yield member.name, content.read()


@needs_data
@pytest.mark.parametrize(
    "every", [11, pytest.param(1, marks=[pytest.mark.long, pytest.mark.timeout(1200)])]
)
def test_columns_and_careful_reading_agree(every: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "segments", functools.partial(segments, size=2048))
    monkeypatch.setattr(reading, "MixedRows", functools.partial(MixedRows, smallest=256))
    files = [(p.name, p.read_bytes()) for p in EVERY if p.suffix in {".csv", ".tsv", ".txt"}]
    compared = 0
    for name, data in [*files, *list(_polluted())[::every]]:
        try:
            of = open_file(io.BytesIO(data), name="file.csv")
        except UnreadableFile:
            continue
        found = _contents(of)
        of._pieces = None
        assert found == _contents(of), name
        compared += 1
    assert compared > 200
