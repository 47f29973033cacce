"""Writes of this room: an arrived file becomes an upload and the intent to ingest it."""

from __future__ import annotations

import secrets
from typing import Any

from django.db import IntegrityError, transaction

from backend.accounts.models import User
from backend.files.errors import EmptyFile, FileIdTaken
from backend.files.models import Upload
from backend.runs.services import INGEST, request_run
from supplyline.contracts import OrgId, StoredFile
from supplyline.storage import Storage
from supplyline.tenancy.names import parse_table_name
from supplyline.vocabulary import recognise


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
    except Exception:
        storage.delete(org, stored.file_id)
        raise
    try:
        with transaction.atomic():
            upload = Upload.objects.create(
                org_id=org,
                file_id=stored.file_id,
                name=stored.name[:255],
                size=stored.size,
                sha256=stored.sha256,
                table=name,
                table_reasons=reasons,
                user_id_text=user.pk,
            )
            upload.run = request_run(
                org,
                dag_id=INGEST,
                conf=ingest_conf(org, upload=upload, triggered_by="file_upload"),
                user_id=user.pk,
                source="file_upload",
                idempotency_key=idempotency_key,
            )
            upload.save(update_fields=["run"])
    except IntegrityError:
        raise FileIdTaken(f"There is a file {stored.file_id} already.") from None
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
