"""P3. No row vanishes: killed at every named point, run again, every row is accounted for."""

from __future__ import annotations

from collections import Counter

import pytest

from supplyline.faults import POINTS
from tests.faults.house import FaultyHouse, random_rows

KILLED = -9


@pytest.mark.parametrize("seed", range(2))
@pytest.mark.parametrize("point", [p for p in POINTS if p.startswith(("land.", "load."))])
def test_a_kill_at_any_point_loses_and_doubles_nothing(
    faulty: FaultyHouse, point: str, seed: int
) -> None:
    files = [
        faulty.upload(random_rows(seed * 10 + n, count=300), name=f"day{n}.csv") for n in (1, 2)
    ]
    nth = 1 + seed
    if point.startswith("land."):
        assert faulty.work("ingest", *files, fault=f"{point}:{nth}") == KILLED
    assert faulty.work("ingest", *files) == 0
    if point.startswith("load."):
        assert faulty.work("load", fault=f"{point}:{nth}") == KILLED
    assert faulty.work("load", attempt=2) == 0
    faulty.check(expected=sum((Counter(rows) for rows in faulty.written.values()), Counter()))
