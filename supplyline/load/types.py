"""Which type a column may have: the narrowest whose text form is the text that came.

Asked of every cell that is not empty, of the whole file: a type is taken only when its canonical
text is the cell's text, and the certificate's checksum over the table proves it afterwards. So
`00123`, `1E5`, `+1`, `1_000`, `NaN` and 20-digit article numbers with a leading zero stay text, and
`1.50` is numeric that keeps its two places.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from supplyline.tenancy.connections import Connection

TEXT = "text"
BIGINT, NUMERIC, BOOLEAN, DATE, TIMESTAMP, UUID = (
    "bigint", "numeric", "boolean", "date", "timestamp", "uuid",
)  # fmt: skip

_PATTERNS: dict[str, str] = {
    BIGINT: r"^(0|-?[1-9][0-9]{0,17})$",
    NUMERIC: r"^(-?[1-9][0-9]{0,60}(\.[0-9]{1,40})?|0(\.[0-9]{1,40})?"
    r"|-0\.[0-9]{0,39}[1-9][0-9]{0,39})$",
    BOOLEAN: r"^(true|false)$",
    DATE: r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])$",
    TIMESTAMP: r"^[12][0-9]{3}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
    r" ([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9](\.[0-9]{0,5}[1-9])?$",
    UUID: r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$",
}
"""Type → what its text looks like; also guards the cast, which is tried after this only."""

_WIDER = {(BIGINT, NUMERIC): NUMERIC, (NUMERIC, BIGINT): NUMERIC}


def join(one: str, other: str) -> str:
    """The type that can hold both: itself, numeric for numbers, else text."""
    return one if one == other else _WIDER.get((one, other), TEXT)


class Evidence:
    """Which types every value of a file's columns fits, gathered batch by batch while staging."""

    def __init__(self, columns: Sequence[str]) -> None:
        self._kinds = {c: list(_PATTERNS) for c in columns}
        self._any = dict.fromkeys(columns, False)

    def add(self, batch: pa.RecordBatch) -> None:
        for column, kinds in self._kinds.items():
            cells = batch.column(column)
            if not kinds and self._any[column]:
                continue
            values = cells.filter(pc.not_equal(cells, ""))  # neither empty nor absent
            if not len(values):
                continue
            self._any[column] = True
            kinds[:] = [
                k for k in kinds if pc.all(pc.match_substring_regex(values, _PATTERNS[k])).as_py()
            ]

    def types(self, conn: Connection, *, staging: str) -> dict[str, str | None]:
        """The narrowest type of each column; None where it holds no value at all in this file."""
        out: dict[str, str | None] = {}
        for column, kinds in self._kinds.items():
            kind = kinds[0] if kinds else TEXT
            if self._any[column] and kind in (DATE, TIMESTAMP):
                kind = kind if _casts(conn, staging, column, kind) else TEXT  # such as 2023-02-30
            out[column] = kind if self._any[column] else None
        return out


def _casts(conn: Connection, staging: str, column: str, kind: str) -> bool:
    row = conn.execute(
        sql.SQL(
            "SELECT coalesce(bool_and(pg_input_is_valid({c}, {k})), true) FROM {t} WHERE {c} <> ''"
        ).format(c=sql.Identifier(column), k=sql.Literal(kind), t=sql.Identifier(staging))
    ).fetchone()
    return bool(row and row[0])


def typed(column: str, kind: str, *, alias: str = "s") -> sql.Composed:
    """SQL: the staged text as a value of its type; an empty cell of a typed column is NULL."""
    name = sql.Identifier(alias, column)
    if kind == TEXT:
        return sql.SQL("{}").format(name)
    return sql.SQL("nullif({}, '')::{}").format(name, sql.SQL(kind))


def restored(column: str, kind: str, *, alias: str = "t") -> sql.Composed:
    """SQL: the cell's text as it came. `_raw.absent` names the cells that were not there."""
    name = sql.Identifier(alias, column)
    if kind == TEXT:
        return sql.SQL("{}").format(name)
    return sql.SQL(
        "CASE WHEN {n} IS NOT NULL THEN {n}::text"
        " WHEN {raw} -> 'absent' ? {c} THEN NULL ELSE '' END"
    ).format(n=name, raw=sql.Identifier(alias, "_raw"), c=sql.Literal(column))


def remembered(conn: Connection, table: str) -> dict[str, str]:
    rows = conn.execute(
        "SELECT column_name, type FROM supplyline.column_types WHERE table_name = %s", (table,)
    ).fetchall()
    return dict(rows)


def remember(conn: Connection, table: str, types: Mapping[str, str]) -> None:
    with conn.cursor() as cursor:
        cursor.executemany(
            "INSERT INTO supplyline.column_types (table_name, column_name, type)"
            " VALUES (%s, %s, %s) ON CONFLICT (table_name, column_name)"
            " DO UPDATE SET type = excluded.type",
            [(table, column, kind) for column, kind in types.items()],
        )
