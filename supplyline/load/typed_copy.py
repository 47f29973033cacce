"""COPY of a file straight into typed columns, with the kinds that its first rows suggest.

What the first rows look like is taken for true while the rest arrives. Every batch's cells are part
of the evidence before they are sent, so that COPY never meets a value that it cannot read. Where
the suggestion proves wrong, the rows that were written become the staging table: nothing has to be
read twice.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from psycopg import sql

from supplyline.load.kinds import BOOLEAN, TEXT, kind_of
from supplyline.load.staging import STAGING, create_staging
from supplyline.load.types import Evidence, restored
from supplyline.tenancy.connections import Connection


def sent_as_it_is(spec: str) -> bool:
    """Whether PostgreSQL reads the kind's texts without help."""
    return spec == BOOLEAN or kind_of(spec).plain


def fits(evidence: Evidence, types: Mapping[str, str]) -> bool:
    """Whether every cell so far fits the kinds."""
    return all(
        kind == TEXT or (fitting := evidence.fitting(column)) is None or kind in fitting
        for column, kind in types.items()
    )


def become_staging(
    conn: Connection,
    columns: Sequence[str],
    *,
    schema: str,
    relation: str,
    types: Mapping[str, str],
) -> None:
    """The rows that were written, as texts, in the staging table."""
    create_staging(conn, columns)
    conn.execute(
        sql.SQL("INSERT INTO {} ({}) SELECT {} FROM {} t").format(
            sql.Identifier("pg_temp", STAGING),
            sql.SQL(", ").join(map(sql.Identifier, [*columns, "_row", "_raw"])),
            sql.SQL(", ").join(
                [*(restored(c, types[c]) for c in columns), sql.SQL("t._row, t._raw")]
            ),
            sql.Identifier(schema, relation),
        )
    )
