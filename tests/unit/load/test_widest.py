"""The widest row of a file of very many columns is known when it is needed."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from supplyline.load.widest import NARROW, Widest


def batch(
    columns: Sequence[str], rows: Sequence[Sequence[str | None]], *, first: int
) -> pa.RecordBatch:
    numbers = list(range(first, first + len(rows)))
    arrays = [pa.array(numbers, pa.int64()), pa.array([n + 1 for n in numbers], pa.int64())]
    arrays += [pa.array([r[i] for r in rows], pa.string()) for i in range(len(columns))]
    return pa.RecordBatch.from_arrays(arrays, names=["_row", "_line", *columns])


def test_long_texts_count_no_more_than_what_is_left_of_them_in_the_row() -> None:
    columns = [f"c{n}" for n in range(NARROW + 1)]
    rest = NARROW - 1
    batches = [
        batch(columns, [["x" * 5000, *[""] * NARROW], ["z" * 30, "w" * 30, *[""] * rest]], first=1),
        batch(columns, [[None, *["1"] * (rest + 1)], [None, "a" * 9, *[None] * rest]], first=3),
        batch(columns, [], first=5),
    ]  # fmt: skip
    widest = Widest(columns)
    assert list(widest.watched(iter(batches[:1]))) == batches[:1]
    assert (widest.row, widest.line, widest.cells) == (2, 3, 2)
    sliced = batches[1].slice(0, 1)
    assert list(widest.watched(iter([sliced, batches[2]]))) == [sliced, batches[2]]
    assert (widest.row, widest.cells) == (3, NARROW)
    assert widest.said == f", the widest being row 3 (line 4) with {NARROW:,} values"


def test_files_of_few_columns_are_not_looked_at() -> None:
    columns = [f"c{n}" for n in range(NARROW)]
    widest = Widest(columns)
    batches = iter([batch(columns, [["x"] * NARROW], first=1)])
    assert widest.watched(batches) is batches
    assert widest.said == ""
