"""Writes of this room: an arrived file becomes an upload and the intent to ingest it."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import IntegrityError, transaction

from backend.accounts.models import User
from backend.api.errors import IdempotencyKeyReused
from backend.files.errors import EmptyFile, FileIdTaken
from backend.files.models import Upload
from backend.runs.models import Run
from backend.runs.services import INGEST, request_run
from supplyline.contracts import OrgId, StoredFile
from supplyline.storage import Storage
from supplyline.tenancy.names import parse_table_name
from supplyline.vocabulary import recognise


class _Repeated(Exception):
    """The key's first upload is the answer; the transaction of this one is taken back."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.dag_run_id)
        self.run = run


def new_file_id() -> str:
    return f"file_{secrets.token_hex(8)}"


def accept_upload(
    org: OrgId,
    *,
    stored: StoredFile,
    storage: Storage,
    user: User,
    table: str | None,
    idempotency_key: str | None = None,
) -> Upload:
    """Records the upload and its intent in one transaction.

    Without `table`, header and file name propose one. What cannot be a table at all is refused now
    and not kept. Raises EmptyFile, UnreadableFile, InvalidName, FileIdTaken.
    """
    try:
        name, reasons = _table_of(stored, storage, table)
    except Exception:  # whatever is wrong, the bytes are not kept; it is raised again
        storage.delete(org, stored.file_id)
        raise
    try:
        return _record(
            org,
            stored=stored,
            user=user,
            table=(name, reasons),
            content=[stored.sha256, stored.name, table],
            idempotency_key=f"upload:{idempotency_key}" if idempotency_key else None,
        )
    except _Repeated as repeated:
        storage.delete(org, stored.file_id)
        return Upload.objects.get(org_id=org, run=repeated.run)
    except IdempotencyKeyReused:
        storage.delete(org, stored.file_id)
        raise
    except IntegrityError:
        raise FileIdTaken(f"There is a file {stored.file_id} already.") from None


@transaction.atomic
def _record(
    org: OrgId,
    *,
    stored: StoredFile,
    user: User,
    table: tuple[str, list[str]],
    content: object,
    idempotency_key: str | None,
) -> Upload:
    """Upload, intent and outbox row together, or none of them."""
    upload = Upload.objects.create(
        org_id=org,
        file_id=stored.file_id,
        name=stored.name[:255],
        size=stored.size,
        sha256=stored.sha256,
        table=table[0],
        table_reasons=table[1],
        user_id_text=user.pk,
    )
    run = request_run(
        org,
        dag_id=INGEST,
        conf=ingest_conf(org, upload=upload, triggered_by="file_upload"),
        user_id=user.pk,
        source="file_upload",
        idempotency_key=idempotency_key,
        content=content,
    )
    if run.conf["file_id"] != stored.file_id:
        raise _Repeated(run)
    upload.run = run
    upload.save(update_fields=["run"])
    return upload


def ingest_conf(org: OrgId, *, upload: Upload, triggered_by: str) -> dict[str, Any]:
    return {
        "org_id": str(org),
        "table": upload.table,
        "file_id": upload.file_id,
        "user_id": upload.user_id_text,
        "triggered_by": triggered_by,
    }


def _table_of(stored: StoredFile, storage: Storage, table: str | None) -> tuple[str, list[str]]:
    from supplyline.ingest import open_file

    if stored.size == 0:
        raise EmptyFile(f"The file {stored.name} is empty.")
    wanted = parse_table_name(table) if table else None
    with storage.open(stored) as source:
        layout = open_file(source, name=stored.name).layout
    if wanted is not None:
        return wanted, ["named in the upload"]
    proposal = recognise([c.header for c in layout.columns], file_name=stored.name)
    return parse_table_name(proposal.table), list(proposal.reasons)
