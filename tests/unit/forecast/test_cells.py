"""Columns of text are read in one way, whatever block of lines a cell comes in."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date, timedelta

import numpy as np
import pandas as pd
import pytest

from supplyline.forecast import cells, demand
from supplyline.forecast.calendars import DAYS_WRITTEN, EPOCH

TODAY = date(2026, 1, 1)


def block(**columns: list[str]) -> pd.DataFrame:
    return pd.DataFrame({k: pd.Categorical(v) for k, v in columns.items()})


def test_a_block_of_first_days_is_read_like_the_whole_column() -> None:
    days = [date(2025, 1, 1) + timedelta(days=n) for n in range(340)]
    texts = [f"{d:%d/%m/%Y} 10:15" for d in days]

    def blocks() -> Iterator[pd.DataFrame]:
        for n in range(0, len(texts), 10):
            part = texts[n : n + 10]
            yield block(item=["a"] * len(part), date=part, quantity=["1,5"] * len(part))

    read = cells.readings({"date": texts, "quantity": ["1,5", "1.000,25", "3"]})
    lines = demand.collect(blocks(), today=TODAY, readings=read)
    assert lines.day.tolist() == [(d - EPOCH).days for d in days]
    assert np.unique(lines.quantity).tolist() == [1.5]
    assert read.notes == ()


@pytest.mark.parametrize(
    ("texts", "expected"),
    [
        (["2025-01-31", "2025-02-01T09:00:00+01:00", "n/a", ""], ["2025-01-31", "2025-02-01"]),
        (["12/31/2025 1:05 PM", "01/02/2025 2:00 AM"], ["2025-12-31", "2025-01-02"]),
        (["31.01.2025", "01.02.2025"], ["2025-01-31", "2025-02-01"]),
        (["20250131", "20250201"], ["2025-01-31", "2025-02-01"]),
        (["31-Jan-2025", "01-Feb-2025"], ["2025-01-31", "2025-02-01"]),
        (["01/01/2025", "01/02/2025", "01/03/2025", "01/04/2025"],
         ["2025-01-01", "2025-02-01", "2025-03-01", "2025-04-01"]),
        (["17", "18"], []),
        (["1066-01-01", "2025-01-01"], ["2025-01-01"]),
    ],
)  # fmt: skip
def test_days_of_many_spellings(texts: list[str], expected: list[str]) -> None:
    read, _ = cells.days(texts)
    found = [str(EPOCH + timedelta(days=int(read[t]))) for t in texts if t in read]
    assert found == expected


def test_dates_that_can_be_read_in_two_ways_are_said() -> None:
    _, notes = cells.days(["03/04/2025", "04/03/2025"])
    assert "The dates could be" in notes[0]


@pytest.mark.parametrize("written", DAYS_WRITTEN)
def test_a_day_that_a_file_of_series_may_hold_is_read_too(written: str) -> None:
    days = (date(2024, 2, 28), date(2023, 12, 31))
    read, _ = cells.days(d.strftime(written) for d in days)
    assert read == {d.strftime(written): (d - EPOCH).days for d in days}
