"""Writes of uploads that arrive in several requests; `tus` speaks the protocol.

Promises: memory does not grow with the file; what `offset` says is on disk, whatever is killed; one
request at a time writes to an upload; the complete file goes the way of every other upload.
"""

from __future__ import annotations

import hashlib
import secrets
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone

from backend.accounts.models import User
from backend.api.problems import of_error
from backend.files.errors import (
    ChecksumMismatch,
    EmptyFile,
    FileTooLarge,
    OffsetConflict,
    ResumableExpired,
    ResumableNotFound,
    UploadLocked,
)
from backend.files.models import ResumableUpload
from backend.files.services import accept_upload, new_file_id
from supplyline.contracts import OrgId, ParseOptions
from supplyline.errors import SupplylineError
from supplyline.incoming import CHUNK, Incoming, incoming
from supplyline.storage import Storage, safe_name
from supplyline.tenancy.names import parse_table_name

KEPT = timedelta(hours=24)
"""How long an upload waits for its next byte."""
SYNC_EVERY = 16 << 20
"""Bytes that a kill can cost at most: they are sent again."""

Read = Callable[[int], bytes]


class _Hashes:
    """SHA-256 of uploads so far, by (key, offset), of this process: a guess that saves reading.

    A miss costs one reading of the file at its end, so nothing depends on it.
    """

    def __init__(self, limit: int = 256) -> None:
        self._known: OrderedDict[str, tuple[int, Any]] = OrderedDict()
        self._limit, self._lock = limit, threading.Lock()

    def take(self, key: str, offset: int) -> Any | None:
        with self._lock:
            at, digest = self._known.pop(key, (0, None))
        if offset == 0:
            return hashlib.sha256()
        return digest if at == offset else None

    def keep(self, key: str, offset: int, digest: Any) -> None:
        with self._lock:
            self._known[key] = (offset, digest)
            while len(self._known) > self._limit:
                self._known.popitem(last=False)


_hashes = _Hashes()


@dataclass(frozen=True)
class Checksum:
    """What the client says of one request's bytes; `algorithm` as hashlib names it."""

    algorithm: str
    digest: bytes


def begin_upload(
    org: OrgId,
    *,
    user: User,
    name: str,
    size: int,
    table: str,
    options: ParseOptions,
    max_size: int,
    storage: Storage,
) -> ResumableUpload:
    """Raises EmptyFile, FileTooLarge, InvalidName. Old uploads that nobody finished are removed."""
    if size == 0:
        raise EmptyFile(f"The file {safe_name(name)} is empty.")
    if size > max_size:
        raise FileTooLarge(f"A file may have {max_size:,} bytes at most.")
    remove_expired(storage, now=timezone.now())
    return ResumableUpload.objects.create(
        key=secrets.token_hex(16),
        org_id=org,
        user_id_text=user.pk,
        file_id=new_file_id(),
        name=safe_name(name),
        table=parse_table_name(table) if table else "",
        options=options.as_json(),
        size=size,
        expires_at=timezone.now() + KEPT,
    )


def find_resumable(org: OrgId, key: str) -> ResumableUpload:
    """Raises ResumableNotFound, also for another organization's, and ResumableExpired."""
    row = ResumableUpload.objects.filter(org_id=org, key=key).select_related("upload__run").first()
    if row is None:
        raise ResumableNotFound(f"There is no upload {key[:40]}.")
    if row.state == ResumableUpload.State.OPEN and row.expires_at < timezone.now():
        raise ResumableExpired(f"The upload {key} has expired.")
    return row


def append(
    org: OrgId,
    *,
    key: str,
    offset: int,
    read: Read,
    length: int | None,
    checksum: Checksum | None,
    user: User,
    storage: Storage,
) -> ResumableUpload:
    """Takes one request's bytes, and accepts the file when they are the last ones.

    `read(n)` gives at most n bytes, b"" at the end or when the connection broke: what arrived is
    kept, but for bytes with a checksum, which are kept as a whole or not at all. Raises
    OffsetConflict, FileTooLarge, UploadLocked, ChecksumMismatch, and as `accept_upload` does.
    """
    find_resumable(org, key)  # before the lock: whether another's upload is busy is not told
    with _alone(key):
        row = find_resumable(org, key)
        if row.state != ResumableUpload.State.OPEN:
            raise OffsetConflict(
                f"The upload is complete with {row.size:,} bytes.",
                next_step="Send no further bytes; a GET of the upload says what became of it.",
            )
        if row.offset != offset:
            raise OffsetConflict(f"The upload is at {row.offset}, not at {offset}.")
        if length is not None and offset + length > row.size:
            raise FileTooLarge(
                f"The upload has {row.size:,} bytes, not more.",
                next_step="Send the bytes up to its Upload-Length, or begin another upload.",
            )
        place = _incoming(row, storage)
        place.begin(offset)
        digest = _hashes.take(key, offset)
        try:
            _receive(row, place, digest=digest, read=read, length=length, checksum=checksum)
        finally:
            place.close()
        return row if row.offset < row.size else _accept(row, place, digest, user, storage)


