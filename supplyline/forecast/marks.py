"""Which decimal mark an organization writes, for columns of text that leave it open (`5,000`).

Promises: evidence from other columns of the same table, else from all tables; where there is none,
or both marks are in use, none. Ground: kinds of columns and their cells, nothing is changed.
"""

from __future__ import annotations

from typing import Any

import psycopg
from psycopg import sql

Connection = psycopg.Connection[tuple[Any, ...]]

_SURE = {",": r"^[-+(]?[0-9.]*,([0-9]{1,2}|[0-9]{4,})[-)]?$",
         ".": r"^[-+(]?[0-9,]*[.]([0-9]{1,2}|[0-9]{4,})[-)]?$"}  # fmt: skip
"""Numbers that can only be meant with this mark."""
LOOKED_AT = 20_000
"""Rows of a table that are looked at."""
_DOUBTED = "read with a decimal point, though%"


def decimal_mark(conn: Connection, table: str) -> str:
    """`,` or `.`, or empty where nothing tells."""
    own = _of_kinds(conn, table) | _of_texts(conn, table)
    found = own or _of_kinds(conn, None)
    return found.pop() if len(found) == 1 else ""


def _of_kinds(conn: Connection, table: str | None) -> set[str]:
    """Of columns that were loaded as numbers with decimals."""
    rows = conn.execute(
        "SELECT DISTINCT type FROM supplyline.column_types WHERE type LIKE 'numeric%%'"
        " AND coalesce(remark, '') NOT LIKE %s AND (%s::text IS NULL OR table_name = %s)",
        (_DOUBTED, table, table),
    ).fetchall()
    return {"," if kind.endswith(",5") else "." for (kind,) in rows}


def _of_texts(conn: Connection, table: str) -> set[str]:
    """Of columns that were loaded as text."""
    columns = conn.execute(
        "SELECT attname FROM pg_attribute WHERE attrelid = (SELECT oid FROM pg_class WHERE relname"
        " = %s AND relnamespace = 'public'::regnamespace) AND attnum > 0 AND NOT attisdropped"
        " AND atttypid = 'text'::regtype AND left(attname, 1) <> '_'",
        (table,),
    ).fetchall()
    out = set()
    for (column,) in columns:
        query = sql.SQL(
            "SELECT EXISTS (SELECT FROM (SELECT {1} FROM public.{0} LIMIT {3}) seen"
            " WHERE btrim({1}) ~ {2})"
        )
        for mark, pattern in _SURE.items():
            sure = query.format(
                sql.Identifier(table),
                sql.Identifier(column),
                sql.Literal(pattern),
                sql.Literal(LOOKED_AT),
            )
            row = conn.execute(sure).fetchone()
            if row and row[0]:
                out.add(mark)
    return out
