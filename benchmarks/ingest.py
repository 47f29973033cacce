"""CSV → MongoDB beside the obvious ways, in one run: rows/s, client CPU, memory.

    python -m benchmarks.ingest --rows 1000000
    python -m benchmarks.ingest --rows 10000000 --only supplyline --swallow

dlt is not among them: it has no destination for MongoDB.
"""

from __future__ import annotations

import argparse
import csv
import json
from contextlib import suppress
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path

from pymongo import MongoClient

from benchmarks import swallow
from benchmarks.common import measured, place, write_csv
from supplyline.contracts import ParseOptions, RunRef, StoredFile
from supplyline.errors import DatabaseUnavailable
from supplyline.ingest import open_file
from supplyline.landing import Landing
from supplyline.tenancy.names import parse_org_id, parse_table_name


def ours(path: str, uri: str, database: str) -> None:
    now, org = datetime.now(UTC), parse_org_id("bench")
    landing = Landing(MongoClient(uri)[database])
    with Path(path).open("rb") as source:
        reading = open_file(source, name="orders.csv", options=ParseOptions())
        file = StoredFile(org=org, file_id="f1", name="orders.csv", size=0, sha256="0", url="")
        manifest = landing.open_manifest(
            org, table=parse_table_name("orders"), file=file, layout=reading.layout,
            options=ParseOptions(), run=RunRef(run_id="bench"), now=now,
        )  # fmt: skip
        landing.land(org, manifest=manifest, batches=reading.batches(), now=now)


def ours_swallowed(path: str, uri: str, database: str) -> None:
    """The file cannot be closed when nothing of it was kept; that is said at the very end."""
    with suppress(DatabaseUnavailable):
        ours(path, uri, database)


def dict_reader(path: str, uri: str, database: str) -> None:
    collection = MongoClient(uri)[database]["dict_reader"]
    with Path(path).open(newline="") as source:
        reader = csv.DictReader(source)
        while rows := list(islice(reader, 5000)):
            collection.insert_many(rows, ordered=False)


def with_pandas(path: str, uri: str, database: str) -> None:
    import pandas as pd

    collection = MongoClient(uri)[database]["pandas"]
    for frame in pd.read_csv(path, dtype=str, keep_default_na=False, chunksize=5000):
        collection.insert_many(frame.to_dict("records"), ordered=False)


WAYS = {
    "supplyline": ours,
    "DictReader + insert_many": dict_reader,
    "pandas + insert_many": with_pandas,
}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--only", action="append", choices=list(WAYS))
    parser.add_argument(
        "--swallow", action="store_true", help="Keep no rows: measures the client alone."
    )
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    results = {}
    with place() as here:
        path = write_csv(here.folder / "orders.csv", rows=args.rows)
        uri, database = here.settings.mongo_uri, here.settings.mongo_database
        if args.swallow:
            uri = swallow.through(uri, swallow.start(*swallow.address(uri)))
        for name in args.only or WAYS:
            work = ours_swallowed if args.swallow and name == "supplyline" else WAYS[name]
            r = measured(work, str(path), uri, database)
            results[name] = {
                "rows_per_s": round(args.rows / r["seconds"]),
                "client_cpu_s_per_million": round(r["cpu_s"] / args.rows * 1e6, 2),
                "peak_mb": round(r["peak_mb"]),
            }
            print(name, results[name], flush=True)
    summary = {"rows": args.rows, "swallowed": args.swallow, "ways": results}
    if results.keys() >= {"supplyline", "DictReader + insert_many"}:
        base = results["DictReader + insert_many"]["client_cpu_s_per_million"]
        mine = results["supplyline"]["client_cpu_s_per_million"]
        summary["cpu_ratio_to_dictreader"] = round(mine / base, 3)
    print(json.dumps(summary))


if __name__ == "__main__":
    main()
