"""What is put for PostgreSQL's binary COPY is what the kinds take, and nothing else."""

from __future__ import annotations

from struct import pack

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from supplyline import native
from supplyline.arrays import integers, strings
from supplyline.load import binary
from supplyline.load.kinds import fits, kind_of

KINDS = ("bigint", "numeric", "date", "timestamp", "boolean", "uuid")
ALL = ("text", "jsonb", "json", *KINDS)
UUID = "01234567-89ab-cdef-fedc-ba9876543210"
_FEW = 40  # characters, from which on a numeric may be longer here than the kind allows


def cells(values: pa.Array, kind: str) -> list[bytes | None] | None:
    """The values' bytes as they are sent, one row each."""
    found = binary.rows([values], [kind])
    if found is None:
        return None
    out, at = [], 0
    while at < len(found.data):
        fields, size = np.frombuffer(found.data[at : at + 6], dtype=">i2,>i4")[0].tolist()
        assert fields == 1
        end = at + 6 + max(size, 0)
        out.append(None if size < 0 else bytes(found.data[at + 6 : end]))
        at = end
    return out


@pytest.mark.parametrize(
    ("kind", "text", "sent"),
    [
        ("text", "", b""), ("text", "é\0", "é\0".encode()), ("jsonb", "{}", b"\x01{}"),
        ("json", "[ 1]", b"[ 1]"), ("uuid", UUID, bytes.fromhex(UUID.replace("-", ""))),
        ("boolean", "true", b"\1"), ("boolean", "false", b"\0"),
        ("bigint", "-5", pack(">q", -5)), ("bigint", "9" * 18, pack(">q", 10**18 - 1)),
        ("numeric", "0", pack(">4h", 0, 0, 0, 0)),
        ("numeric", "0.50", pack(">5h", 1, -1, 0, 2, 5000)),
        ("numeric", "-12345.67890", pack(">4H3h", 3, 1, 0x4000, 5, 1, 2345, 6789)),
        ("numeric", "100000000", pack(">5h", 1, 2, 0, 0, 1)),
        ("numeric", "0.0000000120", pack(">6h", 2, -2, 0, 10, 1, 2000)),
        ("date", "2000-01-01", pack(">i", 0)), ("date", "1999-12-31", pack(">i", -1)),
        ("date", "2024-02-29", pack(">i", 8825)),
        ("timestamp", "2000-01-01 00:00:01.5", pack(">q", 1_500_000)),
        ("timestamp", "1999-12-31 23:59:59", pack(">q", -1_000_000)),
    ],
)  # fmt: skip
def test_the_form_of_a_value(kind: str, text: str, sent: bytes) -> None:
    assert cells(strings([text]), kind) == [sent]


@given(st.data(), st.sampled_from(KINDS))
def test_every_text_that_a_kind_takes_is_put(data: st.DataObject, kind: str) -> None:
    matching = st.from_regex(kind_of(kind).pattern, fullmatch=True)
    values = strings(data.draw(st.lists(matching, min_size=1, max_size=5)))
    values = values.filter(fits(kind, values))
    put = cells(values, kind)
    assert put is not None
    assert len(put) == len(values)


NEARLY = st.one_of(
    st.text(alphabet="0123456789.-", min_size=1, max_size=_FEW),
    st.text(alphabet="0123456789-/.: TZ", min_size=8, max_size=28),
    st.dates().map(str),
    st.datetimes().map(str),
    st.decimals(allow_nan=True, allow_infinity=True, places=3).map(str),
    st.integers().map(str),
    st.sampled_from(["true", "false", "TRUE", "t", "truex", "24:00:00", "infinity", "1e5"]),
    *(st.from_regex(kind_of(k).pattern.strip("^$"), fullmatch=False) for k in KINDS),
)


@given(NEARLY, st.sampled_from(KINDS))
def test_no_other_text_is_put(text: str, kind: str) -> None:
    texts = strings([text])
    fitting = not text or fits(kind, texts)[0].as_py()
    if kind != "numeric" or len(text) <= _FEW:
        assert (cells(texts, kind) is not None) == fitting
    elif fitting:
        assert cells(texts, kind) is not None


