"""Rows in columns ↔ documents. A document is flat and readable:

`{_id: "<file key>:<row>", _file: file id, _row, _line, <column>: text, ..., _extra: [text, ...]}`

An absent cell has no field; an empty one is `""`. Column names never begin with `_`.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from typing import Any

import pyarrow as pa

from supplyline.contracts import EXTRA, LINE, ROW, OrgId, ParseOptions, QuarantinedRow, TableName

Document = dict[str, Any]


def file_key(org: OrgId, *, table: TableName, sha256: str, options: ParseOptions) -> str:
    """24 hexadecimal digits: the same content understood in the same way has the same key."""
    parts = json.dumps([org, table, sha256, options.as_json()], sort_keys=True)
    return hashlib.sha256(parts.encode()).hexdigest()[:24]


def row_id(key: str, row: int) -> str:
    return f"{key}:{row:010d}"


def id_range(key: str) -> Document:
    """Filter for all documents of a file key; `;` follows `:`."""
    return {"_id": {"$gte": f"{key}:", "$lt": f"{key};"}}


def to_documents(batch: pa.RecordBatch, *, key: str, file_id: str) -> list[Document]:
    columns = {name: batch.column(name).to_pylist() for name in batch.schema.names}
    rows, lines = columns.pop(ROW), columns.pop(LINE)
    extra = columns.pop(EXTRA, None) or [None] * len(rows)
    names = list(columns)
    out = []
    for row, line, more, *cells in zip(rows, lines, extra, *columns.values(), strict=True):
        document: Document = {"_id": row_id(key, row), "_file": file_id, "_row": row, "_line": line}
        document.update({n: c for n, c in zip(names, cells, strict=True) if c is not None})
        if more:
            document[EXTRA] = more
        out.append(document)
    return out


def to_batch(documents: Iterable[Document], *, columns: Sequence[str]) -> pa.RecordBatch:
    documents = list(documents)
    arrays = [
        pa.array([d["_row"] for d in documents], pa.int64()),
        pa.array([d["_line"] for d in documents], pa.int64()),
        *(pa.array([d.get(name) for d in documents], pa.string()) for name in columns),
        pa.array([d.get(EXTRA) for d in documents], pa.list_(pa.string())),
    ]
    return pa.RecordBatch.from_arrays(arrays, names=[ROW, LINE, *columns, EXTRA])


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
