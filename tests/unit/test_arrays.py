"""Arrays made by their buffers are what pyarrow's own ways make."""

from __future__ import annotations

import subprocess
import sys

import pyarrow as pa
from hypothesis import given, settings
from hypothesis import strategies as st

from supplyline import arrays

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=5)


@settings(deadline=None)
@given(st.lists(st.none() | TEXT), st.integers(0, 9))
def test_strings_and_what_is_there(values: list[str | None], cut: int) -> None:
    made, own = arrays.strings(values), pa.array(values, pa.string())
    made.validate(full=True)
    assert made.equals(own)
    assert arrays.valid(made.slice(cut)).tolist() == [v is not None for v in values[cut:]]


@settings(deadline=None)
@given(st.lists(st.none() | st.lists(TEXT, max_size=3)))
def test_lists(values: list[list[str] | None]) -> None:
    made = arrays.lists(values)
    made.validate(full=True)
    assert made.equals(pa.array(values, pa.list_(pa.string())))


@settings(deadline=None)
@given(st.lists(st.none() | st.booleans()), st.integers(0, 9))
def test_booleans(values: list[bool | None], cut: int) -> None:
    own = pa.array(values, pa.bool_()).slice(cut)
    assert arrays.true(own).tolist() == [bool(v) for v in values[cut:]]


@settings(deadline=None)
@given(st.lists(st.integers(-(2**63), 2**63 - 1)), st.integers(0, 9))
def test_integers(values: list[int], cut: int) -> None:
    made = arrays.integers(values)
    assert made.to_pylist() == values
    assert arrays.numbers(made.slice(cut)).tolist() == values[cut:]


def test_a_file_is_read_and_encoded_without_pandas() -> None:
    program = """
import io, sys
from supplyline.checksums import Checksum
from supplyline.ingest import open_file
from supplyline.landing.documents import to_documents
rows = b"a,b\\n" + b"1,2\\n" * 99 + b"1\\n1,2,3\\n"
for batch in open_file(io.BytesIO(rows), name="a.csv").batches():
    Checksum.over(["a", "b"]).plus(batch.data)
    assert sum(d.count for d in to_documents(batch.data, key="k" * 24, file_id="f")) == 101
assert "pandas" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", program], check=True)
