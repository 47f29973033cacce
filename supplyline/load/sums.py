"""The checksum of a load as PostgreSQL holds it, summed beside the data from the tables themselves.

The same text for every row as `checksums` builds it, restored from typed values; nothing of what
was computed while the rows were sent is used.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from psycopg import sql

from supplyline.checksums import SEEDS, SEPARATOR
from supplyline.load.kinds import TEXT, kind_of
from supplyline.load.merge import SOURCE, Target
from supplyline.load.staging import STAGING
from supplyline.load.types import restored, restored_barred
from supplyline.tenancy.connections import Connection


def checksum_all(
    conn: Connection,
    target: Target,
    *,
    separated: bool = True,
    among: sql.Composed | None = None,
) -> tuple[int, int, int]:
    """Rows, high and low sums of a table that holds the rows of this load and no others, or of its
    rows `t` in `among`, what follows FROM."""
    cells = {c: (k, sql.Identifier("t", c)) for c, k in target.types.items()}
    table = among or sql.SQL("{} t").format(target.name)
    rows, high, low, regular = 0, 0, 0, 0
    if cells and not separated:
        row = conn.execute(_sum_of_regular(table, cells)).fetchone()
        (rows, high, low), regular = _numbers(row), int((row or (0, 0, 0, 0))[3])
        if regular == rows:
            return rows, high, low
        table = sql.SQL("{} WHERE {}").format(table, irregular(cells, alias="t"))
    more = _numbers(conn.execute(_sum(table, cells, alias="t", separated=separated)).fetchone())
    return regular + more[0], high + more[1], low + more[2]


def _sum_of_regular(
    table: sql.Composed, cells: Mapping[str, tuple[str, sql.Identifier]]
) -> sql.Composed:
    """SQL: all rows, both sums of the regular ones, and how many these are.

    One arm of a union, so that each text is made once, and by as many processes as there are: a
    subquery that is kept apart by OFFSET, as below, is PostgreSQL's to run in one.
    """
    return sql.SQL(
        "SELECT count(*), sum(hashtextextended(m, {high})), sum(hashtextextended(m, {low})),"
        " count(m) FROM (SELECT CASE WHEN NOT ({irregular}) THEN {joined} END AS m FROM {table}"
        " UNION ALL SELECT NULL WHERE false) y"
    ).format(
        high=sql.Literal(SEEDS[0]),
        low=sql.Literal(SEEDS[1]),
        irregular=irregular(cells, alias="t"),
        joined=_joined([_written(*cells[name]) for name in sorted(cells)]),
        table=table,
    )


def _numbers(row: tuple[Any, ...] | None) -> tuple[int, int, int]:
    rows, high, low, *_ = row or (0, 0, 0)
    return int(rows or 0), int(high or 0), int(low or 0)


def checksum_parts(
    conn: Connection, target: Target, *, separated: bool = True
) -> tuple[int, int, int]:
    """Rows, high and low sums (see `checksums`) of this file as PostgreSQL holds it now.

    Current rows are read from the table and restored to text; superseded and rejected ones, which
    no table row stands for, are read from staging and from the rejected rows. `separated`: whether
    a cell of the file may hold U+001F.
    """
    current = _sum(
        sql.SQL("{t} t JOIN {s} p ON {same} WHERE p._fate <> 'superseded'").format(
            t=target.name, s=sql.Identifier(SOURCE), same=target.same_row(source="p")
        ),
        {c: (k, sql.Identifier("t", c)) for c, k in target.types.items()}
        | {c: (BARRED, sql.Identifier("t", c)) for c in target.barred},
        alias="t",
        separated=separated,
    )
    superseded = _sum(
        sql.SQL("{s} s JOIN {p} p USING (_row) WHERE p._fate = 'superseded'").format(
            s=sql.Identifier(STAGING), p=sql.Identifier(SOURCE)
        ),
        {c: (TEXT, sql.Identifier("s", c)) for c in (*target.types, *target.barred)},
        alias="s",
        separated=separated,
    )
    rejected = _sum(
        _set_aside(target),
        {c: (TEXT, sql.Identifier("r", c)) for c in (*target.types, *target.barred)},
        alias="r",
        separated=separated,
    )
    parts = sql.SQL(" UNION ALL ").join([current, superseded, rejected])
    query = sql.SQL("SELECT sum(n), sum(high), sum(low) FROM ({}) x(n, high, low)")
    return _numbers(conn.execute(query.format(parts)).fetchone())


def _set_aside(target: Target) -> sql.Composed:
    """SQL: the rows that this load set aside, as `r`, with their texts."""
    cells = [
        sql.SQL("cells ->> {} AS {}").format(sql.Literal(c), sql.Identifier(c))
        for c in (*target.types, *target.barred)
    ]
    raw = sql.SQL("nullif(cells -> '_raw', 'null') AS _raw").format()
    return sql.SQL("(SELECT {} FROM supplyline.rejected_rows WHERE load_id = {}) r").format(
        sql.SQL(", ").join([*cells, raw]), sql.Literal(target.load_id)
    )


BARRED = ""
"""In the place of a kind: a column that the table does not take."""


def _sum(
    source: sql.Composed,
    cells: Mapping[str, tuple[str, sql.Identifier]],
    *,
    alias: str,
    separated: bool,
) -> sql.Composed:
    """SQL: count and both sums of the rows' canonical texts (see `checksums`)."""
    return sql.SQL(
        "SELECT count(*), sum(hashtextextended(m, {high})), sum(hashtextextended(m, {low}))"
        " FROM (SELECT {text} AS m FROM {source} OFFSET 0) y"
    ).format(
        high=sql.Literal(SEEDS[0]),
        low=sql.Literal(SEEDS[1]),
        text=canonical(cells, alias=alias, separated=separated),
        source=source,
    )


