"""Publishing a staged file: what each row becomes, decided, done and counted in SQL.

Fates: inserted, updated (the old version goes to history), unchanged, superseded (a later
row of the file, or of a later file, has the same key) and rejected (its key is empty).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from psycopg import sql

from supplyline.contracts import TableName
from supplyline.load.corrected import EMPTY_KEY
from supplyline.load.kinds import NUMERIC, sql_type
from supplyline.load.quarantine import without_key
from supplyline.load.records import loads_lacking
from supplyline.load.schema import HIDDEN
from supplyline.load.staging import STAGING
from supplyline.load.types import comparable, remembered, typed
from supplyline.tenancy.connections import Connection

SOURCE = "supplyline_source"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Where and as what a staged file is published. `key` is () for keyless tables."""

    table: TableName
    types: Mapping[str, str]
    key: tuple[str, ...]
    file_key: str
    sequence: int
    load_id: str
    barred: tuple[str, ...] = ()
    """Columns of the file that the table does not take; no row that is published has a value."""
    relation: str = ""
    """A temporary table to compare with in the place of the table itself."""

    @property
    def name(self) -> sql.Identifier:
        if self.relation:
            return sql.Identifier("pg_temp", self.relation)
        return sql.Identifier("public", self.table)

    @property
    def history(self) -> sql.Identifier:
        return sql.Identifier("public", f"{self.table}_history")

    def same_row(self, *, source: str, target: str = "t") -> sql.Composed:
        """SQL: the join between a source with typed columns and the table."""
        if not self.key:
            return sql.SQL("{t}._file = {f} AND {t}._row = {s}._row").format(
                t=sql.Identifier(target), s=sql.Identifier(source), f=sql.Literal(self.file_key)
            )
        return sql.SQL(" AND ").join(
            sql.SQL("{} = {}").format(sql.Identifier(target, k), sql.Identifier(source, k))
            for k in self.key
        )


@dataclass(frozen=True, kw_only=True)
class Fates:
    inserted: int = 0
    updated: int = 0
    unchanged: int = 0
    superseded: int = 0
    rejected: int = 0
    deleted: int = 0


def publish(conn: Connection, target: Target, *, now: datetime) -> Fates:
    """Rejects, classifies and applies; the caller's transaction makes it visible as a whole."""
    fates = classify_only(conn, target)
    if fates.updated:
        _keep_history(conn, target, now=now)
        _update(conn, target)
    if fates.inserted:
        _insert(conn, target)
    return fates


def classify_only(conn: Connection, target: Target) -> Fates:
    """Decides every staged row's fate and counts them; no table is changed."""
    rejected = _reject(conn, target)
    _classify(conn, target)
    counts: dict[str, int] = dict(
        conn.execute(
            sql.SQL("SELECT _fate, count(*) FROM {} GROUP BY 1").format(sql.Identifier(SOURCE))
        ).fetchall()
    )
    return Fates(rejected=rejected, **counts)


def _reject(conn: Connection, target: Target) -> int:
    if not target.key:
        return 0
    empty, reason = without_key(target.key)
    row = conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {s} s WHERE {empty}"
            " RETURNING _row, to_jsonb(s) - '_row' AS cells),"
            " kept AS (INSERT INTO supplyline.rejected_rows"
            " (load_id, row_number, code, reason, cells)"
            " SELECT {load}, _row, {code}, {reason}, cells FROM gone"
            " ON CONFLICT (load_id, row_number) DO NOTHING) SELECT count(*) FROM gone"
        ).format(
            s=sql.Identifier(STAGING),
            empty=empty,
            load=sql.Literal(target.load_id),
            code=sql.Literal(EMPTY_KEY),
            reason=sql.Literal(reason),
        )
    ).fetchone()
    return int((row or (0,))[0])


def key_repeats(conn: Connection, source: sql.Composable, *, key: sql.Composed) -> bool:
    """Whether rows of a source (what follows FROM) share a key; cheaper than to sort them all."""
    row = conn.execute(
        sql.SQL("SELECT EXISTS (SELECT FROM {} GROUP BY {} HAVING count(*) > 1)").format(
            source, key
        )
    ).fetchone()
    return bool(row and row[0])


def _typed_key(target: Target) -> sql.Composed:
    return sql.SQL(", ").join(typed(k, target.types[k]) for k in target.key)


