"""Rows in columns ↔ documents. A document is flat and readable:

`{_id: "<file key>:<row>", _key: file key, _file: file id, _row, _line, <column>: text, ...,
_extra: [text, ...]}`

An absent cell has no field; an empty one is `""`. Column names never begin with `_`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import bson
import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from supplyline import arrays
from supplyline.contracts import (
    EXTRA,
    LINE,
    ROW,
    Json,
    OrgId,
    ParseOptions,
    QuarantinedRow,
    TableName,
)
from supplyline.packing import CHUNK, Part, Texts, lay_out, texts

Document = dict[str, Any]


def file_key(
    org: OrgId, *, table: TableName, sha256: str, options: ParseOptions, asked: Json | None = None
) -> str:
    """24 hexadecimal digits: the same content understood in the same way has the same key.

    `asked`: what else decides which rows are landed (the contract's checks); {} for nothing.
    """
    known = [org, table, sha256, options.as_json(), *([asked] if asked else [])]
    parts = json.dumps(known, sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:24]


def row_id(key: str, row: int) -> str:
    return f"{key}:{row:010d}"


ROWS_INDEX = [("_key", 1), (ROW, 1)]
"""Not every MongoDB server answers a range of `_id` from its index; an equality they all do."""


def all_rows(key: str) -> Document:
    """Filter for all documents of a file key."""
    return {"_key": key}


def row_range(key: str, first: int, end: int) -> Document:
    """Filter for rows `first` to `end - 1` of a file key."""
    return {"_key": key, ROW: {"$gte": first, "$lt": end}}


def id_range(key: str) -> Document:
    """Filter for all quarantined rows of a file key; `;` follows `:`."""
    return {"_id": {"$gte": f"{key}:", "$lt": f"{key};"}}


@dataclass(frozen=True)
class Documents:
    """`count` BSON documents, one behind the other."""

    data: bytes | memoryview
    count: int


MAX_PAYLOAD = 8 << 20
"""Bytes of documents that are sent at once, unless one alone is larger."""


def to_documents(batch: pa.RecordBatch, *, key: str, file_id: str) -> Iterator[Documents]:
    """The batch's documents, built column by column: no cell becomes a Python object.

    Rows with cells in excess, which are few, are made one by one.
    """
    if EXTRA in batch.schema.names:
        surplus = batch.column(EXTRA).is_valid()
        if surplus.true_count:
            for row in _dictionaries(batch.filter(surplus), key=key, file_id=file_id):
                yield Documents(bson.encode(row), 1)
            batch = batch.filter(pc.invert(surplus))
        batch = batch.drop_columns([EXTRA])
    names = [n for n in batch.schema.names if n not in (ROW, LINE)]
    for part in _bounded(batch, names):
        yield _encoded(part, names, key=key, file_id=file_id)


def _bounded(batch: pa.RecordBatch, names: Sequence[str]) -> Iterator[pa.RecordBatch]:
    """Halves of the batch, and halves of these, until each fits into MAX_PAYLOAD."""
    rows = batch.num_rows
    overhead = sum(len(n.encode()) + 8 for n in names) + 200
    size = overhead * rows + sum(arrays.text_bytes(batch.column(n)) for n in names)
    if rows > 1 and size > MAX_PAYLOAD:
        yield from _bounded(batch.slice(0, rows // 2), names)
        yield from _bounded(batch.slice(rows // 2), names)
    elif rows:
        yield batch


def _encoded(batch: pa.RecordBatch, names: Sequence[str], *, key: str, file_id: str) -> Documents:
    rows = batch.num_rows
    numbers = arrays.numbers(batch.column(ROW))
    id_length = struct.pack("<i", len(row_id(key, 0)) + 1)
    parts: list[Part] = [
        b"\x02_id\0" + id_length + f"{key}:".encode(),
        _digits(numbers),
        b"\0" + _constant_element("_key", key) + _constant_element("_file", file_id),
        *_long_element(ROW, numbers),
        *_long_element(LINE, arrays.numbers(batch.column(LINE))),
    ]
    for name in names:
        parts += _text_element(name, batch.column(name))
    parts.append(b"\0")
    lengths = np.full(rows, 4, dtype=np.int64)
    for part in parts:
        lengths += (
            part.lengths
            if isinstance(part, Texts)
            else len(part)
            if isinstance(part, bytes)
            else part.shape[1]
        )
    size = _fixed(lengths, "<i4")
    block = lay_out(rows, [size, *parts])
    end = int(block.starts[-1] + block.lengths[-1])
    return Documents(block.data[:end].data, rows)


def _digits(numbers: npt.NDArray[np.int64]) -> npt.NDArray[np.uint8]:
    """Ten decimal digits, as in `row_id`: shape (rows, 10)."""
    if int(numbers.max()) >= 10**10:
        raise OverflowError("a file of more than ten thousand million rows")
    out = np.empty((len(numbers), 10), dtype=np.uint8)
    out[:, :2] = _FOUR_DIGITS[numbers // 10**8, 2:]
    out[:, 2:6] = _FOUR_DIGITS[numbers // 10**4 % 10**4]
    out[:, 6:] = _FOUR_DIGITS[numbers % 10**4]
    return out


_FOUR_DIGITS = np.frombuffer(
    "".join(f"{n:04d}" for n in range(10**4)).encode(), dtype=np.uint8
).reshape(10**4, 4)


def _constant_element(name: str, value: str) -> bytes:
    text = value.encode()
    return b"\x02" + name.encode() + b"\0" + struct.pack("<i", len(text) + 1) + text + b"\0"


def _text_element(name: str, column: pa.Array) -> list[Part]:
    """BSON: 0x02, name, NUL, int32 bytes with the NUL, text, NUL; nothing for an absent cell."""
    head = b"\x02" + name.encode() + b"\0"
    cells = texts(column)
    if not column.null_count:
        return [head, _fixed(cells.lengths + 1, "<i4"), cells, b"\0"]
    there = arrays.valid(column)
    rows = len(column)
    block = lay_out(rows, [head, _fixed(cells.lengths + 1, "<i4"), cells, b"\0"], apart=CHUNK)
    return [Texts(block.data, block.starts, np.where(there, block.lengths, 0))]


def _long_element(name: str, values: npt.NDArray[np.int64]) -> list[Part]:
    """BSON: 0x12, name, NUL, int64."""
    return [b"\x12" + name.encode() + b"\0", _fixed(values, "<i8")]


def _fixed(values: npt.NDArray[np.int64], form: str) -> npt.NDArray[np.uint8]:
    """Little-endian integers as bytes: shape (rows, width)."""
    data = np.ascontiguousarray(values, dtype=form)
    return data.view(np.uint8).reshape(len(values), -1)


def _dictionaries(batch: pa.RecordBatch, *, key: str, file_id: str) -> list[Document]:
    out = []
    for row in batch.to_pylist():
        number, line, more = row.pop(ROW), row.pop(LINE), row.pop(EXTRA)
        document: Document = {"_id": row_id(key, number), "_key": key, "_file": file_id}
        document |= {ROW: number, LINE: line}
        document |= {n: c for n, c in row.items() if c is not None}
        out.append(document | {EXTRA: more} if more else document)
    return out


_SET_ASIDE = ("table", "row", "line", "column", "code", "reason", "raw")


def quarantine_checksum(documents: Iterable[Document]) -> str:
    """SHA-256 over rows in quarantine, in order, as they were written; '' for none.

    What became of them since, `replayed`, is no part of it.
    """
    digest, none = hashlib.sha256(), True
    for document in documents:
        none = False
        digest.update(json.dumps([document.get(name) for name in _SET_ASIDE]).encode() + b"\n")
    return "" if none else digest.hexdigest()


def quarantine_document(row: QuarantinedRow, *, key: str, table: TableName) -> Document:
    return {
        "_id": row_id(key, row.row),
        "table": table,
        "row": row.row,
        "line": row.line,
        "column": row.column,
        "code": row.code,
        "reason": row.reason,
        "raw": row.raw,
    }
