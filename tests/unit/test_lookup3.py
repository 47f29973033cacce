"""The compiled hashes are those of arrays and of single texts."""

from __future__ import annotations

import random
from collections.abc import Sequence

import numpy as np
import pyarrow as pa
import pytest

from supplyline import arrays
from supplyline.checksums import SEPARATOR, hash_laid_out
from supplyline.lookup3 import SEEDS, hash_arrays, hash_block, hash_bytes, hash_joined
from supplyline.packing import CHUNK, Block, lay_out, texts

LENGTHS = [0, 0, 1, 3, 4, 7, 8, 11, 12, 13, 15, 16, 17, 23, 24, 25, 31, 32, 33, 63, 64, 65]
LONG = [127, 128, 129, 144, 1000, 5000]


def cell(rng: random.Random) -> str:
    length = rng.choice(LENGTHS if rng.random() < 0.95 else LONG)
    kind = rng.random()
    alphabet = "\0\x1f\x1e\x20x" if kind < 0.02 else "ö€😀z" if kind < 0.2 else "0123456789ab"
    return "".join(rng.choices(alphabet, k=length))


def column(rng: random.Random, rows: int) -> pa.Array:
    """A string array, sliced out of a longer one, with absent cells or without."""
    absent = rng.choice([0, 0, 0.1, 1])
    before, behind = rng.randrange(4), rng.randrange(4)
    cells = [cell(rng) for _ in range(before + rows + behind)]
    whole = arrays.strings([None if rng.random() < absent else c for c in cells])
    return whole.slice(before, rows)


def together(columns: Sequence[pa.Array]) -> pa.RecordBatch:
    return pa.RecordBatch.from_arrays(columns, [str(n) for n in range(len(columns))])


@pytest.mark.parametrize("seed", range(150))
def test_rows_of_columns_hash_alike_in_both_ways_and_singly(seed: int) -> None:
    rng = random.Random(seed)
    rows = rng.randrange(1, 30)
    columns = [column(rng, rows) for _ in range(rng.randrange(1, 8))]
    joined = hash_joined(columns, separator=SEPARATOR)
    batch = together(columns)
    by_arrays, marked = hash_laid_out(batch, columns=batch.schema.names)
    there = np.all([arrays.valid(c) for c in columns], axis=0)
    assert joined is not None
    hashes, odd = joined
    assert (hashes == by_arrays)[:, there].all()
    assert (odd == marked)[there].all()
    cells = [[c or "" for c in column.to_pylist()] for column in columns]
    for row in np.flatnonzero(there):
        text = SEPARATOR.join(c[row] for c in cells).encode()
        assert [int(h) for h in hashes[:, row]] == [hash_bytes(text, seed) for seed in SEEDS]
        assert bool(odd[row]) == any(m in c[row] for c in cells for m in ("\0", SEPARATOR))


@pytest.mark.parametrize("seed", range(50))
def test_blocks_hash_alike_in_both_ways(seed: int) -> None:
    rng = random.Random(seed)
    block = lay_out(20, [texts(column(rng, 20)), b"|", texts(column(rng, 20))], apart=CHUNK)
    assert (hash_block(block) == hash_arrays(block)).all()


@pytest.mark.parametrize("offsets", [[0, 2**31 - 1, 3], [0, -5, 3], [0, 4, 3], [2, 1, 3]])
def test_offsets_that_lie_are_refused(offsets: list[int]) -> None:
    ends = pa.py_buffer(np.array(offsets, dtype=np.int32))
    lying = pa.StringArray.from_buffers(len(offsets) - 1, ends, pa.py_buffer(b"abc"))
    with pytest.raises(ValueError, match="beyond the end"):
        hash_joined([lying], separator=SEPARATOR)


def test_a_block_whose_rows_lie_elsewhere_is_refused() -> None:
    for start, length in ((0, 4), (4, 0), (-1, 1), (0, -1), (2, 2), (2**62, 2**62)):
        at, size = np.array([start]), np.array([length])
        with pytest.raises(ValueError, match="beyond the end"):
            hash_block(Block(np.zeros(3, np.uint8), at, size))


def test_arrays_of_another_type_are_hashed_the_other_way() -> None:
    assert hash_joined([arrays.binaries([b"abc"])], separator=SEPARATOR) is None
