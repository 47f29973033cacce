"""One file after the other: stage, decide, publish, certify; each file in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime

import psycopg
import pyarrow as pa

from supplyline.audit import events
from supplyline.checksums import Checksum
from supplyline.contracts import (
    Certificate,
    Manifest,
    OrgId,
    RunRef,
    TableName,
    TableSettings,
    file_remarks,
)
from supplyline.errors import DatabaseUnavailable, FileNotLoaded, SchemaDrift
from supplyline.faults import reach
from supplyline.load import merge, records, schema, sums, types
from supplyline.load.ahead import ahead
from supplyline.load.certify import Key, draft, judge
from supplyline.load.corrected import any_corrected, set_aside_corrected
from supplyline.load.digests import certificate_digest, manifest_digest, receipt_digests
from supplyline.load.direct import FirstLoad
from supplyline.load.form import require_whole
from supplyline.load.keys import actual_key, disagreement, is_key
from supplyline.load.kinds import TEXT
from supplyline.load.later import LaterLoad
from supplyline.load.own_fault import own_fault
from supplyline.load.quarantine import set_aside_misfits
from supplyline.load.replace import replace_earlier
from supplyline.load.staging import Incoming, create_staging, fill_staging
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection

KeyCandidates = Callable[[Sequence[str]], Sequence[tuple[str, ...]]]
Stream = Callable[[Manifest], Iterator[pa.RecordBatch]]


def current(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The closed files that count, in order: of the readings of the same bytes under one upload
    the newest, and the corrections of files that count."""
    closed = [m for m in manifests if m.state == "closed"]
    newest: dict[str, Manifest] = {}
    for m in closed:
        root = m.origin or m.file_id
        if root not in newest or _age(newest[root]) < _age(m):
            newest[root] = m
    kept = {m.file_id for m in newest.values()}
    return sorted(
        (m for m in closed if m.file_id in kept and (not m.replay_of or m.replay_of in kept)),
        key=lambda m: (m.sequence, m.replay_of, m.file_id),
    )


def _age(manifest: Manifest) -> tuple[bool, str, str]:
    """The upload itself comes first, then its readings as they were opened."""
    opened = manifest.opened_at.isoformat() if manifest.opened_at else ""
    return bool(manifest.origin), opened, manifest.file_id


def pending(conn: Connection, *, table: TableName, manifests: Sequence[Manifest]) -> list[Manifest]:
    """The files of the table that count and have no receipt yet, in order."""
    loaded = records.loaded_file_ids(conn, table)
    return [m for m in current(manifests) if m.file_id not in loaded]


def late(conn: Connection, *, table: TableName, manifests: Sequence[Manifest]) -> bool:
    """Whether one of these files, which are to be loaded, is older than loaded ones that would have
    been loaded otherwise after it: to be rebuilt in order.

    With a key: later files that lack a column which it has, and so would have kept its values.
    Without: later files of its name, which may be its correction.
    """
    keyed = bool(actual_key(conn, table))
    for m in manifests:
        columns = [c["name"] for c in m.layout["columns"]]
        later = records.later_loads(conn, table, m.sequence)
        if any(
            not set(columns) <= set(held) if keyed else not m.replay_of and name == m.name
            for name, held in later
        ):
            return True
    return False


def outdated(conn: Connection, *, table: TableName, manifests: Sequence[Manifest]) -> bool:
    """Whether the table holds rows of a reading that another one has replaced: to be rebuilt."""
    loaded = records.loaded_file_ids(conn, table) - records.undone_file_ids(conn, table)
    return bool(loaded & ({m.file_id for m in manifests} - {m.file_id for m in current(manifests)}))


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
    DatabaseUnavailable.
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
    accepted: bool = False,
) -> Certificate:
    """Loads one file inside the caller's transaction, which holds the table's lock.

    `accepted`: the file was loaded before; a policy that came later does not refuse it.
    `loaded_at`: when that was: its versions are valid since then.
    """
    with own_fault(manifest), ahead(batches) as read:
        return _load(
            org,
            conn=conn,
            manifest=manifest,
            batches=read,
            run=run,
            now=now,
            key_candidates=key_candidates,
            loaded_at=loaded_at or now,
            accepted=accepted,
        )