def _classify(conn: Connection, target: Target) -> None:
    columns = sql.SQL("").join(  # none where the table takes none of the file's
        sql.SQL("{} AS {}, ").format(typed(c, k), sql.Identifier(c))
        for c, k in target.types.items()
    )
    last = (
        sql.SQL("row_number() OVER (PARTITION BY {} ORDER BY s._row DESC) = 1").format(
            _typed_key(target)
        )
        if target.key
        and key_repeats(
            conn, sql.SQL("{} s").format(sql.Identifier(STAGING)), key=_typed_key(target)
        )
        else sql.SQL("true")
    )
    conn.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(sql.Identifier(SOURCE)))
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE {source} ON COMMIT DROP AS"
            " WITH p AS (SELECT {columns}s._row, s._raw, {last} AS _last FROM {staging} s)"
            " SELECT p.*, CASE WHEN NOT p._last THEN 'superseded' WHEN t._seq IS NULL THEN"
            " 'inserted' WHEN t._seq > {seq} THEN 'superseded' WHEN {differs} THEN 'updated'"
            " ELSE 'unchanged' END AS _fate FROM p LEFT JOIN {target} t ON {same}"
        ).format(
            source=sql.Identifier(SOURCE),
            columns=columns,
            last=last,
            staging=sql.Identifier(STAGING),
            seq=sql.Literal(target.sequence),
            differs=differing(conn, target),
            target=target.name,
            same=target.same_row(source="p"),
        )
    )
    known = sql.SQL(", ").join(map(sql.Identifier, (*target.key, "_row", "_fate")))
    conn.execute(sql.SQL("ANALYZE {} ({})").format(sql.Identifier(SOURCE), known))


def differing(conn: Connection, target: Target) -> sql.Composed:
    """SQL: whether the row `t` of the table says something else than the row `p` of the source."""
    return sql.SQL(" OR ").join(
        [
            sql.SQL("t._raw IS DISTINCT FROM p._raw"),
            *(_differs(c, k) for c, k in target.types.items()),
            # An empty cell is not the same as none: NULL both, where the column is typed.
            *_came_without(conn, target),
        ]
    )


def _came_without(conn: Connection, target: Target) -> list[sql.Composed]:
    """SQL: whether a row of the table is of a file that lacked some of this file's columns."""
    loads = loads_lacking(conn, target.table, list(target.types))
    return [sql.SQL("t._load = ANY ({})").format(sql.Literal(loads))] if loads else []


def _differs(column: str, kind: str) -> sql.Composed:
    """1.0 and 1 are the same number and not the same text; the text is what must come back."""
    cast = sql.SQL("" if comparable(kind) or sql_type(kind) == NUMERIC else "::text")
    places = (
        sql.SQL(" OR scale(t.{c}) IS DISTINCT FROM scale(p.{c})").format(c=sql.Identifier(column))
        if sql_type(kind) == NUMERIC
        else sql.SQL("")
    )
    return sql.SQL("t.{c}{cast} IS DISTINCT FROM p.{c}{cast}{places}").format(
        c=sql.Identifier(column), cast=cast, places=places
    )


def _keep_history(conn: Connection, target: Target, *, now: datetime) -> None:
    names = [*remembered(conn, target.table), *HIDDEN]
    conn.execute(
        sql.SQL(
            "INSERT INTO {history} ({names}, _valid_from, _valid_to, _replaced_by)"
            " SELECT {values}, l.loaded_at, {now}, {load} FROM {target} t"
            " JOIN {source} p ON {same} LEFT JOIN supplyline.loads l ON l.load_id = t._load"
            " WHERE p._fate = 'updated'"
        ).format(
            history=target.history,
            names=sql.SQL(", ").join(map(sql.Identifier, names)),
            values=sql.SQL(", ").join(sql.Identifier("t", n) for n in names),
            now=sql.Literal(now),
            load=sql.Literal(target.load_id),
            target=target.name,
            source=sql.Identifier(SOURCE),
            same=target.same_row(source="p"),
        )
    )


def written(target: Target) -> dict[str, sql.Composable]:
    """Parts of a statement that writes rows `p` of a source into the table: `{columns}, {names}`
    take `{sources}, {values}`; names and values are the hidden columns'."""
    return {
        "target": target.name,
        "columns": sql.SQL(", ").join(map(sql.Identifier, target.types)),
        "names": sql.SQL(", ").join(map(sql.Identifier, HIDDEN)),
        "sources": sql.SQL(", ").join(sql.Identifier("p", c) for c in target.types),
        "values": sql.SQL("{}, p._row, {}, {}, p._raw").format(
            sql.Literal(target.file_key), sql.Literal(target.sequence), sql.Literal(target.load_id)
        ),
    }


def _update(conn: Connection, target: Target) -> None:
    conn.execute(
        sql.SQL(
            "UPDATE {target} t SET ({columns}, {names}) = ROW ({sources}, {values})"
            " FROM {source} p WHERE {same} AND p._fate = 'updated'"
        ).format(**written(target), source=sql.Identifier(SOURCE), same=target.same_row(source="p"))
    )


def _insert(conn: Connection, target: Target) -> None:
    conn.execute(
        sql.SQL(
            "INSERT INTO {target} ({columns}, {names}) SELECT {sources}, {values}"
            if target.types
            else "INSERT INTO {target} ({names}) SELECT {values}"
        ).format(**written(target))
        + sql.SQL(" FROM {source} p WHERE p._fate = 'inserted'").format(
            source=sql.Identifier(SOURCE)
        )
    )
