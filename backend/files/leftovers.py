"""Stored files that were never accepted, because the process was killed before it recorded them.

Nobody was told that such a file was accepted: whoever sent it got no answer and sent it again.
Promises: what any record refers to, and what is younger than a day, stays; an upload that takes the
same file id meanwhile waits, or keeps the file.
"""

from __future__ import annotations

import logging
from dataclasses import asdict
from datetime import datetime

from django.db import IntegrityError, transaction
from django.db.models import Q

from backend.files.models import ResumableUpload, Upload
from supplyline.contracts import Json, OrgId
from supplyline.leftovers import leftovers
from supplyline.settings import Settings
from supplyline.storage import Kept, Storage

log = logging.getLogger(__name__)


def find_leftovers(org: OrgId, *, settings: Settings, now: datetime) -> Json:
    """`{org_id, files: [{file_id, name, size, written_at}], young}`; see `supplyline.leftovers`."""
    found = leftovers(org, known=_known(org), settings=settings, now=now)
    return {"org_id": str(org), "files": [_told(k) for k in found.files], "young": found.young}


def remove_leftovers(org: OrgId, *, settings: Settings, now: datetime) -> Json:
    """As `find_leftovers`, with `removed`: the ids of the files that are gone."""
    found = leftovers(org, known=_known(org), settings=settings, now=now)
    removed = [k.file_id for k in found.files if _remove(org, k, settings=settings, now=now)]
    for file_id in removed:
        log.info("a stored file that no record refers to is removed: %s/%s", org, file_id)
    return {
        "org_id": str(org),
        "files": [_told(k) for k in found.files if k.file_id not in removed],
        "young": found.young,
        "removed": removed,
    }


def _remove(org: OrgId, kept: Kept, *, settings: Settings, now: datetime) -> bool:
    """Removes one, while its id is held against every upload; False when it is in use by now."""
    with transaction.atomic():
        held = Upload(org_id=org, file_id=kept.file_id, size=0, user_id_text="")
        try:
            with transaction.atomic():
                held.save(force_insert=True)
        except IntegrityError:
            return False
        known = _known(org, without=held.pk)
        if leftovers(org, known=known, settings=settings, now=now, file_id=kept.file_id).files:
            Storage(settings.storage_url).delete(org, kept.file_id)
            gone = True
        else:
            gone = False
        transaction.set_rollback(True)  # the row was there to hold the id
    return gone


def _known(org: OrgId, *, without: int | None = None) -> set[str]:
    """File ids that the control database speaks of."""
    uploads = Upload.objects.filter(org_id=org).exclude(Q(pk=without))
    known = {one for row in uploads.values_list("file_id", "origin", "replay_of") for one in row}
    begun = ResumableUpload.objects.filter(org_id=org).values_list("file_id", flat=True)
    return (known | set(begun)) - {""}


def _told(kept: Kept) -> Json:
    return asdict(kept) | {"written_at": kept.written_at.isoformat()}
