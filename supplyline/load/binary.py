"""PostgreSQL's binary COPY, made of Arrow's columns by an inner loop.

PostgreSQL reads it in little more than half of the time that it needs for CSV, since it neither
looks for quotes nor reads numbers and dates. Only kinds whose every text is put so that the same
text comes back are sent like this; a batch with any other text is not made at all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from ctypes import Structure, addressof, c_int64, c_void_p
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from supplyline import arrays, native
from supplyline.load.kinds import (
    BIGINT,
    BOOLEAN,
    DATE,
    JSON,
    NUMERIC,
    TEXT,
    TIMESTAMP,
    UUID,
    kind_of,
)

BEGIN = b"PGCOPY\n\xff\r\n\0" + bytes(8)
"""What comes before the rows: the signature, no flags, no extension."""
END = b"\xff\xff"
JSONB = "jsonb"
"""The kind of a column of JSON texts, which no column of a file has."""

_CODES = {
    TEXT: 0, JSONB: 1, JSON: 2, BOOLEAN: 4, BIGINT: 5, NUMERIC: 6, DATE: 7, TIMESTAMP: 8, UUID: 9,
}  # fmt: skip
_INT64 = 3
_BEYOND = -2
_PER_ROW, _PER_FIELD = 2, 16


class _Column(Structure):
    """`Source` in copy_rows.c."""

    _fields_ = (
        ("kind", c_int64), ("there", c_void_p), ("ends", c_void_p), ("data", c_void_p),
        ("size", c_int64), ("first", c_int64),
    )  # fmt: skip


class _Found(Structure):
    """`Found` in copy_rows.c."""

    _fields_ = (("row", c_int64), ("column", c_int64), ("separated", c_int64))


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Rows as COPY takes them. `separated`: whether a text holds U+001F."""

    data: memoryview
    separated: bool


def encodable(kinds: Iterable[str]) -> bool:
    """Whether columns of these kinds can be sent here, whatever texts that fit them they hold."""
    return _loop() is not None and all(_code(k) is not None for k in kinds)


def _loop() -> Callable[..., int] | None:
    return native.function(
        "supplyline_copy_rows", c_void_p, c_int64, c_int64, c_void_p, c_int64, c_void_p
    )


def _code(spec: str) -> int | None:
    """The inner loop's number of a kind; None for one that it does not know."""
    if spec in _CODES:
        return _CODES[spec]
    kind = kind_of(spec)
    return _CODES.get(kind.type) if kind.plain else None


def rows(columns: Sequence[pa.Array], kinds: Sequence[str]) -> Rows | None:
    """The rows that the columns make, without `BEGIN` and `END`.

    `columns`: string arrays, or int64 for a bigint, of one length. A null is NULL, and so is an
    empty text where the kind is not text. None: some text is none of its kind, which no text of a
    text column is. `kinds` are `encodable`.
    """
    call = _loop()
    if call is None:
        raise ValueError("the inner loops were not built")
    count = len(columns[0])
    if any(len(c) != count for c in columns):
        raise ValueError("columns of more than one length")
    if not count:
        return Rows(data=memoryview(b""), separated=False)
    texts = sum(arrays.text_bytes(c) for c in columns if c.type == pa.string())
    out = np.empty(texts + count * (_PER_ROW + _PER_FIELD * (len(columns) + 1)), dtype=np.uint8)
    found = _Found()
    described = (_Column * len(columns))(
        *(_described(c, k) for c, k in zip(columns, kinds, strict=True))
    )
    size = call(
        addressof(described), len(columns), count, out.ctypes.data, out.size, addressof(found)
    )
    if size == _BEYOND:
        raise ValueError(f"cell {found.row} of column {found.column} is beyond its array")
    return Rows(data=out.data[:size], separated=bool(found.separated)) if size >= 0 else None


def _described(column: pa.Array, spec: str) -> _Column:
    """Where a column's cells are, for the inner loop; the column has to outlive it."""
    there, *others = column.buffers()
    bits = there.address if there is not None and column.null_count else None
    if column.type == pa.int64():
        (data,) = others
        return _Column(_INT64, bits, None, data.address, data.size, column.offset)
    if column.type != pa.string():
        raise TypeError(f"a column of {column.type}, not of texts")
    ends, data = others
    where = (data.address, data.size) if data is not None else (None, 0)
    return _Column(_code(spec), bits, ends.address, *where, column.offset)
