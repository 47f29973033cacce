"""Bytes to checked rows: find out what a file is, read it as a stream, set aside what is no row.

Promises: every cell's text exactly as read; read = rows in batches + quarantined rows; bounded
memory. Refuses (UnreadableFile), quickly, what can be no table.
"""

from __future__ import annotations

from supplyline.ingest.reading import Reading, open_file

__all__ = ["Reading", "open_file"]