@pytest.mark.parametrize(
    ("kind", "text"),
    [
        ("date", "2023-02-29"), ("date", "1900-02-29"), ("date", "0999-01-01"),
        ("date", "2024-04-31"), ("date", "2024-00-10"), ("date", "2024-10-00"),
        ("date", "10000-1-01"), ("date", "0000-01-01"), ("date", "2024-01-0\x3a"),
        ("timestamp", "2024-01-01 24:00:00"), ("timestamp", "2024-01-01 00:00:60"),
        ("timestamp", "2024-01-01 00:60:00"), ("timestamp", "2024-01-01T00:00:00"),
        ("timestamp", "2024-01-01 00:00:00."), ("timestamp", "2024-01-01 00:00:00.10"),
        ("timestamp", "2024-01-01 00:00:00.1234567"), ("timestamp", "2024-01-01"),
        ("numeric", "-0.00"), ("numeric", "-0"), ("numeric", "1."), ("numeric", ".5"),
        ("numeric", "01"), ("numeric", "1.2.3"), ("numeric", "NaN"), ("numeric", "-"),
        ("numeric", "9" * 65), ("numeric", "0." + "1" * 81), ("numeric", "1 2"),
        ("bigint", "-0"), ("bigint", "-"), ("bigint", "9" * 19), ("bigint", "+1"),
        ("uuid", UUID.upper()), ("uuid", UUID.replace("-", "")), ("uuid", UUID[:-1] + "g"),
        ("uuid", UUID + "0"), ("uuid", UUID[:8] + "0" + UUID[9:]), ("uuid", f"{{{UUID}}}"),
    ],
)  # fmt: skip
def test_what_postgresql_would_write_in_another_way_is_not_understood(kind: str, text: str) -> None:
    assert cells(strings(["", text]), kind) is None
    assert cells(strings([text]).slice(1), kind) == []


def test_the_longest_numbers_are_understood() -> None:
    longest = ["-" + "9" * 61 + "." + "9" * 40, "-0." + "0" * 39 + "1" + "0" * 39]
    assert fits("numeric", strings(longest)).to_pylist() == [True, True]
    assert cells(strings(longest), "numeric") is not None


def test_absent_and_empty_cells() -> None:
    texts = strings(["1", None, "", "2"])
    one, two = pack(">q", 1), pack(">q", 2)
    assert cells(texts, "bigint") == [one, None, None, two]
    assert cells(texts.slice(1), "text") == [None, b"", b"2"]
    assert cells(pa.nulls(2, pa.string()), "jsonb") == [None, None]
    assert cells(integers([1, 2]).slice(1), "bigint") == [two]
    assert cells(pa.array([], pa.string()), "text") == []


@pytest.mark.parametrize(("texts", "separated"), [(["a", "b\x1f"], True), (["\x1e", " "], False)])
def test_whether_a_text_holds_the_separator(texts: list[str], separated: bool) -> None:
    numbers = integers([0x1F1F1F1F1F1F1F1F] * 2)
    found = binary.rows([strings(texts), numbers], ["text", "bigint"])
    assert found is not None
    assert found.separated == separated


def arrow(data: bytes, ends: list[int]) -> pa.Array:
    offsets = np.array(ends, dtype=np.int32)
    return pa.Array.from_buffers(
        pa.string(), len(ends) - 1, [None, pa.py_buffer(offsets), pa.py_buffer(data)]
    )


@given(st.lists(st.binary(max_size=30), min_size=1, max_size=8), st.sampled_from(KINDS))
def test_bytes_that_are_no_text_are_not_understood(values: list[bytes], kind: str) -> None:
    ends = np.cumsum([0, *map(len, values)]).tolist()
    if cells(arrow(b"".join(values), ends), kind) is not None:
        texts = strings([v.decode("ascii") for v in values if v])
        assert all(fits(kind, texts).to_pylist())


@pytest.mark.parametrize("kind", ALL)
@pytest.mark.parametrize("ends", [[0, 9, 8], [0, -1, 8], [3, 3, 1, 8], [0, 2_000_000_000, 8]])
def test_texts_beyond_their_array_are_refused(ends: list[int], kind: str) -> None:
    with pytest.raises(ValueError, match="beyond"):
        binary.rows([arrow(b"12345678", ends)], [kind])


@pytest.mark.parametrize("other", [strings(["1", "2"]), pa.array([1.5])])
def test_columns_that_make_no_rows_are_refused(other: pa.Array) -> None:
    with pytest.raises((ValueError, TypeError), match="column"):
        binary.rows([strings(["1"]), other], ["text", "text"])


def test_which_kinds_are_sent() -> None:
    assert binary.encodable(["text", "json", *KINDS, "date YYYY-MM-DD"])
    for kind in ("uuid UPPER", "numeric 1234,5", "date DD.MM.YYYY", "boolean yes/no",
                 "timestamptz YYYY-MM-DD HH24:MI:SSZ"):  # fmt: skip
        assert not binary.encodable(["text", kind])


def test_nothing_is_sent_where_the_loops_are_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(native, "function", lambda *_: None)
    assert not binary.encodable(["text"])
