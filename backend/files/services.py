"""Writes of this room: an arrived file becomes an upload and the intent to ingest it."""

from __future__ import annotations

import secrets
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from django.db import IntegrityError, transaction

from backend.accounts.access import hold_open
from backend.accounts.models import User
from backend.api.errors import InvalidPayload
from backend.files.errors import EmptyFile, NotReadAnew
from backend.files.models import Upload
from backend.runs.models import Run
from backend.runs.services import INGEST, request_run
from supplyline.contracts import OrgId, ParseOptions, StoredFile, file_remarks
from supplyline.errors import FileNotStored
from supplyline.ingest import open_file
from supplyline.ingest.checks import require_table
from supplyline.settings import Settings
from supplyline.storage import FileIdTaken, Storage
from supplyline.tenancy.names import parse_table_name
from supplyline.trial import require_readable
from supplyline.vocabulary import recognise

_NOTHING_SAID = ParseOptions()


class _Repeated(Exception):
    """The key's first upload is the answer; the transaction of this one is taken back."""

    def __init__(self, run: Run) -> None:
        super().__init__(run.dag_run_id)
        self.run = run


def new_file_id() -> str:
    return f"file_{secrets.token_hex(8)}"


def key_of_upload(key: str) -> str:
    """An upload's Idempotency-Key as its run holds it."""
    return f"upload:{key}"


def accept_upload(
    org: OrgId,
    *,
    stored: StoredFile,
    storage: Storage,
    user: User,
    table: str | None,
    options: ParseOptions = _NOTHING_SAID,
    replay_of: Upload | None = None,
    named: str | None = None,
    idempotency_key: str | None = None,
) -> Upload:
    """Keeps the draft `stored` and records it with its intent, in one transaction.

    Without `table`, header and file name propose one; `replay_of` is the upload whose quarantined
    rows this one corrects; `named`: the file id that was asked for. What cannot be a table at all
    is refused now and not kept. Raises EmptyFile, UnreadableFile, InvalidName, FileIdTaken.
    """
    try:
        name, reasons = _table_of(stored, storage, table, options)
        stored = replace(
            stored,
            options=options if options != _NOTHING_SAID else None,
            replay_of=replay_of.file_id if replay_of else "",
        )
        return _record(
            org,
            stored=stored,
            user=user,
            table=(name, reasons),
            content=[*_content(stored, table), *([named] if named else [])],
            keep=lambda: storage.keep(stored),
            idempotency_key=key_of_upload(idempotency_key) if idempotency_key else None,
            triggered_by="replay" if replay_of else "file_upload",
        )
    except _Repeated as repeated:
        storage.discard(stored)
        return Upload.objects.get(org_id=org, run=repeated.run)
    except BaseException:  # whatever is wrong, the bytes are not kept; it is raised again
        storage.discard(stored)
        raise


def _content(stored: StoredFile, table: str | None) -> list[Any]:
    """What makes two requests with one Idempotency-Key the same."""
    said = stored.options.as_json() if stored.options else {}
    more = [said, stored.origin, stored.replay_of]
    return [stored.sha256, stored.name, table, *(more if any(more) else [])]


def read_anew(
    org: OrgId,
    *,
    upload: Upload,
    options: ParseOptions,
    settings: Settings,
    user: User,
    idempotency_key: str | None = None,
) -> Upload:
    """The kept bytes under a new file id, to be understood with `options`; nothing is copied.

    Once it is landed and loaded it is in the place of the earlier readings. Raises FileNotStored,
    UnreadableFile (also for what the table's contract does not take), and NotReadAnew for
    corrections.
    """
    if upload.replay_of:
        raise NotReadAnew(f"{upload.file_id} holds corrections of {upload.replay_of}.")
    storage = Storage(settings.storage_url)
    first = storage.find(org, upload.file_id)
    require_readable(
        org, file=first, table=parse_table_name(upload.table), given=options, settings=settings
    )
    again = storage.again(first, file_id=new_file_id(), options=options)
    try:
        return _record(
            org,
            stored=again,
            user=user,
            table=(upload.table, [f"read anew from {again.origin}"]),
            content=_content(again, upload.table),
            idempotency_key=f"reingest:{idempotency_key}" if idempotency_key else None,
            triggered_by="reingest",
        )
    except _Repeated as repeated:
        storage.delete(org, again.file_id)
        return Upload.objects.get(org_id=org, run=repeated.run)
    except BaseException:  # nobody will ask for this reading; it is raised again
        storage.delete(org, again.file_id)
        raise


@transaction.atomic
def _record(
    org: OrgId,
    *,
    stored: StoredFile,
    user: User,
    table: tuple[str, list[str]],
    content: object,
    idempotency_key: str | None,
    keep: Callable[[], object] = lambda: None,
    triggered_by: str = "file_upload",
) -> Upload:
    """Upload, intent and outbox row together, or none of them.

    `keep` comes last, while the transaction holds the file id against everybody else. Raises
    FileIdTaken, and OrganizationSuspended where it was suspended while the bytes arrived.
    """
    hold_open(org)
    upload = Upload(
        org_id=org,
        file_id=stored.file_id,
        name=stored.name[:255],
        size=stored.size,
        sha256=stored.sha256,
        table=table[0],
        table_reasons=table[1],
        options=stored.options.as_json() if stored.options else {},
        origin=stored.origin,
        replay_of=stored.replay_of,
        user_id_text=user.pk,
    )
    run = request_run(
        org,
        dag_id=INGEST,
        conf=ingest_conf(org, upload=upload, triggered_by=triggered_by),
        user_id=user.pk,
        source=triggered_by,
        idempotency_key=idempotency_key,
        content=content,
    )
    if Upload.objects.filter(run=run).exists():
        raise _Repeated(run)
    upload.run = run
    try:
        with transaction.atomic():
            upload.save(force_insert=True)
    except IntegrityError:
        raise FileIdTaken(f"There is a file {stored.file_id} already.") from None
    keep()
    return upload


def require_upload(org: OrgId, *, file_id: str, table: str) -> None:
    """Raises FileNotStored, and InvalidPayload where the file was uploaded for another table: its
    rows are landed there, or were refused there."""
    known = Upload.objects.filter(org_id=org, file_id=file_id).values_list("table", flat=True)
    if not known:
        raise FileNotStored(f"There is no file {file_id}.")
    if known[0] != table:
        said = f"The file {file_id} was uploaded for the table {known[0]}, not for {table}."
        raise InvalidPayload(
            said,
            errors={"table": [said]},
            next_step=f"Trigger it with `table`: {known[0]}. If its rows belong to {table}, upload"
            f" the file again with `table`: {table}.",
        )


def ingest_conf(org: OrgId, *, upload: Upload, triggered_by: str) -> dict[str, Any]:
    return {
        "org_id": str(org),
        "table": upload.table,
        "file_id": upload.file_id,
        "user_id": upload.user_id_text,
        "triggered_by": triggered_by,
    }


def _table_of(
    stored: StoredFile, storage: Storage, table: str | None, options: ParseOptions
) -> tuple[str, list[str]]:
    if stored.size == 0:
        raise EmptyFile(f"The file {stored.name} is empty.")
    wanted = parse_table_name(table) if table else None
    with storage.open(stored) as source:
        layout = open_file(source, name=stored.name, options=options).layout
    require_table(layout)
    left_out = file_remarks(layout.as_json(), rows_read=1)  # sheets; rows are not counted yet
    if wanted is not None:
        return wanted, ["named in the upload", *left_out]
    proposal = recognise([c.header for c in layout.columns], file_name=stored.name)
    return parse_table_name(proposal.table), [*proposal.reasons, *left_out]
