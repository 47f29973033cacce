"""The grid of periods is chosen from the data and stays where it is from run to run."""

from __future__ import annotations

from datetime import date, timedelta

import numpy as np
import pytest

from supplyline.forecast.demand import EPOCH, Bucket, Lines, choose_bucket

FIRST = date(2025, 1, 1)


def lines(days: list[int], *, items: int = 1) -> Lines:
    day = np.repeat(np.asarray(days, dtype=np.int64) + (FIRST - EPOCH).days, items)
    return Lines(
        items=tuple(map(str, range(items))),
        names={},
        item=np.tile(np.arange(items, dtype=np.int64), len(days)),
        day=day,
        quantity=np.ones(day.size),
        price=np.full(day.size, np.nan),
        customer=np.full(day.size, -1, dtype=np.int64),
        order=np.full(day.size, -1, dtype=np.int64),
    )


@pytest.mark.parametrize(
    ("days", "name"),
    [
        (list(range(300)), "day"),
        (list(range(0, 300, 3)), "week"),
        (list(range(0, 700, 7)), "week"),
        (list(range(0, 700, 30)), "month"),
    ],
)
def test_as_fine_as_demand_is_seen(days: list[int], name: str) -> None:
    assert choose_bucket(lines(days)).name == name


def test_weeks_go_on_ending_on_the_same_day() -> None:
    first = choose_bucket(lines(list(range(0, 300, 3))))
    assert first.as_of == FIRST + timedelta(days=297)
    for more, weeks in ((3, 0), (6, 0), (9, 1), (21, 3)):
        later = choose_bucket(
            lines(list(range(0, 298 + more, 3))), before=(first.name, first.as_of)
        )
        assert later.as_of == first.as_of + timedelta(days=7 * weeks)
        assert later.start(0) >= FIRST


def test_a_bucket_is_kept_where_the_data_are_on_the_edge() -> None:
    rare = [d for d in range(300) if d % 9 < 4]  # sells on 44 of 100 days
    assert choose_bucket(lines(rare)).name == "week"
    assert choose_bucket(lines(rare), before=("day", FIRST)).name == "day"
    assert choose_bucket(lines(rare), forced="month", before=("day", FIRST)).name == "month"


def test_less_than_a_week_beyond_another_grid_is_no_empty_history() -> None:
    found = choose_bucket(lines([0, 2]), forced="week", before=("week", FIRST - timedelta(days=1)))
    assert found == Bucket(name="week", periods=1, as_of=FIRST + timedelta(days=2))
