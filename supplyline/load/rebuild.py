"""A table made again from landing, in one transaction: readers see the old table or the new one.

Audited (P9). Files whose loads were undone stay out.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import psycopg
from psycopg import sql

from supplyline.audit import events
from supplyline.contracts import Certificate, Drift, Manifest, OrgId, RunRef, TableName
from supplyline.errors import FileNotLoaded, SchemaDrift
from supplyline.faults import reach
from supplyline.load import records
from supplyline.load.again import (
    Before,
    require_manifests,
    require_same_rows,
    standing_loads,
    times,
)
from supplyline.load.exclusive import take_exclusively
from supplyline.load.file_load import KeyCandidates
from supplyline.load.order import current
from supplyline.load.others import require_no_strangers
from supplyline.load.pipeline import Stream, load_within, lock_table
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection

_ALL = 1_000_000


@dataclass(frozen=True, kw_only=True)
class Rebuilt:
    """`left_out`: files that were never loaded and cannot be, and why."""

    certificates: Sequence[Certificate]
    left_out: dict[str, str]


def rebuild(
    org: OrgId,
    *,
    conn: Connection,
    table: TableName,
    manifests: Callable[[], Sequence[Manifest]],
    stream: Stream,
    run: RunRef,
    now: Callable[[], datetime],
    key: tuple[str, ...] | None = None,
    key_candidates: KeyCandidates | None = None,
) -> Rebuilt:
    """Makes the table again from the manifests that count, without the files that were undone.

    `manifests`: asked once no other load of the table can come between; the closed ones count.
    `key`: a new business key, () for none, None to keep it; with `key_candidates` one that was
    not configured is proposed anew. A file that was never loaded and cannot be stays out. Raises
    LandingDamaged when a loaded file's rows are not there as they were, and as `load_files` does;
    StaleWorker only for a run that claimed an attempt.
    """
    with conn.transaction():
        lock_table(conn, table)
        undone = records.undone_file_ids(conn, table)
        loaded = records.loaded_file_ids(conn, table)
        before = standing_loads(conn, table)
        landed = manifests()
        require_manifests(table, before, landed)
        _settle_key(conn, table, key, propose=key_candidates is not None, run=run, now=now)
        _drop(conn, table)
        done = _load_again(
            org,
            conn=conn,
            files=[m for m in current(landed) if m.file_id not in undone],
            known={
                m.origin or m.file_id: before[m.file_id].policy if m.file_id in before else "evolve"
                for m in landed
                if m.file_id in loaded
            },
            before=before,
            stream=stream,
            run=run,
            now=now,
            key_candidates=key_candidates or (lambda _: ()),
        )
        records.check_claimed(conn, run)
        events.append(
            conn,
            org=org,
            kind="table.rebuilt",
            actor=run.user_id,
            subject=table,
            detail={
                "files": len(done.certificates),
                "left_out": sorted({*undone, *done.left_out}),
            },
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=now,
        )
        # A row that was set aside is corrected by a file behind its own: only now is it seen.
        final = {c.load_id: c for c in records.certificates(conn, table=table, limit=_ALL)}
        done = replace(done, certificates=[final[c.load_id] for c in done.certificates])
        reach("rebuild.before_commit")
    reach("rebuild.after_commit")
    return done


def _settle_key(
    conn: Connection,
    table: TableName,
    key: tuple[str, ...] | None,
    *,
    propose: bool,
    run: RunRef,
    now: Callable[[], datetime],
) -> None:
    """Saves the key that was asked for, or forgets one that is to be proposed anew."""
    settings = table_settings(conn, table)
    if key is not None:
        key = tuple(dict.fromkeys(key))  # a column that was named twice
        chosen = replace(settings, key=key, key_source="configured" if key else "none")
        save_table_settings(conn, chosen, actor=run.user_id, run_id=run.run_id, now=now)
    elif propose and settings.key_source != "configured":
        fresh = replace(settings, key=None, key_source="")
        save_table_settings(conn, fresh, actor="supplyline", run_id=run.run_id, now=now)


def _drop(conn: Connection, table: TableName) -> None:
    relations = (table, f"{table}_history")
    require_no_strangers(conn, table)
    try:
        take_exclusively(conn, relations)
        for name in relations:
            conn.execute(sql.SQL("DROP TABLE IF EXISTS {}").format(sql.Identifier("public", name)))
    except psycopg.errors.DependentObjectsStillExist as error:
        raise SchemaDrift(
            f"Table {table} cannot be made again: {error.diag.message_detail}.",
            next_step="Drop what rests on it, run `supplyline rebuild`, and make it again.",
            table=table,
        ) from error
    except psycopg.errors.InsufficientPrivilege as error:
        raise SchemaDrift(
            f"Table {table} cannot be made again: {error.diag.message_primary}.",
            next_step=f"Give the organization's role its rights on {table} back, then run"
            " `supplyline rebuild`.",
            table=table,
        ) from error
    records.forget(conn, table)
    reach("rebuild.dropped")


def _load_again(
    org: OrgId,
    *,
    conn: Connection,
    files: Sequence[Manifest],
    known: Mapping[str, Drift],
    before: Mapping[str, Before],
    stream: Stream,
    run: RunRef,
    now: Callable[[], datetime],
    key_candidates: KeyCandidates,
) -> Rebuilt:
    """`known`: uploads that were loaded before, in some reading, and under which policy; none of
    these may stay out."""
    certificates: list[Certificate] = []
    left_out: dict[str, str] = {}
    loaded_at = times([m.file_id for m in files], before, now=now())
    for m in files:
        accepted = known.get(m.origin or m.file_id)
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
                    key_candidates=key_candidates,
                    accepted=accepted,
                )
                require_same_rows(certificate, before)
        except (SchemaDrift, FileNotLoaded) as error:
            if accepted or not error.reasons:
                raise
            left_out |= error.reasons
        else:
            certificates.append(certificate)
    return Rebuilt(certificates=certificates, left_out=left_out)
