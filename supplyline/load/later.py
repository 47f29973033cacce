"""A later file of a keyed table: staged with its types, compared once, and only what changed is
touched.

Most files of a table have the kinds of those before, no key twice and no cell to set aside. They
need neither a text nor a typed copy of every row beside the staging table: one join finds what is
new or changed (and sums what is not), one statement replaces the changed rows, moves their old
versions to the history and sums the new ones as PostgreSQL returns them. Whatever is not so simple
is left to `merge`, with the rows that came so far in the staging table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime

import psycopg
from psycopg import sql

from supplyline.arrays import complete
from supplyline.checksums import SEEDS
from supplyline.contracts import Manifest, TableSettings
from supplyline.errors import DatabaseUnavailable
from supplyline.load import merge, records, schema, sums
from supplyline.load.kinds import TEXT, sql_type
from supplyline.load.merge import Fates, Target
from supplyline.load.schema import HIDDEN
from supplyline.load.staging import Incoming, create_staging
from supplyline.load.typed_copy import become_staging, copy_typed, fits, sent_as_it_is
from supplyline.load.types import Evidence, remembered, typed
from supplyline.tenancy.connections import Connection

TYPED, CHANGES = "supplyline_typed", "supplyline_changes"
_SUMS = sql.SQL(
    "SELECT count(*) FILTER (WHERE _same), sum(hashtextextended(_text, {})),"
    " sum(hashtextextended(_text, {})) FROM w"
).format(*SEEDS)


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

    def stage(self) -> schema.Plan | None:
        """The file in a typed table of its own; None when it needs the usual way.

        Then the rows that were taken so far are in the staging table, which is there.
        """
        plan = self._suggested()
        if plan is None:
            create_staging(self.conn, self.incoming.columns)
            return None
        self.staged = {c: k if sent_as_it_is(k) else TEXT for c, k in plan.types.items()}
        columns = sql.SQL("").join(
            sql.SQL("{} {}, ").format(sql.Identifier(c), sql.SQL(sql_type(k)))
            for c, k in self.staged.items()
        )
        self.conn.execute(
            sql.SQL(
                "DROP TABLE IF EXISTS pg_temp.{t};"
                " CREATE TEMP TABLE {t} ({c}_row bigint NOT NULL, _raw jsonb) ON COMMIT DROP"
            ).format(t=sql.Identifier(TYPED), c=columns)
        )
        rows = copy_typed(
            self.conn, self.incoming, schema="pg_temp", relation=TYPED, types=self.staged,
            accepts=lambda batch: (
                fits(self.evidence, plan.types) and all(complete(batch.column(c)) for c in self.key)
            ),
        )  # fmt: skip
        whole = self._plan()
        if rows is not None and whole.types == plan.types and _simple(whole):
            return whole
        self.give_up()
        return None

    def give_up(self) -> None:
        """The rows go to the staging table, for the usual way."""
        become_staging(
            self.conn, self.incoming.columns, schema="pg_temp", relation=TYPED, types=self.staged
        )
        self.conn.execute(sql.SQL("DROP TABLE pg_temp.{}").format(sql.Identifier(TYPED)))

    def _suggested(self) -> schema.Plan | None:
        """What the first batch does to the table, if all rows like that can be merged here."""
        if not self.key or self.settings.key not in (None, self.key):
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
        found = self._compare(target)
        replaced = self._replace(target, now=now) if found.fates.updated else (0, 0, 0)
        inserted = self._insert(target) if found.fates.inserted else (0, 0, 0)
        if (replaced[0], inserted[0]) != (found.fates.updated, found.fates.inserted):
            raise DatabaseUnavailable(
                f"Rows of {target.table} were changed by somebody else while the file was merged.",
                next_step="Try again: nothing of the file was published.",
            )
        each = ((found.fates.unchanged, found.high, found.low), replaced, inserted)
        rows, high, low = (sum(part) for part in zip(*each, strict=True))
        return Published(fates=found.fates, rows=rows, high=high, low=low)

    def _source(self, target: Target) -> sql.Composed:
        """SQL: the staged rows `p` with the table's types, and where each is staged."""
        values = sql.SQL(", ").join(
            sql.SQL("{} AS {}").format(self._value(c, k), sql.Identifier(c))
            for c, k in target.types.items()
        )
        return sql.SQL("(SELECT {}, s._row, s._raw, s.ctid AS _at FROM {} s) p").format(
            values, sql.Identifier("pg_temp", TYPED)
        )

    def _text(self, target: Target, alias: str) -> sql.Composed:
        cells = {c: (k, sql.Identifier(alias, c)) for c, k in target.types.items()}
        return sums.canonical(cells, alias=alias, separated=self.incoming.separated)

    def _compare(self, target: Target) -> Published:
        """Notes which staged rows are new or changed, and sums what is there already."""
        self.conn.execute(
            sql.SQL(
                "DROP TABLE IF EXISTS pg_temp.{c};"
                " CREATE TEMP TABLE {c} (_at tid, _old tid) ON COMMIT DROP"
            ).format(c=sql.Identifier(CHANGES))
        )
        names = sql.SQL(", ").join(sql.Identifier("t", c) for c in (*target.types, "_raw"))
        row = self.conn.execute(
            sql.SQL(
                "WITH w AS MATERIALIZED (SELECT _at, _old, _differs, {hashes} FROM"
                " (SELECT _at, _old, _differs, CASE WHEN NOT _differs THEN {text} END AS _text"
                " FROM (SELECT p._at, t.ctid AS _old, t.ctid IS NULL OR {differs} AS _differs,"
                " {names} FROM {source} LEFT JOIN {target} t ON {same} OFFSET 0) t OFFSET 0) x),"
                " kept AS (INSERT INTO {changes} SELECT _at, _old FROM w WHERE _differs)"
                " SELECT count(*) FILTER (WHERE _old IS NULL),"
                " count(*) FILTER (WHERE _old IS NOT NULL AND _differs),"
                " count(*) FILTER (WHERE NOT _differs), count(DISTINCT _old), sum(_high), sum(_low)"
                " FROM w"
            ).format(
                hashes=sql.SQL(
                    "hashtextextended(_text, {}) AS _high, hashtextextended(_text, {}) AS _low"
                ).format(*SEEDS),
                text=self._text(target, "t"),
                differs=merge.differing(self.conn, target),
                names=names,
                source=self._source(target),
                target=target.name,
                same=target.same_row(source="p"),
                changes=sql.Identifier("pg_temp", CHANGES),
            )
        ).fetchone()
        inserted, updated, unchanged, found, high, low = row or (0, 0, 0, 0, 0, 0)
        if found != updated + unchanged:
            raise psycopg.errors.UniqueViolation("rows of the file have one key")
        fates = Fates(inserted=inserted, updated=updated, unchanged=unchanged)
        return Published(fates=fates, rows=unchanged, high=int(high or 0), low=int(low or 0))

    def _replace(self, target: Target, *, now: datetime) -> tuple[int, int, int]:
        """Updates the changed rows, whose old versions become history.

        A row is found by its place; that it still has the same key is counted, not hoped for.
        """
        kept = [*remembered(self.conn, target.table), *HIDDEN]
        query = sql.SQL(
            "WITH w AS (UPDATE {target} t SET ({columns}, {names}) = ROW ({sources}, {values})"
            " FROM {changes} c, {source} WHERE p._at = c._at AND t.ctid = c._old"
            " RETURNING {old}, {same} AS _same, {text} AS _text),"
            " h AS (INSERT INTO {history} ({kept}, _valid_from, _valid_to, _replaced_by)"
            " SELECT {gone}, l.loaded_at, {now}, {load} FROM w"
            " LEFT JOIN supplyline.loads l ON l.load_id = w._load) {sums}"
        ).format(
            **merge.written(target),
            changes=sql.Identifier("pg_temp", CHANGES),
            source=self._source(target),
            same=target.same_row(source="old", target="new"),
            old=sql.SQL(", ").join(sql.Identifier("old", c) for c in kept),
            text=self._text(target, "new"),
            history=target.history,
            kept=sql.SQL(", ").join(map(sql.Identifier, kept)),
            gone=sql.SQL(", ").join(sql.Identifier("w", c) for c in kept),
            now=sql.Literal(now),
            load=sql.Literal(target.load_id),
            sums=_SUMS,
        )
        return self._summed(query)

    def _insert(self, target: Target) -> tuple[int, int, int]:
        query = sql.SQL(
            "WITH w AS (INSERT INTO {target} ({columns}, {names}) SELECT {sources}, {values}"
            " FROM {changes} c, {source} WHERE p._at = c._at AND c._old IS NULL"
            " RETURNING true AS _same, {text} AS _text) {sums}"
        ).format(
            **merge.written(target),
            changes=sql.Identifier("pg_temp", CHANGES),
            source=self._source(target),
            text=self._text(target, "new"),
            sums=_SUMS,
        )
        return self._summed(query)

    def _summed(self, query: sql.Composed) -> tuple[int, int, int]:
        """Runs a query for count and sums, with rows found by their places and not by a scan."""
        self.conn.execute("SELECT set_config('random_page_cost', '0', true)")
        count, high, low = self.conn.execute(query).fetchone() or (0, 0, 0)
        self.conn.execute("SET LOCAL random_page_cost TO DEFAULT")
        return int(count), int(high or 0), int(low or 0)


def _simple(plan: schema.Plan) -> bool:
    """Whether every row that fits the plan's kinds can be merged."""
    return not (plan.refusal or plan.strict or plan.barred)
