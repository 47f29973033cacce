"""Rows that were set aside: all of them, kept in full, and what became of each.

A row is open until a corrected one has taken its place. Promises: a row is corrected once, whoever
asks at the same time; the entry names the file and the row of its correction, and stays.
"""

from __future__ import annotations

from collections.abc import Container, Iterator, Mapping

from pymongo import UpdateMany, UpdateOne
from pymongo.database import Database

from supplyline.contracts import Json, Manifest, OrgId, QuarantinedRow
from supplyline.landing.documents import Document, id_range, quarantine_checksum, row_id
from supplyline.landing.mapped import mapped
from supplyline.tenancy.names import quarantine_collection

_FIELDS = tuple(name for name in QuarantinedRow.__dataclass_fields__ if name != "replayed")


class Quarantine:
    """The quarantine of one MongoDB database; every method takes the organization first."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def rows(
        self,
        org: OrgId,
        *,
        manifest: Manifest,
        open_only: bool = False,
        failed: Container[Json] = (),
    ) -> Iterator[QuarantinedRow]:
        """A file's rows that were set aside, in order; no cap.

        `failed`: corrections, `{file_id, row}`, that came to nothing; their rows are open.
        """
        query: Document = id_range(manifest.file_key)
        with mapped():
            for document in self._db[quarantine_collection(org)].find(query).sort("_id", 1):
                if open_only and not _is_open(document, failed):
                    continue
                known = {name: document[name] for name in _FIELDS}
                yield QuarantinedRow(**known, replayed=document.get("replayed"))

    def count(self, org: OrgId, *, manifest: Manifest) -> int:
        """How many rows of a file were set aside, corrected or not."""
        with mapped():
            return int(
                self._db[quarantine_collection(org)].count_documents(id_range(manifest.file_key))
            )

    def checksum(self, org: OrgId, *, manifest: Manifest) -> str:
        """Of all of these rows (see `quarantine_checksum`)."""
        query = id_range(manifest.file_key)
        with mapped():
            return quarantine_checksum(
                self._db[quarantine_collection(org)].find(query).sort("_id", 1)
            )

    def claim(
        self,
        org: OrgId,
        *,
        manifest: Manifest,
        corrections: Mapping[int, int],
        by: str,
        failed: Container[Json] = (),
    ) -> dict[int, str]:
        """Links entries to their corrections: row in `manifest`'s file → row in the file `by`.

        Answers the rows that cannot be: row → `not_in_quarantine` or `already_replayed`. May be
        repeated with the same arguments. `failed` as in `rows`.
        """
        collection = self._db[quarantine_collection(org)]
        ids = {row_id(manifest.file_key, row): row for row in corrections}
        with mapped():
            changes = [
                UpdateOne(
                    {"_id": d["_id"], "replayed": d.get("replayed")},  # None: or not there
                    {"$set": {"replayed": {"file_id": by, "row": corrections[ids[d["_id"]]]}}},
                )
                for d in collection.find({"_id": {"$in": list(ids)}})
                if _is_open(d, failed)
            ]
            if changes:
                collection.bulk_write(changes, ordered=False)
            found = {d["_id"]: d for d in collection.find({"_id": {"$in": list(ids)}})}
        out = {}
        for one, row in ids.items():
            if one not in found:
                out[row] = "not_in_quarantine"
            elif found[one]["replayed"] != {"file_id": by, "row": corrections[row]}:
                out[row] = "already_replayed"
        return out

    def release(self, org: OrgId, *, manifest: Manifest, by: str) -> None:
        """Opens the entries again that the file `by`, which was refused, had claimed."""
        with mapped():
            self._db[quarantine_collection(org)].bulk_write(
                [
                    UpdateMany(
                        {**id_range(manifest.file_key), "replayed.file_id": by},
                        {"$unset": {"replayed": ""}},
                    )
                ]
            )


def _is_open(document: Document, failed: Container[Json]) -> bool:
    replayed = document.get("replayed")
    return replayed is None or replayed in failed
