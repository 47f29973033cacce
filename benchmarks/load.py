"""MongoDB → keyed, published, certified table, beside raw COPY of the same CSV in the same run.

    python -m benchmarks.load --rows 1000000 --json

`ratio_to_copy`: rows/s without the time spent waiting for MongoDB, COPY = 1. Peers of other makes
(dlt, sling) are not installed with the project and are left out when they are not there.
"""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
from pymongo import MongoClient

from benchmarks.common import COLUMNS, measured, place, write_csv
from supplyline.contracts import Manifest, ParseOptions, RunRef, StoredFile
from supplyline.ingest import open_file
from supplyline.landing import Landing
from supplyline.load import load_files
from supplyline.settings import Settings
from supplyline.tenancy.connections import connect
from supplyline.tenancy.names import parse_org_id, parse_table_name
from supplyline.tenancy.provisioning import provision

ORG, TABLE, KEY = parse_org_id("bench"), parse_table_name("orders"), ("order_id", "line")


def land(settings: Settings, path: Path, file_id: str) -> Manifest:
    now, landing = (
        datetime.now(UTC),
        Landing(MongoClient(settings.mongo_uri)[settings.mongo_database]),
    )
    with path.open("rb") as source:
        reading = open_file(source, name="orders.csv", options=ParseOptions())
        file = StoredFile(
            org=ORG, file_id=file_id, name="orders.csv", size=0, sha256=path.name, url=""
        )
        manifest = landing.open_manifest(
            ORG, table=TABLE, file=file, layout=reading.layout, options=ParseOptions(),
            run=RunRef(run_id="bench"), now=now,
        )  # fmt: skip
        return landing.land(ORG, manifest=manifest, batches=reading.batches(), now=now)


def ours(settings: Settings, manifest: Manifest) -> dict[str, float]:
    landing = Landing(MongoClient(settings.mongo_uri)[settings.mongo_database])
    waited = 0.0

    def stream(m: Manifest) -> Iterator[pa.RecordBatch]:
        nonlocal waited
        batches = landing.stream(ORG, manifest=m)
        while True:
            wall, cpu = time.perf_counter(), time.process_time()
            batch = next(batches, None)
            waited += time.perf_counter() - wall - (time.process_time() - cpu)
            if batch is None:
                return
            yield batch

    with connect(ORG, settings=settings) as conn:
        (certificate,) = load_files(
            ORG, conn=conn, table=TABLE, manifests=[manifest], stream=stream,
            run=RunRef(run_id=f"bench-{manifest.file_id}"), now=lambda: datetime.now(UTC),
            key_candidates=lambda _: [KEY],
        )  # fmt: skip
    if certificate.verdict != "success":
        raise SystemExit(f"the certificate is partial: {certificate.differences}")
    return {"mongo_s": waited, "updated": certificate.updated, "unchanged": certificate.unchanged}


def copy(settings: Settings, path: str) -> None:
    with connect(ORG, settings=settings) as conn:
        columns = ", ".join(f"{c} text" for c in COLUMNS)
        conn.execute(f"CREATE TABLE raw_copy ({columns})".encode())
        with (
            conn.cursor() as cursor,
            Path(path).open("rb") as source,
            cursor.copy("COPY raw_copy FROM STDIN (FORMAT csv, HEADER)") as out,
        ):
            while chunk := source.read(1 << 20):
                out.write(chunk)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    with place() as here:
        settings = here.settings
        provision(ORG, settings=settings)
        path = write_csv(here.folder / "orders.csv", rows=args.rows)
        half = write_csv(here.folder / "half.csv", rows=args.rows, changed=args.rows // 2)
        base = measured(copy, settings, str(path))
        runs = {}
        for name, file in (("first", path), ("same again", path), ("half changed", half)):
            manifest = land(settings, file, name.replace(" ", "-"))
            r = measured(ours, settings, manifest)
            runs[name] = {
                "ratio_to_copy": round(base["seconds"] / (r["seconds"] - r["mongo_s"]), 3),
                "client_cpu_s_per_million": round(r["cpu_s"] / args.rows * 1e6, 2),
                "peak_mb": round(r["peak_mb"]),
                "seconds": round(r["seconds"], 2),
                "mongo_s": round(r["mongo_s"], 2),
                "updated": r["updated"],
                "unchanged": r["unchanged"],
            }
            print(name, runs[name], flush=True)
    summary = {
        "rows": args.rows, "copy_rows_per_s": round(args.rows / base["seconds"]),
        **{k: runs["first"][k] for k in ("ratio_to_copy", "client_cpu_s_per_million", "peak_mb")},
        "runs": runs,
    }  # fmt: skip
    print(json.dumps(summary) if args.json else f"{summary['ratio_to_copy']} of COPY")


if __name__ == "__main__":
    main()
