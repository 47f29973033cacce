"""csv-spectrum comes out exactly; every file of the corpora is parsed or refused with a reason."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest

from supplyline.errors import UnreadableFile
from supplyline.ingest import open_file
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
