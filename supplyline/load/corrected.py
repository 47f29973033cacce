"""Rows that loads set aside, and what became of each.

A row is open until a corrected one is in the table in its place. Promises: a row is corrected once,
whoever asks at the same time; a correction that is set aside itself, or whose load is undone, is
none, and its row can be corrected again; a corrected row never stands in the table beside its
correction, also where it would fit by now.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass

from psycopg import sql

from supplyline.load.staging import STAGING
from supplyline.tenancy.connections import Connection

CORRECTED = "corrected"
"""The code of a row that is left out for its correction's sake alone."""
WRONG_KIND, NO_COLUMN, EMPTY_KEY = "type_mismatch", "unknown_column", "empty_key"

_HOLDS = sql.SQL(
    "EXISTS (SELECT FROM supplyline.loads h WHERE h.file_id = c.by_file_id AND h.undone_at IS NULL"
    " AND NOT EXISTS (SELECT FROM supplyline.rejected_rows x WHERE x.load_id = h.load_id"
    " AND x.row_number = c.by_row))"
)
"""SQL: the correction `c` is loaded and was not set aside in its turn."""


STILL_OPEN = sql.SQL(
    "AND NOT EXISTS (SELECT FROM supplyline.corrected_rows c WHERE c.file_key = l.file_key"
    " AND c.row_number = r.row_number AND {})"
).format(_HOLDS)
"""SQL: the row `r` that the load `l` set aside was not corrected."""


def claim(
    conn: Connection, *, file_key: str, corrections: Mapping[int, int], by: str
) -> dict[int, str]:
    """Links rows that a load of `file_key` set aside to the rows of the file `by` that correct
    them.

    Answers the rows that cannot be: row → `not_in_quarantine` or `already_replayed`. May be
    repeated with the same arguments.
    """
    rows = list(corrections)
    values = {"k": file_key, "r": rows, "b": by, "n": [corrections[r] for r in rows]}
    insert = sql.SQL(
        "INSERT INTO supplyline.corrected_rows AS c (file_key, row_number, by_file_id, by_row)"
        " SELECT %(k)s, g.r, %(b)s, g.n FROM unnest(%(r)s::bigint[], %(n)s::bigint[]) g(r, n)"
        " WHERE EXISTS (SELECT FROM supplyline.rejected_rows j JOIN supplyline.loads l USING"
        " (load_id) WHERE l.file_key = %(k)s AND l.undone_at IS NULL AND j.row_number = g.r)"
        " ORDER BY g.r ON CONFLICT (file_key, row_number) DO UPDATE"
        " SET by_file_id = excluded.by_file_id, by_row = excluded.by_row"
        " WHERE EXISTS (SELECT FROM supplyline.loads h WHERE h.file_id = c.by_file_id)"
        " AND NOT {}"
    )
    conn.execute(insert.format(_HOLDS), values)
    found = {
        row: (file_id, by_row)
        for row, file_id, by_row in conn.execute(
            "SELECT row_number, by_file_id, by_row FROM supplyline.corrected_rows"
            " WHERE file_key = %(k)s AND row_number = ANY(%(r)s)",
            values,
        ).fetchall()
    }
    return {
        row: "already_replayed" if row in found else "not_in_quarantine"
        for row in rows
        if found.get(row) != (by, corrections[row])
    }


def release(conn: Connection, *, by: str) -> None:
    """Opens the rows again that the file `by`, which was refused, had claimed."""
    conn.execute("DELETE FROM supplyline.corrected_rows WHERE by_file_id = %s", (by,))


@dataclass(frozen=True, kw_only=True)
class Failed:
    """Corrections that are none: whole files whose load is undone, and single rows set aside."""

    files: frozenset[str]
    rows: frozenset[tuple[str, int]]

    def __contains__(self, correction: object) -> bool:
        """Whether `{file_id, row}` is one of them."""
        if not isinstance(correction, Mapping):
            return False
        file_id, row = correction["file_id"], correction["row"]
        return file_id in self.files or (file_id, row) in self.rows


