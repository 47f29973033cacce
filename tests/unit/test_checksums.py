"""Checksums: order-free, mergeable, the same from arrays and from single rows."""

from __future__ import annotations

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplyline.checksums import SEEDS, Checksum, hash_bytes, hash_texts, row_text

COLUMNS = ("a", "b")
CELLS = st.one_of(st.none(), st.text(max_size=40))
ROWS = st.lists(
    st.tuples(CELLS, CELLS, st.one_of(st.none(), st.lists(st.text(max_size=5), min_size=1)))
)


def batch(rows: list) -> pa.RecordBatch:
    columns = list(zip(*rows, strict=True)) or [(), (), ()]
    return pa.record_batch(
        {
            "a": pa.array(columns[0], pa.string()),
            "b": pa.array(columns[1], pa.string()),
            "_extra": pa.array(columns[2], pa.list_(pa.string())),
        }
    )


def summed(*rows: tuple, columns: tuple = COLUMNS) -> str:
    """The checksum of single rows (a, b, extra)."""
    total = Checksum.over(columns)
    for a, b, *extra in rows:
        text = row_text((a, b), extra[0] if extra else None)
        total = total.merged(
            rows=1, high=hash_bytes(text, SEEDS[0]), low=hash_bytes(text, SEEDS[1])
        )
    return total.text


@settings(deadline=None)
@given(ROWS, st.integers(0, 10))
def test_order_and_cut_do_not_matter(rows: list, cut: int) -> None:
    whole = Checksum.over(COLUMNS).plus(batch(rows))
    apart = Checksum.over(COLUMNS).plus(batch(rows[cut:])).plus(batch(rows[:cut]))
    assert whole.text == apart.text == summed(*reversed(rows))


@settings(deadline=None)
@given(ROWS)
def test_a_slice_of_a_batch_is_summed_alone(rows: list) -> None:
    cut = batch(rows).slice(1)
    assert Checksum.over(COLUMNS).plus(cut).text == summed(*rows[1:])


@settings(deadline=None)
@given(st.lists(st.binary(max_size=60)))
def test_array_hash_equals_single_hash(texts: list[bytes]) -> None:
    hashes = hash_texts(texts)
    for half, seed in enumerate(SEEDS):
        assert hashes[half].tolist() == [hash_bytes(t, seed) for t in texts]


def test_a_very_long_cell_among_short_ones() -> None:
    texts = [b"x" * 100_003, b"", b"short"]
    hashes = hash_texts(texts)
    assert hashes[1].tolist() == [hash_bytes(t, SEEDS[1]) for t in texts]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ((None, "x"), ("", "x")),
        (("a", "b"), ("ab", "")),
        (("a\x1f", "b"), ("a", "\x1fb")),
        (("a", "b"), ("b", "a")),
        (("a\x00", "b"), ("a", "b")),
    ],
)
def test_different_rows_differ(one: tuple, other: tuple) -> None:
    assert summed(one) != summed(other)


def test_names_surplus_and_repetition_count() -> None:
    row = ("1", "2")
    assert summed(row) != summed(row, columns=("a", "c"))
    assert summed(row) != summed((*row, ["x"]))
    assert summed(row) != summed(row, row)
