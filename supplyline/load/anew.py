"""A table made anew beside itself, from the landed files, and compared with itself row by row.

The strongest proof there is: it needs nothing that was said of the table before. It takes the files
in the order in which they were loaded, works under a name of its own in a transaction that is
rolled back, and holds no lock that keeps readers of the table waiting. Loads of the table, and
audit events of the database, wait until it is done.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime

from psycopg import sql

from supplyline.contracts import Manifest, OrgId, RunRef, TableName
from supplyline.errors import FileNotLoaded, FileNotStored, SchemaDrift, UnreadableFile
from supplyline.load import form, records
from supplyline.load.again import standing_loads
from supplyline.load.keys import actual_key
from supplyline.load.kinds import kind_of
from supplyline.load.pipeline import Stream, load_within, lock_table
from supplyline.load.types import remembered
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import Connection
from supplyline.tenancy.names import parse_table_name

_ORIGIN = ("_file", "_row", "_seq", "_load", "_raw")
_EXAMPLES = 3


def compare_anew(
    org: OrgId,
    *,
    conn: Connection,
    table: TableName,
    manifests: Callable[[], Mapping[str, Manifest]],
    stream: Stream,
    run: RunRef,
    now: Callable[[], datetime],
    say: Callable[[str], None] = lambda _: None,
) -> list[str]:
    """What table and history hold otherwise than their files make them; [] when nothing.

    `manifests` by file id, asked once no load of the table can come between. Made with the table's
    settings as they are today. Changes nothing.
    """
    with conn.transaction(force_rollback=True):
        lock_table(conn, table)
        if damaged := form.damage(conn, table):
            return list(damaged)
        before = standing_loads(conn, table)
        files, known = list(before), manifests()
        if missing := [f for f in files if f not in known]:
            return [f"not made anew: no landed rows of {', '.join(missing)}"]
        kinds, scratch = remembered(conn, table), parse_table_name(f"anew_{secrets.token_hex(6)}")
        _same_settings(conn, table, scratch)
        records.forget(conn, table)
        for number, file_id in enumerate(files, 1):
            manifest = known[file_id]
            say(f"made anew: file {number} of {len(files)}, {manifest.name}")
            try:
                load_within(
                    org,
                    conn=conn,
                    manifest=replace(manifest, table=scratch),
                    batches=stream(manifest),
                    run=run,
                    now=now(),
                    accepted=before[file_id].policy,
                )
            except (FileNotLoaded, FileNotStored, SchemaDrift, UnreadableFile) as error:
                return [f"not made anew, since the file {file_id} cannot be loaded: {error.detail}"]
        return _compare(conn, table, scratch, kinds) if files else []


def _same_settings(conn: Connection, table: TableName, scratch: TableName) -> None:
    settings = table_settings(conn, table)
    save_table_settings(
        conn,
        replace(
            settings,
            table=scratch,
            version=0,
            key=actual_key(conn, table),
            key_source=settings.key_source or "none",
        ),
        actor="verify",
    )


def _compare(
    conn: Connection, table: TableName, scratch: TableName, kinds: Mapping[str, str]
) -> list[str]:
    anew = remembered(conn, scratch)
    out = [
        f"the column {c} is {kinds.get(c, 'not there')}, made anew it is"
        f" {anew.get(c, 'not there')} (decided otherwise by hand, or changed)"
        for c in sorted({*kinds, *anew})
        if kinds.get(c) != anew.get(c)
    ]
    common = sorted(kinds.keys() & anew.keys())
    identity = actual_key(conn, table) or ("_file", "_row")
    for what, ending, more in (("rows", "", ()), ("versions", "_history", ("_replaced_by",))):
        there = _selected(f"{table}{ending}", common, kinds, more)
        made = _selected(f"{scratch}{ending}", common, anew, more)
        out += _only_in(conn, there, made, identity, f"{what} of {table}{ending} no file makes")
        out += _only_in(conn, made, there, identity, f"{what} are not in {table}{ending}")
    return out


def _selected(
    relation: str, columns: Sequence[str], kinds: Mapping[str, str], more: Sequence[str]
) -> sql.Composed:
    """SQL: every row's texts, in the same order for both relations."""
    cells = [
        sql.SQL("({})::text AS {}").format(
            kind_of(kinds[c]).write(sql.Identifier(c)), sql.Identifier(c)
        )
        for c in columns
    ]
    origin = [
        sql.SQL("{n}::text AS {n}").format(n=sql.Identifier(name)) for name in (*_ORIGIN, *more)
    ]
    return sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join([*cells, *origin]), sql.Identifier("public", relation)
    )


def _only_in(
    conn: Connection, one: sql.Composed, other: sql.Composed, identity: Sequence[str], what: str
) -> list[str]:
    rows = conn.execute(
        sql.SQL(
            "SELECT concat_ws(', ', {id}), count(*) OVER () FROM ({one} EXCEPT ALL {other}) d"
            " ORDER BY 1 LIMIT {n}"
        ).format(
            id=sql.SQL(", ").join(map(sql.Identifier, identity)),
            one=one, other=other, n=sql.Literal(_EXAMPLES),
        )
    ).fetchall()  # fmt: skip
    if not rows:
        return []
    return [f"{rows[0][1]} {what}: {', '.join(identity)} = {'; '.join(r[0] for r in rows)}"]
