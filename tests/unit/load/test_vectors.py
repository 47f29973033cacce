"""What is proved over an array's bytes is what the patterns say of each text."""

from __future__ import annotations

import random

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplyline import native
from supplyline.load.kinds import fits
from supplyline.load.vectors import (
    are_dates,
    are_numbers,
    dates_by_arrays,
    form_of,
    numbers_by_arrays,
    proves,
)

KINDS = (
    "bigint", "numeric", "date", "timestamp", "date DD.MM.YYYY", "date MM/DD/YYYY",
    "timestamptz YYYY-MM-DDTHH24:MI:SSFFZ", "timestamp YYYY-MM-DD HH24:MI:SS.FF3",
)  # fmt: skip
SURE = {
    "bigint": ["0", "-5", "123456789012345678"],
    "numeric": ["0", "1.50", "-1.5", "0.00", "9" * 61 + "." + "1" * 40],
    "date": ["2024-02-29", "9999-12-31", "1000-01-01"],
    "timestamp": ["2024-02-29 23:59:59"],
    "date DD.MM.YYYY": ["31.12.2025"],
    "date MM/DD/YYYY": ["02/28/2025", "12/31/2025"],
    "timestamptz YYYY-MM-DDTHH24:MI:SSFFZ": ["2000-02-29T00:00:00Z"],
    "timestamp YYYY-MM-DD HH24:MI:SS.FF3": ["2024-02-29 23:59:59.120"],
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_usual_values_are_proved(kind: str) -> None:
    values = pa.array(["x", *SURE[kind], "y"])
    assert proves(kind, values.slice(1, len(SURE[kind])))
    assert not proves(kind, values)


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        ("bigint", "00"), ("bigint", "-0"), ("bigint", "1234567890123456789"), ("bigint", "-"),
        ("bigint", "1.0"), ("bigint", "1-2"), ("bigint", "--1"), ("bigint", "٣"),
        ("numeric", "1."), ("numeric", ".5"), ("numeric", "1.2.3"), ("numeric", "01.5"),
        ("numeric", "-.5"), ("numeric", "-0.0"), ("numeric", "1e5"), ("numeric", "+1"),
        ("numeric", "1" * 62), ("numeric", "1." + "1" * 41),
        ("date", "2023-02-29"), ("date", "1900-02-29"), ("date", "2024-13-01"),
        ("date", "2024-00-10"), ("date", "2024-04-31"), ("date", "0999-01-01"),
        ("date", "2024/01/01"), ("date", "2024-1-011"), ("date", "202४-1-1"),
        ("timestamp", "2024-02-29 24:00:00"), ("timestamp", "2024-02-29T23:59:59"),
    ],
)  # fmt: skip
def test_what_does_not_fit_is_not_proved(kind: str, value: str) -> None:
    assert not fits(kind, pa.array([value]))[0].as_py()
    assert not proves(kind, pa.array([value, *SURE[kind]]))


TEXT = st.one_of(
    st.text(alphabet="0123456789.-", min_size=1, max_size=6),
    st.text(alphabet="0123456789-/.: TZ", min_size=8, max_size=24),
    st.dates().map(str),
    st.datetimes().map(lambda d: d.isoformat(" ", "seconds")),
    st.decimals(allow_nan=False, allow_infinity=False).map(str),
    st.integers().map(str),
)


@given(st.lists(TEXT, min_size=1, max_size=4), st.sampled_from(KINDS))
def test_a_proof_never_says_more_than_the_pattern(texts: list[str], kind: str) -> None:
    values = pa.array(texts, pa.string())
    if proves(kind, values):
        assert pc.all(fits(kind, values)).as_py()


def test_the_array_that_is_looked_at_stays_as_it_is() -> None:
    values = pa.array(["31.12.2025"])
    assert proves("date DD.MM.YYYY", values)
    assert values.to_pylist() == ["31.12.2025"]


NUMBERS = ["0", "7", "-7", "12.5", "-1.50", "0.5", "123456789012345678", "9" * 61, "1." + "1" * 40]
ALMOST = ["-0", "00", "01", "-0.5", ".5", "1.", "-", "--1", "1-", "1.2.3", "+1", "1e5", "\u0663",
          "1" * 62, "1." + "1" * 41, " 1", "1 ", "\0", "1\n"]  # fmt: skip
TIMES = [
    "2024-02-29",
    "2023-02-28",
    "1900-02-28",
    "1000-01-01",
    "9999-12-31",
    "2024-02-29 23:59:59",
]
NOT_TIMES = ["2023-02-29", "1900-02-29", "2024-04-31", "2024-13-01", "2024-00-01", "0999-01-01",
             "2024-01-00", "2024-01-32", "2024/01/01", "2024-1-011", "2024-02-29 24:00:00",
             "2024-02-29 23:60:59"]  # fmt: skip


@pytest.mark.parametrize("seed", range(4))
def test_both_ways_prove_alike(seed: int) -> None:
    rng = random.Random(seed)
    for _ in range(1000):
        good, bad = rng.choice([(NUMBERS, ALMOST), (TIMES[:5], NOT_TIMES), (TIMES[5:], NOT_TIMES)])
        texts = rng.choices(good, k=rng.randrange(1, 9))
        if rng.random() < 0.5:
            texts[rng.randrange(len(texts))] = changed(rng.choice(good + bad), rng)
        values = pa.array(["12", *texts], pa.string()).slice(1)
        for digits, whole in ((18, True), (61, False), (3, False)):
            proved = are_numbers(values, digits=digits, whole=whole)
            assert proved == numbers_by_arrays(values, digits=digits, whole=whole), texts
        for kind in KINDS[2:]:
            form = form_of(kind)
            assert form is not None
            assert are_dates(values, form) == dates_by_arrays(values, form), (kind, texts)


def changed(text: str, rng: random.Random) -> str:
    at = rng.randrange(len(text))
    return text[:at] + rng.choice("0123456789-./: Z\xff") + text[at + 1 :]


def test_offsets_that_lie_prove_nothing() -> None:
    assert native.library() is not None  # arrays would follow the offsets wherever they lead
    for lie in ([0, 2**31 - 1, 3], [0, -5, 3], [0, 4, 3], [2, 1, 3]):
        ends = pa.py_buffer(np.array(lie, dtype=np.int32))
        values = pa.StringArray.from_buffers(2, ends, pa.py_buffer(b"111"))
        assert not are_numbers(values, digits=18)
