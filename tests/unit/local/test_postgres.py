"""The embedded PostgreSQL takes as much memory as the machine can spare."""

from __future__ import annotations

from pathlib import Path

import pytest

from supplyline.local import postgres

GIB = 1 << 30


@pytest.mark.parametrize(
    ("memory", "buffers"), [(GIB // 2, "128MB"), (4 * GIB, "512MB"), (24 * GIB, "1024MB")]
)
def test_buffers_are_an_eighth_of_the_memory_within_bounds(memory: int, buffers: str) -> None:
    assert postgres.sized(memory)["shared_buffers"] == buffers


def test_a_container_has_what_it_is_given(tmp_path: Path) -> None:
    limit, none = tmp_path / "memory.max", tmp_path / "none"
    limit.write_text("max\n")
    whole = postgres.memory([limit, none])
    limit.write_text("1048576\n")
    assert postgres.memory([limit, none]) == 1 << 20 < whole
