"""Other ways to bring a CSV file into a keyed PostgreSQL table, each timed in a process of its own.

Run by `benchmarks.load` with the Python of a throw-away environment; imports nothing of this
project. `python load_peers.py WAY DSN CSV` prints one JSON object: `seconds` (imports apart),
`cpu_s`, `peak_mb`, `version`. The table must hold every row afterwards.
"""

from __future__ import annotations

import csv
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from importlib.metadata import version
from pathlib import Path

KEY = ("order_id", "line")
CHUNK = 10_000


def dlt_merge(dsn: str, path: str) -> None:
    """Documents (dictionaries), as dlt's MongoDB source yields them."""
    with Path(path).open(newline="") as source:
        _dlt(dsn, csv.DictReader(source))


def dlt_merge_arrow(dsn: str, path: str) -> None:
    """Typed Arrow batches of the CSV file: dlt's fastest way, without MongoDB."""
    import pyarrow.csv

    _dlt(dsn, pyarrow.csv.open_csv(path))


def _dlt(dsn: str, rows: object) -> None:
    import dlt

    home = tempfile.mkdtemp(prefix="dlt-")
    pipeline = dlt.pipeline(
        "bench", destination=dlt.destinations.postgres(dsn), dataset_name="dlt", pipelines_dir=home
    )
    resource = dlt.resource(rows, name="peer", primary_key=KEY, write_disposition="merge")
    pipeline.run(resource)


def pandas_to_sql(dsn: str, path: str) -> None:
    """read_csv and to_sql with multi-row inserts, in chunks; then the key."""
    import pandas as pd
    import sqlalchemy

    engine = sqlalchemy.create_engine(dsn.replace("postgresql://", "postgresql+psycopg2://"))
    for chunk in pd.read_csv(path, chunksize=CHUNK, parse_dates=["order_date", "shipped_at"]):
        chunk.to_sql("peer", engine, if_exists="append", index=False, method="multi",
                     chunksize=1000)  # fmt: skip
    with engine.begin() as connection:
        connection.execute(sqlalchemy.text(f"ALTER TABLE peer ADD PRIMARY KEY ({', '.join(KEY)})"))


def sling(dsn: str, path: str) -> None:
    """`sling run` in incremental mode with a primary key (an upsert)."""
    import sling_linux_amd64  # the wheel that brings the program along

    [program] = Path(sling_linux_amd64.__file__).parent.glob("bin/sling-linux*")
    program.chmod(0o755)
    subprocess.run(
        [program, "run", "--src-stream", f"file://{path}", "--tgt-conn", "TARGET", "--tgt-object",
         "public.peer", "--mode", "incremental", "--primary-key", ",".join(KEY)],
        check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE,
        env={**os.environ, "TARGET": f"{dsn}?sslmode=disable"},
    )  # fmt: skip


WAYS = {
    "dlt_merge": (dlt_merge, "dlt"),
    "dlt_merge_arrow": (dlt_merge_arrow, "dlt"),
    "pandas_to_sql": (pandas_to_sql, "pandas"),
    "sling": (sling, "sling-linux-amd64"),
}


def main(name: str, dsn: str, path: str) -> None:
    work, package = WAYS[name]
    for module in {"dlt": ("dlt",), "pandas": ("pandas", "sqlalchemy")}.get(package, ()):
        __import__(module)
    wall = time.perf_counter()
    work(dsn, path)
    seconds = time.perf_counter() - wall
    own, children = (
        resource.getrusage(resource.RUSAGE_SELF),
        resource.getrusage(resource.RUSAGE_CHILDREN),
    )
    print(
        json.dumps(
            {
                "seconds": round(seconds, 2),
                "cpu_s": round(own.ru_utime + own.ru_stime + children.ru_utime
                               + children.ru_stime, 2),
                "peak_mb": round(max(own.ru_maxrss, children.ru_maxrss) / 1024),
                "version": version(package),
            }
        )
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
