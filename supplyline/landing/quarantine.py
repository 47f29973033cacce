"""Rows that were set aside: all of them, kept in full, and what became of each.

A row is open until a corrected one has taken its place. Promises: a row is corrected once, whoever
asks at the same time; the entry names the file and the row of its correction, and stays.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from pymongo import UpdateMany, UpdateOne
from pymongo.database import Database

from supplyline.contracts import Manifest, OrgId, QuarantinedRow
from supplyline.landing.documents import Document, id_range, row_id
from supplyline.landing.mapped import mapped
from supplyline.tenancy.names import quarantine_collection

_FIELDS = tuple(name for name in QuarantinedRow.__dataclass_fields__ if name != "replayed")


class Quarantine:
    """The quarantine of one MongoDB database; every method takes the organization first."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def rows(
        self, org: OrgId, *, manifest: Manifest, open_only: bool = False
    ) -> Iterator[QuarantinedRow]:
        """A file's rows that were set aside, in order; no cap."""
        query: Document = id_range(manifest.file_key)
        if open_only:
            query["replayed"] = None  # also where the field is not there
        with mapped():
            for document in self._db[quarantine_collection(org)].find(query).sort("_id", 1):
                known = {name: document[name] for name in _FIELDS}
                yield QuarantinedRow(**known, replayed=document.get("replayed"))

    def claim(
        self, org: OrgId, *, manifest: Manifest, corrections: Mapping[int, int], by: str
    ) -> dict[int, str]:
        """Links entries to their corrections: row in `manifest`'s file → row in the file `by`.

        Answers the rows that cannot be: row → `not_in_quarantine` or `already_replayed`. May be
        repeated with the same arguments.
        """
        collection = self._db[quarantine_collection(org)]
        ids = {row_id(manifest.file_key, row): row for row in corrections}
        with mapped():
            collection.bulk_write(
                [
                    UpdateOne(
                        {"_id": one, "replayed": None},
                        {"$set": {"replayed": {"file_id": by, "row": corrections[row]}}},
                    )
                    for one, row in ids.items()
                ],
                ordered=False,
            )
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
