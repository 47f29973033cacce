"""Receipts, certificates and attempts of loads, in the organization's own database."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import Any

from psycopg import sql

from supplyline.contracts import Certificate, Json, Manifest, RunRef, TableName
from supplyline.errors import StaleWorker
from supplyline.load import corrected
from supplyline.load.counted import AWAITED, IN_QUARANTINE, MISFITS, NO_KEY
from supplyline.tenancy.connections import Connection


def claim_attempt(conn: Connection, run: RunRef) -> None:
    """Makes this attempt the one that may publish for its run; commit before working (P6).

    The session of an older attempt is ended: frozen, it would hold the table's lock for ever.
    """
    conn.execute(
        "SELECT pg_terminate_backend(s.pid) FROM supplyline.load_attempts a JOIN pg_stat_activity s"
        " ON s.pid = a.pid AND s.backend_start = a.backend_start AND s.usename = current_user"
        " WHERE a.run_id = %s AND a.attempt < %s AND s.pid <> pg_backend_pid()",
        (run.run_id, run.attempt),
    )
    conn.execute(
        "INSERT INTO supplyline.load_attempts (run_id, attempt, pid, backend_start)"
        " SELECT %s, %s, pid, backend_start FROM pg_stat_activity WHERE pid = pg_backend_pid()"
        " ON CONFLICT (run_id) DO UPDATE SET attempt = excluded.attempt, pid = excluded.pid,"
        " backend_start = excluded.backend_start WHERE load_attempts.attempt <= excluded.attempt",
        (run.run_id, run.attempt),
    )


def check_attempt(conn: Connection, run: RunRef) -> None:
    """Inside the publishing transaction: refuses a worker that another attempt has replaced."""
    row = conn.execute(
        "SELECT attempt FROM supplyline.load_attempts WHERE run_id = %s FOR UPDATE", (run.run_id,)
    ).fetchone()
    if row is None or row[0] != run.attempt:
        raise StaleWorker(
            f"Attempt {run.attempt} of {run.run_id} was replaced by attempt {row and row[0]}.",
            run_id=run.run_id,
        )


def check_claimed(conn: Connection, run: RunRef) -> None:
    """As `check_attempt`, for work that may also be done by hand, without a claim."""
    claimed = conn.execute(
        "SELECT FROM supplyline.load_attempts WHERE run_id = %s", (run.run_id,)
    ).fetchone()
    if claimed is not None:
        check_attempt(conn, run)


def has_receipt(conn: Connection, file_id: str) -> bool:
    row = conn.execute("SELECT 1 FROM supplyline.loads WHERE file_id = %s", (file_id,)).fetchone()
    return row is not None


def loaded_file_ids(conn: Connection, table: TableName) -> set[str]:
    rows = conn.execute(
        "SELECT file_id FROM supplyline.loads WHERE table_name = %s", (table,)
    ).fetchall()
    return {r[0] for r in rows}


def has_later(conn: Connection, table: TableName, *, sequence: int) -> bool:
    """Whether a load of a file behind this place in the order of files stands."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.loads WHERE table_name = %s AND sequence > %s"
        " AND undone_at IS NULL)",
        (table, sequence),
    ).fetchone()
    return bool(row and row[0])


