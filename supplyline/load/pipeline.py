"""One file after the other: stage, decide, publish, certify; each file in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from datetime import datetime

import pyarrow as pa

from supplyline.audit import events
from supplyline.contracts import Certificate, Drift, Manifest, OrgId, RunRef, TableName
from supplyline.errors import DatabaseUnavailable, FileNotLoaded, SchemaDrift
from supplyline.faults import reach
from supplyline.load import records
from supplyline.load.ahead import ahead
from supplyline.load.digests import certificate_digest, manifest_digest, receipt_digests
from supplyline.load.file_load import FileLoad, KeyCandidates
from supplyline.load.form import require_whole
from supplyline.load.order import OutOfOrder, confirmed_later, late, newest_load
from supplyline.load.own_fault import own_fault
from supplyline.tenancy.connections import Connection

Stream = Callable[[Manifest], Iterator[pa.RecordBatch]]


def load_files(
    org: OrgId,
    *,
    conn: Connection,
    table: TableName,
    manifests: Sequence[Manifest],
    stream: Stream,
    run: RunRef,
    now: Callable[[], datetime],
    key_candidates: KeyCandidates = lambda _: (),
) -> list[Certificate]:
    """Loads each manifest's rows and answers the certificates of the files loaded by this call.

    `stream` gives a manifest's rows (see `contracts`); `key_candidates` names, for the columns of
    a new table, business keys worth testing. A file that cannot be loaded keeps no other from it:
    its error is raised at the end. Raises StaleWorker, SchemaDrift, FileNotLoaded,
    DatabaseUnavailable; OutOfOrder at once, before a file that the table must be rebuilt for.
    """
    records.claim_attempt(conn, run)
    conn.commit()
    out, drifts, refused, reasons = [], [], {}, {}
    for manifest in manifests:
        try:
            with conn.transaction():
                lock_table(conn, table)
                if records.has_receipt(conn, manifest.file_id):
                    continue
                _require_in_place(conn, manifest)
                certificate = load_within(
                    org,
                    conn=conn,
                    manifest=manifest,
                    batches=stream(manifest),
                    run=run,
                    now=now(),
                    key_candidates=key_candidates,
                )
                if certificate.updated and confirmed_later(conn, table, sequence=manifest.sequence):
                    raise OutOfOrder(manifest.file_id)
                records.check_attempt(conn, run)
                reach("load.before_commit")
        except SchemaDrift as error:
            drifts.append(error)
            refused.update(error.reasons)
            continue
        except FileNotLoaded as error:
            reasons.update(error.reasons)
            continue
        reach("load.after_commit")
        out.append(certificate)
    if reasons:
        reasons |= refused
        raise FileNotLoaded(" ".join(reasons.values()), reasons=reasons)
    if drifts:
        drifts[0].reasons = refused
        raise drifts[0]
    return out


def _require_in_place(conn: Connection, manifest: Manifest) -> None:
    """Whoever called has seen that the file is not late; another load may have come between."""
    if late(conn, table=manifest.table, manifests=[manifest]):
        raise DatabaseUnavailable(
            f"A file behind {manifest.name} was loaded meanwhile.",
            next_step="Try again: the table is then made in the order of its files.",
        )


def lock_table(conn: Connection, table: TableName) -> None:
    """Loads of one table take turns, also the very first two."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('load:' || %s, 0))", (table,))


def load_within(
    org: OrgId,
    *,
    conn: Connection,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    run: RunRef,
    now: datetime,
    key_candidates: KeyCandidates = lambda _: (),
    loaded_at: datetime | None = None,
    accepted: Drift | None = None,
) -> Certificate:
    """Loads one file inside the caller's transaction, which holds the table's lock.

    `accepted`: the policy under which the file was loaded before; no stricter one refuses it now.
    `loaded_at`: when that was: its versions are valid since then. Else since `now`, or since the
    newest load, if the clock went back: no version ends before it began.
    """
    # A few large sorts and joins; compiling them takes longer than it saves.
    tuned = (
        "SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true),"
        " set_config('maintenance_work_mem', '128MB', true)"
    )
    with own_fault(manifest) as fault, ahead(batches) as read:
        conn.execute(tuned)
        require_whole(conn, manifest.table)
        certificate = FileLoad(
            conn,
            manifest=manifest,
            batches=fault.watched(read),
            run=run,
            now=now,
            loaded_at=loaded_at or max([now, *newest_load(conn, manifest.table)]),
            accepted=accepted,
        ).publish(key_candidates)
        _finish(org, conn=conn, certificate=certificate, manifest=manifest, run=run, now=now)
    return certificate


def _finish(
    org: OrgId,
    *,
    conn: Connection,
    certificate: Certificate,
    manifest: Manifest,
    run: RunRef,
    now: datetime,
) -> None:
    load_id = certificate.load_id
    records.complete(conn, certificate)
    events.append(
        conn,
        org=org,
        kind="load.published",
        actor=run.user_id,
        subject=certificate.table,
        detail={
            "certificate_sha256": certificate_digest(certificate.as_json()),
            "receipt_sha256": receipt_digests(conn, load_id=load_id)[load_id],
            "manifest_sha256": manifest_digest(manifest),
        }
        | {
            k: v
            for k, v in certificate.as_json().items()
            if k in ("file_id", "load_id", "verdict", "rows_read", "inserted", "updated",
                     "unchanged", "superseded", "rejected", "deleted", "quarantined",
                     "duplicate")
        },
        run_id=run.run_id,
        correlation_id=run.correlation_id,
        now=lambda: now,
    )  # fmt: skip
