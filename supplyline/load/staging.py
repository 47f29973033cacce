"""A landed file in a temporary table of the loading transaction: all text, nothing decided yet."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pyarrow as pa
from pgpq import ArrowToPostgresBinaryEncoder
from psycopg import sql

from supplyline.checksums import Checksum
from supplyline.contracts import EXTRA, ROW
from supplyline.load.types import Evidence
from supplyline.tenancy.connections import Connection

STAGING = "supplyline_staging"


def stage(
    conn: Connection,
    *,
    columns: Sequence[str],
    batches: Iterator[pa.RecordBatch],
    evidence: Evidence | None = None,
) -> Checksum:
    """COPYs the batches into `pg_temp.supplyline_staging`; answers their checksum.

    Columns: `_row bigint`, one text column each, `_extra text[]`, `_raw jsonb` (what typed columns
    cannot say: which cells were absent, which came in excess; null for regular rows).
    """
    conn.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(sql.Identifier(STAGING)))
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE {} (_row bigint NOT NULL, {} _extra text[]) ON COMMIT DROP"
        ).format(
            sql.Identifier(STAGING),
            sql.SQL("").join(sql.SQL("{} text, ").format(sql.Identifier(c)) for c in columns),
        )
    )
    schema = pa.schema(
        [
            (ROW, pa.int64()),
            *((c, pa.string()) for c in columns),
            (EXTRA, pa.list_(pa.string())),
        ]
    )
    checksum = Checksum.over(columns)
    encoder = ArrowToPostgresBinaryEncoder(schema)
    copy_sql = sql.SQL("COPY {} FROM STDIN (FORMAT BINARY)").format(sql.Identifier(STAGING))
    with conn.cursor() as cursor, cursor.copy(copy_sql) as copy:
        copy.write(encoder.write_header())
        for batch in batches:
            checksum = checksum.plus(batch)
            cells = batch.select(schema.names).cast(schema)
            if evidence is not None:
                evidence.add(cells)
            copy.write(encoder.write_batch(cells))
        copy.write(encoder.finish())
    conn.execute(sql.SQL("ANALYZE {}").format(sql.Identifier(STAGING)))
    _describe_irregular_rows(conn, columns)
    return checksum


def _describe_irregular_rows(conn: Connection, columns: Sequence[str]) -> None:
    staging = sql.Identifier(STAGING)
    conn.execute(sql.SQL("ALTER TABLE {} ADD COLUMN _raw jsonb").format(staging))
    some_absent = (
        sql.SQL(" OR ").join(sql.SQL("{} IS NULL").format(sql.Identifier(c)) for c in columns)
        if columns
        else sql.SQL("false")
    )
    pairs = (
        sql.SQL(", ").join(
            sql.SQL("CASE WHEN {} IS NULL THEN {} END").format(sql.Identifier(c), sql.Literal(c))
            for c in columns
        )
        if columns
        else sql.SQL("NULL")
    )
    conn.execute(
        sql.SQL(
            "UPDATE {} SET _raw = jsonb_strip_nulls(jsonb_build_object("
            " 'absent', nullif(to_jsonb(array_remove(ARRAY[{}]::text[], NULL)), '[]'::jsonb),"
            " 'extra', to_jsonb(_extra))) WHERE _extra IS NOT NULL OR {}"
        ).format(staging, pairs, some_absent)
    )
