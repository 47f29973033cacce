"""MongoDB → keyed, published, certified table, beside raw COPY of the same CSV in the same run.

    python -m benchmarks.load --rows 1000000 --json
    python -m benchmarks.load --rows 1000000 --recording /tmp/recorded    # again in a minute

Each file is loaded twice, into an organization each, by the same code in a process of its own:

- from the real MongoDB server (`runs`); `mongo_s` is the time in which the driver waited for its
  answers, which overlaps with the loading. A recorder stands between and writes the answers down;
- from a server that gives these same answers at once (`benchmarks.replay`; `replayed`): the wall
  clock of the client's side with all that overlaps, without the cost of the MongoDB server itself.
  That server's own work (some 0.3 CPU s per million rows) counts against the load.

`ratio_to_copy`: rows/s of the replayed first file; COPY of the CSV into a table without key = 1.
`half_changed_to_keyed_copy`: the same for a file of which half the rows are changed, COPY into a
table with the same primary key = 1. COPY is timed before, between and after, and the mean counts.
`bare_merge_to_keyed_copy`: the same for COPY into a temporary table and one UPDATE, with no history
or certificate and no MongoDB (`benchmarks.bare`): the most that a merge in PostgreSQL can reach.
`--recording FOLDER` keeps the answers there; what is there already is replayed and not landed
again, and then there are no `runs`. Peers (dlt, pandas, sling) run in an environment of their own,
made for this run, on `--peer-rows` rows of the same file; one that cannot be had is named with the
reason.
"""

from __future__ import annotations

import argparse
import json
import os
import pickle
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import mean
from typing import Any

from psycopg import sql
from pymongo import MongoClient, monitoring

from benchmarks import bare, replay, swallow
from benchmarks.common import KEY, Place, measured, place, write_csv
from supplyline import native
from supplyline.contracts import Manifest, OrgId, ParseOptions, RunRef, StoredFile
from supplyline.ingest import open_file
from supplyline.landing import Landing
from supplyline.load import load_files
from supplyline.settings import Settings
from supplyline.tenancy.connections import connect, connect_admin
from supplyline.tenancy.names import parse_org_id, parse_table_name, rows_collection
from supplyline.tenancy.provisioning import provision

ORG, TABLE = parse_org_id("bench"), parse_table_name("orders")
REPLAYED = parse_org_id("replayed")
LANDED = rows_collection(ORG, TABLE)


def land(settings: Settings, path: Path, file_id: str) -> Manifest:
    now = datetime.now(UTC)
    landing = Landing(MongoClient(settings.mongo_uri)[settings.mongo_database])
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


class Waiting(monitoring.CommandListener):
    """Adds up how long the driver waited for the server."""

    def __init__(self) -> None:
        self.seconds = 0.0

    def started(self, event: monitoring.CommandStartedEvent) -> None:
        """Nothing to note yet."""

    def succeeded(self, event: monitoring.CommandSucceededEvent) -> None:
        self.seconds += event.duration_micros / 1e6

    def failed(self, event: monitoring.CommandFailedEvent) -> None:
        self.seconds += event.duration_micros / 1e6


def ours(settings: Settings, manifest: Manifest, into: OrgId) -> dict[str, float]:
    """Loads a landed file of ORG into the database of an organization."""
    waiting = Waiting()
    client: MongoClient = MongoClient(settings.mongo_uri, event_listeners=[waiting])
    landing = Landing(client[settings.mongo_database])
    with connect(into, settings=settings) as conn:
        (certificate,) = load_files(
            ORG, conn=conn, table=TABLE, manifests=[manifest],
            stream=lambda m: landing.stream(ORG, manifest=m),
            run=RunRef(run_id=f"bench-{manifest.file_id}"), now=lambda: datetime.now(UTC),
            key_candidates=lambda _: [KEY],
        )  # fmt: skip
    if certificate.verdict != "success":
        raise SystemExit(f"the certificate is partial: {certificate.differences}")
    return {
        "mongo_s": waiting.seconds,
        "inserted": certificate.inserted,
        "updated": certificate.updated,
        "unchanged": certificate.unchanged,
    }


