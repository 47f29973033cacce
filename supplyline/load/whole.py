"""A table and its history as a whole: every row accounted for by a load, every period in its place.

Nothing is read but the organization's own database. What is compared: the rows of each load with
its receipt and its certificate; the versions of a row with one another; the cells that a later
file, which had no such column, left as they were.
"""

from __future__ import annotations

from typing import Any

from psycopg import sql

from supplyline.contracts import TableName
from supplyline.load.keys import actual_key
from supplyline.load.kinds import kind_of
from supplyline.load.types import remembered
from supplyline.tenancy.connections import Connection

_EXAMPLES = 3

_STANDING = (
    "(SELECT l.load_id, l.file_id, l.file_key, l.sequence, l.ordinal, l.loaded_at, l.columns,"
    " coalesce(l.shape -> 'barred', '[]') AS barred,"
    " (c.body ->> 'inserted')::bigint + (c.body ->> 'updated')::bigint AS written,"
    " (c.body ->> 'updated')::bigint + coalesce((c.body ->> 'deleted')::bigint, 0) AS replaced"
    " FROM supplyline.loads l LEFT JOIN supplyline.certificates c USING (load_id)"
    " WHERE l.table_name = {name} AND l.undone_at IS NULL)"
)


class _Whole:
    def __init__(self, conn: Connection, table: TableName) -> None:
        self.conn, self.table = conn, table
        self.kinds = remembered(conn, table)
        self.key = actual_key(conn, table)
        self.identity = self.key or ("_file", "_row")
        self.parts = {
            "t": sql.Identifier("public", table),
            "h": sql.Identifier("public", f"{table}_history"),
            "loads": sql.SQL(_STANDING).format(name=sql.Literal(table)),
            "id": sql.SQL(", ").join(map(sql.Identifier, self.identity)),
        }
        self.lacking = self._not_always_written()

    def rows(self, query: sql.SQL, **more: sql.Composable) -> list[tuple[Any, ...]]:
        return self.conn.execute(query.format(**self.parts, **more)).fetchall()

    def lost_key(self) -> list[str]:
        ((keyed,),) = self.rows(
            sql.SQL(
                "SELECT EXISTS (SELECT FROM pg_index WHERE indisprimary"
                " AND indrelid = to_regclass({name}))"
            ),
            name=sql.Literal(self.parts["t"].as_string(self.conn)),
        )
        return [] if keyed else [f"{self.table} has lost its primary key"]

    def unaccounted(self) -> list[str]:
        """Rows of no load, of another file than their load's, and too many or too few of one."""
        found = self.rows(
            sql.SQL(
                "SELECT coalesce(v._load, l.load_id), l.load_id IS NOT NULL, coalesce(v.n, 0),"
                " coalesce(v.elsewhere, 0), l.written FROM (SELECT x._load, count(*) AS n,"
                " count(*) FILTER (WHERE (_file, _seq) <> (file_key, sequence)) AS elsewhere"
                " FROM (SELECT _load, _file, _seq FROM {t} UNION ALL SELECT _load, _file, _seq"
                " FROM {h}) x LEFT JOIN {loads} y ON y.load_id = x._load GROUP BY 1) v"
                " FULL JOIN {loads} l ON l.load_id = v._load ORDER BY 1"
            )
        )
        out = []
        for load, known, rows, elsewhere, written in found:
            if not known:
                examples = self._examples(str(load))
                out.append(f"{rows} rows are of the load {load}, which there is not: {examples}")
                continue
            if elsewhere:
                out.append(f"{elsewhere} rows of the load {load} name another file than its own")
            if written is not None and rows != written:
                out.append(f"the load {load} wrote {written} rows and versions, {rows} are there")
        return out

    def _examples(self, load: str) -> str:
        found = self.rows(
            sql.SQL(
                "SELECT concat_ws(', ', {id}) FROM (SELECT {id}, _load FROM {t} UNION ALL"
                " SELECT {id}, _load FROM {h}) v WHERE _load = {load} ORDER BY 1 LIMIT {n}"
            ),
            load=sql.Literal(load), n=sql.Literal(_EXAMPLES),
        )  # fmt: skip
        return "; ".join(f"{', '.join(self.identity)} = {one}" for (one,) in found)

    def periods(self) -> list[str]:
        """Whether each version's period is that of the loads that wrote and replaced it."""
        ((begins, ends, unknown),) = self.rows(
            sql.SQL(
                "SELECT count(*) FILTER (WHERE l.load_id IS NOT NULL"
                " AND h._valid_from IS DISTINCT FROM l.loaded_at),"
                " count(*) FILTER (WHERE r.load_id IS NOT NULL"
                " AND h._valid_to IS DISTINCT FROM r.loaded_at),"
                " count(*) FILTER (WHERE r.load_id IS NULL)"
                " FROM {h} h LEFT JOIN {loads} l ON l.load_id = h._load"
                " LEFT JOIN {loads} r ON r.load_id = h._replaced_by"
            )
        )
        out = []
        if begins:
            out.append(f"{begins} versions in the history begin at another time than their load")
        if ends:
            out.append(
                f"{ends} versions in the history end at another time than what replaced them"
            )
        if unknown:
            out.append(f"{unknown} versions in the history were replaced by a load there is not")
        found = self.rows(
            sql.SQL(
                "SELECT l.load_id, l.replaced, count(h._replaced_by) FROM {loads} l"
                " LEFT JOIN {h} h ON h._replaced_by = l.load_id GROUP BY 1, 2"
                " HAVING l.replaced <> count(h._replaced_by) ORDER BY 1"
            )
        )
        return out + [
            f"the load {load} replaced {wanted} versions, the history has {rows} of them"
            for load, wanted, rows in found
        ]

    def succession(self) -> list[str]:
        """The versions of every row that has a history: each once, each replaced by the next."""
        names = sql.SQL(", ").join(map(sql.Identifier, [*self.identity, "_load", *self.lacking]))
        before = {c: sql.Identifier(f"_before.{n}") for n, c in enumerate(self.lacking)}
        query = sql.SQL(
            "SELECT count(*) FILTER (WHERE _load = _before),"
            " count(*) FILTER (WHERE {keyed} AND _past AND _after <> _replaced_by),"
            " count(*) FILTER (WHERE {keyed} AND _past = (_after IS NULL)),"
            " count(*) FILTER (WHERE {taken_over})"
            " FROM (SELECT v.*, lag(_load) OVER w AS _before, lead(_load) OVER w AS _after{lags}"
            " FROM (SELECT u.*, l.ordinal AS _ordinal, l.columns AS _columns, l.barred AS _barred"
            " FROM (SELECT {names}, _replaced_by, true AS _past FROM {h} UNION ALL SELECT {names},"
            " NULL, false FROM {t} WHERE ({id}) IN (SELECT {id} FROM {h})) u"
            " JOIN {loads} l ON l.load_id = u._load) v"
            " WINDOW w AS (PARTITION BY {id} ORDER BY _ordinal, NOT _past)) v"
        )
        taken_over = [
            sql.SQL("({lacks} AND {now} IS DISTINCT FROM coalesce({before}, ''))").format(
                lacks=_lacks("v._columns", "v._barred", c), now=self._text(c), before=name
            )
            for c, name in before.items()
        ]
        lags = [
            sql.SQL(", lag({}) OVER w AS {}").format(self._text(c), n) for c, n in before.items()
        ]
        ((doubled, wrong, orphans, changed),) = self.rows(
            query,
            names=names,
            keyed=sql.Literal(bool(self.key)),
            taken_over=sql.SQL(" OR ").join([sql.SQL("false"), *taken_over]),
            lags=sql.SQL("").join(lags),
        )
        said = (
            (doubled, "versions are there twice for one load"),
            (wrong, "versions in the history were replaced by another load than it says"),
            (orphans, "rows are not the newest version, or a version has none that follows it"),
            (changed, "cells that a later file left as they were are not as before"),
        )
        return [f"{n} {what}" for n, what in said if n]

    def _text(self, column: str) -> sql.Composed:
        written = kind_of(self.kinds[column]).write(sql.Identifier("v", column))
        return sql.SQL("coalesce(({})::text, '')").format(written)

    def never_given(self) -> list[str]:
        """Cells of rows without a history, in columns that their file had not."""
        if not self.lacking:
            return []
        ((cells,),) = self.rows(
            sql.SQL(
                "SELECT count(*) FROM {t} v JOIN {loads} l ON l.load_id = v._load WHERE ({any})"
                " AND ({vid}) NOT IN (SELECT {id} FROM {h})"
            ),
            any=sql.SQL(" OR ").join(
                sql.SQL("({} AND {} <> '')").format(
                    _lacks("l.columns", "l.barred", c), self._text(c)
                )
                for c in self.lacking
            ),
            vid=sql.SQL(", ").join(sql.Identifier("v", c) for c in self.identity),
        )
        return [f"{cells} rows have a value that no file gave them"] if cells else []

    def _not_always_written(self) -> tuple[str, ...]:
        """Columns that at least one of the standing loads did not write."""
        found = self.rows(
            sql.SQL("SELECT l.columns, l.barred FROM {loads} l WHERE l.columns IS NOT NULL")
        )
        written = [set(columns) - set(barred) for columns, barred in found]
        return tuple(
            c
            for c in sorted(set(self.kinds) - set(self.identity))
            if any(c not in one for one in written)
        )


def _lacks(columns: str, barred: str, column: str) -> sql.Composed:
    return sql.SQL("({c} IS NOT NULL AND ({l} <> ALL ({c}) OR {b} ? {l}))").format(
        c=sql.Identifier(*columns.split(".")),
        b=sql.Identifier(*barred.split(".")),
        l=sql.Literal(column),
    )


def whole_table(conn: Connection, table: TableName) -> list[str]:
    """What is not as the standing loads left it, in sentences; [] when everything is.

    The table's form is taken for whole (see `form.damage`). Changes nothing.
    """
    work = _Whole(conn, table)
    return [
        *work.lost_key(),
        *work.unaccounted(),
        *work.periods(),
        *work.succession(),
        *work.never_given(),
    ]
