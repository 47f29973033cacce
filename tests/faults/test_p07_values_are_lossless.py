"""P7. Values are lossless: hostile text through both stores, with kills between."""

from __future__ import annotations

from collections import Counter

import pytest

from tests.faults.house import HOSTILE, FaultyHouse, random_rows

COLUMNS = (
    ["1", "22", "-3", ""],
    ["1.50", "1.5", "0", ""],
    ["2024-02-29", "1999-12-31", ""],
    ["2024-02-29 00:00:00", "2024-02-29 23:59:59"],
    ["true", "false", ""],
    ["12345678901234567890", "00123", "99"],
    list(HOSTILE),
)


@pytest.mark.parametrize("values", COLUMNS, ids=lambda v: v[0] or "hostile")
def test_every_cell_comes_back_as_it_was(faulty: FaultyHouse, values: list[str]) -> None:
    rows = [(f"c{n}", "A", "1", value) for n, value in enumerate(values)]
    file_id = faulty.upload(rows)
    assert faulty.work("ingest", file_id, fault="land.after_batch:1") == -9
    assert faulty.work("ingest", file_id) == 0
    assert faulty.work("load", fault="load.published:1") == -9
    assert faulty.work("load", attempt=2) == 0
    faulty.check(expected=Counter(rows))


def test_text_survives_a_column_that_widens(faulty: FaultyHouse) -> None:
    first = [("a", "x", "1", "1"), ("b", "x", "2", "")]
    files = [faulty.upload(first, name="one.csv")]
    files.append(faulty.upload([("c", "x", "2.50", "00123")], name="two.csv"))
    files.append(faulty.upload(random_rows(7, count=100), name="three.csv"))
    assert faulty.work("ingest", *files) == 0
    assert faulty.work("load") == 0
    faulty.check(expected=sum((Counter(r) for r in faulty.written.values()), Counter()))
