"""A later file of a keyed table: staged with its types, compared once, and only what changed is
touched.

Most files of a table have the kinds of those before, no key twice and no cell to set aside. They
need neither a text nor a typed copy of every row beside the staging table: one join finds what is
new or changed, one statement replaces the changed rows and moves their old versions to the history,
and the table is summed as it is then. Whatever is not so simple is left to `merge`, with the rows
that came so far in the staging table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import psycopg
from psycopg import sql

from supplyline.arrays import complete
from supplyline.checksums import Checksum
from supplyline.contracts import Manifest, TableSettings
from supplyline.errors import DatabaseUnavailable
from supplyline.load import merge, records, schema, sums
from supplyline.load.beside import Beside, free
from supplyline.load.keys import is_open
from supplyline.load.kinds import TEXT, sql_type
from supplyline.load.merge import Fates, Target
from supplyline.load.others import require_no_rules
from supplyline.load.schema import HIDDEN
from supplyline.load.staging import Incoming, copy_typed, create_staging
from supplyline.load.typed_copy import become_staging, fits, sent_as_it_is
from supplyline.load.types import Evidence, remembered, typed
from supplyline.tenancy.connections import Connection

_NEAR = 2
"""A table of at most so many times the bytes of the staged file may hold the file and no more."""


@dataclass(frozen=True, kw_only=True)
class Published:
    """What became of the rows, and the sums of their texts as the table holds them."""

    fates: Fates
    rows: int
    high: int
    low: int


class LaterLoad:
    """A file for a table that is there, in the transaction that holds the table's lock."""

    def __init__(
        self,
        conn: Connection,
        *,
        incoming: Incoming,
        evidence: Evidence,
        manifest: Manifest,
        settings: TableSettings,
        key: tuple[str, ...],
        plan: Callable[[], schema.Plan],
    ) -> None:
        """`plan`: what the rows that came so far do to the table."""
        self.conn, self.incoming, self.evidence = conn, incoming, evidence
        self.manifest, self.settings, self.key = manifest, settings, key
        self._plan = plan
        self.staged: Mapping[str, str] = {}
        """Kinds of the staged columns: text where PostgreSQL needs help to read them."""
        self.rows = 0
        self.beside = Beside(conn, rows=manifest.landed)

    def stage(self) -> schema.Plan | None:
        """The file in a typed table of its own; None when it needs the usual way.

        Then the rows that were taken so far are in the staging table, which is there.
        """
        plan = self._suggested()
        if plan is None:
            create_staging(self.conn, self.incoming.columns)
            return None
        self.staged = {c: k if sent_as_it_is(k) else TEXT for c, k in plan.types.items()}
        self._create()
        schema_, relation = self.beside.staged
        rows = copy_typed(
            self.conn, self.incoming, schema=schema_, relation=relation, types=self.staged,
            accepts=lambda batch: (
                fits(self.evidence, plan.types) and all(complete(batch.column(c)) for c in self.key)
            ),
        )  # fmt: skip
        whole = self._plan()
        if rows is not None and whole.types == plan.types and _simple(whole):
            self.rows = rows
            return whole
        self.give_up()
        return None

    def _create(self) -> None:
        """The empty table of staged rows."""
        columns = sql.SQL("").join(
            sql.SQL("{} {}, ").format(sql.Identifier(c), sql.SQL(sql_type(k)))
            for c, k in self.staged.items()
        )
        self.conn.execute(
            sql.SQL("{} {} ({}_row bigint NOT NULL, _raw jsonb)").format(
                self.beside.create, self.staging, columns
            )
        )

    def done(self) -> None:
        """Removes what the transaction made beside the table."""
        self.beside.remove(self.beside.staged, self.beside.changed)

    def give_up(self) -> None:
        """The rows go to the staging table, for the usual way."""
        schema_, relation = self.beside.staged
        become_staging(
            self.conn, self.incoming.columns, schema=schema_, relation=relation, types=self.staged
        )
        self.beside.remove(self.beside.staged)

    @property
    def staging(self) -> sql.Identifier:
        return sql.Identifier(*self.beside.staged)

    @property
    def changes(self) -> sql.Identifier:
        """The table of the rows that are new or changed."""
        return sql.Identifier(*self.beside.changed)

    def _suggested(self) -> schema.Plan | None:
        """What the first batch does to the table, if all rows like that can be merged here."""
        if not self.key or self.settings.key not in (None, self.key):
            return None
        if is_open(self.conn, self.settings, self.key):
            return None
        if records.has_later(self.conn, self.manifest.table, sequence=self.manifest.sequence):
            return None
        batch = next(self.incoming, None)
        if batch is None:
            return None
        self.incoming.give_back(batch)
        plan = self._plan()
        return plan if _simple(plan) and set(self.key) <= set(plan.types) else None

    def _value(self, column: str, kind: str) -> sql.Composable:
        return typed(column, TEXT if self.staged[column] == kind else kind)

    def publish(self, target: Target, *, now: datetime) -> Published:
        """Compares, replaces and inserts; the caller's transaction makes it visible as a whole.

        Raises psycopg.errors.UniqueViolation when rows of the file share a key.
        """
        changed = self.beside.in_parallel(partial(self._compare, target))
        whole = self._may_be_the_file(target)
        if not whole or records.has_superseded(self.conn, target.table):
            self._check_keys(target)  # before anything is written
        updated = self._replace(target, now=now) if changed else 0
        inserted = self._insert(target) if changed > updated else 0
        if updated + inserted != changed:
            self._check_keys(target)
            require_no_rules(self.conn, target.table, file_name=self.manifest.name)
            raise DatabaseUnavailable(
                f"Rows of {target.table} were changed by somebody else while the file was merged.",
                next_step="Try again: nothing of the file was published.",
            )
        rows, high, low = self._summed(target, whole=whole)
        fates = Fates(inserted=inserted, updated=updated, unchanged=self.rows - changed)
        return Published(fates=fates, rows=rows, high=high, low=low)

    def _source(self, target: Target) -> sql.Composed:
        """SQL: the staged rows `p` with the table's types."""
        values = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(self._value(c, k), sql.Identifier(c))
            for c, k in target.types.items()
        )
        return sql.SQL("(SELECT {}, s._row, s._raw FROM {} s) p").format(values, self.staging)

    def _compare(self, target: Target) -> int:
        """Keeps the rows that are new or changed, each with the place of the row it replaces; how
        many there are.

        Written so that PostgreSQL can compare in several processes at once.
        """
        query = sql.SQL(
            "{create} {changes} AS SELECT p.*, t.ctid AS _old"
            " FROM {source} LEFT JOIN {target} t ON {same} WHERE t.ctid IS NULL OR {differs}"
        ).format(
            create=self.beside.create,
            changes=self.changes,
            source=self._source(target),
            target=target.name,
            same=target.same_row(source="p"),
            differs=merge.differing(self.conn, target),
        )
        return self.conn.execute(query).rowcount

    def _replace(self, target: Target, *, now: datetime) -> int:
        """Updates the changed rows, whose old versions become history; how many there were.

        A row is found by its place; that it still has the same key is counted, not hoped for.
        """
        kept = [*remembered(self.conn, target.table), *HIDDEN]
        query = sql.SQL(
            "WITH w AS (UPDATE {target} t SET ({columns}, {names}) = ROW ({sources}, {values})"
            " FROM {changes} p WHERE t.ctid = p._old RETURNING {old}, {same} AS _same)"
            " INSERT INTO {history} ({kept}, _valid_from, _valid_to, _replaced_by)"
            " SELECT {gone}, l.loaded_at, {now}, {load} FROM w"
            " LEFT JOIN supplyline.loads l ON l.load_id = w._load WHERE w._same"
        ).format(
            **merge.written(target),
            changes=self.changes,
            same=target.same_row(source="old", target="new"),
            old=sql.SQL(", ").join(sql.Identifier("old", c) for c in kept),
            history=target.history,
            kept=sql.SQL(", ").join(map(sql.Identifier, kept)),
            gone=sql.SQL(", ").join(sql.Identifier("w", c) for c in kept),
            now=sql.Literal(now),
            load=sql.Literal(target.load_id),
        )
        # Rows are found by their places and not by a scan.
        with free(self.conn, "random_page_cost"):
            return self.conn.execute(query).rowcount

    def _insert(self, target: Target) -> int:
        return self.conn.execute(
            sql.SQL(
                "INSERT INTO {target} ({columns}, {names}) SELECT {sources}, {values}"
                " FROM {changes} p WHERE p._old IS NULL"
            ).format(**merge.written(target), changes=self.changes)
        ).rowcount

    def _may_be_the_file(self, target: Target) -> bool:
        """Whether the table is of about the file's size."""
        size = "pg_relation_size(format('%%I.%%I', %s::text, %s::text)::regclass)"
        row = self.conn.execute(
            f"SELECT {size} <= %s * {size}".encode(),
            ("public", target.table, _NEAR, *self.beside.staged),
        ).fetchone()
        return bool(row and row[0])

    def _check_keys(self, target: Target) -> None:
        key = sql.SQL(", ").join(sql.Identifier("p", c) for c in target.key)
        if merge.key_repeats(self.conn, self._source(target), key=key):
            raise psycopg.errors.UniqueViolation("rows of the file have one key")

    def _summed(self, target: Target, *, whole: bool) -> tuple[int, int, int]:
        """Rows, high and low sums of the file's rows as the table holds them now.

        A table of about the file's size is summed as a whole: has it as many rows, and their sum,
        then it is the file, and no key is there twice. Otherwise the rows are found by their keys.
        """
        separated = self.incoming.separated
        if whole:
            found = sums.checksum_all(self.conn, target, separated=separated)
            rows, high, low = found
            over = Checksum.over(self.incoming.columns)
            if over.merged(rows=rows, high=high, low=low) == self.incoming.checksum:
                return found
            self._check_keys(target)
        among = sql.SQL("{} t JOIN {} ON {}").format(
            target.name, self._source(target), target.same_row(source="p")
        )
        return self.beside.in_parallel(
            partial(sums.checksum_all, self.conn, target, separated=separated, among=among)
        )


def _simple(plan: schema.Plan) -> bool:
    """Whether every row that fits the plan's kinds can be merged."""
    return not (plan.refusal or plan.strict or plan.barred)
