"""P3 to P7 and P9 over random lives of a table: loads, undos, rebuilds, releases, losses, kills.

`SUPPLYLINE_SEEDS=1000:1100` runs as many more as one has patience for.
"""

from __future__ import annotations

import os
import random

import pytest

from tests.faults.history import History
from tests.faults.house import FaultyHouse

FIRST, END = map(int, os.environ.get("SUPPLYLINE_SEEDS", "0:4").split(":"))


@pytest.mark.parametrize("seed", range(FIRST, END))
def test_a_table_is_what_its_files_make_it_whatever_happened(
    faulty: FaultyHouse, seed: int
) -> None:
    history = History(house=faulty, rng=random.Random(seed), keyed=seed % 4 > 0)
    try:
        for _ in range(18):
            history.step(kills=0.1)
        history.verify()
    except BaseException:
        print("\n".join(history.told))
        raise
