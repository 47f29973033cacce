"""One file after the other: stage, decide, publish, certify; each file in one transaction."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

import pyarrow as pa
from psycopg import sql

from supplyline.audit import events
from supplyline.checksums import Checksum
from supplyline.contracts import Certificate, Manifest, OrgId, RunRef, TableName, TableSettings
from supplyline.errors import SchemaDrift
from supplyline.faults import reach
from supplyline.load import merge, records, schema, types
from supplyline.load.quarantine import set_aside_misfits
from supplyline.load.replace import replace_earlier
from supplyline.load.staging import STAGING, stage
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
    a new table, business keys worth testing. Raises StaleWorker, SchemaDrift, DatabaseUnavailable.
    """
    records.claim_attempt(conn, run)
    conn.commit()
    out = []
    for manifest in manifests:
        with conn.transaction():
            lock_table(conn, table)
            if records.has_receipt(conn, manifest.file_id):
                continue
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
        reach("load.after_commit")
        out.append(certificate)
    return out


def lock_table(conn: Connection, table: TableName) -> None:
    """Loads of one table take turns, also the very first two."""
    conn.execute("SELECT pg_advisory_xact_lock(hashtextextended('load:' || %s, 0))", (table,))


@dataclass(frozen=True, kw_only=True)
class _Key:
    columns: tuple[str, ...]
    source: str


def load_within(
    org: OrgId,
    *,
    conn: Connection,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    run: RunRef,
    now: datetime,
    key_candidates: KeyCandidates = lambda _: (),
) -> Certificate:
    """Loads one file inside the caller's transaction, which holds the table's lock."""
    columns = [c["name"] for c in manifest.layout["columns"]]
    # A few large sorts and joins; compiling them takes longer than it saves.
    conn.execute("SET LOCAL work_mem = '64MB'")
    conn.execute("SET LOCAL jit = off")
    # 1. stage
    evidence = types.Evidence(columns)
    landed = stage(conn, columns=columns, batches=batches, evidence=evidence)
    reach("load.staged")
    # 2. decide
    settings = table_settings(conn, manifest.table)
    key = _choose_key(
        conn,
        manifest=manifest,
        settings=settings,
        candidates=key_candidates(columns),
        run=run,
        now=now,
    )
    for column in key.columns:
        if column not in columns:
            raise SchemaDrift(
                f"The file {manifest.name} lacks the key column {column} of {manifest.table}.",
                table=manifest.table,
            )
    plan = schema.plan(
        conn,
        table=manifest.table,
        columns=columns,
        evidence=evidence,
        settings=settings,
        key=key.columns,
    )
    schema.apply(conn, plan)
    # 3. publish
    load_id = f"{manifest.file_id}.{manifest.sequence}"
    target = merge.Target(
        table=manifest.table,
        types=plan.types,
        barred=plan.barred,
        key=key.columns,
        file_key=manifest.file_key,
        sequence=manifest.sequence,
        load_id=load_id,
    )
    certificate = replace(
        _draft(manifest, load_id, run, now, landed),
        remarks=tuple(f"{column}: {remark}" for column, remark in plan.remarks.items()),
    )
    # Rejected rows refer to the receipt; the certificate is completed at the end.
    records.save(conn, certificate, manifest=manifest, shape=plan.shape(), now=now)
    misfits = set_aside_misfits(conn, plan, load_id=load_id)
    fates = merge.publish(conn, target, now=now)
    gone = replace_earlier(conn, target, file_name=manifest.name, now=now)
    fates = replace(fates, deleted=gone)
    reach("load.published")
    # 4. reconcile
    rows, high, low = merge.checksum_parts(conn, target)
    in_table = Checksum.over(columns).merged(rows=rows, high=high, low=low)
    certificate = _judge(certificate, fates, in_table, key, misfits)
    _finish(conn, org, certificate, run, now)
    return certificate


def _choose_key(
    conn: Connection,
    *,
    manifest: Manifest,
    settings: TableSettings,
    candidates: Sequence[tuple[str, ...]],
    run: RunRef,
    now: datetime,
) -> _Key:
    if schema.exists(conn, manifest.table):
        actual = actual_key(conn, manifest.table)
        if settings.key is not None and settings.key != actual:
            raise SchemaDrift(
                f"{manifest.table} is keyed by {actual or 'file and row'}, its settings now say "
                f"{settings.key or 'no key'}.",
                next_step="Rebuild the table with the new key, or set the key back.",
                table=manifest.table,
            )
        return _Key(columns=actual, source=settings.key_source or "none")
    if settings.key is not None:
        return _Key(columns=settings.key, source="configured")
    found = next((k for k in candidates if is_key(conn, k)), ())
    key = _Key(columns=tuple(found), source="proposed" if found else "none")
    save_table_settings(
        conn,
        replace(settings, key=key.columns, key_source=key.source),
        actor="supplyline",
        run_id=run.run_id,
        now=lambda: now,
    )
    return key