def has_superseded(conn: Connection, table: TableName) -> bool:
    """Whether a file of the table had rows whose key came again: more such files are to be
    expected."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.certificates WHERE table_name = %s"
        " AND (body ->> 'superseded')::bigint > 0)",
        (table,),
    ).fetchone()
    return bool(row and row[0])


def undone_file_ids(conn: Connection, table: TableName) -> set[str]:
    rows = conn.execute(
        "SELECT file_id FROM supplyline.loads WHERE table_name = %s AND undone_at IS NOT NULL",
        (table,),
    ).fetchall()
    return {r[0] for r in rows}


def loads_lacking(conn: Connection, table: TableName, columns: list[str]) -> list[str]:
    """Loads of files that had not all of these columns."""
    rows = conn.execute(
        "SELECT load_id FROM supplyline.loads WHERE table_name = %s AND NOT columns @> %s",
        (table, columns),
    ).fetchall()
    return [r[0] for r in rows]


def later_loads(conn: Connection, table: TableName, sequence: int) -> list[tuple[str, list[str]]]:
    """Name and columns of the loads that stand of files behind this place in their order."""
    return conn.execute(
        "SELECT file_name, columns FROM supplyline.loads WHERE table_name = %s AND sequence > %s"
        " AND undone_at IS NULL AND columns IS NOT NULL",
        (table, sequence),
    ).fetchall()


def loads_since(conn: Connection, table: TableName, file_id: str) -> list[tuple[str, str]]:
    """Load and file id of the file's load and of all later ones that stand, the newest first."""
    return conn.execute(
        "SELECT load_id, file_id FROM supplyline.loads WHERE table_name = %(t)s"
        " AND undone_at IS NULL AND ordinal >= (SELECT ordinal FROM supplyline.loads"
        " WHERE file_id = %(f)s AND table_name = %(t)s AND undone_at IS NULL)"
        " ORDER BY ordinal DESC",
        {"t": table, "f": file_id},
    ).fetchall()


def mark_undone(conn: Connection, load_id: str, now: datetime) -> None:
    conn.execute("UPDATE supplyline.loads SET undone_at = %s WHERE load_id = %s", (now, load_id))


def mark_released(conn: Connection, file_id: str, now: datetime) -> None:
    """The receipt and the certificate say when the landed rows were released."""
    conn.execute("UPDATE supplyline.loads SET released_at = %s WHERE file_id = %s", (now, file_id))
    conn.execute(
        "UPDATE supplyline.certificates SET body = body || jsonb_build_object("
        "'landing_released_at', %s::text) WHERE file_id = %s",
        (now.isoformat(), file_id),
    )


def is_undone(conn: Connection, file_id: str) -> bool:
    row = conn.execute(
        "SELECT undone_at IS NOT NULL FROM supplyline.loads WHERE file_id = %s", (file_id,)
    ).fetchone()
    return bool(row and row[0])


def forget_load(conn: Connection, file_id: str) -> None:
    """Removes the receipt of a file that is about to be loaded again in the same transaction."""
    loads = "SELECT load_id FROM supplyline.loads WHERE file_id = %s"
    for dependent in ("rejected_rows", "certificates"):
        conn.execute(
            f"DELETE FROM supplyline.{dependent} WHERE load_id IN ({loads})".encode(),  # noqa: S608 - two names of ours
            (file_id,),
        )
    conn.execute("DELETE FROM supplyline.loads WHERE file_id = %s", (file_id,))


def shape(conn: Connection, load_id: str) -> Json:
    """What the load did to its table's columns; {} for loads of before this was kept."""
    row = conn.execute(
        "SELECT shape FROM supplyline.loads WHERE load_id = %s", (load_id,)
    ).fetchone()
    return (row and row[0]) or {}


def forget(conn: Connection, table: TableName) -> None:
    """Removes the receipts of a table that is about to be rebuilt, except of undone loads."""
    loads = "SELECT load_id FROM supplyline.loads WHERE table_name = %s AND undone_at IS NULL"
    for dependent in ("rejected_rows", "certificates"):
        conn.execute(
            f"DELETE FROM supplyline.{dependent} WHERE load_id IN ({loads})".encode(),  # noqa: S608 - two names of ours
            (table,),
        )
    conn.execute(
        "DELETE FROM supplyline.loads WHERE table_name = %s AND undone_at IS NULL", (table,)
    )
    conn.execute("DELETE FROM supplyline.column_types WHERE table_name = %s", (table,))


