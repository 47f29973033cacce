"""A file's manifest: opened before its rows are written, closed with their counts, or refused.

Promises: one manifest a file id, whoever opens it at the same time; a sequence is given once in a
table; what was closed or refused is not opened again.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, replace
from datetime import datetime
from typing import Any

from pymongo import ReturnDocument
from pymongo.collection import Collection
from pymongo.database import Database
from pymongo.errors import DuplicateKeyError

from supplyline.contracts import (
    Json,
    Layout,
    Manifest,
    OrgId,
    ParseOptions,
    RunRef,
    StoredFile,
    TableName,
)
from supplyline.errors import DatabaseUnavailable
from supplyline.landing.documents import Document, file_key
from supplyline.landing.mapped import mapped
from supplyline.tenancy.names import manifests_collection


class Manifests:
    """The manifests of one MongoDB database; every method takes the organization first."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def _manifests(self, org: OrgId) -> Collection:
        return self._db[manifests_collection(org)]

    def open_manifest(
        self,
        org: OrgId,
        *,
        table: TableName,
        file: StoredFile,
        layout: Layout,
        options: ParseOptions,
        run: RunRef,
        now: datetime,
        asked: Json | None = None,
        sequence: int | None = None,
        last: int = 0,
    ) -> Manifest:
        """The manifest of a file id: a new one, or the one that an earlier attempt opened.

        `asked` as in `file_key`; `sequence`: the place that it has already, such as that of another
        file which it completes; `last`: a place that is taken, as others than landing know.
        """
        with mapped():
            found = self._manifests(org).find_one({"_id": file.file_id})
            if found is not None:
                return _from_document(found)
            manifest = Manifest(
                org=org,
                table=table,
                file_id=file.file_id,
                name=file.name,
                sha256=file.sha256,
                file_key=file_key(
                    org, table=table, sha256=file.sha256, options=options, asked=asked
                ),
                sequence=sequence or self._next_sequence(org, table, last=last),
                layout=layout.as_json(),
                options=options.as_json(),
                run_id=run.run_id,
                opened_at=now,
                origin=file.origin,
                replay_of=file.replay_of,
                asked=asked or {},
            )
            try:
                self._manifests(org).insert_one(_to_document(manifest))
            except DuplicateKeyError:  # another attempt was first
                return self._require(org, file.file_id)
        return manifest

    def _next_sequence(self, org: OrgId, table: TableName, *, last: int) -> int:
        name = {"_id": f"sequence:{table}"}
        if last:
            self._manifests(org).update_one(name, {"$max": {"value": last}}, upsert=True)
        counter = self._manifests(org).find_one_and_update(
            name,
            {"$inc": {"value": 1}},
            upsert=True,
            return_document=ReturnDocument.AFTER,
        )
        return int((counter or {})["value"])

    def refuse(
        self,
        org: OrgId,
        *,
        table: TableName,
        file: StoredFile,
        reason: str,
        run: RunRef,
        now: datetime,
    ) -> Manifest:
        """Records that a file as a whole cannot be understood."""
        manifest = self.open_manifest(
            org,
            table=table,
            file=file,
            layout=Layout(format="unknown", columns=()),
            options=ParseOptions(),
            run=run,
            now=now,
        )
        refused = replace(manifest, state="refused", refusal=reason, closed_at=now)
        return self._settle(org, refused)

    def _settle(self, org: OrgId, settled: Manifest) -> Manifest:
        """Keeps what became of an open manifest; answers the one there, which may be another's."""
        with mapped():
            self._manifests(org).replace_one(
                {"_id": settled.file_id, "state": "open"}, _to_document(settled)
            )
            return self._require(org, settled.file_id)

    def refuse_landed(self, org: OrgId, *, file_id: str, reason: str) -> Manifest | None:
        """Records that a landed file cannot be loaded: it is none of its table's files any more.

        Its rows stay. None when it was not landed, or refused before.
        """
        with mapped():
            found = self._manifests(org).update_one(
                {"_id": file_id, "state": "closed"},
                {"$set": {"state": "refused", "refusal": reason}},
            )
        return self.manifest(org, file_id) if found.modified_count else None

    def manifest(self, org: OrgId, file_id: str) -> Manifest | None:
        with mapped():
            found = self._manifests(org).find_one({"_id": file_id})
        return None if found is None else _from_document(found)

    def _require(self, org: OrgId, file_id: str) -> Manifest:
        found = self._manifests(org).find_one({"_id": file_id})
        if found is None:
            raise DatabaseUnavailable("The manifest that was just written is not there.")
        return _from_document(found)

    def manifests(
        self, org: OrgId, *, table: TableName | None = None, state: str | None = None
    ) -> list[Manifest]:
        """Manifests in order of table and sequence; corrections behind what they correct."""
        query: Document = {"file_id": {"$exists": True}}
        if table is not None:
            query["table"] = table
        if state is not None:
            query["state"] = state
        with mapped():
            found = list(self._manifests(org).find(query))
        return sorted(map(_from_document, found), key=lambda m: (m.table, m.sequence, m.replay_of))

    def begin_release(self, org: OrgId, manifests: Sequence[Manifest], *, now: datetime) -> None:
        """From here on the files' rows are read from storage; `finish_release` deletes them.

        So are those of a file of the same content that was landed meanwhile.
        """
        ids, at = [m.file_id for m in manifests], now.isoformat()
        with mapped():  # by id: a manifest of an older version may lack the field
            self._manifests(org).update_many({"_id": {"$in": ids}}, {"$set": {"released_at": at}})
        self._read_from_storage(org, manifests[0], at=at)

    def _read_from_storage(self, org: OrgId, manifest: Manifest, *, at: str) -> None:
        with mapped():
            self._manifests(org).update_many(
                {"file_key": manifest.file_key, "state": "closed", "released_at": ""},
                {"$set": {"released_at": at}},
            )


def _to_document(manifest: Manifest) -> Document:
    return {"_id": manifest.file_id, **asdict(manifest)}


def _from_document(document: Document) -> Manifest:
    known: dict[str, Any] = {
        name: document[name] for name in Manifest.__dataclass_fields__ if name in document
    }
    return Manifest(**known)