def actual_key(conn: Connection, table: TableName) -> tuple[str, ...]:
    rows = conn.execute(
        "SELECT a.attname FROM pg_index i CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY"
        " k(n, o) JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.n"
        " WHERE i.indisprimary AND i.indrelid = to_regclass(format('public.%%I', %s::text))"
        " ORDER BY k.o",
        (table,),
    ).fetchall()
    names = tuple(r[0] for r in rows)
    return () if names == ("_file", "_row") else names


def is_key(conn: Connection, columns: Sequence[str]) -> bool:
    """Evidence on the staged file: every value there and never repeated."""
    names = [sql.Identifier(c) for c in columns]
    row = conn.execute(
        sql.SQL(
            "SELECT count(*) > 0 AND count(*) = count(DISTINCT ({k})) AND bool_and({full}) FROM {t}"
        ).format(
            k=sql.SQL("ROW({})").format(sql.SQL(", ").join(names)),
            full=sql.SQL(" AND ").join(sql.SQL("coalesce({}, '') <> ''").format(n) for n in names),
            t=sql.Identifier(STAGING),
        )
    ).fetchone()
    return bool(row and row[0])


def _draft(
    manifest: Manifest, load_id: str, run: RunRef, now: datetime, landed: Checksum
) -> Certificate:
    return Certificate(
        org=manifest.org,
        table=manifest.table,
        file_id=manifest.file_id,
        file_name=manifest.name,
        sha256=manifest.sha256,
        load_id=load_id,
        run_id=run.run_id,
        rows_read=manifest.rows_read,
        landed=manifest.landed,
        quarantined=manifest.quarantined,
        duplicate=manifest.duplicate,
        inserted=0,
        updated=0,
        unchanged=0,
        superseded=0,
        rejected=0,
        checksum_file=manifest.checksum,
        checksum_landing=landed.text,
        landing_released_at=manifest.released_at or None,
        issued_at=now,
    )


def _judge(
    draft: Certificate, fates: merge.Fates, in_table: Checksum, key: _Key, misfits: int
) -> Certificate:
    c = replace(
        draft,
        inserted=fates.inserted,
        updated=fates.updated,
        unchanged=fates.unchanged,
        superseded=fates.superseded,
        rejected=fates.rejected + misfits,
        deleted=fates.deleted,
        checksum_table=in_table.text,
    )
    out = []
    if c.rows_read != c.landed + c.quarantined + c.duplicate:
        out.append(
            f"read {c.rows_read}, but landed {c.landed} + quarantined {c.quarantined}"
            f" + duplicate {c.duplicate}"
        )
    fate_sum = c.inserted + c.updated + c.unchanged + c.superseded + c.rejected
    if c.landed + c.duplicate != fate_sum:
        out.append(f"landed {c.landed} + duplicate {c.duplicate}, but {fate_sum} rows have a fate")
    if c.checksum_file != c.checksum_landing:
        out.append("the rows in MongoDB are not the rows of the file (checksum)")
    if not c.rejected and c.checksum_landing != c.checksum_table:
        out.append("the rows in PostgreSQL are not the rows of MongoDB (checksum)")
    if c.quarantined:
        out.append(records.quarantine_difference(c.quarantined))
    if misfits:
        out.append(f"{misfits} rows do not fit the table's columns and were set aside")
    if fates.rejected:
        out.append(
            f"{fates.rejected} rows were rejected: their key {', '.join(key.columns)} is empty"
        )
    if c.superseded and key.source == "proposed":
        out.append(
            f"{c.superseded} rows share the proposed key {', '.join(key.columns)} with a later"
            " row; if they are lines of their own, set another key and rebuild"
        )
    return replace(c, differences=tuple(out), verdict="partial" if out else "success")


def _finish(
    conn: Connection, org: OrgId, certificate: Certificate, run: RunRef, now: datetime
) -> None:
    records.complete(conn, certificate)
    events.append(
        conn,
        org=org,
        kind="load.published",
        actor=run.user_id,
        subject=certificate.table,
        detail={
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
