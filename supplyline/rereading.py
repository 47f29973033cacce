"""A file's rows, from landing or, where landing has them no more, from the stored file again.

At the level of `stages`: it joins landing, storage and ingest. The rows read again are the rows
that were certified, or whoever compares their checksum says that they are not.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from supplyline.checksums import Checksum
from supplyline.contracts import Manifest, OrgId, TableSettings
from supplyline.errors import DatabaseUnavailable, FileNotStored, LandingDamaged, UnreadableFile
from supplyline.intake import understand
from supplyline.settings import Settings
from supplyline.storage import Storage

if TYPE_CHECKING:
    from supplyline.landing import Landing

T = TypeVar("T")


class Rows:
    """Called with a manifest, it streams the file's rows. `reread`: files taken from storage."""

    def __init__(self, org: OrgId, *, landing: Landing, settings: Settings) -> None:
        self._org, self._landing, self._settings = org, landing, settings
        self._damaged: set[str] = set()
        self.reread: list[str] = []

    def mended(self, work: Callable[[], T]) -> T:
        """The work's answer; it is done again, with the stored file, when landing is damaged."""
        while True:
            try:
                return work()
            except LandingDamaged as error:
                file_id = str(error.context.get("file_id") or "")
                if not file_id or file_id in self._damaged:
                    raise
                self._damaged.add(file_id)
                self.reread.clear()
            except (FileNotStored, UnreadableFile) as error:
                if not self._damaged:
                    raise
                raise LandingDamaged(
                    f"Landing has lost rows of {', '.join(sorted(self._damaged))}, and nothing was"
                    f" changed, since the stored file does not give them either: {error.detail}"
                ) from error

    def __call__(self, manifest: Manifest) -> Iterator[pa.RecordBatch]:
        """Raises FileNotStored, UnreadableFile for a released file that cannot be read again."""
        if not manifest.released_at and manifest.file_id not in self._damaged:
            rows = 0
            for batch in self._landing.stream(self._org, manifest=manifest):
                rows += batch.num_rows
                yield batch
            if rows < manifest.landed + manifest.duplicate:
                self._require_kept(manifest)
            return
        self.reread.append(manifest.file_id)
        yield from stored_rows(self._org, manifest, landing=self._landing, settings=self._settings)

    def _require_kept(self, manifest: Manifest) -> None:
        """Raises DatabaseUnavailable when rows are missing since they were released meanwhile."""
        now = self._landing.manifest(self._org, manifest.file_id)
        if now is not None and now.released_at:
            raise DatabaseUnavailable(
                f"The landed rows of {manifest.file_id} were released while they were read.",
                next_step="Try again: they are then read from the stored file.",
            )


def stored_checksum(org: OrgId, manifest: Manifest, *, landing: Landing, settings: Settings) -> str:
    """The checksum of these rows, as manifest and certificate have it. Raises as `stored_rows`."""
    rows = stored_rows(org, manifest, landing=landing, settings=settings)
    return Checksum.of(rows, columns=manifest.columns).text


def stored_rows(
    org: OrgId, manifest: Manifest, *, landing: Landing, settings: Settings
) -> Iterator[pa.RecordBatch]:
    """The rows of a landed file, read from storage as they were read when it was landed.

    Raises FileNotStored, UnreadableFile.
    """
    storage = Storage(settings.storage_url)
    file = storage.find(org, manifest.file_id)
    with storage.open(file) as source:
        intake = understand(
            org, source=source, file=file, table=manifest.table,
            agreed=TableSettings(table=manifest.table), landing=landing, settings=settings,
        )  # fmt: skip
        if [c.name for c in intake.layout.columns] != manifest.columns:
            raise UnreadableFile(
                f"The file {manifest.file_id} has other columns than when it was landed.",
                next_step="Undo its load and upload the file again.",
            )
        for batch in intake.batches():
            yield batch.data
