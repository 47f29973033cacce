"""The grid of periods is chosen from the data and stays where it is from run to run."""

from __future__ import annotations

from dataclasses import replace
from datetime import date, timedelta

import numpy as np
import pytest

from supplyline.forecast.buckets import choose_bucket, without_far_days
from supplyline.forecast.calendars import EPOCH
from supplyline.forecast.demand import Bucket, Lines, by_item

FIRST = date(2025, 1, 1)
LATER = date(2030, 1, 1)


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
    assert choose_bucket(lines(days), today=LATER).name == name


def test_weeks_go_on_ending_on_the_same_day() -> None:
    first = choose_bucket(lines(list(range(0, 300, 3))), today=LATER)
    assert first.as_of == FIRST + timedelta(days=297)
    for more, weeks in ((3, 0), (6, 0), (9, 1), (21, 3)):
        later = choose_bucket(
            lines(list(range(0, 298 + more, 3))),
            today=LATER,
            before=(first.name, first.as_of),
        )
        assert later.as_of == first.as_of + timedelta(days=7 * weeks)
        assert later.start(0) >= FIRST


def test_a_bucket_is_kept_where_the_data_are_on_the_edge() -> None:
    rare = [d for d in range(300) if d % 9 < 4]  # sells on 44 of 100 days
    assert choose_bucket(lines(rare), today=LATER).name == "week"
    assert choose_bucket(lines(rare), today=LATER, before=("day", FIRST)).name == "day"
    assert (
        choose_bucket(lines(rare), today=LATER, forced="month", before=("day", FIRST)).name
        == "month"
    )


def test_less_than_a_week_beyond_another_grid_is_no_empty_history() -> None:
    found = choose_bucket(
        lines([0, 2]), today=LATER, forced="week", before=("week", FIRST - timedelta(days=1))
    )
    assert found == Bucket(name="week", periods=1, as_of=FIRST + timedelta(days=2))


def months(first: date, last: date) -> list[int]:
    """Every day from `first` to `last`, counted from FIRST."""
    return list(range((first - FIRST).days, (last - FIRST).days + 1))


def test_the_day_under_way_is_not_over() -> None:
    for last in (300, 301):  # of today, and of a place where it is tomorrow
        found = choose_bucket(lines(list(range(last + 1))), today=FIRST + timedelta(days=300))
        assert found == Bucket(name="day", periods=300, as_of=FIRST + timedelta(days=299))
    only = choose_bucket(lines([0]), today=FIRST, forced="day")
    assert only == Bucket(name="day", periods=1, as_of=FIRST)


def test_a_month_under_one_date_ends_with_its_last_day_and_counts_when_it_is_over() -> None:
    firsts = [(date(2023 + n // 12, n % 12 + 1, 1) - FIRST).days for n in range(36)]
    over = choose_bucket(lines(firsts), today=date(2026, 1, 1))
    assert (over.name, over.as_of, over.periods) == ("month", date(2025, 12, 31), 36)
    assert (over.start(0), over.start(36)) == (date(2023, 1, 1), date(2026, 1, 1))
    under_way = choose_bucket(lines(firsts), today=date(2025, 12, 31))
    assert (under_way.as_of, under_way.periods) == (date(2025, 11, 30), 35)


@pytest.mark.parametrize(("weekday", "ends"), [(1, 6), (3, 0), (7, 0)])
def test_a_week_under_a_monday_begins_there_and_under_another_day_ends_there(
    weekday: int, ends: int
) -> None:
    begin = (weekday - FIRST.isoweekday()) % 7
    weekly = lines([begin + 7 * n for n in range(60)])
    last = FIRST + timedelta(days=begin + 7 * 59 + ends)
    found = choose_bucket(weekly, today=last + timedelta(days=1))
    assert found == Bucket(name="week", periods=60, as_of=last)
    assert found.index(weekly.day).tolist() == list(range(60))
    assert choose_bucket(weekly, today=last).as_of == last - timedelta(days=7)


def test_months_that_the_data_begin_or_end_in_the_middle_of_are_left_out() -> None:
    found = choose_bucket(
        lines(months(date(2023, 10, 20), date(2025, 12, 10))), today=LATER, forced="month"
    )
    assert (found.start(0), found.as_of) == (date(2023, 11, 1), date(2025, 11, 30))
    whole = choose_bucket(
        lines(months(date(2023, 10, 3), date(2025, 12, 29))), today=LATER, forced="month"
    )
    assert (whole.start(0), whole.as_of) == (date(2023, 10, 1), date(2025, 12, 31))


@pytest.mark.parametrize("slip", [date(1900, 1, 1), date(1970, 1, 1), date(2020, 3, 3), LATER])
def test_days_far_from_all_others_are_left_out_and_named(slip: date) -> None:
    usual = list(range(200))
    found = without_far_days(lines([*usual, (slip - FIRST).days]))
    assert found.far_days == (str(slip),)
    assert found.report["far_from_all_others"] == 1
    assert choose_bucket(found, today=LATER).name == "day"
    many = without_far_days(lines([*usual, *usual, 200 + 90], items=4))
    assert many.far_days == ()  # one line of two hundred: the shop may have been closed
    few = without_far_days(lines([*range(2000), 2000 + 90]))
    assert few.far_days == (str(FIRST + timedelta(days=2090)),)


def test_a_short_or_sparse_history_has_no_far_days() -> None:
    for days in ([0], [0, 400], [0, 1, 2, 900], list(range(0, 3000, 31)), [*range(30), 89]):
        assert without_far_days(lines(days)).far_days == ()


def test_the_price_of_late_is_that_of_the_latest_days_in_whatever_order_lines_come() -> None:
    found = lines(list(range(100)))
    price = np.where(np.arange(100) < 50, 1.0, 20.0)
    bucket = choose_bucket(found, today=LATER)
    for order in (np.arange(100), np.arange(100)[::-1]):
        turned = replace(found, day=found.day[order], price=price[order])
        (one,) = by_item(turned, bucket)
        assert one.price == 20
