"""Loads that are done again from landing: of the rows that they were of before, or not at all.

A rebuild and a replay give up what the table holds for what landing holds. Where landing has lost
a file, or some of its rows, the table is all that is left of them. They keep the time of each load,
so that the periods in the history stay those in which its versions were valid.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from supplyline.contracts import Certificate, Drift, Manifest, TableName
from supplyline.errors import LandingDamaged
from supplyline.tenancy.connections import Connection


@dataclass(frozen=True, kw_only=True)
class Before:
    """A load that stands. `checksum`: of the rows that it was given; '' if not known. `whole`: of
    those that the file was read to, where landing may have lost some before. `policy`: the table's
    policy when the file was loaded."""

    checksum: str
    whole: str = ""
    loaded_at: datetime
    policy: Drift = "evolve"


def standing_loads(conn: Connection, table: TableName) -> dict[str, Before]:
    """By file id, in the order of loads.

    Receipts of before the policy was kept say none: the settings of their time do.
    """
    rows = conn.execute(
        "SELECT l.file_id, coalesce(c.body ->> 'checksum_landing', ''),"
        " coalesce(c.body ->> 'checksum_file', ''), l.loaded_at,"
        " coalesce(l.shape ->> 'policy', (SELECT s.settings ->> 'drift'"
        " FROM supplyline.table_settings s WHERE s.table_name = l.table_name"
        " AND s.saved_at <= l.loaded_at ORDER BY s.version DESC LIMIT 1), 'evolve')"
        " FROM supplyline.loads l LEFT JOIN supplyline.certificates c USING (load_id)"
        " WHERE l.table_name = %s AND l.undone_at IS NULL ORDER BY l.ordinal",
        (table,),
    ).fetchall()
    return {
        f: Before(checksum=checksum, whole=whole, loaded_at=at, policy=policy)
        for f, checksum, whole, at, policy in rows
    }


def times(
    files: Sequence[str], before: Mapping[str, Before], *, now: datetime
) -> dict[str, datetime]:
    """File id → the time of its load, never before that of the file in front of it.

    A file that was not loaded before came with the one behind it, or comes now.
    """
    out, following = {}, now
    for one in reversed(files):
        following = before[one].loaded_at if one in before else following
        out[one] = following
    latest = min(out.values(), default=now)
    for one in files:
        latest = out[one] = max(latest, out[one])
    return out


def require_manifests(
    table: TableName, loaded: Iterable[str], manifests: Iterable[Manifest]
) -> None:
    """Raises LandingDamaged when landing does not know a loaded file as one of its table."""
    known = {m.file_id for m in manifests if m.state == "closed"}
    if gone := [one for one in loaded if one not in known]:
        raise LandingDamaged(
            f"Landing has no manifest of {', '.join(gone)}, whose rows {table} holds: nothing was"
            " changed.",
            next_step="Restore MongoDB from its backup, or ingest those files again from storage"
            " (`manage.py manage_enhanced_pipeline trigger-ingest`), then repeat this.",
        )


def require_same_rows(certificate: Certificate, before: Mapping[str, Before]) -> None:
    """Raises LandingDamaged when the file was loaded again of other rows than `before`.

    All of the file's rows, of which some had been lost then, are no others.
    """
    was = before.get(certificate.file_id)
    if was and was.checksum and certificate.checksum_landing not in (was.checksum, was.whole):
        raise LandingDamaged(
            f"What there is of {certificate.file_id} today are not the rows that"
            f" {certificate.table} was made from: nothing was changed.",
            file_id=certificate.file_id,
        )