def failed(conn: Connection, *, file_key: str) -> Failed:
    """The corrections of any upload of `file_key` that did not come to stand in the table."""
    loads = conn.execute(
        "SELECT r.load_id, r.file_id, r.undone_at IS NOT NULL FROM supplyline.loads r"
        " JOIN supplyline.loads o ON o.file_id = r.replay_of WHERE o.file_key = %s",
        (file_key,),
    ).fetchall()
    standing = {load_id: file_id for load_id, file_id, undone in loads if not undone}
    rows = conn.execute(
        "SELECT load_id, row_number FROM supplyline.rejected_rows WHERE load_id = ANY(%s)",
        (list(standing),),
    ).fetchall()
    return Failed(
        files=frozenset(file_id for _, file_id, undone in loads if undone),
        rows=frozenset((standing[load_id], row) for load_id, row in rows),
    )


def set_aside_corrected(conn: Connection, *, file_key: str, load_id: str) -> int:
    """Moves staged rows that were corrected out of staging; answers how many."""
    return conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {s} s USING supplyline.corrected_rows c"
            " WHERE c.file_key = {k} AND c.row_number = s._row"
            " RETURNING s._row, 'row ' || c.by_row || ' of ' || c.by_file_id || ' is in its place'"
            " AS reason, to_jsonb(s) - '_row' AS cells)"
            " INSERT INTO supplyline.rejected_rows (load_id, row_number, code, reason, cells)"
            " SELECT {load}, _row, {code}, reason, cells FROM gone"
        ).format(
            s=sql.Identifier(STAGING),
            k=sql.Literal(file_key),
            load=sql.Literal(load_id),
            code=sql.Literal(CORRECTED),
        )
    ).rowcount


def any_corrected(conn: Connection, *, file_key: str) -> bool:
    """Whether rows of the file were set aside by a load and corrected."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.corrected_rows WHERE file_key = %s)", (file_key,)
    ).fetchone()
    return bool(row and row[0])


@dataclass(frozen=True, kw_only=True)
class SetAside:
    """A row that a load set aside. `cells`: column → text, None for an absent cell."""

    row: int
    code: str
    reason: str
    cells: Mapping[str, object]


def rows_set_aside(conn: Connection, *, file_key: str, open_only: bool) -> Iterator[SetAside]:
    """What loads of the content that stand set aside, in order of rows; no cap."""
    with conn.cursor(name="rows_set_aside") as cursor:
        cursor.execute(
            sql.SQL(
                "SELECT DISTINCT ON (r.row_number) r.row_number, r.code, r.reason, r.cells"
                " FROM supplyline.rejected_rows r JOIN supplyline.loads l USING (load_id)"
                " WHERE l.file_key = %s AND l.undone_at IS NULL {}"
                " ORDER BY r.row_number, l.ordinal DESC"
            ).format(STILL_OPEN if open_only else sql.SQL("")),
            (file_key,),
        )
        for row, code, reason, cells in cursor:
            yield SetAside(row=row, code=code, reason=reason, cells=cells)


def any_set_aside(conn: Connection, *, file_key: str) -> bool:
    """Whether a load of the content that stands set rows aside, corrected or not."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.rejected_rows r JOIN supplyline.loads l USING"
        " (load_id) WHERE l.file_key = %s AND l.undone_at IS NULL)",
        (file_key,),
    ).fetchone()
    return bool(row and row[0])


BY_CODE = sql.SQL(
    "(SELECT coalesce(jsonb_object_agg(g.code, g.n), '{{}}') FROM (SELECT j.code, count(*) n"
    " FROM supplyline.rejected_rows j JOIN supplyline.corrected_rows c"
    " ON c.file_key = l.file_key AND c.row_number = j.row_number"
    " WHERE j.load_id = l.load_id AND {} GROUP BY 1) g)"
).format(_HOLDS)
"""SQL: code → number of the rows set aside by the load `l` that were corrected."""


def corrections_elsewhere(conn: Connection, *, files: Collection[str]) -> dict[str, int]:
    """Of these files of corrections, how many rows correct no row in landing's quarantine: those
    that correct a row which a load set aside, and those that were set aside themselves."""
    rows = conn.execute(
        "SELECT file_id, count(*) FROM ("
        " SELECT c.by_file_id AS file_id, c.by_row AS row FROM supplyline.corrected_rows c"
        " WHERE c.by_file_id = ANY(%(f)s)"
        " UNION SELECT l.file_id, j.row_number FROM supplyline.rejected_rows j"
        " JOIN supplyline.loads l USING (load_id)"
        " WHERE l.undone_at IS NULL AND l.file_id = ANY(%(f)s)) x GROUP BY 1",
        {"f": list(files)},
    ).fetchall()
    return {file_id: int(n) for file_id, n in rows}
