"""The first file of a table straight into the table: nothing to stage, compare or merge.

What the first rows look like is taken for true while the rest arrives, and proved afterwards: every
batch's cells fit the table's kinds, the evidence of the whole file leads to the same kinds, and the
primary key is built over all rows. Where it proves wrong, the rows that were written become the
staging table and the file is loaded as any other; nothing has to be read twice.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import psycopg
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from supplyline.arrays import complete, strings
from supplyline.checksums import SEPARATOR
from supplyline.contracts import Manifest, TableSettings
from supplyline.faults import reach
from supplyline.load import schema
from supplyline.load.kinds import TEXT
from supplyline.load.staging import Incoming, copy_typed, create_staging
from supplyline.load.typed_copy import become_staging, fits, sent_as_it_is
from supplyline.load.types import Evidence, comparable
from supplyline.tenancy.connections import Connection

Key = tuple[str, ...]
_BETWEEN = strings([SEPARATOR])[0]


@dataclass(frozen=True, kw_only=True)
class Loaded:
    """A table that was created and filled: its plan, whose key is proved, and its rows."""

    plan: schema.Plan
    rows: int


class FirstLoad:
    """The first file of a table, in the transaction that holds the table's lock."""

    def __init__(
        self,
        conn: Connection,
        *,
        incoming: Incoming,
        evidence: Evidence,
        manifest: Manifest,
        load_id: str,
        settings: TableSettings,
        plan: Callable[[], schema.Plan],
    ) -> None:
        """`plan`: what the rows that came so far do to the table."""
        self.conn, self.incoming, self.evidence = conn, incoming, evidence
        self.manifest, self.load_id, self.settings = manifest, load_id, settings
        self._plan = plan
        self.keys: list[Key] = []
        """Keys that may hold still, the best first."""

    def run(self, candidates: Sequence[Key]) -> Loaded | None:
        """Creates and fills the table; None when the file needs the usual way.

        Then the rows that were taken so far are in the staging table, which is there.
        """
        first = self._suggested(candidates)
        if first is None:
            create_staging(self.conn, self.incoming.columns)
            return None
        for statement in first.tables():
            self.conn.execute(statement)
        rows = self._fill(first.types)
        plan = self._plan()
        if rows is not None and plan.types == first.types:
            reach("load.staged")
            for key in self.keys:
                keyed = replace(plan, key=key)
                if self._proved(keyed):
                    schema.apply(self.conn, keyed, filled=True)
                    return Loaded(plan=keyed, rows=rows)
        self._become_staging(first)
        return None

    def _suggested(self, candidates: Sequence[Key]) -> schema.Plan | None:
        """The table that the first batch suggests, if its rows can be sent as they are."""
        batch = next(self.incoming, None)
        if batch is None:
            return None
        self.incoming.give_back(batch)
        plan, key = self._plan(), self.settings.key
        if plan.refusal or plan.strict or not all(map(sent_as_it_is, plan.types.values())):
            return None
        wanted = [*candidates, ()] if key is None else [key]
        if not all(comparable(plan.types.get(c, TEXT)) for k in wanted for c in k):
            return None  # it is text if it is of the key, and the key is not known yet
        self.keys = [k for k in wanted if _may_be_key(batch, plan.types, k)]
        return plan if self.keys else None

    def _fill(self, types: Mapping[str, str]) -> int | None:
        """COPYs the batches; how many rows there were, or None as soon as a batch does not fit."""
        table = sql.Identifier("public", self.manifest.table)
        constants = {
            "_file": self.manifest.file_key,
            "_seq": self.manifest.sequence,
            "_load": self.load_id,
        }
        self.conn.execute(
            sql.SQL("ALTER TABLE {} {}").format(
                table,
                sql.SQL(", ").join(
                    sql.SQL("ALTER {} SET DEFAULT {}").format(sql.Identifier(c), sql.Literal(v))
                    for c, v in constants.items()
                ),
            )
        )
        rows = copy_typed(
            self.conn, self.incoming, schema="public", relation=self.manifest.table, types=types,
            accepts=lambda batch: self._fits(types, batch),
        )  # fmt: skip
        self.conn.execute(
            sql.SQL("ALTER TABLE {} {}").format(
                table,
                sql.SQL(", ").join(
                    sql.SQL("ALTER {} DROP DEFAULT").format(sql.Identifier(c)) for c in constants
                ),
            )
        )
        return rows

    def _fits(self, types: Mapping[str, str], batch: pa.RecordBatch) -> bool:
        """Whether the batch, which is part of the evidence already, fits the kinds and a key."""
        if not fits(self.evidence, types):
            return False
        self.keys = [k for k in self.keys if all(complete(batch.column(c)) for c in k)]
        return bool(self.keys)

    def _proved(self, plan: schema.Plan) -> bool:
        """Builds the key; False when the key repeats, or is too long and only proposed."""
        try:
            with self.conn.transaction():
                self.conn.execute(plan.add_key())
        except psycopg.errors.UniqueViolation:
            return False
        except psycopg.errors.ProgramLimitExceeded:
            if self.settings.key is not None:
                raise
            return False
        return True

    def _become_staging(self, plan: schema.Plan) -> None:
        """The rows that were written, as texts, in the staging table; the table is gone."""
        become_staging(
            self.conn, self.incoming.columns, schema="public", relation=plan.table,
            types=plan.types,
        )  # fmt: skip
        table = sql.Identifier("public", plan.table)
        self.conn.execute(
            sql.SQL("DROP TABLE {}, {}").format(
                table, sql.Identifier("public", f"{plan.table}_history")
            )
        )


def _may_be_key(batch: pa.RecordBatch, types: Mapping[str, str], key: Key) -> bool:
    if not all(c in types and complete(batch.column(c)) for c in key):
        return False
    if not key:
        return True
    together = pc.binary_join_element_wise(*(batch.column(c) for c in key), _BETWEEN)
    return bool(pc.count_distinct(together).as_py() == batch.num_rows)
