"""The load of one file: a new table from it, a quick merge, or the usual way by staging.

Promises: which way a file takes changes nothing of what the table holds afterwards; its receipt is
there before the first of its rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

import psycopg
import pyarrow as pa

from supplyline.checksums import Checksum
from supplyline.contracts import Certificate, Drift, Manifest, RunRef, file_remarks
from supplyline.errors import SchemaDrift
from supplyline.faults import reach
from supplyline.load import merge, planning, records, schema, sums, types
from supplyline.load.certify import Key, draft, judge
from supplyline.load.corrected import any_corrected, set_aside_corrected
from supplyline.load.direct import FirstLoad
from supplyline.load.keys import actual_key, disagreement, is_key, is_open
from supplyline.load.kinds import TEXT
from supplyline.load.later import LaterLoad
from supplyline.load.quarantine import set_aside_misfits
from supplyline.load.replace import replace_earlier
from supplyline.load.staging import Incoming, create_staging, fill_staging
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection

UNDECIDED = ""
"""The source of the key of a table that no file had a row for."""
KeyCandidates = Callable[[Sequence[str]], Sequence[tuple[str, ...]]]
"""For the columns of a new table, business keys worth testing."""


def _no_key_yet(table: str) -> str:
    return (
        "the file has no row to propose a key from: the next file with rows proposes it (or set"
        f" `key` in the contract of {table} before)"
    )


class FileLoad:
    """One file in its transaction: what is decided for it, and the way it takes."""

    def __init__(
        self,
        conn: Connection,
        *,
        manifest: Manifest,
        batches: Iterator[pa.RecordBatch],
        run: RunRef,
        now: datetime,
        loaded_at: datetime,
        accepted: Drift | None,
    ) -> None:
        self.conn, self.manifest, self.run, self.now = conn, manifest, run, now
        self.loaded_at, self.accepted = loaded_at, accepted
        columns = manifest.columns
        self.evidence = types.Evidence(
            columns, known=types.remembered(conn, manifest.table), source=manifest.name
        )
        self.incoming = Incoming(columns, batches, evidence=self.evidence)
        self.load_id = f"{manifest.file_id}.{manifest.sequence}"
        self.settings = table_settings(conn, manifest.table)

    def publish(self, key_candidates: KeyCandidates) -> Certificate:
        """Publishes the file's rows by the fastest way open to it, and judges the result."""
        candidates = key_candidates(self.incoming.columns)
        if any_corrected(self.conn, file_key=self.manifest.file_key):
            create_staging(self.conn, self.incoming.columns)
            return self.merge_in(candidates)
        if schema.exists(self.conn, self.manifest.table):
            return self.load_later() or self.merge_in(candidates)
        return self.load_new(candidates) or self.merge_in(candidates)

    def load_new(self, candidates: Sequence[tuple[str, ...]]) -> Certificate | None:
        """A new table from the file; None when that takes the usual way (see `direct`)."""
        loaded = FirstLoad(
            self.conn,
            incoming=self.incoming,
            evidence=self.evidence,
            manifest=self.manifest,
            load_id=self.load_id,
            settings=self.settings,
            plan=partial(self._plan, (), created=True),
        ).run(candidates)
        if loaded is None:
            return None
        if self.settings.key is None:
            key = self._propose(loaded.plan.key)
        else:
            key = Key(columns=loaded.plan.key, source=self.settings.key_source or "configured")
        certificate = self._receipt(loaded.plan)
        reach("load.published")
        found = sums.checksum_all(
            self.conn, self._target(loaded.plan), separated=self.incoming.separated
        )
        return judge(certificate, merge.Fates(inserted=loaded.rows), self._sum(found), key)

    def load_later(self) -> Certificate | None:
        """The file compared with its table and merged; None when that takes the usual way."""
        key = actual_key(self.conn, self.manifest.table)
        later = LaterLoad(
            self.conn,
            incoming=self.incoming,
            evidence=self.evidence,
            manifest=self.manifest,
            settings=self.settings,
            key=key,
            plan=partial(self._plan, key, created=False),
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
        later.done()
        reach("load.published")
        found = self._sum((done.rows, done.high, done.low))
        kept = Key(columns=plan.key, source=self.settings.key_source or "none")
        return judge(certificate, done.fates, found, kept)

    def merge_in(self, candidates: Sequence[tuple[str, ...]]) -> Certificate:
        """The file into its table by way of staging, where some of its rows may be already."""
        # 1. stage
        conn, manifest = self.conn, self.manifest
        fill_staging(conn, self.incoming)
        reach("load.staged")
        # 2. decide
        key, rekeyed = self._choose_key(candidates)
        plan = self._plan(key.columns, rekeyed=rekeyed)
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
        remarks = (*certificate.remarks, *replaced.remarks)
        if key.source == UNDECIDED and candidates:
            remarks = (*remarks, _no_key_yet(manifest.table))
        certificate = replace(certificate, remarks=remarks)
        reach("load.published")
        # 4. reconcile
        found = sums.checksum_parts(conn, target, separated=self.incoming.separated)
        return judge(
            certificate, fates, self._sum(found), key, misfits=misfits, corrected=corrected
        )

    def _plan(
        self, key: tuple[str, ...], *, created: bool | None = None, rekeyed: bool = False
    ) -> schema.Plan:
        """What the file does to its table. Where the table is not left to evolve, the policy of
        the day on which the file was accepted holds for it, and not one that came since."""
        settings = self.settings
        if self.accepted and settings.drift != "evolve":
            settings = replace(settings, drift=self.accepted)
        return planning.plan(
            self.conn,
            table=self.manifest.table,
            columns=self.incoming.columns,
            evidence=self.evidence,
            settings=settings,
            key=key,
            created=created,
            rekeyed=rekeyed,
            replay=bool(self.manifest.replay_of),
            accepted=self.accepted is not None,
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

    def _choose_key(self, candidates: Sequence[tuple[str, ...]]) -> tuple[Key, bool]:
        """The key, and whether it takes the place of the one of a table that has no row."""
        conn, table, settings = self.conn, self.manifest.table, self.settings
        there = schema.exists(conn, table)
        actual = actual_key(conn, table) if there else ()
        if there and not is_open(conn, settings, actual):
            if differs := disagreement(settings, actual):
                raise SchemaDrift(
                    differs,
                    next_step="Rebuild the table with the new key, or set the key back.",
                    table=table,
                )
            key = Key(columns=actual, source=settings.key_source or "none")
        elif settings.key is not None:
            key = Key(columns=settings.key, source=settings.key_source or "configured")
        elif not self.incoming.checksum.rows:
            key = Key(columns=actual, source=UNDECIDED)
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
        return key, there and key.columns != actual

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