PACKAGES = ("dlt[postgres]", "pandas", "sqlalchemy", "psycopg2-binary", "pyarrow",
            "sling-linux-amd64")  # fmt: skip
WAYS = ("dlt_merge", "dlt_merge_arrow", "pandas_to_sql", "sling")


def peers(here: Place, *, rows: int, python: str | None) -> dict[str, Any]:
    """Seconds, CPU, memory and rows/s of each other way; a reason where there is none."""
    if python is None:
        python = str(here.folder / "peers/bin/python")
        try:
            _run([sys.executable, "-m", "venv", str(here.folder / "peers")])
            _run([python, "-m", "pip", "install", "-q", *PACKAGES])
        except RuntimeError as error:
            return {way: {"unavailable": str(error)} for way in WAYS}
    path = write_csv(here.folder / "peers.csv", rows=rows)
    out: dict[str, Any] = {}
    for way in WAYS:
        with _database(here.settings) as dsn:
            try:
                text = _run([python, "benchmarks/load_peers.py", way, dsn, str(path)])
            except RuntimeError as error:
                out[way] = {"unavailable": str(error)}
                continue
        out[way] = json.loads(text.splitlines()[-1])
        out[way] |= {"rows": rows, "rows_per_s": round(rows / out[way]["seconds"])}
        print(way, out[way], flush=True, file=sys.stderr)
    return out


def _run(command: list[str]) -> str:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        raise RuntimeError(f"{' '.join(command[1:4])}: {last[:200]}")
    return done.stdout


@contextmanager
def _database(settings: Settings) -> Iterator[str]:
    """The address of an empty database."""
    name = sql.Identifier("bench_peers")
    with connect_admin(settings=settings) as admin:
        admin.execute(sql.SQL("CREATE DATABASE {}").format(name))
    yield (
        f"postgresql://{settings.app_db_user}:{settings.app_db_password}"
        f"@{settings.pg_host}:{settings.pg_port}/bench_peers"
    )
    with connect_admin(settings=settings) as admin:
        admin.execute(sql.SQL("DROP DATABASE {} WITH (FORCE)").format(name))


def recorded(here: Place, folder: Path, name: str, path: Path) -> tuple[Manifest, Any]:
    """The file's manifest; and, unless its reading was recorded before, the run that did it."""
    kept = folder / f"{name}.manifest"
    if kept.exists():
        return pickle.loads(kept.read_bytes()), None
    settings = here.settings
    manifest = land(settings, path, name.replace(" ", "-"))
    with replay.record(
        *swallow.address(settings.mongo_uri), collections=LANDED, into=folder / name
    ) as port:
        uri = swallow.through(settings.mongo_uri, port)
        run = measured(ours, replace(settings, mongo_uri=uri), manifest, ORG)
    kept.write_bytes(pickle.dumps(manifest))
    return manifest, run


