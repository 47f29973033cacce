"""The landing store of one MongoDB database. See the package for what it promises."""

from __future__ import annotations

from collections.abc import Container, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import pyarrow as pa
from pymongo.collection import Collection
from pymongo.database import Database

from supplyline.checksums import Checksum
from supplyline.contracts import Json, Manifest, OrgId, QuarantinedRow, RowBatch, TableName
from supplyline.errors import DatabaseUnavailable, LandingReleased
from supplyline.faults import reach
from supplyline.landing import replies
from supplyline.landing.documents import (
    ROWS_INDEX,
    all_rows,
    id_range,
    quarantine_document,
    row_range,
)
from supplyline.landing.manifests import Manifests
from supplyline.landing.mapped import mapped
from supplyline.landing.quarantine import Quarantine
from supplyline.landing.reading import to_batch
from supplyline.landing.wire import insert_new, write_rows
from supplyline.tenancy.names import quarantine_collection, rows_collection


class Landing(Manifests):
    """All organizations' landing collections: the manifests, and the rows that they account for."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.quarantine = Quarantine(database)

    def _rows(self, org: OrgId, table: TableName) -> Collection:
        return self._db[rows_collection(org, table)]

    def ping(self) -> None:
        """Raises DatabaseUnavailable when the server does not answer."""
        with mapped():
            self._db.command("ping")

    def land(
        self, org: OrgId, *, manifest: Manifest, batches: Iterable[RowBatch], now: datetime
    ) -> Manifest:
        """Writes every batch and closes the manifest. A closed one is returned as it is."""
        if manifest.state != "open":
            return manifest
        columns = manifest.columns
        checksum, read, set_aside = Checksum.over(columns), 0, 0
        with mapped():
            rows = self._rows(org, manifest.table)
            rows.create_index(ROWS_INDEX)
            begun = rows.find_one(all_rows(manifest.file_key)) is not None
        for batch in batches:
            reach("land.before_batch")
            self._write(org, manifest, batch, begun=begun)
            reach("land.after_batch")
            checksum = checksum.plus(batch.data)
            read += batch.data.num_rows + len(batch.quarantined)
            set_aside += len(batch.quarantined)
        reach("land.before_close")
        closed = self._close(org, manifest, checksum, read=read, set_aside=set_aside, now=now)
        reach("land.after_close")
        return closed

    def _write(self, org: OrgId, manifest: Manifest, batch: RowBatch, *, begun: bool) -> None:
        """Writes what is not there. `begun`: an earlier attempt has written some of the file."""
        with mapped():
            write_rows(
                self._rows(org, manifest.table),
                batch.data,
                key=manifest.file_key,
                file_id=manifest.file_id,
                begun=begun,
            )
            insert_new(
                self._db[quarantine_collection(org)],
                [
                    quarantine_document(q, key=manifest.file_key, table=manifest.table)
                    for q in batch.quarantined
                ],
            )

    def _close(
        self,
        org: OrgId,
        manifest: Manifest,
        checksum: Checksum,
        *,
        read: int,
        set_aside: int,
        now: datetime,
    ) -> Manifest:
        rows = self._rows(org, manifest.table)
        known = self.manifest(org, manifest.file_id)
        if known is not None and known.released_at:
            # An attempt that froze and wakes up when another has landed the file long since.
            with mapped():
                rows.delete_many({**all_rows(known.file_key), "_file": known.file_id})
            return known
        if known is None:
            self.withdraw(org, manifest)
            raise DatabaseUnavailable(
                "The file's manifest is gone: its organization was erased while it was landed."
            )
        with mapped():
            there = rows.count_documents(all_rows(manifest.file_key))
            ours = rows.count_documents({**all_rows(manifest.file_key), "_file": manifest.file_id})
            if there < read - set_aside:  # an earlier file's rows, found there, were just released
                raise DatabaseUnavailable(
                    f"Landing holds {there} of the file's {read - set_aside} rows.",
                    next_step="Try again: the rows that are missing are then written.",
                )
        closed = replace(
            manifest,
            state="closed",
            rows_read=read,
            landed=ours,
            duplicate=there - ours,
            quarantined=set_aside,
            checksum_quarantine=(
                self.quarantine.checksum(org, manifest=manifest) if set_aside else ""
            ),
            checksum=checksum.text,
            closed_at=now,
        )
        return self._settle(org, closed)

    def stream(
        self, org: OrgId, *, manifest: Manifest, batch_rows: int = 5000
    ) -> Iterator[pa.RecordBatch]:
        """The file's rows in order, as `contracts` describes; bounded by `batch_rows`.

        Raises LandingReleased when they are not here any more.
        """
        if manifest.released_at:
            raise LandingReleased(
                f"The landed rows of {manifest.file_id} were released on {manifest.released_at}."
            )
        columns = manifest.columns
        with mapped():
            rows = self._rows(org, manifest.table)
            # Page by page, so that no server has to sort more than one page in memory. One more is
            # asked for than there are, so that the first answer is known to be the last.
            for first in range(1, manifest.rows_read + 1, batch_rows):
                page = row_range(manifest.file_key, first, first + batch_rows)
                for wire in replies.batches(
                    rows, page, sort=[("_row", 1)], batch_size=batch_rows + 1
                ):
                    yield to_batch(wire, columns=columns)

    def quarantined(
        self,
        org: OrgId,
        *,
        file_id: str,
        open_only: bool = False,
        failed: Container[Json] = (),
    ) -> Iterator[QuarantinedRow]:
        """Every row that was set aside of a file, in order; no cap. See `Quarantine.rows`."""
        manifest = self.manifest(org, file_id)
        if manifest is None:
            return
        yield from self.quarantine.rows(org, manifest=manifest, open_only=open_only, failed=failed)

    def counts(self, org: OrgId, manifest: Manifest) -> tuple[int, int, int]:
        """Of a file's content: how many landed rows there are, how many of these this very file
        has landed, and how many rows are in quarantine."""
        every, rows = all_rows(manifest.file_key), self._rows(org, manifest.table)
        with mapped():
            return (
                rows.count_documents(every),
                rows.count_documents({**every, "_file": manifest.file_id}),
                self.quarantine.count(org, manifest=manifest),
            )

    def finish_release(self, org: OrgId, manifests: Sequence[Manifest]) -> None:
        """Deletes the landed rows of files of one content whose release was begun; repeatable.

        Rows that another file of the same content has landed since are that file's, and stay.
        """
        if all(m.released for m in manifests):
            return
        ids, one = [m.file_id for m in manifests], manifests[0]
        with mapped():
            self._rows(org, one.table).delete_many(
                {**all_rows(one.file_key), "_file": {"$in": ids}}
            )
            # One that was about to close when the release began counted on these rows.
            known = self.manifest(org, one.file_id)
            if known is not None and known.released_at:
                self._read_from_storage(org, one, at=known.released_at)
            self._manifests(org).update_many({"_id": {"$in": ids}}, {"$set": {"released": True}})

    def withdraw(self, org: OrgId, manifest: Manifest) -> None:
        """Takes back what a file has landed, when its organization was erased meanwhile.

        Collections that are empty then go too, as `erase` would have it.
        """
        key = manifest.file_key
        with mapped():
            self._manifests(org).delete_one({"_id": manifest.file_id})
            self._rows(org, manifest.table).delete_many(
                {**all_rows(key), "_file": manifest.file_id}
            )
            if self._manifests(org).find_one({"file_key": key}) is None:
                self._db[quarantine_collection(org)].delete_many(id_range(key))
        for name, documents in self.collections(org).items():
            if not documents:
                self._db.drop_collection(name)

    def collections(self, org: OrgId) -> dict[str, int]:
        """The organization's collections and how many documents each holds."""
        with mapped():
            names = [
                n for n in self._db.list_collection_names() if n.startswith((f"{org}.", f"{org}:"))
            ]
            return {n: self._db[n].count_documents({}) for n in names}

    def erase(self, org: OrgId) -> int:
        """Drops every collection of the organization; answers how many there were."""
        names = self.collections(org)
        with mapped():
            for name in names:
                self._db.drop_collection(name)
        return len(names)
