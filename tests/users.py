"""Tests about what a user may not do, whoever runs them."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_NOBODY = 65534


@contextmanager
def ordinary_user(*owned: Path) -> Iterator[None]:
    """Inside, this process is an ordinary user who owns these files: where it is root, nobody."""
    if os.geteuid() != 0:
        yield
        return
    for path in owned:
        os.chown(path, _NOBODY, _NOBODY)
    os.setresuid(_NOBODY, _NOBODY, 0)
    try:
        yield
    finally:
        os.setresuid(0, 0, 0)
