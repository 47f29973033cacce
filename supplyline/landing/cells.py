"""What is read of a wire batch field by field, in whichever way."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import pyarrow as pa

PASSED = ("_id", "_key", "_file")
"""The fields at the beginning of every document that are read past."""
LONGEST = 2**31 - 1
"""Bytes of a wire batch: as far as its lengths can tell."""
LIES = "a batch of documents whose lengths lie"


@dataclass(frozen=True)
class Cells:
    """The fields of `count` documents.

    `arrays`: row, line and the columns, each `count` long. `odd`: the numbers of the documents that
    were not understood, whose cells there count for nothing; `documents`: these, one by one.
    """

    count: int
    arrays: dict[str, pa.Array]
    odd: npt.NDArray[np.int64]
    documents: Sequence[bytes]
