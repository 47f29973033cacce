"""Rows in columns ↔ documents. A document is flat and readable:

`{_id: "<file key>:<row>", _key: file key, _file: file id, _row, _line, <column>: text, ...,
_extra: [text, ...]}`

An absent cell has no field; an empty one is `""`. Column names never begin with `_`.
"""

from __future__ import annotations

import hashlib
import json
import struct
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from bson.raw_bson import RawBSONDocument
from pymongoarrow.context import PyMongoArrowContext
from pymongoarrow.schema import Schema

from supplyline.contracts import EXTRA, LINE, ROW, OrgId, ParseOptions, QuarantinedRow, TableName

Document = dict[str, Any]


def file_key(org: OrgId, *, table: TableName, sha256: str, options: ParseOptions) -> str:
    """24 hexadecimal digits: the same content understood in the same way has the same key."""
    parts = json.dumps([org, table, sha256, options.as_json()], sort_keys=True)
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


def to_documents(
    batch: pa.RecordBatch, *, key: str, file_id: str
) -> list[RawBSONDocument | Document]:
    """The batch's documents as BSON, built column by column: no cell becomes a Python object.

    Rows with cells in excess, which are few, are dictionaries.
    """
    if EXTRA in batch.schema.names and batch.column(EXTRA).null_count < batch.num_rows:
        surplus = batch.column(EXTRA).is_valid()
        return [
            *to_documents(
                batch.filter(pc.invert(surplus)).drop_columns([EXTRA]), key=key, file_id=file_id
            ),
            *_dictionaries(batch.filter(surplus), key=key, file_id=file_id),
        ]
    if not batch.num_rows:
        return []
    names = [n for n in batch.schema.names if n not in (ROW, LINE, EXTRA)]
    rows = batch.column(ROW)
    number = pc.utf8_lpad(rows.cast(pa.string()), width=10, padding="0")
    ids = pc.binary_join_element_wise(f"{key}:", number, "")
    elements = [
        *_text_element("_id", ids),
        _constant_element("_key", key) + _constant_element("_file", file_id),
        *_long_element(ROW, rows),
        *_long_element(LINE, batch.column(LINE)),
    ]
    for name in names:
        elements += _text_element(name, batch.column(name))
    body = pc.binary_join_element_wise(*_fused([*elements, b"\0"]), b"")
    sizes = _int32(pc.binary_length(body).to_numpy() + 4)
    whole = pc.binary_join_element_wise(sizes, body, b"")
    return [RawBSONDocument(document) for document in whole.to_pylist()]


Pieces = list[pa.Array | bytes]


def _fused(pieces: Pieces) -> Pieces:
    """Constants that follow one another become one: fewer pieces to join for every row."""
    out: Pieces = []
    for piece in pieces:
        if isinstance(piece, bytes) and out and isinstance(out[-1], bytes):
            out[-1] += piece
        else:
            out.append(piece)
    return out


def _constant_element(name: str, value: str) -> bytes:
    text = value.encode()
    return b"\x02" + name.encode() + b"\0" + struct.pack("<i", len(text) + 1) + text + b"\0"


def _text_element(name: str, values: pa.Array) -> Pieces:
    """BSON: 0x02, name, NUL, int32 bytes with the NUL, text, NUL; nothing for an absent cell."""
    head = b"\x02" + name.encode() + b"\0"
    text = values.cast(pa.binary())
    if not values.null_count:
        return [head, _int32(pc.binary_length(text).to_numpy() + 1), text, b"\0"]
    size = _int32(pc.fill_null(pc.binary_length(text), 0).to_numpy(zero_copy_only=False) + 1)
    return [pc.fill_null(pc.binary_join_element_wise(head, size, text, b"\0", b""), b"")]


def _long_element(name: str, values: pa.Array) -> Pieces:
    """BSON: 0x12, name, NUL, int64."""
    data = np.ascontiguousarray(values.to_numpy(), dtype="<i8")
    return [b"\x12" + name.encode() + b"\0", _fixed(data.tobytes(), 8)]


def _int32(values: np.ndarray[Any, Any]) -> pa.Array:
    return _fixed(np.ascontiguousarray(values, dtype="<i4").tobytes(), 4)


def _fixed(data: bytes, width: int) -> pa.Array:
    buffers = [None, pa.py_buffer(data)]
    fixed = pa.FixedSizeBinaryArray.from_buffers(pa.binary(width), len(data) // width, buffers)
    return fixed.cast(pa.binary())


def _dictionaries(batch: pa.RecordBatch, *, key: str, file_id: str) -> list[Document]:
    out = []
    for row in batch.to_pylist():
        number, line, more = row.pop(ROW), row.pop(LINE), row.pop(EXTRA)
        document: Document = {"_id": row_id(key, number), "_key": key, "_file": file_id}
        document |= {ROW: number, LINE: line}
        document |= {n: c for n, c in row.items() if c is not None}
        out.append(document | {EXTRA: more} if more else document)
    return out


def to_batch(wire: bytes, *, columns: Sequence[str]) -> pa.RecordBatch:
    """One batch of a raw cursor (documents one after the other) in columns."""
    fields = {ROW: pa.int64(), LINE: pa.int64(), **dict.fromkeys(columns, pa.string())}
    context = PyMongoArrowContext(Schema({**fields, EXTRA: pa.list_(pa.string())}))
    context.process_bson_stream(wire)
    table = context.finish().combine_chunks()
    extra = table.column(EXTRA).combine_chunks()
    arrays = [table.column(n).combine_chunks() for n in fields]
    return pa.RecordBatch.from_arrays([*arrays, extra], names=[*fields, EXTRA])


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
