"""The file system below the storage: a local folder or an object store, behind fsspec.

What differs between the two is here and nowhere else: bytes forced to disk, a folder given to one
of several claimants, the time of the last write. The system's errors become StorageUnavailable.
"""

from __future__ import annotations

import errno
import io
import json
import os
import posixpath
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from fsspec.implementations.local import LocalFileSystem

from supplyline.contracts import Json
from supplyline.errors import StorageUnavailable


@contextmanager
def storage_mapped() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        full = error.errno in (errno.ENOSPC, errno.EDQUOT)
        raise StorageUnavailable(
            f"The file could not be stored: {error}.",
            next_step="Make room where SUPPLYLINE_STORAGE_URL points, then try again."
            if full
            else None,
        ) from error


def to_disk(out: Any) -> None:
    """Forces what was written to the disk, where there is one."""
    out.flush()
    try:
        number = out.fileno()
    except (AttributeError, io.UnsupportedOperation):  # an object store
        return
    os.fsync(number)


def names_to_disk(fs: Any, *folders: str) -> None:
    """Forces the names in folders to disk: without that a power cut takes a new or renamed file
    away, though its bytes are safe. An object store has no such thing."""
    if not isinstance(fs, LocalFileSystem):
        return
    for folder in folders:
        number = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(number)
        finally:
            os.close(number)


def write_json(fs: Any, path: str, content: Json) -> None:
    """Writes a small file, on disk when this returns."""
    with fs.open(path, "wb") as out:
        out.write(json.dumps(content).encode())
        to_disk(out)


def remove(fs: Any, folder: str) -> None:
    """Removes a folder with all that is in it, if it is there."""
    with storage_mapped():
        if fs.exists(folder):
            fs.rm(folder, recursive=True)


def claim(fs: Any, part: str, folder: str, *, names: Sequence[str]) -> bool:
    """Moves a folder, whole, to its place; False when another's files are there already.

    `names`: the folder's files; the place counts as taken once the last of them is there.
    """
    if isinstance(fs, LocalFileSystem):
        owner = posixpath.dirname(folder)
        try:
            names_to_disk(fs, part)
            Path(part).rename(folder)  # atomic; refuses a folder that holds anything
            names_to_disk(fs, owner, posixpath.dirname(owner))
        except OSError as error:
            if error.errno in (errno.ENOTEMPTY, errno.EEXIST):
                return False
            raise
        return True
    # Object stores have no such step: there the caller's record of the id is what excludes.
    if fs.exists(posixpath.join(folder, names[-1])):
        return False
    for each in names:
        fs.mv(posixpath.join(part, each), posixpath.join(folder, each))
    remove(fs, part)
    return True


def last_written(entry: dict[str, Any]) -> datetime:
    """When a file was last written, as the storage's driver says it."""
    known = (entry.get(name) for name in ("mtime", "LastModified", "created"))
    at = next((one for one in known if one is not None), None)
    if isinstance(at, datetime):
        return at
    return datetime.max.replace(tzinfo=UTC) if at is None else datetime.fromtimestamp(at, UTC)
