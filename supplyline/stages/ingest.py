"""A stored file into landing, with its manifest and its place in the audit trail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from supplyline import settings as environment
from supplyline.audit import events
from supplyline.contracts import (
    Json,
    Manifest,
    OrgId,
    RunRef,
    StoredFile,
    TableName,
    TableSettings,
    file_remarks,
)
from supplyline.errors import FileOfOtherTable, OrganizationNotFound, UnreadableFile
from supplyline.settings import Settings
from supplyline.stages.common import Clock, open_landing, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.catalog import file_places, table_settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id, parse_table_name

if TYPE_CHECKING:
    from supplyline.landing import Landing


def run_ingest(
    *,
    org_id: str,
    table: str,
    file_id: str,
    run: RunRef,
    settings: Settings | None = None,
    now: Clock = utc_now,
) -> Json:
    """Lands one stored file. Answers the manifest's counts.

    Raises InvalidName, OrganizationNotFound, FileNotStored, StoredFileDamaged, FileOfOtherTable,
    UnreadableFile (which is recorded in the manifest and the audit trail first) and the transient
    errors of the stores.
    """
    config = settings or environment.get()
    org, name = parse_org_id(org_id), parse_table_name(table)
    storage = Storage(config.storage_url)
    file = storage.find(org, file_id)
    with session(org, settings=config) as conn:
        agreed = table_settings(conn, name)
        place = file_places(conn, name, file_id=file.file_id)
    with open_landing(config) as landing:
        already = landing.manifest(org, file.file_id)
        if already is not None and already.state != "refused" and already.table != name:
            raise FileOfOtherTable(
                f"The file {file_id} ({file.name}) is landed in the table {already.table}, not in "
                f"{name}."
            )
        if already is not None and already.state == "closed":
            return _ingest_answer(already)
        manifest = _land(
            org, name, file, landing, agreed=agreed, place=place, run=run, config=config, now=now
        )
        try:
            record_ingest(org, manifest, run, config, now)
        except OrganizationNotFound:
            if not storage.everything(org):  # erased: nothing of it may stay
                landing.withdraw(org, manifest)
            raise
    return _ingest_answer(manifest)


def _land(
    org: OrgId,
    table: TableName,
    file: StoredFile,
    landing: Landing,
    *,
    agreed: TableSettings,
    place: tuple[int | None, int],
    run: RunRef,
    config: Settings,
    now: Clock,
) -> Manifest:
    from supplyline.intake import earlier, release_claims, understand

    own, last = place
    storage = Storage(config.storage_url)
    # Or the certificate would speak of other bytes. No refusal of the file: it may be restored.
    storage.require_whole(file)
    with storage.open(file) as source:
        try:
            intake = understand(
                org, source=source, file=file, table=table, agreed=agreed, landing=landing,
                settings=config,
            )  # fmt: skip
            manifest = landing.open_manifest(
                org,
                table=table,
                file=file,
                layout=intake.layout,
                options=intake.options,
                run=run,
                now=now(),
                asked=intake.asked,
                sequence=own or intake.sequence,
                last=last,
            )
            return landing.land(org, manifest=manifest, batches=intake.batches(), now=now())
        except UnreadableFile as error:
            refused = landing.refuse(
                org, table=table, file=file, reason=error.detail, run=run, now=now()
            )
            if (corrected := earlier(org, file, landing)) is not None:
                release_claims(
                    org, corrected=corrected, by=file.file_id, landing=landing, settings=config
                )
            record_ingest(org, refused, run, config, now)
            raise


def record_ingest(
    org: OrgId, manifest: Manifest, run: RunRef, config: Settings, now: Clock
) -> None:
    """Writes what became of a file into the audit trail."""
    with session(org, settings=config) as conn:
        events.append(
            conn,
            org=org,
            kind=f"ingest.{manifest.state}",
            actor=run.user_id,
            subject=manifest.table,
            detail=_ingest_answer(manifest),
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=now,
        )


def _ingest_answer(manifest: Manifest) -> Json:
    fields = ("table", "file_id", "name", "sha256", "state", "rows_read", "landed", "quarantined",
              "duplicate", "checksum", "refusal")  # fmt: skip
    answer: Json = {name: getattr(manifest, name) for name in fields}
    if manifest.state == "closed":
        answer["remarks"] = list(file_remarks(manifest.layout, rows_read=manifest.rows_read))
    return answer
