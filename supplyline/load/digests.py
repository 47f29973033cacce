"""What the event of a load carries of its certificate, its receipt and its file's manifest."""

from __future__ import annotations

import hashlib

from supplyline.audit.events import canonical
from supplyline.contracts import Json, Manifest, TableName
from supplyline.tenancy.connections import Connection


def certificate_digest(body: Json) -> str:
    """SHA-256 of a certificate's canonical JSON, as its audit event carries it.

    Without `landing_released_at`, which is the only thing that is said later.
    """
    said = {name: value for name, value in body.items() if name != "landing_released_at"}
    return hashlib.sha256(canonical(said).encode("ascii")).hexdigest()


_OF_MANIFEST = (
    "org", "file_id", "name", "sha256", "file_key", "sequence", "layout", "options", "rows_read",
    "landed", "quarantined", "duplicate", "checksum", "checksum_quarantine", "origin", "replay_of",
    "asked",
)  # fmt: skip
"""What a load takes from a manifest, and what says where its rows came from."""


def manifest_digest(manifest: Manifest) -> str:
    """SHA-256 of what does not change of a manifest once its file is landed."""
    said = {name: getattr(manifest, name) for name in _OF_MANIFEST}
    return hashlib.sha256(canonical(said).encode("ascii")).hexdigest()


def receipt_digests(
    conn: Connection, *, table: TableName | None = None, load_id: str | None = None
) -> dict[str, str]:
    """Load → SHA-256 of what does not change of its receipt and of the columns beside its
    certificate."""
    rows = conn.execute(
        "SELECT l.load_id, json_build_array(l.table_name, l.file_id, l.file_name, l.file_key,"
        " l.sequence, l.run_id, l.rows_in, l.columns, l.shape, l.replay_of,"
        " (extract(epoch FROM l.loaded_at) * 1000000)::bigint, c.table_name, c.file_id, c.run_id,"
        " (extract(epoch FROM c.issued_at) * 1000000)::bigint)::text"
        " FROM supplyline.loads l LEFT JOIN supplyline.certificates c USING (load_id)"
        " WHERE (%(t)s::text IS NULL OR l.table_name = %(t)s)"
        " AND (%(l)s::text IS NULL OR l.load_id = %(l)s)",
        {"t": table, "l": load_id},
    )
    return {load: hashlib.sha256(said.encode()).hexdigest() for load, said in rows}
