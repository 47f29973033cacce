"""Loads that are done again from landing: of the rows that they were of before, or not at all.

A rebuild and a replay give up what the table holds for what landing holds. Where landing has lost
a file, or some of its rows, the table is all that is left of them.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from supplyline.contracts import Certificate, Manifest, TableName
from supplyline.errors import LandingDamaged
from supplyline.tenancy.connections import Connection


def standing_checksums(conn: Connection, table: TableName) -> dict[str, str]:
    """File id → checksum of the rows that its load, which stands, was given; '' if not known."""
    rows = conn.execute(
        "SELECT l.file_id, coalesce(c.body ->> 'checksum_landing', '') FROM supplyline.loads l"
        " LEFT JOIN supplyline.certificates c USING (load_id)"
        " WHERE l.table_name = %s AND l.undone_at IS NULL ORDER BY l.ordinal",
        (table,),
    ).fetchall()
    return dict(rows)


def require_manifests(
    table: TableName, loaded: Iterable[str], manifests: Iterable[Manifest]
) -> None:
    """Raises LandingDamaged when landing does not know a loaded file as one of its table."""
    known = {m.file_id for m in manifests if m.state == "closed"}
    if gone := [one for one in loaded if one not in known]:
        raise LandingDamaged(
            f"Landing has no manifest of {', '.join(gone)}, whose rows {table} holds: nothing was"
            " changed."
        )


def require_same_rows(certificate: Certificate, before: Mapping[str, str]) -> None:
    """Raises LandingDamaged when the file was loaded again of other rows than `before`."""
    was = before.get(certificate.file_id)
    if was and was != certificate.checksum_landing:
        raise LandingDamaged(
            f"What there is of {certificate.file_id} today are not the rows that"
            f" {certificate.table} was made from: nothing was changed.",
            file_id=certificate.file_id,
        )
