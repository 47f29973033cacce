"""MongoDB's replies to a search as they come over the wire, without an object for each document.

pymongo's own raw batches make one of every document before joining them again (2 µs each). A
command whose answer is a `RawBSONDocument` is one object; where in it the documents are, is read
here. A batch is a BSON array, which `reading.to_batch` takes.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from bson.codec_options import CodecOptions
from bson.errors import InvalidBSON
from bson.int64 import Int64
from bson.raw_bson import RawBSONDocument
from pymongo.client_session import ClientSession
from pymongo.collection import Collection
from pymongo.errors import AutoReconnect, PyMongoError

Document = Mapping[str, Any]

_RAW: CodecOptions = CodecOptions(document_class=RawBSONDocument)
_SIZES = {0x01: 8, 0x07: 12, 0x08: 1, 0x09: 8, 0x0A: 0, 0x10: 4, 0x11: 8, 0x12: 8}
"""Bytes of the values of BSON's types of one size: double, ObjectId, bool, date, null, ..."""
_OWN_SIZE = {0x02: 4, 0x03: 0, 0x04: 0, 0x05: 5}
"""Text, document, array and binary say their size first; what it does not count."""
_OBJECT = 0x03
_ARRAY = 0x04


def batches(
    collection: Collection, query: Document, *, sort: Sequence[tuple[str, int]], batch_size: int
) -> Iterator[memoryview]:
    """The non-empty batches of a search, each a BSON array of documents.

    The cursor is closed when the iterator is. Raises what pymongo raises, and InvalidBSON.
    """
    client, name = collection.database.client, collection.name
    find: dict[str, Any] = {
        "find": name, "filter": query, "sort": dict(sort), "batchSize": batch_size,
    }  # fmt: skip
    if concern := collection.read_concern.document:
        find["readConcern"] = concern
    cursor = 0
    with client.start_session(causal_consistency=False) as session:
        try:
            try:
                cursor, batch = _asked(collection, find, session)
            except AutoReconnect:  # nothing is lost: asked once more, as pymongo's searches are
                cursor, batch = _asked(collection, find, session)
            while True:
                if len(batch) > _EMPTY:
                    yield batch
                if not cursor:
                    return
                more = {"getMore": Int64(cursor), "collection": name, "batchSize": batch_size}
                cursor, batch = _asked(collection, more, session)
        finally:
            if cursor:  # given up; the server would forget it by itself in ten minutes
                with suppress(PyMongoError):
                    collection.database.command("killCursors", name, cursors=[Int64(cursor)])


_EMPTY = 5
"""Bytes of an array without elements."""


def _asked(
    collection: Collection, command: dict[str, Any], session: ClientSession
) -> tuple[int, memoryview]:
    """The cursor that is left open (0: none) and the batch."""
    reply: RawBSONDocument = collection.database.command(
        command, codec_options=_RAW, session=session, read_preference=collection.read_preference
    )
    raw = memoryview(reply.raw)
    kind, begin, end = _fields(raw).get("cursor", (0, 0, 0))
    fields = _fields(raw[begin:end]) if kind == _OBJECT else {}
    batch = fields.get("firstBatch") or fields.get("nextBatch") or (0, 0, 0)
    number = fields.get("id", (0, 0, 0))
    if batch[0] != _ARRAY or number[0] != 0x12:
        raise InvalidBSON("a reply without a cursor and its batch")
    (cursor,) = struct.unpack_from("<q", raw, begin + number[1])
    return cursor, raw[begin + batch[1] : begin + batch[2]]


def _fields(raw: memoryview) -> dict[str, tuple[int, int, int]]:
    """A document's fields: name → type, where its value begins and where it ends."""
    out = {}
    at, last = 4, len(raw) - 1
    while at < last:
        kind, begin = raw[at], at + 1
        while raw[begin]:
            begin += 1
        name = bytes(raw[at + 1 : begin]).decode()
        begin += 1
        if kind in _OWN_SIZE:
            size = struct.unpack_from("<i", raw, begin)[0] + _OWN_SIZE[kind]
        elif kind in _SIZES:
            size = _SIZES[kind]
        else:
            raise InvalidBSON(f"a reply with a value of type {kind}")
        at = begin + size
        if size < 0 or at > last:
            raise InvalidBSON("a reply whose lengths lie")
        out[name] = (kind, begin, at)
    return out
