"""A table `products` that is landed row by row and loaded, without files and without stages."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import pyarrow as pa

from supplyline.contracts import (
    Certificate,
    Column,
    Layout,
    Manifest,
    OrgId,
    ParseOptions,
    QuarantinedRow,
    RowBatch,
    RunRef,
    StoredFile,
)
from supplyline.landing import Landing
from supplyline.load import Landed, load_files, pending, preview, undo, verify
from supplyline.load.undo import Later
from supplyline.tenancy.connections import Connection
from supplyline.tenancy.names import parse_table_name

TABLE = parse_table_name("products")
NOW = datetime(2024, 5, 1, tzinfo=UTC)
RUN = RunRef(run_id="run-1")

Cells = Sequence[str | None]


@dataclass
class House:
    org: OrgId
    conn: Connection
    landing: Landing
    files: int = 0

    def land(
        self,
        columns: Sequence[str],
        rows: Sequence[Cells],
        *,
        extra: dict[int, list[str]] | None = None,
        quarantined: tuple[QuarantinedRow, ...] = (),
        stop_after: int | None = None,
        file_id: str | None = None,
    ) -> Manifest:
        self.files += 1
        content = repr((columns, rows)).encode()
        file = StoredFile(
            org=self.org,
            file_id=file_id or f"f{self.files}",
            name="products.csv",
            size=len(content),
            sha256=hashlib.sha256(content).hexdigest(),
            url="",
        )
        layout = Layout(format="csv", columns=tuple(Column(header=c, name=c) for c in columns))
        manifest = self.landing.open_manifest(
            self.org,
            table=TABLE,
            file=file,
            layout=layout,
            options=ParseOptions(),
            run=RUN,
            now=NOW,
        )
        batches = [
            RowBatch(data=batch_of(columns, [row], first=i + 1, extra=extra))
            for i, row in enumerate(rows)
        ]
        if quarantined:
            batches.append(RowBatch(data=batch_of(columns, [], first=1), quarantined=quarantined))

        def cut() -> Iterator[RowBatch]:
            for n, batch in enumerate(batches):
                if n == stop_after:
                    raise KeyboardInterrupt
                yield batch

        return self.landing.land(self.org, manifest=manifest, batches=cut(), now=NOW)

    def load(
        self,
        *,
        run: RunRef = RUN,
        keys: Sequence[tuple[str, ...]] = (),
        batch_rows: int = 5000,
    ) -> list[Certificate]:
        manifests = self.landing.manifests(self.org, table=TABLE, state="closed")
        done = load_files(
            self.org,
            conn=self.conn,
            table=TABLE,
            manifests=pending(self.conn, table=TABLE, manifests=manifests),
            stream=lambda m: self.landing.stream(self.org, manifest=m, batch_rows=batch_rows),
            run=run,
            now=lambda: NOW,
            key_candidates=lambda columns: [k for k in keys if {*k} <= {*columns}],
        )
        self.conn.commit()
        return done

    def preview(self, manifest: Manifest) -> dict[str, Any]:
        found = preview(
            self.conn,
            manifest=manifest,
            batches=self.landing.stream(self.org, manifest=manifest),
        )
        self.conn.commit()
        return found

    def rows(self, sql: str) -> list[tuple[object, ...]]:
        found = self.conn.execute(sql).fetchall()
        self.conn.commit()
        return found


def batch_of(
    columns: Sequence[str],
    rows: Sequence[Cells],
    *,
    first: int,
    extra: dict[int, list[str]] | None = None,
) -> pa.RecordBatch:
    numbers = list(range(first, first + len(rows)))
    arrays = [pa.array(numbers, pa.int64()), pa.array([n + 1 for n in numbers], pa.int64())]
    arrays += [pa.array([r[i] for r in rows], pa.string()) for i in range(len(columns))]
    arrays.append(pa.array([(extra or {}).get(n) for n in numbers], pa.list_(pa.string())))
    return pa.RecordBatch.from_arrays(arrays, names=["_row", "_line", *columns, "_extra"])


STATE = (
    "SELECT (SELECT json_agg(t ORDER BY t::text)::text FROM products t),"
    " (SELECT json_agg(h ORDER BY h::text)::text FROM products_history h)"
)


def check(house: House, manifest: Manifest) -> tuple[str, ...]:
    found = verify(
        house.conn,
        manifest=manifest,
        stream=lambda m: house.landing.stream(house.org, manifest=m),
    )
    house.conn.commit()
    return found.differences


def take_back(house: House, file_id: str, later: Later = "refuse") -> dict[str, Any]:
    manifests = {m.file_id: m for m in house.landing.manifests(house.org, table=TABLE)}
    done = undo(
        house.org, conn=house.conn, table=TABLE, file_id=file_id, run=RUN, later=later,
        now=NOW + timedelta(hours=1),
        landed=Landed(
            manifests=lambda: manifests,
            stream=lambda m: house.landing.stream(house.org, manifest=m),
        ),
    )  # fmt: skip
    house.conn.commit()
    return done


SHAPE = (
    "SELECT c.relname, a.attname, a.atttypid::regtype::text, k.type, k.remark FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN supplyline.column_types k ON k.column_name = a.attname"
    " AND k.table_name = replace(c.relname, '_history', '')"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1, a.attnum"
)


def everything(house: House) -> tuple[list[tuple[object, ...]], ...]:
    """All rows of table and history as text, their shape, and the certificates' fates."""
    rows = [
        house.rows(f"SELECT {r}::text FROM {r} ORDER BY 1")
        for r in ("products", "products_history")
    ]
    fates = house.rows(
        "SELECT l.file_id, c.body - 'issued_at' - 'run_id' FROM supplyline.loads l"
        " JOIN supplyline.certificates c USING (load_id) WHERE undone_at IS NULL ORDER BY ordinal"
    )
    return (*rows, house.rows(SHAPE), fates)