def canonical(
    cells: Mapping[str, tuple[str, sql.Identifier]], *, alias: str, separated: bool
) -> sql.Composed:
    """SQL: the canonical text of a row.

    `cells`: column → kind and value. A row without `_raw` and with every text is regular, and its
    text is its cells joined. Where no cell of the file holds U+001F that needs no proof: a row
    that held one would have another text than every row of the file.
    """
    whole = _whole_text({c: _restored(c, kind, alias) for c, (kind, _) in cells.items()}, alias)
    if separated or not cells:
        return whole
    joined = _joined([_written(*cells[name]) for name in sorted(cells)])
    return sql.SQL("CASE WHEN {} THEN {} ELSE {} END").format(
        irregular(cells, alias=alias), whole, joined
    )


def irregular(cells: Mapping[str, tuple[str, sql.Identifier]], *, alias: str) -> sql.Composed:
    """SQL: whether a row has a cell that was absent or in excess, as far as its columns tell."""
    return sql.SQL(" OR ").join(
        [
            sql.SQL("{}._raw IS NOT NULL").format(sql.Identifier(alias)),
            *(sql.SQL("{} IS NULL").format(name) for k, name in cells.values() if k == TEXT),
        ]
    )


def _joined(cells: Sequence[sql.Composable]) -> sql.Composed:
    """SQL: the cells with U+001F between them; null counts as ''."""
    separator = sql.Literal(SEPARATOR)
    pieces = [piece for cell in cells for piece in (separator, cell)][1:]
    most = 100  # arguments of a function in PostgreSQL
    return sql.SQL(" || ").join(
        sql.SQL("concat({})").format(sql.SQL(", ").join(pieces[first : first + most]))
        for first in range(0, len(pieces), most)
    )


def _restored(column: str, kind: str, alias: str) -> sql.Composable:
    return restored(column, kind, alias=alias) if kind else restored_barred(column, alias=alias)


def _written(kind: str, value: sql.Identifier) -> sql.Composable:
    """SQL for concat: the text of a cell of a regular row; null for ''."""
    if kind == BARRED:
        return sql.SQL("NULL")
    if kind_of(kind).plain:
        return value
    return sql.SQL("CASE WHEN {v} IS NOT NULL THEN {w} END").format(
        v=value, w=kind_of(kind).write(value)
    )


def _whole_text(cells: Mapping[str, sql.Composable], alias: str) -> sql.Composed:
    """SQL: the canonical text of any row."""
    return sql.SQL(
        "(SELECT CASE WHEN r IS NULL AND octet_length(j) - octet_length(replace(j, {sep},"
        " '')) = {n} - 1 THEN j ELSE repeat({sep}, {n})"
        " || (SELECT coalesce(string_agg(coalesce(length(e)::text || ':' || e, '-'), '' ORDER BY"
        " o), '') FROM unnest(c) WITH ORDINALITY u(e, o))"
        " || (SELECT coalesce(string_agg('+' || length(e)::text || ':' || e, '' ORDER BY o), '')"
        " FROM jsonb_array_elements_text(r -> 'extra') WITH ORDINALITY u(e, o)) END"
        " FROM (SELECT r, c, array_to_string(c, {sep}) AS j FROM (SELECT {alias}._raw AS r,"
        " ARRAY[{plain}]::text[] AS c OFFSET 0) w OFFSET 0) x)"
    ).format(
        sep=sql.Literal(SEPARATOR),
        n=sql.Literal(len(cells)),
        plain=sql.SQL(", ").join(cells[name] for name in sorted(cells)),
        alias=sql.Identifier(alias),
    )
