"""What a loaded table looks like, column by column.

Promises: one snapshot, read only; counts are exact. The number of distinct values is exact up to
`EXACT_ROWS` rows and beyond that the planner's estimate, marked as such. Values of text columns
are shown only when asked for (`values=True`); numbers, dates and lengths always are.
Refuses a table that does not exist (TableNotLanded).
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import psycopg
from psycopg import sql

from supplyline.contracts import Json, TableName
from supplyline.errors import TableNotLanded

Connection = psycopg.Connection[tuple[Any, ...]]

EXACT_ROWS = 1_000_000
_TOP = 5
_TEXT = frozenset({"text", "character varying", "character"})
_NUMBERS = frozenset({"smallint", "integer", "bigint", "numeric", "real", "double precision"})
_TIMES = frozenset({"date", "timestamp without time zone", "timestamp with time zone"})


@dataclass(frozen=True, kw_only=True)
class ColumnProfile:
    """One column. `type`: PostgreSQL's name. `empties`: text without anything but spaces.

    `kind`: the type with the format of its texts, as the load decided it; `remark`: why, where a
    person should know, such as dates that could be read in two ways and were left as text.

    `lengths`: (characters of the text, rows), most frequent first; `values`: (text, rows).
    """

    name: str
    type: str
    nulls: int
    empties: int
    distinct: int | None
    distinct_exact: bool
    minimum: str | None = None
    maximum: str | None = None
    lengths: tuple[tuple[int, int], ...] = ()
    values: tuple[tuple[str, int], ...] = ()
    kind: str = ""
    remark: str = ""

    @property
    def is_number(self) -> bool:
        return self.type in _NUMBERS

    @property
    def is_time(self) -> bool:
        return self.type in _TIMES


@dataclass(frozen=True, kw_only=True)
class TableProfile:
    """A table's rows and columns; columns that the load adds (`_...`) are left out."""

    table: TableName
    rows: int
    columns: tuple[ColumnProfile, ...]

    def column(self, name: str) -> ColumnProfile | None:
        return next((column for column in self.columns if column.name == name), None)

    def as_json(self) -> Json:
        return asdict(self)


def profile(conn: Connection, table: TableName, *, values: bool = False) -> TableProfile:
    """Profiles `public.<table>`; one pass for the counts and one per column for the lengths."""
    columns = _columns(conn, table)
    target = sql.Identifier("public", table)
    row = conn.execute(sql.SQL("SELECT count(*) FROM {}").format(target)).fetchone()
    rows = int(row[0]) if row else 0
    exact = rows <= EXACT_ROWS
    counts = _counts(conn, target, columns, exact=exact, values=values)
    estimates = {} if exact else _estimates(conn, table, rows=rows)
    decided = _decided(conn, table)
    profiled = []
    for position, (name, kind) in enumerate(columns):
        nulls, empties, distinct, low, high = counts[position * 5 : position * 5 + 5]
        profiled.append(
            ColumnProfile(
                name=name,
                type=kind,
                nulls=nulls,
                empties=empties,
                distinct=distinct if exact else estimates.get(name),
                distinct_exact=exact,
                minimum=low,
                maximum=high,
                lengths=_most_frequent(conn, target, name, of="length"),
                values=_most_frequent(conn, target, name, of="value") if values else (),
                kind=decided.get(name, ("", ""))[0],
                remark=decided.get(name, ("", ""))[1],
            )
        )
    return TableProfile(table=table, rows=rows, columns=tuple(profiled))


def _columns(conn: Connection, table: TableName) -> list[tuple[str, str]]:
    found = conn.execute(
        "SELECT a.attname, format_type(a.atttypid, NULL) FROM pg_attribute a"
        " WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped"
        " AND NOT starts_with(a.attname, '_') ORDER BY a.attnum",
        (f'public."{table}"',),
    ).fetchall()
    if not found:
        raise TableNotLanded(f"There is no table {table!r} in the organization's database.")
    return [(str(name), str(kind)) for name, kind in found]


def _decided(conn: Connection, table: TableName) -> dict[str, tuple[str, str]]:
    """Column → the load's kind and remark; none for a table that was made by hand."""
    rows = conn.execute(
        "SELECT column_name, type, remark FROM supplyline.column_types WHERE table_name = %s",
        (table,),
    ).fetchall()
    return {name: (kind, remark) for name, kind, remark in rows}


def _counts(
    conn: Connection,
    target: sql.Identifier,
    columns: list[tuple[str, str]],
    *,
    exact: bool,
    values: bool,
) -> tuple[Any, ...]:
    """nulls, empties, distinct, min, max of every column, in one pass over the table."""
    parts: list[sql.Composable] = []
    for name, kind in columns:
        column = sql.Identifier(name)
        is_text = kind in _TEXT
        ordered = kind in _NUMBERS or kind in _TIMES or (is_text and values)
        parts += [
            sql.SQL("count(*) FILTER (WHERE {} IS NULL)").format(column),
            sql.SQL("count(*) FILTER (WHERE btrim({}) = '')").format(column)
            if is_text
            else sql.SQL("0"),
            sql.SQL("count(DISTINCT {}::text)").format(column) if exact else sql.SQL("NULL::int"),
            sql.SQL("min({})::text").format(column) if ordered else sql.SQL("NULL::text"),
            sql.SQL("max({})::text").format(column) if ordered else sql.SQL("NULL::text"),
        ]
    query = sql.SQL("SELECT {} FROM {}").format(sql.SQL(", ").join(parts), target)
    return conn.execute(query).fetchone() or ()


def _estimates(conn: Connection, table: TableName, *, rows: int) -> dict[str, int]:
    """pg_stats' n_distinct: a number, or, when negative, a share of the rows."""
    found = conn.execute(
        "SELECT attname, n_distinct FROM pg_stats WHERE schemaname = 'public' AND tablename = %s",
        (table,),
    ).fetchall()
    return {name: int(-n * rows if n < 0 else n) for name, n in found}


def _most_frequent(
    conn: Connection, target: sql.Identifier, name: str, *, of: str
) -> tuple[tuple[Any, int], ...]:
    text = sql.SQL("{}::text").format(sql.Identifier(name))
    what = sql.SQL("length({})").format(text) if of == "length" else text
    rows = conn.execute(
        sql.SQL(
            "SELECT {what}, count(*) FROM {target} WHERE {text} IS NOT NULL GROUP BY 1"
            " ORDER BY 2 DESC, 1 LIMIT {top}"
        ).format(what=what, target=target, text=text, top=sql.Literal(_TOP))
    ).fetchall()
    return tuple((value, int(count)) for value, count in rows)
