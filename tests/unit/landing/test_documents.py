"""Documents built column by column are the documents that would be built one by one."""

from __future__ import annotations

import bson
import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from supplyline.landing import documents
from supplyline.landing.documents import row_id, to_documents

KEY, FILE = "0123456789abcdef01234567", "f" * 32
CELLS = st.one_of(
    st.none(),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=12),
    st.sampled_from(["", "x" * 8, "x" * 9, "x" * 63, "y" * 64, "z" * 65, "w" * 700, "ä€😀"]),
)
ROWS = st.lists(
    st.tuples(CELLS, CELLS, CELLS, st.none() | st.lists(st.text("ab"), min_size=1, max_size=3)),
    min_size=1,
    max_size=30,
)


def batch(rows: list[tuple], first: int = 1) -> pa.RecordBatch:
    a, b, c, extra = zip(*rows, strict=True)
    return pa.record_batch(
        {
            "_row": pa.array(range(first, first + len(rows)), pa.int64()),
            "_line": pa.array(range(first + 1, first + 1 + len(rows)), pa.int64()),
            "a": pa.array(a, pa.string()),
            "größe": pa.array(b, pa.string()),
            "c": pa.array(c, pa.string()),
            "_extra": pa.array(extra, pa.list_(pa.string())),
        }
    )


def expected(given_batch: pa.RecordBatch) -> list[dict]:
    out = []
    for row in given_batch.to_pylist():
        start = {"_id": row_id(KEY, row["_row"]), "_key": KEY, "_file": FILE}
        out.append(start | {k: v for k, v in row.items() if v is not None})
    return out


def built(given_batch: pa.RecordBatch) -> list[dict]:
    made = list(to_documents(given_batch, key=KEY, file_id=FILE))
    found = [d for part in made for d in bson.decode_all(part.data)]
    assert [len(bson.decode_all(part.data)) for part in made] == [part.count for part in made]
    return sorted(found, key=lambda d: d["_row"])


@settings(deadline=None)
@given(ROWS, st.integers(0, 3), st.sampled_from([1, 99_999_990, 9_999_999_900]))
def test_documents_are_those_built_one_by_one(rows: list[tuple], cut: int, first: int) -> None:
    whole = batch(rows, first)
    assert built(whole) == expected(whole)
    part = whole.slice(cut)
    assert built(part) == expected(part)


def test_field_order_is_kept() -> None:
    (document,) = built(batch([("1", None, "3", None)]))
    assert list(document) == ["_id", "_key", "_file", "_row", "_line", "a", "c"]


@settings(deadline=None)
@given(ROWS)
def test_what_is_sent_at_once_is_bounded(rows: list[tuple]) -> None:
    whole = batch([(a, b, c, None) for a, b, c, _ in rows])
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(documents, "MAX_PAYLOAD", 1000)
        assert built(whole) == expected(whole)
        for part in to_documents(whole, key=KEY, file_id=FILE):
            assert part.count == 1 or len(part.data) <= 1000


def test_rows_beyond_ten_digits_are_refused() -> None:
    with pytest.raises(OverflowError):
        list(to_documents(batch([("1", "2", "3", None)], 10**10), key=KEY, file_id=FILE))
