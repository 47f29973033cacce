"""What somebody else made in the organization's database: named, and neither used nor dropped.

The organization's role may make tables, views, constraints and triggers of its own. A name that a
table needs may be taken by one of them, and a rule that was put on a table may refuse its rows.
"""

from __future__ import annotations

import re

import psycopg

from supplyline.contracts import TableName
from supplyline.errors import SchemaDrift, TableDamaged
from supplyline.load.schema import HIDDEN
from supplyline.tenancy.connections import Connection

_KINDS = {
    "r": "table", "p": "table", "v": "view", "m": "materialized view", "f": "foreign table",
    "S": "sequence", "i": "index", "I": "index", "c": "type",
}  # fmt: skip
_RULES = ("0A000", "42501", "09", "23", "27", "38", "39", "P0")
"""Beginnings of SQLSTATEs: a rule, a right, a constraint, a trigger."""
_FUNCTION = re.compile(r"(?:PL/pgSQL|SQL) function \"?(\w+)")


def strangers(conn: Connection, table: TableName) -> tuple[str, ...]:
    """What has the name of the table or of its history and was made by no load."""
    rows = conn.execute(
        "SELECT c.relkind::text, c.relname FROM pg_class c WHERE c.relname = ANY (%(names)s)"
        " AND c.relnamespace = 'public'::regnamespace AND NOT (c.relkind IN ('r', 'p')"
        " AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0"
        " AND NOT a.attisdropped AND a.attname = ANY (%(own)s)))"
        " UNION ALL SELECT 'c', t.typname FROM pg_type t WHERE t.typname = ANY (%(names)s)"
        " AND t.typnamespace = 'public'::regnamespace AND t.typrelid = 0 ORDER BY 2",
        {"names": [table, f"{table}_history"], "own": list(HIDDEN)},
    ).fetchall()
    return tuple(
        f"no load made the {_KINDS.get(kind, kind)} {name} in public" for kind, name in rows
    )


def require_no_strangers(conn: Connection, table: TableName) -> None:
    """Raises TableDamaged when the table's name, or that of its history, is somebody's."""
    if found := strangers(conn, table):
        raise TableDamaged(
            f"The name of table {table} is taken: {'; '.join(found)}.",
            next_step="Rename it or drop it, as whoever made it decides (nothing of it is touched"
            " here); then repeat this.",
            table=table,
        )


def require_no_rules(conn: Connection, table: TableName, *, file_name: str) -> None:
    """Raises SchemaDrift when somebody put rules or triggers on the table, which may have taken
    rows away without a word."""
    rows = conn.execute(
        "SELECT 'rule ' || r.rulename FROM pg_rewrite r"
        " WHERE r.ev_class = to_regclass(format('public.%%I', %(t)s::text)) UNION ALL"
        " SELECT 'trigger ' || g.tgname FROM pg_trigger g"
        " WHERE g.tgrelid = to_regclass(format('public.%%I', %(t)s::text))"
        " AND NOT g.tgisinternal AND g.tgenabled <> 'D' ORDER BY 1",
        {"t": table},
    ).fetchall()
    if rows:
        raise SchemaDrift(
            f"Table {table} does not take the rows of {file_name} as they are: somebody put the"
            f" {', the '.join(name for (name,) in rows)} on it.",
            next_step=f"Drop or change it, then load again; {file_name} waits.",
            table=table,
        )


def rule_of_others(error: psycopg.Error) -> str:
    """The constraint, trigger or right of somebody's that refused a row, without the row's values;
    '' when the error is of another kind."""
    if isinstance(error, psycopg.OperationalError):
        return ""
    if function := _FUNCTION.search(error.diag.context or ""):
        return f"the function {function[1]}, which somebody has run on its rows, failed"
    state = error.sqlstate or ""
    if not state.startswith(_RULES) or error.diag.schema_name == "supplyline":
        return ""
    return str(error.diag.message_primary)
