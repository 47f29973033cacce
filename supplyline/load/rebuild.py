"""A table made again from landing, in one transaction: readers see the old table or the new one.

Audited (P9). Files whose loads were undone stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime

from psycopg import sql

from supplyline.audit import events
from supplyline.contracts import Certificate, Manifest, OrgId, RunRef, TableName
from supplyline.errors import FileNotLoaded, SchemaDrift
from supplyline.faults import reach
from supplyline.load import records
from supplyline.load.again import require_manifests, require_same_rows, standing_loads, times
from supplyline.load.exclusive import take_exclusively
from supplyline.load.pipeline import KeyCandidates, Stream, current, load_within, lock_table
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection


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
    left_out: dict[str, str] | None = None,
) -> list[Certificate]:
    """Makes the table again from the manifests that count, without the files that were undone.

    `key`: a new business key, () for none, None to keep it; with `key_candidates` one that was
    not configured is proposed anew. A file that was never loaded and cannot be stays out:
    `left_out` takes its id and why. Raises LandingDamaged when a loaded file's rows are not there
    as they were, and as `load_files` does; StaleWorker only for a run that claimed an attempt.
    """
    with conn.transaction():
        lock_table(conn, table)
        undone = records.undone_file_ids(conn, table)
        loaded = records.loaded_file_ids(conn, table)
        before = standing_loads(conn, table)
        require_manifests(table, before, manifests)
        known = {m.origin or m.file_id for m in manifests if m.file_id in loaded}
        refused: dict[str, str] = {}
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
        take_exclusively(conn, (table, f"{table}_history"))
        for name in (table, f"{table}_history"):
            conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("public", name)))
        records.forget(conn, table)
        reach("rebuild.dropped")
        certificates = []
        files = [m for m in current(manifests) if m.file_id not in undone]
        loaded_at = times([m.file_id for m in files], before, now=now())
        for m in files:
            accepted = (m.origin or m.file_id) in known
            try:
                with conn.transaction():
                    certificate = load_within(
                        org,
                        conn=conn,
                        manifest=m,
                        batches=stream(m),
                        run=run,
                        now=now(),
                        loaded_at=loaded_at[m.file_id],
                        key_candidates=key_candidates or (lambda _: ()),
                        accepted=accepted,
                    )
                    require_same_rows(certificate, before)
            except (SchemaDrift, FileNotLoaded) as error:
                if accepted or not error.reasons:
                    raise
                refused |= error.reasons
            else:
                certificates.append(certificate)
        records.check_claimed(conn, run)
        events.append(
            conn,
            org=org,
            kind="table.rebuilt",
            actor=run.user_id,
            subject=table,
            detail={"files": len(certificates), "left_out": sorted({*undone, *refused})},
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=now,
        )
        reach("rebuild.before_commit")
    reach("rebuild.after_commit")
    if left_out is not None:
        left_out.update(refused)
    return certificates