def _receive(
    row: ResumableUpload,
    place: Incoming,
    *,
    digest: Any | None,
    read: Read,
    length: int | None,
    checksum: Checksum | None,
) -> None:
    """Leaves `row.offset` at what is safe; at the whole size it is not recorded yet."""
    own = hashlib.new(checksum.algorithm, usedforsecurity=False) if checksum else None
    at = synced = row.offset
    limit = row.size if length is None else row.offset + length
    while at < limit:
        chunk = read(min(CHUNK, limit - at))
        if not chunk:
            break
        place.write(chunk)
        at += len(chunk)
        for one in (digest, own):
            if one is not None:
                one.update(chunk)
        if checksum is None and at - synced >= SYNC_EVERY and at < row.size:
            place.sync()
            synced = at
            _advance(row, at)
    if checksum is not None and own is not None and own.digest() != checksum.digest:
        raise ChecksumMismatch("The bytes do not have the checksum that was sent with them.")
    place.sync()
    if at < row.size:
        _advance(row, at)
        if digest is not None:
            _hashes.keep(row.key, at, digest)
    row.offset = at


def _advance(row: ResumableUpload, offset: int) -> None:
    row.offset, row.expires_at = offset, timezone.now() + KEPT
    row.save(update_fields=["offset", "expires_at"])


def _accept(
    row: ResumableUpload, place: Incoming, digest: Any | None, user: User, storage: Storage
) -> ResumableUpload:
    """The complete file becomes an upload; offset, upload and intent in one transaction."""
    if digest is None:
        digest = hashlib.sha256()
        for chunk in place.read():
            digest.update(chunk)
    stored = place.place(size=row.size, sha256=digest.hexdigest())
    try:
        with transaction.atomic():
            row.upload = accept_upload(
                OrgId(row.org_id),
                stored=stored,
                storage=storage,
                user=user,
                table=row.table or None,
                options=ParseOptions(**row.options),
            )
            row.state = ResumableUpload.State.DONE
            row.save(update_fields=["offset", "state", "upload"])
    except SupplylineError as error:
        if not error.transient:  # there is nothing to go on with
            storage.delete(OrgId(row.org_id), row.file_id)
            row.upload, row.state, row.problem = (
                None,
                ResumableUpload.State.REFUSED,
                of_error(error),
            )
            row.save(update_fields=["offset", "state", "upload", "problem"])
        raise
    return row


def terminate(org: OrgId, *, key: str, storage: Storage) -> None:
    """Gives an upload up. An accepted file stays."""
    find_resumable(org, key)
    with _alone(key):
        row = find_resumable(org, key)
        _incoming(row, storage).discard()
        row.delete()


def remove_expired(storage: Storage, *, now: datetime, limit: int = 20) -> int:
    """Removes uploads that nobody finished, and what had arrived of them; answers how many."""
    old = ResumableUpload.objects.filter(expires_at__lt=now)[:limit]
    for row in old:
        if row.state == ResumableUpload.State.OPEN:
            _incoming(row, storage).discard()
        row.delete()
    return len(old)


def _incoming(row: ResumableUpload, storage: Storage) -> Incoming:
    return incoming(storage, OrgId(row.org_id), key=row.key, file_id=row.file_id, name=row.name)


@contextmanager
def _alone(key: str) -> Iterator[None]:
    """One request at a time; PostgreSQL lets go when this process dies. Raises UploadLocked."""
    number = int(hashlib.sha256(key.encode()).hexdigest()[:15], 16)
    with connection.cursor() as cursor:
        cursor.execute("SELECT pg_try_advisory_lock(%s)", [number])
        if not (cursor.fetchone() or (False,))[0]:
            raise UploadLocked("Another request writes to this upload.")
    try:
        yield
    finally:
        with connection.cursor() as cursor:
            cursor.execute("SELECT pg_advisory_unlock(%s)", [number])