def replayed(here: Place, folder: Path, name: str, manifest: Manifest) -> dict[str, float]:
    settings = here.settings
    with replay.answering(
        *swallow.address(settings.mongo_uri), collections=LANDED, of=folder / name
    ) as (port, missed):
        uri = swallow.through(settings.mongo_uri, port)
        run = measured(ours, replace(settings, mongo_uri=uri), manifest, REPLAYED)
        if missed.value:
            raise SystemExit(f"{missed.value} requests were not recorded: record anew")
    return run


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--json", action="store_true", help="print one object last")
    parser.add_argument("--peer-rows", type=int, default=100_000, help="0: no peers")
    parser.add_argument("--peers-python", help="a Python that has the peers' packages already")
    parser.add_argument("--only-first", action="store_true", help="no later files, no peers")
    parser.add_argument("--recording", type=Path, help="keep or take MongoDB's answers here")
    parser.add_argument("--no-native", action="store_true", help="without compiled inner loops")
    args = parser.parse_args()
    if args.no_native:
        os.environ[native.OFF] = "off"  # for the processes that load, too
    with place() as here:
        rows = args.rows
        for org in (ORG, REPLAYED):
            provision(org, settings=here.settings)
        path = write_csv(here.folder / "orders.csv", rows=rows)
        files = [("first", path)]
        if not args.only_first:
            half = write_csv(here.folder / "half.csv", rows=rows, changed=rows // 2)
            files += [("same again", path), ("half changed", half)]
        folder = (args.recording or here.folder / "recording") / str(rows)
        folder.mkdir(parents=True, exist_ok=True)
        copies = bare.Copies(here.settings, ORG)
        runs, again = {}, {}
        for name, file in files:
            copies.add(file)
            manifest, run = recorded(here, folder, name, file)
            if run is not None:
                runs[name] = run
                copies.add(file)
            again[name] = replayed(here, folder, name, manifest)
            copies.add(file)
            print(name, _figures(again[name], copies, rows), flush=True, file=sys.stderr)
            if name in runs:
                print(name, "from MongoDB", _figures(runs[name], None, rows), file=sys.stderr)
        others, floor = {}, None
        if not args.only_first:
            bare.table(here.settings, ORG, str(path))
            floor = measured(bare.merge, here.settings, ORG, str(half))
            print("half changed, PostgreSQL alone", floor, flush=True, file=sys.stderr)
        if args.peer_rows and not args.only_first:
            others = peers(here, rows=min(rows, args.peer_rows), python=args.peers_python)
    figures = {name: _figures(r, copies, rows) for name, r in again.items()}
    first_runs = {name: _figures(r, None, rows) for name, r in runs.items()}
    summary = _summary(rows, copies, figures, first_runs, others, floor)
    print(json.dumps(summary) if args.json else f"{summary['ratio_to_copy']} of COPY")


def _figures(r: dict[str, float], copies: bare.Copies | None, rows: int) -> dict[str, Any]:
    """`copies`: to compare with; None for a run that waited for a MongoDB server."""
    ratios = {
        "ratio_to_copy": round(mean(copies.plain) / r["seconds"], 3),
        "ratio_to_keyed_copy": round(mean(copies.keyed) / r["seconds"], 3),
        "ratio_to_typed_keyed_copy": round(mean(copies.typed) / r["seconds"], 3),
    } if copies else {"mongo_s": round(r["mongo_s"], 2)}  # fmt: skip
    return {
        **ratios,
        "rows_per_s": round(rows / r["seconds"]),
        "client_cpu_s_per_million": round(r["cpu_s"] / rows * 1e6, 2),
        "peak_mb": round(r["peak_mb"]),
        "seconds": round(r["seconds"], 2),
        **{k: int(r[k]) for k in ("inserted", "updated", "unchanged")},
    }


def _summary(
    rows: int,
    copies: bare.Copies,
    again: dict[str, Any],
    runs: dict[str, Any],
    others: dict[str, Any],
    floor: dict[str, float] | None,
) -> dict[str, Any]:
    first = again["first"]
    times = {
        f"times_{way}": round(first["rows_per_s"] / other["rows_per_s"], 1)
        for way, other in others.items()
        if "rows_per_s" in other
    }
    more = {}
    if floor:
        more = {
            "half_changed_to_keyed_copy": again["half changed"]["ratio_to_keyed_copy"],
            "half_changed_to_typed_keyed_copy": again["half changed"]["ratio_to_typed_keyed_copy"],
            "bare_merge_to_keyed_copy": round(mean(copies.keyed) / floor["seconds"], 3),
        }
    return {
        "rows": rows,
        "native": native.library() is not None,
        "copy_rows_per_s": round(rows / mean(copies.plain)),
        "keyed_copy_rows_per_s": round(rows / mean(copies.keyed)),
        "typed_keyed_copy_rows_per_s": round(rows / mean(copies.typed)),
        **{k: first[k] for k in ("ratio_to_copy", "client_cpu_s_per_million", "peak_mb")},
        **more,
        **times,
        "replayed": again,
        "runs": runs,
        "peers": others,
    }


if __name__ == "__main__":
    main()