def _load(
    org: OrgId,
    *,
    conn: Connection,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    run: RunRef,
    now: datetime,
    key_candidates: KeyCandidates,
    loaded_at: datetime,
    accepted: bool,
) -> Certificate:
    # A few large sorts and joins; compiling them takes longer than it saves.
    conn.execute(
        "SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true),"
        " set_config('maintenance_work_mem', '128MB', true)"
    )
    require_whole(conn, manifest.table)
    work = _Work(
        conn, manifest=manifest, batches=batches, run=run, now=now, loaded_at=loaded_at,
        accepted=accepted,
    )  # fmt: skip
    candidates = key_candidates(work.incoming.columns)
    if any_corrected(conn, file_key=manifest.file_key):
        create_staging(conn, work.incoming.columns)
        certificate = work.merge_in(candidates)
    elif schema.exists(conn, manifest.table):
        certificate = work.load_later() or work.merge_in(candidates)
    else:
        certificate = work.load_new(candidates) or work.merge_in(candidates)
    _finish(org, conn=conn, certificate=certificate, manifest=manifest, run=run, now=now)
    return certificate


class _Work:
    """One file in one transaction."""

    def __init__(
        self,
        conn: Connection,
        *,
        manifest: Manifest,
        batches: Iterator[pa.RecordBatch],
        run: RunRef,
        now: datetime,
        loaded_at: datetime,
        accepted: bool,
    ) -> None:
        self.conn, self.manifest, self.run, self.now = conn, manifest, run, now
        self.loaded_at, self.accepted = loaded_at, accepted
        columns = [c["name"] for c in manifest.layout["columns"]]
        self.evidence = types.Evidence(columns)
        self.incoming = Incoming(columns, batches, evidence=self.evidence)
        self.load_id = f"{manifest.file_id}.{manifest.sequence}"
        self.settings = table_settings(conn, manifest.table)

    @property
    def policy(self) -> TableSettings:
        """The settings; a file that was accepted once is not refused by a policy of today."""
        thawed = self.accepted and self.settings.drift == "freeze"
        return replace(self.settings, drift="evolve") if thawed else self.settings

    def load_new(self, candidates: Sequence[tuple[str, ...]]) -> Certificate | None:
        """A new table from the file; None when that takes the usual way (see `direct`)."""
        loaded = FirstLoad(
            self.conn,
            incoming=self.incoming,
            evidence=self.evidence,
            manifest=self.manifest,
            load_id=self.load_id,
            settings=self.settings,
        ).run(candidates)
        if loaded is None:
            return None
        if self.settings.key is None:
            key = self._propose(loaded.plan.key)
        else:
            key = Key(columns=loaded.plan.key, source="configured")
        certificate = self._receipt(loaded.plan)
        reach("load.published")
        found = sums.checksum_all(
            self.conn, self._target(loaded.plan), separated=self.incoming.separated
        )
        return judge(certificate, merge.Fates(inserted=loaded.rows), self._sum(found), key)

    def load_later(self) -> Certificate | None:
        """The file compared with its table and merged; None when that takes the usual way."""
        later = LaterLoad(
            self.conn,
            incoming=self.incoming,
            evidence=self.evidence,
            manifest=self.manifest,
            settings=self.policy,
            key=actual_key(self.conn, self.manifest.table),
        )
        plan = later.stage()
        if plan is None:
            return None
        reach("load.staged")
        try:
            with self.conn.transaction():
                schema.apply(self.conn, plan)
                certificate = self._receipt(plan)
                done = later.publish(self._target(plan), now=self.loaded_at)
        except psycopg.errors.UniqueViolation:  # of rows that share a key, one counts
            later.give_up()
            return None
        reach("load.published")
        key = Key(columns=plan.key, source=self.settings.key_source or "none")
        return judge(certificate, done.fates, self._sum((done.rows, done.high, done.low)), key)

    def merge_in(self, candidates: Sequence[tuple[str, ...]]) -> Certificate:
        """The file into its table by way of staging, where some of its rows may be already."""
        # 1. stage
        conn, manifest = self.conn, self.manifest
        fill_staging(conn, self.incoming)
        reach("load.staged")
        # 2. decide
        key = self._choose_key(candidates)
        plan = schema.plan(
            conn,
            table=manifest.table,
            columns=self.incoming.columns,
            evidence=self.evidence,
            settings=self.policy,
            key=key.columns,
            replay=bool(manifest.replay_of),
        )
        schema.apply(conn, plan)
        # 3. publish; rejected rows refer to the receipt
        target = self._target(plan)
        certificate = self._receipt(plan)
        misfits = set_aside_misfits(conn, plan, load_id=self.load_id)
        corrected = set_aside_corrected(conn, file_key=manifest.file_key, load_id=self.load_id)
        fates = merge.publish(conn, target, now=self.loaded_at)
        replaced = replace_earlier(
            conn,
            target,
            file_name=manifest.name,
            sha256=manifest.sha256,
            retyped=[c for c, (_, after) in plan.changed.items() if after == TEXT],
            now=self.loaded_at,
            replay=bool(manifest.replay_of),
        )
        fates = replace(fates, deleted=replaced.rows)
        certificate = replace(certificate, remarks=(*certificate.remarks, *replaced.remarks))
        reach("load.published")
        # 4. reconcile
        found = sums.checksum_parts(conn, target, separated=self.incoming.separated)
        return judge(
            certificate, fates, self._sum(found), key, misfits=misfits, corrected=corrected
        )

    def _sum(self, found: tuple[int, int, int]) -> Checksum:
        rows, high, low = found
        return Checksum.over(self.incoming.columns).merged(rows=rows, high=high, low=low)

    def _target(self, plan: schema.Plan) -> merge.Target:
        return merge.Target(
            table=self.manifest.table,
            types=plan.types,
            barred=plan.barred,
            key=plan.key,
            file_key=self.manifest.file_key,
            sequence=self.manifest.sequence,
            load_id=self.load_id,
        )

    def _receipt(self, plan: schema.Plan) -> Certificate:
        """Saves receipt and certificate as far as it goes; it is completed at the end."""
        certificate = replace(
            draft(self.manifest, self.load_id, self.run, self.now, self.incoming.checksum),
            remarks=(
                *file_remarks(self.manifest.layout, rows_read=self.manifest.rows_read),
                *(f"{column}: {remark}" for column, remark in plan.remarks.items()),
            ),
        )
        records.save(
            self.conn, certificate, manifest=self.manifest, shape=plan.shape(),
            loaded_at=self.loaded_at, now=self.now,
        )  # fmt: skip
        return certificate

    def _choose_key(self, candidates: Sequence[tuple[str, ...]]) -> Key:
        conn, table, settings = self.conn, self.manifest.table, self.settings
        if schema.exists(conn, table):
            actual = actual_key(conn, table)
            if differs := disagreement(settings, actual):
                raise SchemaDrift(
                    differs,
                    next_step="Rebuild the table with the new key, or set the key back.",
                    table=table,
                )
            key = Key(columns=actual, source=settings.key_source or "none")
        elif settings.key is not None:
            key = Key(columns=settings.key, source="configured")
        else:
            key = self._propose(next((k for k in candidates if is_key(conn, k)), ()))
        for column in key.columns:
            if column not in self.incoming.columns:
                raise SchemaDrift(
                    f"The file {self.manifest.name} lacks the key column {column} of {table}.",
                    of_file=True,
                    next_step="If the file has it under another name, say so in `aliases` of the"
                    " table's contract (PUT /api/tables/<table>/contract/), then ingest it again.",
                    table=table,
                )
        return key

    def _propose(self, columns: tuple[str, ...]) -> Key:
        key = Key(columns=tuple(columns), source="proposed" if columns else "none")
        save_table_settings(
            self.conn,
            replace(self.settings, key=key.columns, key_source=key.source),
            actor="supplyline",
            run_id=self.run.run_id,
            now=lambda: self.now,
        )
        return key


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
