"""What can be done about loads after they were published: verify, undo, rebuild.

Promises: `verify` changes nothing. `undo` gives back exactly the rows, values and history that were
there before the load; it takes back the newest load of a table only, so that nothing later rests on
what goes away. `rebuild` makes the table again from landing in one transaction, so that readers see
the old table or the new one. Undo and rebuild are audited (P9).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql

from supplyline.audit import events
from supplyline.checksums import Checksum
from supplyline.contracts import Certificate, Json, Manifest, OrgId, RunRef, TableName
from supplyline.errors import LoadNotFound, UndoRefused
from supplyline.load import merge, records, types
from supplyline.load.pipeline import (
    KeyCandidates,
    Stream,
    actual_key,
    current,
    load_within,
    lock_table,
)
from supplyline.load.quarantine import leave_out_misfits, leave_out_rejected
from supplyline.load.schema import HIDDEN
from supplyline.load.staging import stage
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection

AS_OF = "supplyline_as_of"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """`certificate` as it was issued; `differences`: what the stores say otherwise today."""

    certificate: Certificate
    differences: tuple[str, ...]
    checksum_landing: str
    checksum_table: str

    def as_json(self) -> Json:
        return {
            "table": self.certificate.table,
            "file_id": self.certificate.file_id,
            "load_id": self.certificate.load_id,
            "holds": not self.differences,
            "differences": list(self.differences),
            "checksum_file": self.certificate.checksum_file,
            "checksum_landing": self.checksum_landing,
            "checksum_table": self.checksum_table,
        }


def verify(conn: Connection, *, manifest: Manifest, stream: Stream) -> Verification:
    """Recomputes a file's certificate from MongoDB and PostgreSQL. Raises LoadNotFound.

    The file's rows are compared with the versions that were current right after its load, wherever
    these are now: in the table or in its history.
    """
    found = records.certificates(conn, file_id=manifest.file_id, limit=1)
    if not found or records.is_undone(conn, manifest.file_id):
        raise LoadNotFound(f"The file {manifest.file_id} is not loaded.", file_id=manifest.file_id)
    certificate, out = found[0], []
    columns = [c["name"] for c in manifest.layout["columns"]]
    with conn.transaction(force_rollback=True):
        landed = stage(conn, columns=columns, batches=stream(manifest))
        known = types.remembered(conn, manifest.table)
        barred = records.shape(conn, certificate.load_id).get("barred", [])
        target = merge.Target(
            table=manifest.table,
            types={c: known[c] for c in columns if c not in barred},
            barred=tuple(barred),
            key=actual_key(conn, manifest.table),
            file_key=manifest.file_key,
            sequence=manifest.sequence,
            load_id=certificate.load_id,
            relation=AS_OF,
        )
        _as_of(conn, target)
        aside = leave_out_rejected(conn, load_id=certificate.load_id, columns=columns)
        try:
            with conn.transaction():
                fates = merge.classify_only(conn, target)
        except psycopg.DataError:  # the landed text was changed into one that has no such value
            aside += leave_out_misfits(conn, target.types)
            fates = merge.classify_only(conn, target)
        rows, high, low = merge.checksum_parts(conn, target)
    in_table = Checksum.over(columns).merged(rows=rows, high=high, low=low).text
    expected = certificate.landed + certificate.duplicate
    if landed.rows != expected:
        out.append(f"landing holds {landed.rows} rows of the file, not {expected}")
    if landed.text != certificate.checksum_file:
        out.append("the rows in MongoDB are not the rows of the file (checksum)")
    if aside + fates.rejected != certificate.rejected:
        out.append(f"{aside + fates.rejected} rows were set aside, not {certificate.rejected}")
    # A row that a later file had already replaced when this one was loaded has no version of it.
    late = certificate.superseded - fates.superseded
    if fates.inserted > late:
        out.append(f"{fates.inserted - late} rows are neither in the table nor in its history")
    if fates.updated:
        out.append(f"{fates.updated} rows were changed without a load")
    if not certificate.rejected and not late and in_table != landed.text and not out:
        out.append("the rows in PostgreSQL are not the rows of MongoDB (checksum)")
    return Verification(
        certificate=certificate,
        differences=tuple(out),
        checksum_landing=landed.text,
        checksum_table=in_table,
    )


def _as_of(conn: Connection, target: merge.Target) -> None:
    """A temporary table of every row's version right after the file with `target.sequence`."""
    names = sql.SQL(", ").join(
        map(sql.Identifier, [*types.remembered(conn, target.table), *HIDDEN])
    )
    identity = sql.SQL(", ").join(map(sql.Identifier, target.key or ("_file", "_row")))
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE {a} ON COMMIT DROP AS SELECT DISTINCT ON ({i}) * FROM"
            " (SELECT {n} FROM {t} UNION ALL SELECT {n} FROM {h}) v WHERE _seq <= {s}"
            " ORDER BY {i}, _seq DESC"
        ).format(
            a=sql.Identifier(AS_OF),
            i=identity,
            n=names,
            t=sql.Identifier("public", target.table),
            h=target.history,
            s=sql.Literal(target.sequence),
        )
    )


