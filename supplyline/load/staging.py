"""A landed file on its way: summed and looked at while it is sent, into whatever table is given.

`stage` puts it into a temporary table of the loading transaction: all text, nothing decided yet.
"""

from __future__ import annotations

import io
import json
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.csv
from psycopg import sql

from supplyline import arrays
from supplyline.checksums import SEPARATOR, Checksum
from supplyline.contracts import EXTRA, ROW
from supplyline.load import binary
from supplyline.load.ahead import ahead
from supplyline.load.kinds import BIGINT, TEXT
from supplyline.load.types import Evidence
from supplyline.tenancy.connections import Connection

STAGING = "supplyline_staging"


class Incoming:
    """A file's batches, each counted once, though one may be given back and taken again.

    `checksum` and `evidence` are those of the batches that were taken. `separated`: whether a cell
    held U+001F, so that rows' texts cannot be told from their joined cells alone.
    """

    def __init__(
        self,
        columns: Sequence[str],
        batches: Iterator[pa.RecordBatch],
        *,
        evidence: Evidence | None = None,
    ) -> None:
        self.columns = tuple(columns)
        self.evidence = evidence
        self.checksum = Checksum.over(columns)
        self.separated = False
        self._batches = batches
        self._returned: list[pa.RecordBatch] = []

    def __iter__(self) -> Iterator[pa.RecordBatch]:
        return self

    def __next__(self) -> pa.RecordBatch:
        if self._returned:
            return self._returned.pop()
        batch = next(self._batches)
        self.checksum = self.checksum.plus(batch)
        if self.evidence is not None:
            self.evidence.add(batch)
        return batch

    def give_back(self, batch: pa.RecordBatch) -> None:
        """The next batch to be taken is this one."""
        self._returned.append(batch)

    def text(self, batch: pa.RecordBatch) -> bytes:
        """A batch as CSV without header: the columns, `_row`, `_raw`; absent cells are null."""
        raw = raw_of(batch, columns=self.columns)
        rows = pa.RecordBatch.from_arrays(
            [*(batch.column(c) for c in self.columns), batch.column(ROW), raw],
            names=[*self.columns, ROW, "_raw"],
        )
        out = io.BytesIO()
        pa.csv.write_csv(rows, out, _CSV)
        text = out.getvalue()
        self.separated |= SEPARATOR.encode() in text
        return text

    def binary(self, batch: pa.RecordBatch, kinds: Sequence[str]) -> memoryview | None:
        """As `text`, in PostgreSQL's binary form; None where `kinds`, one for each column, do not
        take every text."""
        raw = raw_of(batch, columns=self.columns)
        found = binary.rows(
            [*(batch.column(c) for c in self.columns), batch.column(ROW), raw],
            [*kinds, BIGINT, binary.JSONB],
        )
        if found is None:
            return None
        self.separated |= found.separated
        return found.data


_CSV = pa.csv.WriteOptions(include_header=False, quoting_style="needed")
"""Texts are quoted, so that an empty one and a null are told apart."""


def raw_of(batch: pa.RecordBatch, *, columns: Sequence[str]) -> pa.Array:
    """What typed columns cannot say, as JSON: which cells were absent, which came in excess.

    `{"absent": [columns], "extra": [texts]}`; null for regular rows.
    """
    odd: npt.NDArray[np.bool_] = np.zeros(batch.num_rows, dtype=np.bool_)
    for name in (*columns, EXTRA):
        column = batch.column(name)
        if name == EXTRA and column.null_count < len(column):
            odd |= arrays.valid(column)
        elif name != EXTRA and column.null_count:
            odd |= ~arrays.valid(column)
    which = np.flatnonzero(odd)
    if not len(which):
        return pa.nulls(batch.num_rows, pa.string())
    out: list[str | None] = [None] * batch.num_rows
    for at, row in zip(which, batch.take(arrays.integers(which)).to_pylist(), strict=True):
        absent = [c for c in columns if row[c] is None]
        said = {"absent": absent} if absent else {}
        if row[EXTRA] is not None:
            said["extra"] = row[EXTRA]
        out[at] = json.dumps(said, ensure_ascii=False)
    return arrays.strings(out)


def stage(
    conn: Connection,
    *,
    columns: Sequence[str],
    batches: Iterator[pa.RecordBatch],
    evidence: Evidence | None = None,
) -> Checksum:
    """COPYs the batches into `pg_temp.supplyline_staging`; answers their checksum.

    Columns: one text column each, `_row bigint`, `_raw jsonb` (see `raw_of`).
    """
    with ahead(batches) as read:
        incoming = Incoming(columns, read, evidence=evidence)
        create_staging(conn, columns)
        fill_staging(conn, incoming)
        return incoming.checksum


def create_staging(conn: Connection, columns: Sequence[str]) -> None:
    conn.execute(sql.SQL("DROP TABLE IF EXISTS pg_temp.{}").format(sql.Identifier(STAGING)))
    conn.execute(
        sql.SQL("CREATE TEMP TABLE {} ({}_row bigint NOT NULL, _raw jsonb) ON COMMIT DROP").format(
            sql.Identifier(STAGING),
            sql.SQL("").join(sql.SQL("{} text, ").format(sql.Identifier(c)) for c in columns),
        )
    )


def fill_staging(conn: Connection, incoming: Incoming) -> None:
    """COPYs what has not come yet into the staging table, which is there."""
    kinds = dict.fromkeys(incoming.columns, TEXT)
    copy_typed(conn, incoming, schema="pg_temp", relation=STAGING, types=kinds)
    conn.execute(sql.SQL("ANALYZE {} (_row)").format(sql.Identifier(STAGING)))


def copy_typed(
    conn: Connection,
    incoming: Incoming,
    *,
    schema: str,
    relation: str,
    types: Mapping[str, str],
    accepts: Callable[[pa.RecordBatch], bool] = lambda _: True,
) -> int | None:
    """COPYs the batches into columns of these kinds, whose texts PostgreSQL reads by itself; how
    many rows there were, or None as soon as a batch is not accepted.

    That batch is given back. An empty cell of a column that is not text becomes null.
    """
    kinds = [types[c] for c in incoming.columns]
    packed = binary.encodable(kinds)
    begin, end = (binary.BEGIN, binary.END) if packed else (b"", b"")
    table = sql.Identifier(schema, relation)
    with conn.cursor() as cursor:
        with cursor.copy(_copy(table, incoming.columns, kinds, packed=packed)) as copy:
            copy.write(begin)
            whole = True
            for batch in incoming:
                rows = None
                if accepts(batch):
                    rows = incoming.binary(batch, kinds) if packed else incoming.text(batch)
                if rows is None:
                    incoming.give_back(batch)
                    whole = False
                    break
                copy.write(rows)
            copy.write(end)
        return cursor.rowcount if whole else None


def _copy(
    table: sql.Identifier, columns: Sequence[str], kinds: Sequence[str], *, packed: bool
) -> sql.Composed:
    """COPY for `Incoming.binary` if `packed`, else for `Incoming.text`."""
    options = sql.SQL("FORMAT binary" if packed else "FORMAT csv").format()
    typed = [c for c, kind in zip(columns, kinds, strict=True) if kind != TEXT]
    if typed and not packed:
        options += sql.SQL(", FORCE_NULL ({})").format(_names(typed))
    return sql.SQL("COPY {} ({}) FROM STDIN ({})").format(
        table, _names([*columns, ROW, "_raw"]), options
    )


def _names(columns: Iterable[str]) -> sql.Composed:
    return sql.SQL(", ").join(map(sql.Identifier, columns))
