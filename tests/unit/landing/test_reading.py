"""Documents over the wire come back as the cells that bson itself finds in them."""

from __future__ import annotations

from typing import Any

import bson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplyline.landing.reading import to_batch

COLUMNS = ("sku", "a_name_longer_than_eight", "n", "ö")
TEXTS = st.text(st.characters(exclude_categories=("Cs",)), max_size=80) | st.sampled_from(
    ["", "x" * 7, "x" * 8, "x" * 64, "x" * 65, "y" * 1024, "z" * 1025, "w" * 5000, "\x00", "€" * 40]
)


def document(row: int, cells: dict[str, Any]) -> dict[str, Any]:
    place = {"_row": bson.Int64(row), "_line": bson.Int64(row + 1)}
    return {"_id": f"key:{row:010d}", "_key": "key", "_file": "f1", **place, **cells}


def array(documents: list[dict[str, Any]]) -> bytes:
    """A BSON array, without the document that it has to be encoded in."""
    return bson.encode({"a": documents})[7:-1]


def read(documents: list[dict[str, Any]]) -> list[dict[str, Any]]:
    batch = to_batch(array(documents), columns=COLUMNS)
    batch.validate(full=True)
    rows: list[dict[str, Any]] = batch.to_pylist()
    return rows


def expected(found: dict[str, Any]) -> dict[str, Any]:
    names = ("_row", "_line", *COLUMNS, "_extra")
    return {n: found.get(n) for n in names}


@given(st.lists(st.tuples(*[st.none() | TEXTS] * len(COLUMNS)), max_size=20))
def test_cells_of_any_length_present_or_absent(rows: list[tuple[str | None, ...]]) -> None:
    documents = [
        document(n, {c: v for c, v in zip(COLUMNS, row, strict=True) if v is not None})
        for n, row in enumerate(rows, 1)
    ]
    assert read(documents) == list(map(expected, documents))


@given(st.permutations(["_line", "_row", "ö", "sku", "other", "_extra"]), st.integers(0, 4))
def test_documents_in_another_form_are_read_singly(order: list[str], place: int) -> None:
    values = {"_row": 9, "_line": 10, "ö": "1", "sku": "2", "other": "3", "_extra": ["4", ""]}
    regular = [document(n, {"sku": f"s{n}", "n": "1"}) for n in range(1, 5)]
    regular.insert(place, {"_id": "key:9", **{name: values[name] for name in order}})
    assert read(regular) == list(map(expected, regular))


def test_a_value_that_is_no_text_counts_as_absent() -> None:
    rows = read([document(1, {"sku": 5, "n": "1"}), document(2, {"sku": "a", "n": None})])
    assert [(r["sku"], r["n"]) for r in rows] == [(None, "1"), ("a", None)]


def test_text_that_looks_like_a_field_is_text() -> None:
    ugly = "\x02n\0" + "\x05\0\0\0" + "abcd\0"
    assert read([document(1, {"sku": ugly})])[0]["sku"] == ugly


def test_nothing_is_nothing() -> None:
    assert to_batch(array([]), columns=COLUMNS).num_rows == 0


@pytest.mark.parametrize("size", [-5, 0, 2**31 - 1])
def test_a_length_that_lies_is_an_error(size: int) -> None:
    wire = bytearray(array([document(1, {"sku": "abc"})]))
    at = wire.index(b"\x02sku\0") + 5
    wire[at : at + 4] = size.to_bytes(4, "little", signed=True)
    with pytest.raises(bson.errors.InvalidBSON):
        to_batch(bytes(wire), columns=COLUMNS)


def test_names_of_any_number_of_digits() -> None:
    documents = [document(n, {"sku": str(n)}) for n in range(1, 1105)]
    assert read(documents) == list(map(expected, documents))


@pytest.mark.parametrize("size", [-5, 0, 4, 1000, 2**31 - 1])
def test_a_document_whose_length_lies_is_an_error(size: int) -> None:
    wire = bytearray(array([document(n, {"sku": "abc"}) for n in range(3)]))
    wire[7:11] = size.to_bytes(4, "little", signed=True)
    with pytest.raises(bson.errors.InvalidBSON):
        to_batch(bytes(wire), columns=COLUMNS)