def undo(
    org: OrgId, *, conn: Connection, table: TableName, file_id: str, run: RunRef, now: datetime
) -> Json:
    """Takes back the newest load of a table. Raises LoadNotFound, UndoRefused.

    The file keeps its receipt, marked as undone: it is not loaded again by itself.
    """
    with conn.transaction():
        lock_table(conn, table)
        newest = conn.execute(
            "SELECT load_id, file_id FROM supplyline.loads WHERE table_name = %s"
            " AND undone_at IS NULL ORDER BY loaded_at DESC, sequence DESC LIMIT 1",
            (table,),
        ).fetchone()
        if newest is None or not records.has_receipt(conn, file_id):
            raise LoadNotFound(f"No load of the file {file_id} into {table} can be undone.")
        if newest[1] != file_id:
            raise UndoRefused(
                f"The file {file_id} is not the newest load of {table}; {newest[1]} is.",
                next_step=f"Undo {newest[1]} first, or rebuild the table without the file.",
                file_id=file_id,
            )
        counts = _take_back(conn, table, newest[0], now)
        events.append(
            conn,
            org=org,
            kind="load.undone",
            actor=run.user_id,
            subject=table,
            detail={"file_id": file_id, "load_id": newest[0], **counts},
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=lambda: now,
        )
    return {"table": table, "file_id": file_id, **counts}


def _take_back(conn: Connection, table: TableName, load_id: str, now: datetime) -> Json:
    current, history = sql.Identifier("public", table), sql.Identifier("public", f"{table}_history")
    names = sql.SQL(", ").join(map(sql.Identifier, [*types.remembered(conn, table), *HIDDEN]))
    removed = conn.execute(
        sql.SQL("DELETE FROM {} WHERE _load = {}").format(current, sql.Literal(load_id))
    ).rowcount
    restored = conn.execute(
        sql.SQL(
            "WITH back AS (DELETE FROM {h} WHERE _replaced_by = {l} RETURNING {n})"
            " INSERT INTO {t} ({n}) SELECT {n} FROM back"
        ).format(h=history, l=sql.Literal(load_id), n=names, t=current)
    ).rowcount
    conn.execute("UPDATE supplyline.loads SET undone_at = %s WHERE load_id = %s", (now, load_id))
    return {"removed": removed, "restored": restored}


def rebuild(
    org: OrgId,
    *,
    conn: Connection,
    table: TableName,
    manifests: Sequence[Manifest],
    stream: Stream,
    run: RunRef,
    now: Callable[[], datetime],
    key: tuple[str, ...] | None = None,
    key_candidates: KeyCandidates | None = None,
) -> list[Certificate]:
    """Makes the table again from the manifests that count, without the files that were undone.

    `key`: a new business key, () for none, None to keep it; with `key_candidates` one that was
    not configured is proposed anew. Raises as `load_files` does; StaleWorker only for a run that
    claimed an attempt.
    """
    with conn.transaction():
        lock_table(conn, table)
        undone = records.undone_file_ids(conn, table)
        if key is not None:
            settings = table_settings(conn, table)
            save_table_settings(
                conn,
                replace(settings, key=key, key_source="configured" if key else "none"),
                actor=run.user_id,
                run_id=run.run_id,
                now=now,
            )
        elif key_candidates is not None:
            settings = table_settings(conn, table)
            if settings.key_source != "configured":
                fresh = replace(settings, key=None, key_source="")
                save_table_settings(conn, fresh, actor="supplyline", run_id=run.run_id, now=now)
        for name in (table, f"{table}_history"):
            conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("public", name)))
        records.forget(conn, table)
        certificates = [
            load_within(
                org,
                conn=conn,
                manifest=m,
                batches=stream(m),
                run=run,
                now=now(),
                key_candidates=key_candidates or (lambda _: ()),
            )
            for m in current(manifests)
            if m.file_id not in undone
        ]
        records.check_claimed(conn, run)
        events.append(
            conn,
            org=org,
            kind="table.rebuilt",
            actor=run.user_id,
            subject=table,
            detail={"files": len(certificates), "left_out": sorted(undone)},
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=now,
        )
    return certificates
