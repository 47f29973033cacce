"""Which of a table's files count, which wait, and whether their order asks for a rebuild."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from supplyline.contracts import Manifest, TableName
from supplyline.load import records
from supplyline.load.keys import actual_key
from supplyline.tenancy.connections import Connection


class OutOfOrder(Exception):
    """A late file would take the place of rows that a later one confirmed: to be rebuilt in order.

    Not to be seen from the rows of the table, since a row that is confirmed keeps its place.
    """


def current(manifests: Sequence[Manifest]) -> list[Manifest]:
    """The closed files that count, in order: of the readings of the same bytes under one upload
    the newest, and the corrections of files that count."""
    closed = [m for m in manifests if m.state == "closed"]
    newest: dict[str, Manifest] = {}
    for m in closed:
        root = m.origin or m.file_id
        if root not in newest or _age(newest[root]) < _age(m):
            newest[root] = m
    kept = {m.file_id for m in newest.values()}
    return sorted(
        (m for m in closed if m.file_id in kept and (not m.replay_of or m.replay_of in kept)),
        key=lambda m: (m.sequence, m.replay_of, m.file_id),
    )


def _age(manifest: Manifest) -> tuple[bool, str, str]:
    """The upload itself comes first, then its readings as they were opened."""
    opened = manifest.opened_at.isoformat() if manifest.opened_at else ""
    return bool(manifest.origin), opened, manifest.file_id


def pending(conn: Connection, *, table: TableName, manifests: Sequence[Manifest]) -> list[Manifest]:
    """The files of the table that count and have no receipt yet, in order."""
    loaded = records.loaded_file_ids(conn, table)
    return [m for m in current(manifests) if m.file_id not in loaded]


def late(conn: Connection, *, table: TableName, manifests: Sequence[Manifest]) -> bool:
    """Whether one of these files, which are to be loaded, is older than loaded ones that would have
    been loaded otherwise after it: to be rebuilt in order.

    With a key: later files that lack a column which it has, and so would have kept its values.
    Without: later files of its name, which may be its correction.
    """
    keyed = bool(actual_key(conn, table))
    for m in manifests:
        columns = m.columns
        later = records.later_loads(conn, table, m.sequence)
        if any(
            not set(columns) <= set(held) if keyed else not m.replay_of and name == m.name
            for name, held in later
        ):
            return True
    return False


def outdated(conn: Connection, *, table: TableName, manifests: Sequence[Manifest]) -> bool:
    """Whether the table holds rows of a reading that another one has replaced: to be rebuilt."""
    loaded = records.loaded_file_ids(conn, table) - records.undone_file_ids(conn, table)
    return bool(loaded & ({m.file_id for m in manifests} - {m.file_id for m in current(manifests)}))


def confirmed_later(conn: Connection, table: TableName, *, sequence: int) -> bool:
    """Whether a file behind this place, whose load stands, had rows as they were there already."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.loads l JOIN supplyline.certificates c USING"
        " (load_id) WHERE l.table_name = %s AND l.sequence > %s AND l.undone_at IS NULL"
        " AND (c.body ->> 'unchanged')::bigint > 0)",
        (table, sequence),
    ).fetchone()
    return bool(row and row[0])


def newest_load(conn: Connection, table: TableName) -> tuple[datetime, ...]:
    """When the newest of the standing loads was; () when there is none."""
    row = conn.execute(
        "SELECT max(loaded_at) FROM supplyline.loads WHERE table_name = %s AND undone_at IS NULL",
        (table,),
    ).fetchone()
    return (row[0],) if row and row[0] else ()
