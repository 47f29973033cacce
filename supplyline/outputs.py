"""Files that commands write for people.

Promises: a file is there whole or not at all, so that a command may even write over the file that
it reads; a device or a pipe, such as /dev/stdout, is written to and stays what it is.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TextIO

from supplyline.errors import UnwritableOutput


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A text file in UTF-8 that takes its place at the end. Raises UnwritableOutput."""
    try:
        if path.exists() and not path.is_file():
            with path.open("w", encoding="utf-8", newline="") as out:
                yield out
            return
        target = path.resolve()
        part = target.with_name(f".{target.name}.{os.getpid()}.part")
        try:
            with part.open("w", encoding="utf-8", newline="") as out:
                yield out
            part.replace(target)
        finally:
            part.unlink(missing_ok=True)
    except OSError as error:
        raise UnwritableOutput(f"{path} cannot be written: {error.strerror}.") from error
