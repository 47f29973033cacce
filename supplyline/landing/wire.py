"""Documents that are BSON already, sent as they are: one message for a batch, nothing per document.

pymongo's `insert_many` looks at every document (12 µs where the encoding took 1). `command` writes
the documents of an insert into the message's sequence of documents one after the other, and takes
the bytes of a `RawBSONDocument` as they stand; so one that holds them all is the whole sequence.
The server's answer has to account for every document that was sent.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pyarrow as pa
from bson.raw_bson import RawBSONDocument
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, BulkWriteError, OperationFailure

from supplyline import arrays
from supplyline.contracts import ROW
from supplyline.landing.documents import Document, Documents, row_range, to_documents

DUPLICATE_KEY = 11000


class _Sequence(RawBSONDocument):  # type: ignore[misc] # bson is not typed here
    """Looks like the first of its documents (in a log, say), and is sent as all of them."""

    def __init__(self, documents: Documents) -> None:
        first = int.from_bytes(documents.data[:4], "little")
        super().__init__(bytes(documents.data[:first]))
        self._all = documents.data

    @property
    def raw(self) -> bytes | memoryview:
        return self._all


def write_rows(
    collection: Collection, rows: pa.RecordBatch, *, key: str, file_id: str, begun: bool
) -> None:
    """Writes the rows that are not there yet.

    `begun`: an earlier attempt has written some of the file; then what it wrote is not sent again.
    Raises what pymongo raises.
    """
    if not rows.num_rows:
        return
    if begun:
        numbers = arrays.numbers(rows.column(ROW))
        span = row_range(key, int(numbers.min()), int(numbers.max()) + 1)
        if collection.count_documents(span) == rows.num_rows:
            return
    for documents in to_documents(rows, key=key, file_id=file_id):
        insert_encoded(collection, documents)


def insert_encoded(collection: Collection, documents: Documents) -> int:
    """Inserts those whose `_id` is not there yet; answers how many those were.

    Inserting again changes nothing, so a connection that broke is tried once more.
    Raises what pymongo raises.
    """
    try:
        answer = _insert(collection, documents)
    except AutoReconnect:
        answer = _insert(collection, documents)
    errors = answer.get("writeErrors", [])
    if any(e["code"] != DUPLICATE_KEY for e in errors):
        raise BulkWriteError(answer)
    if answer["n"] + len(errors) != documents.count:
        raise OperationFailure(
            f"of {documents.count} documents {answer['n']} were new and {len(errors)} were there"
        )
    return int(answer["n"])


def _insert(collection: Collection, documents: Documents) -> dict[str, Any]:
    concern = collection.write_concern.document
    command: dict[str, Any] = {"insert": collection.name, "ordered": False}
    if concern:
        command["writeConcern"] = concern
    command["documents"] = [_Sequence(documents)]
    answer: dict[str, Any] = collection.database.command(command)
    if "writeConcernError" in answer:
        raise OperationFailure(
            str(answer["writeConcernError"].get("errmsg")), answer["writeConcernError"].get("code")
        )
    return answer


def insert_new(collection: Collection, documents: Sequence[Document]) -> None:
    """Inserts what is not there yet; a duplicate `_id` means that an earlier attempt wrote it."""
    if not documents:
        return
    try:
        collection.insert_many(documents, ordered=False)
    except BulkWriteError as error:
        if any(e["code"] != DUPLICATE_KEY for e in error.details["writeErrors"]):
            raise
