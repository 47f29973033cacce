"""Tables without a key: a corrected file takes the place of the file that it corrects.

Two files of one name are either a correction of the other or the next delivery under the same name
(`sales.csv` every evening). What they hold decides: when at least half of the rows of the smaller
one are in both, the later file replaces the earlier, whose rows go to history; otherwise both stay.
Whichever it was is in the certificate (`deleted`), and undo takes it back.
"""

from __future__ import annotations

from datetime import datetime

from psycopg import sql

from supplyline.load.merge import SOURCE, Target
from supplyline.load.schema import HIDDEN
from supplyline.load.types import comparable, remembered
from supplyline.tenancy.connections import Connection


def replace_earlier(conn: Connection, target: Target, *, file_name: str, now: datetime) -> int:
    """Moves the rows of files that this one corrects to history; answers how many there were."""
    if target.key:
        return 0
    found = conn.execute(
        "SELECT DISTINCT file_key FROM supplyline.loads WHERE table_name = %s AND file_name = %s"
        " AND file_key <> %s AND sequence < %s AND undone_at IS NULL",
        (target.table, file_name, target.file_key, target.sequence),
    ).fetchall()
    return sum(_move(conn, target, key, now) for (key,) in found if _corrects(conn, target, key))


def _corrects(conn: Connection, target: Target, earlier: str) -> bool:
    columns = sql.SQL(", ").join(
        sql.SQL("{}" if comparable(k) else "{}::text").format(sql.Identifier(c))
        for c, k in target.types.items()
    )
    row = conn.execute(
        sql.SQL(
            "SELECT (SELECT count(*) FROM (SELECT {c} FROM {t} WHERE _file = {e}"
            " INTERSECT ALL SELECT {c} FROM {s}) b),"
            " least((SELECT count(*) FROM {t} WHERE _file = {e}), (SELECT count(*) FROM {s}))"
        ).format(c=columns, t=target.name, e=sql.Literal(earlier), s=sql.Identifier(SOURCE))
    ).fetchone()
    return row is not None and row[1] > 0 and 2 * row[0] >= row[1]


def _move(conn: Connection, target: Target, earlier: str, now: datetime) -> int:
    names = sql.SQL(", ").join(map(sql.Identifier, [*remembered(conn, target.table), *HIDDEN]))
    return conn.execute(
        sql.SQL(
            "WITH gone AS (DELETE FROM {t} WHERE _file = {e} RETURNING {names})"
            " INSERT INTO {h} ({names}, _valid_from, _valid_to, _replaced_by)"
            " SELECT {names}, (SELECT loaded_at FROM supplyline.loads l WHERE l.load_id = _load),"
            " {now}, {load} FROM gone"
        ).format(
            t=target.name,
            e=sql.Literal(earlier),
            names=names,
            h=target.history,
            now=sql.Literal(now),
            load=sql.Literal(target.load_id),
        )
    ).rowcount
