"""Files that are loaded again keep their times, whatever comes between them."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from supplyline.load.again import Before, times

NOW = datetime(2024, 2, 1, tzinfo=UTC)


def day(number: int) -> datetime:
    return datetime(2024, 1, number, tzinfo=UTC)


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ("abc", [day(1), day(2), day(3)]),
        ("axbc", [day(1), day(2), day(2), day(3)]),  # a late one came with what is behind it
        ("xabc", [day(1), day(1), day(2), day(3)]),
        ("abcx", [day(1), day(2), day(3), NOW]),
        ("acb", [day(1), day(3), day(3)]),  # loaded out of order: none before the one in front
        ("x", [NOW]),
        ("", []),
    ],
)
def test_times_are_kept_and_never_go_back(files: str, expected: list[datetime]) -> None:
    before = {f: Before(checksum="", loaded_at=day(n)) for n, f in enumerate("abc", 1)}
    found = times(list(files), before, now=NOW)
    assert [found[f] for f in files] == expected


def test_a_clock_that_went_back_is_no_matter() -> None:
    before = {"a": Before(checksum="", loaded_at=NOW + timedelta(days=1))}
    assert list(times(["a", "x"], before, now=NOW).values()) == [NOW + timedelta(days=1)] * 2
