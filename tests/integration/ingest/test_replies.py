"""Batches read off the wire are those of the server, whatever their size; cursors do not stay."""

from __future__ import annotations

from collections.abc import Iterator

import bson
import pytest
from pymongo import MongoClient
from pymongo.collection import Collection
from pymongo.errors import OperationFailure

from supplyline.landing import replies
from supplyline.landing.reading import to_batch
from supplyline.settings import Settings

ROWS = 2345


@pytest.fixture
def collection(engine_settings: Settings) -> Iterator[Collection]:
    with MongoClient(engine_settings.mongo_uri) as client:
        found = client[engine_settings.mongo_database]["replies.rows"]
        found.insert_many(
            {"_id": f"k:{n:010d}", "_key": "k", "_file": "f", "_row": bson.Int64(n),
             "_line": bson.Int64(n + 1), "sku": f"s{n}"}
            for n in range(1, ROWS + 1)
        )  # fmt: skip
        yield found
        found.drop()


@pytest.mark.parametrize("batch_size", [7, 1000, ROWS, 5000])
def test_every_document_comes_once_in_order(collection: Collection, batch_size: int) -> None:
    rows = []
    for wire in replies.batches(
        collection, {"_row": {"$gt": 2}}, sort=[("_row", 1)], batch_size=batch_size
    ):
        batch = to_batch(wire, columns=["sku"])
        assert 0 < batch.num_rows <= batch_size
        rows += batch.column("sku").to_pylist()
    assert rows == [f"s{n}" for n in range(3, ROWS + 1)]


def test_nothing_found_is_no_batch(collection: Collection) -> None:
    assert not list(replies.batches(collection, {"_row": -1}, sort=[("_row", 1)], batch_size=10))


def test_a_reader_that_gives_up_leaves_no_cursor(
    collection: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked, cursors = replies._asked, []

    def watched(*args: object) -> tuple[int, memoryview]:
        cursor, batch = asked(*args)  # type: ignore[arg-type]
        cursors.append(cursor)
        return cursor, batch

    monkeypatch.setattr(replies, "_asked", watched)
    read = replies.batches(collection, {}, sort=[("_row", 1)], batch_size=10)
    next(read)
    read.close()  # type: ignore[attr-defined]
    with pytest.raises(OperationFailure):
        collection.database.command("getMore", bson.Int64(cursors[0]), collection=collection.name)


def test_what_the_server_refuses_is_raised(collection: Collection) -> None:
    with pytest.raises(OperationFailure):
        list(replies.batches(collection, {"$no": 1}, sort=[("_row", 1)], batch_size=10))
