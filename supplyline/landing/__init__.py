"""MongoDB: every row of every file written exactly once, with the file's manifest beside it.

Promises: a row's `_id` is derived from its file's key (`documents.file_key`) and its row number, so
a retry, a resumed run or a second upload of the same bytes writes nothing twice (P4); a closed
manifest's counts were counted in MongoDB, not remembered (P3). Refuses nothing that was read.
"""

from supplyline.landing.store import Landing

__all__ = ["Landing"]
