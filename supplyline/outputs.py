"""Files that commands write for people.

Promises: a file is there whole or not at all, so that a command may even write over the file that
it reads; in a folder that takes no new file, one that may be written is written once all is at
hand. A device or a pipe, such as /dev/stdout, is written to and stays what it is.
"""

from __future__ import annotations

import io
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, TextIO

from supplyline.errors import UnwritableOutput


@contextmanager
def written(path: Path) -> Iterator[TextIO]:
    """A text file in UTF-8 that takes its place at the end. Raises UnwritableOutput; what the
    caller's own work raises stays what it is, also an OSError."""
    with _refused(path):
        target = path.resolve()
        there = path.exists()
        plain = not there or path.is_file()
        elsewhere = there and plain and not os.access(target.parent, os.W_OK)
    if not plain:
        with _text(path, said=path) as out:
            yield out
        return
    with TemporaryDirectory() if elsewhere else nullcontext(target.parent) as folder:
        part = Path(folder) / f".{target.name}.{os.getpid()}.part"
        try:
            with _text(part, said=path) as out:
                if there:  # what was for few eyes stays so
                    with _refused(path):
                        shutil.copymode(target, part)
                yield out
            with _refused(path):
                if elsewhere:
                    shutil.copyfile(part, target)
                else:
                    part.replace(target)
        finally:
            with suppress(OSError):  # it is gone, or its folder said already why it cannot be used
                part.unlink()


class _File(io.FileIO):
    """Its errors are told apart from those of the caller, who writes to it between other work."""

    said: Path

    def write(self, data: Any, /) -> int:
        with _refused(self.said):
            return super().write(data)


def _text(path: Path, *, said: Path) -> TextIO:
    with _refused(said):
        file = _File(path, "w")
    file.said = said
    return io.TextIOWrapper(io.BufferedWriter(file, 1 << 16), encoding="utf-8", newline="")


@contextmanager
def _refused(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise UnwritableOutput(f"{path} cannot be written: {error.strerror}.") from error
