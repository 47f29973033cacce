"""Uploaded bytes, kept unchanged: `<storage>/<org>/<file_id>/<original name>`.

Promises: what arrives is a draft that nobody finds until `keep` gives it its place, whole, after
its last byte was on disk; a file that `find` returns never changes afterwards, and its id is never
given to other bytes.
Refuses names that would leave the organization's folder. Local folders and whatever fsspec has a
driver for (`s3://` with s3fs) are addressed alike, by SUPPLYLINE_STORAGE_URL.
"""

from __future__ import annotations

from supplyline.storage.files import storage_mapped
from supplyline.storage.store import DRAFT_KEPT, FileIdTaken, Kept, Storage
from supplyline.storage.writer import StorageWriter, safe_name

__all__ = [
    "DRAFT_KEPT",
    "FileIdTaken",
    "Kept",
    "Storage",
    "StorageWriter",
    "safe_name",
    "storage_mapped",
]
