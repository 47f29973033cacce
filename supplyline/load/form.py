"""Whether a table still has the form in which the loads left it: its relations and its columns.

What was dropped or changed with other tools shows here, before any statement runs into it.
"""

from __future__ import annotations

from collections.abc import Mapping

from supplyline.contracts import TableName
from supplyline.errors import TableDamaged
from supplyline.load.kinds import sql_type
from supplyline.load.others import require_no_strangers, strangers
from supplyline.load.schema import HIDDEN
from supplyline.load.types import remembered
from supplyline.tenancy.connections import Connection

_PERIOD = ("_valid_from", "_valid_to", "_replaced_by")


def damage(conn: Connection, table: TableName) -> tuple[str, ...]:
    """What differs from the form that the standing loads gave the table; () when nothing does."""
    standing = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.loads WHERE table_name = %s AND undone_at IS NULL)",
        (table,),
    ).fetchone()
    if not (standing and standing[0]):
        return ()
    if taken := strangers(conn, table):
        return taken
    types = _full_names(conn, remembered(conn, table))
    out: list[str] = []
    for relation, own in ((table, HIDDEN), (f"{table}_history", (*HIDDEN, *_PERIOD))):
        found = _columns(conn, relation)
        if not found:
            out.append(f"the table {relation} is gone")
            continue
        out += [f"{relation} has no column {c}" for c in (*types, *own) if c not in found]
        out += [
            f"{relation}.{c} is {found[c]}, not {wanted}"
            for c, wanted in types.items()
            if c in found and found[c] != wanted
        ]
    return tuple(out)


def require_whole(conn: Connection, table: TableName) -> None:
    """Raises TableDamaged when the table is not as the loads left it, or is none of theirs."""
    require_no_strangers(conn, table)
    if found := damage(conn, table):
        raise TableDamaged(
            f"Table {table} is not as its loads left it: {'; '.join(found)}.",
            next_step=f"`supplyline rebuild --table {table}` makes it again from the landed files.",
            table=table,
        )


def _columns(conn: Connection, relation: str) -> dict[str, str]:
    """Column → type of a table in `public`; {} when there is none."""
    rows = conn.execute(
        "SELECT attname, format_type(atttypid, NULL) FROM pg_attribute"
        " WHERE attrelid = to_regclass(format('public.%%I', %s::text))"
        " AND attnum > 0 AND NOT attisdropped",
        (relation,),
    ).fetchall()
    return dict(rows)


def _full_names(conn: Connection, kinds: Mapping[str, str]) -> dict[str, str]:
    """Column → type as PostgreSQL writes it."""
    wanted = {c: sql_type(kind) for c, kind in kinds.items()}
    rows = conn.execute(
        "SELECT t, format_type(to_regtype(t), NULL) FROM unnest(%s::text[]) u(t)",
        (sorted(set(wanted.values())),),
    ).fetchall()
    full: dict[str, str] = dict(rows)
    return {c: full[t] for c, t in wanted.items()}