def save(
    conn: Connection,
    certificate: Certificate,
    *,
    manifest: Manifest,
    shape: Json,
    loaded_at: datetime,
    now: datetime,
) -> None:
    """The receipt and the certificate, in the publishing transaction.

    `shape`: what the load did to the columns of its table (`schema.Plan.shape`); `loaded_at`: when
    the file was loaded first.
    """
    conn.execute(
        "INSERT INTO supplyline.loads (load_id, table_name, file_id, file_name, file_key, sequence,"
        " run_id, rows_in, loaded_at, columns, shape, replay_of, released_at)"
        " VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)",
        (
            certificate.load_id, certificate.table, certificate.file_id, certificate.file_name,
            manifest.file_key, manifest.sequence, certificate.run_id,
            certificate.landed + certificate.duplicate, loaded_at,
            manifest.columns, json.dumps(shape),
            manifest.replay_of or None, manifest.released_at or None,
        ),
    )  # fmt: skip
    conn.execute(
        "INSERT INTO supplyline.certificates (load_id, table_name, file_id, run_id, verdict, body,"
        " issued_at) VALUES (%s, %s, %s, %s, %s, %s, %s)",
        (
            certificate.load_id, certificate.table, certificate.file_id, certificate.run_id,
            certificate.verdict, json.dumps(certificate.as_json()), now,
        ),
    )  # fmt: skip


def complete(conn: Connection, certificate: Certificate) -> None:
    """Puts the judged certificate in the place of the draft, in the same transaction."""
    conn.execute(
        "UPDATE supplyline.certificates SET verdict = %s, body = %s WHERE load_id = %s",
        (certificate.verdict, json.dumps(certificate.as_json()), certificate.load_id),
    )


def certificates(
    conn: Connection,
    *,
    table: str | None = None,
    file_id: str | None = None,
    run_id: str | None = None,
    limit: int = 100,
    offset: int = 0,
) -> list[Certificate]:
    """Certificates, newest first."""
    query = sql.SQL(
        "SELECT c.body, (SELECT coalesce(sum(r.rows_in - (SELECT count(*) FROM"
        " supplyline.rejected_rows x WHERE x.load_id = r.load_id)), 0) FROM supplyline.loads r"
        " JOIN supplyline.loads o ON o.file_id = r.replay_of"
        " WHERE o.file_key = l.file_key AND r.undone_at IS NULL),"
        " {corrected}"
        " FROM supplyline.certificates c JOIN supplyline.loads l USING (load_id)"
        " WHERE (%(t)s::text IS NULL OR c.table_name = %(t)s)"
        " AND (%(f)s::text IS NULL OR c.file_id = %(f)s)"
        " AND (%(r)s::text IS NULL OR c.run_id = %(r)s)"
        " ORDER BY c.issued_at DESC, c.load_id LIMIT %(n)s OFFSET %(o)s"
    ).format(corrected=corrected.BY_CODE)
    given = {"t": table, "f": file_id, "r": run_id, "n": limit, "o": offset}
    rows = conn.execute(query, given).fetchall()
    return [
        closed(_from_json(body), quarantined=int(all_) - sum(rejected.values()), rejected=rejected)
        for body, all_, rejected in rows
    ]


_SET_ASIDE = {
    MISFITS: (corrected.WRONG_KIND, corrected.NO_COLUMN),
    NO_KEY: (corrected.EMPTY_KEY,),
    AWAITED: (corrected.CORRECTED,),
}


def closed(
    certificate: Certificate, *, quarantined: int, rejected: Mapping[str, int]
) -> Certificate:
    """The certificate with what was corrected since: of the rows in quarantine, and of those that
    the load set aside, by code.

    Counted anew each time, so that undoing a replay opens it again.
    """
    replayed = quarantined + sum(rejected.values())
    if not replayed:
        return certificate
    done = {IN_QUARANTINE: quarantined} | {
        sentence: sum(rejected.get(code, 0) for code in codes)
        for sentence, codes in _SET_ASIDE.items()
    }
    differences = []
    for difference in certificate.differences:
        known = next((s for s in done if s.read(difference)), None)
        count, rest = (known and known.read(difference)) or (0, "")
        if known is None:
            differences.append(difference)
        elif count > done[known]:
            differences.append(known.of(count - done[known], rest))
    return replace(
        certificate,
        replayed=replayed,
        differences=tuple(differences),
        verdict="partial" if differences else "success",
    )


def _from_json(body: dict[str, Any]) -> Certificate:
    known = {k: v for k, v in body.items() if k in Certificate.__dataclass_fields__}
    for name in ("differences", "remarks"):
        known[name] = tuple(known.get(name, ()))
    issued = known.get("issued_at")
    known["issued_at"] = datetime.fromisoformat(issued) if issued else None
    return Certificate(**known)
