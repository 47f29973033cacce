"""What PostgreSQL itself takes for the files of `benchmarks.load`, with nothing of ours around it.

`copy`: the CSV into a table of texts, or of types and with a key as the table that we publish.
`merge`: the CSV into a typed temporary table, then one UPDATE of the rows that differ, found by the
key; no history, checksum or certificate, no kinds to be found out, no MongoDB.
"""

from __future__ import annotations

from pathlib import Path

from psycopg import sql

from benchmarks.common import COLUMNS, KEY, measured
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.tenancy.connections import Connection, connect

_TYPES = ("text", "bigint", "text", "text", "bigint", "numeric", "date", "timestamp", "bigint",
          "text", "text", "text")  # fmt: skip
_KEY = sql.SQL(", ").join(map(sql.Identifier, KEY))
_NAMES = sql.SQL(", ").join(map(sql.Identifier, COLUMNS))
_TYPED = sql.SQL(", ").join(
    sql.SQL("{} {}").format(sql.Identifier(c), sql.SQL(t))
    for c, t in zip(COLUMNS, _TYPES, strict=True)
)


def copy(settings: Settings, org: OrgId, path: str, keyed: bool, typed: bool = False) -> None:
    """COPY of the file into a table of texts or of the types that ours has, with or without key."""
    key = sql.SQL(", PRIMARY KEY ({})").format(_KEY) if keyed else sql.SQL("")
    texts = sql.SQL("{} text").format(sql.SQL(" text, ").join(map(sql.Identifier, COLUMNS)))
    with connect(org, settings=settings) as conn:
        conn.execute("DROP TABLE IF EXISTS raw_copy")
        columns = _TYPED if typed else texts
        conn.execute(sql.SQL("CREATE TABLE raw_copy ({}{})").format(columns, key))
        if typed:
            _copy(conn, "raw_copy", path)
        else:
            _send(conn, sql.SQL("COPY raw_copy FROM STDIN (FORMAT csv, HEADER)"), path)


class Copies:
    """COPY of files into a table without key, with key, and with key and types: seconds, as often
    as it was timed."""

    def __init__(self, settings: Settings, org: OrgId) -> None:
        self.settings, self.org = settings, org
        self.plain: list[float] = []
        self.keyed: list[float] = []
        self.typed: list[float] = []

    def add(self, path: Path) -> None:
        given = (self.settings, self.org, str(path))
        self.plain.append(measured(copy, *given, False)["seconds"])
        self.keyed.append(measured(copy, *given, True)["seconds"])
        self.typed.append(measured(copy, *given, True, True)["seconds"])


def table(settings: Settings, org: OrgId, path: str) -> None:
    """A keyed, typed table `bare` of the file."""
    with connect(org, settings=settings) as conn:
        conn.execute(sql.SQL("DROP TABLE IF EXISTS bare; CREATE TABLE bare ({})").format(_TYPED))
        _copy(conn, "bare", path)
        conn.execute(sql.SQL("ALTER TABLE bare ADD PRIMARY KEY ({})").format(_KEY))


def merge(settings: Settings, org: OrgId, path: str) -> dict[str, float]:
    """Changes `bare` to what the file says, in one transaction."""
    with connect(org, settings=settings) as conn:
        conn.execute("SELECT set_config('work_mem', '64MB', true), set_config('jit', 'off', true)")
        conn.execute(sql.SQL("CREATE TEMP TABLE came ({}) ON COMMIT DROP").format(_TYPED))
        _copy(conn, "came", path)
        conn.execute(sql.SQL("ANALYZE came ({})").format(_KEY))
        done = conn.execute(
            sql.SQL(
                "UPDATE bare t SET ({names}) = ROW ({came}) FROM came p"
                " WHERE (t.order_id, t.line) = (p.order_id, p.line)"
                " AND ({old}) IS DISTINCT FROM ({came})"
            ).format(
                names=_NAMES,
                came=sql.SQL(", ").join(sql.Identifier("p", c) for c in COLUMNS),
                old=sql.SQL(", ").join(sql.Identifier("t", c) for c in COLUMNS),
            )
        )
        return {"updated": done.rowcount}


def _copy(conn: Connection, relation: str, path: str) -> None:
    typed = [c for c, t in zip(COLUMNS, _TYPES, strict=True) if t != "text"]
    statement = sql.SQL("COPY {} FROM STDIN (FORMAT csv, HEADER, FORCE_NULL ({}))").format(
        sql.Identifier(relation), sql.SQL(", ").join(map(sql.Identifier, typed))
    )
    _send(conn, statement, path)


def _send(conn: Connection, statement: sql.Composable, path: str) -> None:
    with conn.cursor() as cursor, Path(path).open("rb") as source, cursor.copy(statement) as out:
        while chunk := source.read(1 << 20):
            out.write(chunk)
