"""Stored files that no record refers to: what a kill between storing and recording leaves.

At the level of `stages`. Promises: nothing is changed here; a file is left over only when storage,
landing and the organization's database were all asked, none of them nor the caller knows it, and
nothing of it was written for a day.
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta

from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.stages import open_landing
from supplyline.storage import Kept, Storage
from supplyline.tenancy.connections import session

YOUNG = timedelta(days=1)
"""An upload may be under way for so long: until then its file is nobody's business."""


@dataclass(frozen=True, kw_only=True)
class Leftovers:
    """`files`: of one organization, the oldest first; `young`: how many more may become some."""

    files: tuple[Kept, ...]
    young: int = 0


def leftovers(
    org: OrgId,
    *,
    known: Collection[str],
    settings: Settings,
    now: datetime,
    file_id: str | None = None,
) -> Leftovers:
    """`known`: file ids that the caller has records of, those too whose bytes another one reads;
    `file_id`: only this one is asked for.

    Raises the transient errors of every store, and OrganizationNotFound where there is no database
    to ask: then nothing is known to be left over.
    """
    kept = Storage(settings.storage_url).kept(org)
    unknown = [k for k in kept if k.file_id not in known and file_id in (None, k.file_id)]
    if not unknown:
        return Leftovers(files=())
    named = _named(org, settings)
    left = [k for k in unknown if k.file_id not in named]
    old = [k for k in left if now - k.written_at > YOUNG]
    return Leftovers(
        files=tuple(sorted(old, key=lambda k: (k.written_at, k.file_id))),
        young=len(left) - len(old),
    )


def _named(org: OrgId, settings: Settings) -> set[str]:
    """Every file id that landing or the database speaks of."""
    with open_landing(settings) as landing:
        out = {
            one for m in landing.manifests(org) for one in (m.file_id, m.origin, m.replay_of) if one
        }
    with session(org, settings=settings, application_name="supplyline leftovers") as conn:
        rows = conn.execute(
            "SELECT file_id FROM supplyline.loads UNION SELECT replay_of FROM supplyline.loads"
            " UNION SELECT by_file_id FROM supplyline.corrected_rows"
            " UNION SELECT file_id FROM supplyline.certificates"
        ).fetchall()
    return out | {one for (one,) in rows if one}
