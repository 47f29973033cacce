"""Whatever comes over the wire, both ways of reading find what bson finds, or both refuse it."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

import bson
import pyarrow as pa
import pytest
from bson.codec_options import CodecOptions

from supplyline.landing import compiled
from supplyline.landing.cells import Cells
from supplyline.landing.reading import completed, read_arrays, to_batch

COLUMNS = ("a", "sku", "exactly7", "of_eight", "sixteen_and_more", "a name of eighteen", "ö")
FORM = pa.schema(
    [("_row", pa.int64()), ("_line", pa.int64())]
    + [(c, pa.string()) for c in COLUMNS]
    + [("_extra", pa.list_(pa.string()))]
)
SIZES = [0, 0, 1, 2, 5, 7, 8, 9, 15, 16, 17, 31, 32, 40, 127, 128, 129, 1023, 1024, 1500]
LIES = [-(2**31), -1, 0, 1, 2, 4, 5, 6, 100, 2**16, 2**31 - 1]
ROUNDS = 3000
REFUSALS = (bson.errors.BSONError, pa.ArrowException, TypeError, ValueError, OverflowError)
LENIENT: CodecOptions[Any] = CodecOptions(unicode_decode_error_handler="ignore")


REFUSALS = (bson.errors.BSONError, pa.ArrowException, TypeError, ValueError, OverflowError)
"""How bytes that are no documents may be refused."""


def array(rng: random.Random) -> bytes:
    """A batch of documents, most of them as they are landed."""
    documents = []
    for row in range(rng.choice([0, 1, 1, 2, 3, 9, 10, 11, 12, 105])):
        fields: list[tuple[str, Any]] = [
            ("_id", f"key:{row:010d}"),
            ("_key", "key"),
            ("_file", "f"),
        ]
        fields += [("_row", bson.Int64(row)), ("_line", bson.Int64(rng.choice([row, -1, 2**62])))]
        fields += [(c, text(rng)) for c in COLUMNS if rng.random() < 0.95]
        if rng.random() < 0.05:
            rng.shuffle(fields)
        if rng.random() < 0.05:
            fields.insert(rng.randrange(len(fields)), (rng.choice(COLUMNS), rng.choice(OTHERS)))
        if rng.random() < 0.05:
            fields.append(("_extra", ["1", ""]))
        documents.append(dict(fields))
    return bson.encode({"a": documents})[7:-1]


OTHERS = [None, 5, 1.5, True, {"a": 1}, ["x"], b"bytes", bson.Int64(7), bson.ObjectId(b"0" * 12)]


def text(rng: random.Random) -> str:
    return rng.choice("xyz0\0\x1fö€😀") * rng.choice(SIZES if rng.random() < 0.2 else SIZES[:9])


def harmed(wire: bytes, rng: random.Random) -> bytes:
    out = bytearray(wire)
    for _ in range(rng.choice([0, 1, 1, 1, 2, 5])):
        at = rng.randrange(len(out) + 1)
        match rng.randrange(7):
            case 0:
                out[at:] = b""
            case 1:
                out[at : at + 1] = bytes([rng.choice([0, 1, 2, 3, 0x12, 0x80, 0xFF])])
            case 2:
                out[at : at + 4] = rng.choice(LIES).to_bytes(4, "little", signed=True)
            case 3:
                out[at : at + rng.randrange(40)] = b""
            case 4:
                out[at:at] = out[at : at + rng.randrange(40)]
            case 5:
                out[at:at] = rng.randbytes(rng.randrange(12))
            case 6 if (found := out.find(b"\x02", at)) >= 0 and b"\0" in out[found:]:
                size = out.index(b"\0", found) + 1  # of a text, most likely
                lie = int.from_bytes(out[size : size + 4], "little") + rng.choice([-1, 1, 13, -300])
                out[size : size + 4] = (lie & 0xFFFF_FFFF).to_bytes(4, "little")
    return bytes(out)


def outcome(read: Callable[..., Cells | None], wire: bytes, columns: Sequence[str]) -> Any:
    """The batch, or the kind of error."""
    try:
        cells = read(wire, columns=columns)
        assert cells is not None
        batch = completed(cells)
    except REFUSALS as error:
        return type(error)
    batch.validate()
    return batch.to_pydict() if all(map(readable, batch.columns)) else raw(batch)


def readable(column: pa.Array) -> bool:
    try:
        column.validate(full=True)
    except pa.ArrowInvalid:  # text that is no UTF-8: for PostgreSQL to refuse
        return False
    return True


def raw(batch: pa.RecordBatch) -> dict[str, Any]:
    return {
        name: (column.cast(pa.binary()) if column.type == pa.string() else column).to_pylist()
        for name, column in zip(batch.schema.names, batch.columns, strict=True)
    }


def pieces(wire: bytes) -> list[bytes] | None:
    """The documents, if their lengths can be true."""
    out: list[bytes] = []
    at = 4
    while at < len(wire) - 1:
        at += 2 + len(str(len(out)))
        size = int.from_bytes(wire[at : at + 4], "little", signed=True)
        if size < 5 or at + 5 > len(wire) - 1 or at + size > len(wire) - 1:
            return None
        out.append(wire[at : at + size])
        at += size
    return out


def as_bson_reads(wire: bytes, columns: Sequence[str]) -> Any:
    documents = pieces(wire)
    if documents is None:
        return bson.errors.InvalidBSON
    try:
        found = [bson.decode(document) for document in documents]
        cells = {c: pa.array([text_of(d.get(c)) for d in found], pa.string()) for c in columns}
        others = {
            field.name: pa.array([d.get(field.name) for d in found], field.type)
            for field in FORM
            if field.name.startswith("_")
        }
    except REFUSALS as error:
        return type(error)
    return {c: a.to_pylist() for c, a in (others | cells).items()}


def text_of(value: Any) -> str | None:
    return value if isinstance(value, str) else None


def same_everywhere(seed: int) -> Any:
    rng = random.Random(seed)
    wire = harmed(array(rng), rng)
    columns = rng.sample(COLUMNS, len(COLUMNS)) if rng.random() < 0.1 else COLUMNS
    one, other = (outcome(read, wire, columns) for read in (compiled.read, read_arrays))
    assert one == other, seed
    by_bson = as_bson_reads(wire, columns)
    if isinstance(by_bson, dict):
        assert one == by_bson, seed
    elif isinstance(one, dict):  # what bson refuses and we do not, is text that is no UTF-8
        for document in pieces(wire) or ():
            bson.decode(document, LENIENT)
    return one


def test_hostile_bytes_are_read_alike_in_both_ways_and_by_bson() -> None:
    results = [same_everywhere(seed) for seed in range(ROUNDS)]
    read = sum(isinstance(result, dict) for result in results)
    assert ROUNDS / 4 < read < ROUNDS * 3 / 4  # neither is tested in passing only


@pytest.mark.parametrize("cut", range(1, 60))
def test_a_batch_that_was_cut_off_is_an_error(cut: int) -> None:
    whole = bson.encode({"a": [{"_id": "key:1", "_row": bson.Int64(1), "sku": "abc" * 9}]})[7:-1]
    with pytest.raises(bson.errors.InvalidBSON):
        to_batch(whole[: len(whole) - cut], columns=("sku",))


@pytest.mark.parametrize("size", [2**31 - 1, 1_000_000])
def test_lengths_that_lie_cost_no_memory(size: int) -> None:
    """Cells that reach over all documents behind them are not copied out of each."""
    wire = bytearray(bson.encode({"a": [{"sku": "abc"}] * 50_000})[7:-1])
    head = b"\x02sku\0"
    wire = bytearray(bytes(wire).replace(head + b"\4\0\0\0", head + size.to_bytes(4, "little")))
    for read in (compiled.read, read_arrays):
        cells = read(bytes(wire), columns=("sku",))
        assert cells is None or len(cells.odd) == 50_000
