"""A day that a file of series may hold is read in a column of text too."""

from __future__ import annotations

from datetime import date

import pytest

from supplyline.forecast.calendars import DAYS_WRITTEN
from supplyline.forecast.cells import dates


@pytest.mark.parametrize("written", DAYS_WRITTEN)
def test_a_day_is_read_however_it_is_written(written: str) -> None:
    days = (date(2024, 2, 28), date(2023, 12, 31))
    assert dates(d.strftime(written) for d in days) == {d.strftime(written): d for d in days}
