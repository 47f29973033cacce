"""Provisioning and loading many organizations: time for each, connections held, flat or not.

    python benchmarks/provisioning.py --orgs 50 --jobs 2 --json

Starts a PostgreSQL (with fsync, as in production) and a MongoDB wire server of its own, makes N
organizations, runs `migrate` over all of them, provisions all again, then takes one file of 200
rows per organization from storage to its database. Prints one JSON object last.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from itertools import pairwise
from pathlib import Path
from statistics import median

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from supplyline import settings as environment
from supplyline import stages
from supplyline.contracts import OrgId, RunRef
from supplyline.settings import Settings
from supplyline.storage import Storage
from supplyline.tenancy.bulk import migrate_many, provision_many
from supplyline.tenancy.connections import connect, session
from tests import servers

ROWS = 200


class Sampler(threading.Thread):
    """Counts client connections every 50 ms until it is stopped."""

    def __init__(self, pg: servers.PostgresServer) -> None:
        super().__init__(daemon=True)
        self.pg, self.samples, self.ended = pg, [0], threading.Event()

    def run(self) -> None:
        with self.pg.connect() as conn:
            while not self.ended.wait(0.05):
                row = conn.execute(
                    "SELECT count(*) - 1 FROM pg_stat_activity"
                    " WHERE backend_type = 'client backend'"
                ).fetchone()
                self.samples.append(row[0] if row else 0)


def load_small_file(org: OrgId, settings: Settings) -> float:
    """One file of 200 rows, from storage to PostgreSQL; seconds."""
    began, run = time.monotonic(), RunRef(run_id=f"bench-{org}")
    lines = "".join(f"SKU-{n:04},2026-10-{n % 28 + 1:02},{n % 9}\n" for n in range(ROWS))
    Storage(settings.storage_url).put(
        org, file_id="small", name="sales.csv", chunks=[b"sku,date,quantity\n", lines.encode()]
    )
    stages.run_ingest(org_id=org, table="sales", file_id="small", run=run, settings=settings)
    stages.run_load(org_id=org, table="sales", run=run, settings=settings)
    return time.monotonic() - began


def load_all(ids: list[OrgId], settings: Settings, *, jobs: int) -> dict[str, object]:
    with ThreadPoolExecutor(jobs) as pool:
        took = list(pool.map(lambda org: load_small_file(org, settings), ids))
    rows = 0
    for org in ids:
        with session(org, settings=settings) as conn:
            row = conn.execute("SELECT count(*) FROM public.sales").fetchone()
            rows += row[0] if row else 0
    part = max(1, len(ids) // 5)
    return {
        "rows_missing": ROWS * len(ids) - rows,
        "load_ms_per_org_median": round(1000 * median(took) / jobs, 1),
        "load_first_fifth_ms_per_org": round(1000 * sum(took[:part]) / part / jobs, 1),
        "load_last_fifth_ms_per_org": round(1000 * sum(took[-part:]) / part / jobs, 1),
    }


def run(
    pg: servers.PostgresServer, mongo: servers.MongoServer, folder: Path, *, orgs: int, jobs: int
) -> dict[str, object]:
    settings = environment.read(
        servers.engine_environment(pg, mongo.uri, storage=folder, name="bench")
    )
    ids = [OrgId(f"bench{n}") for n in range(orgs)]
    sampler, ends = Sampler(pg), [time.monotonic()]
    sampler.start()
    made = provision_many(
        ids, settings=settings, jobs=jobs, progress=lambda *_: ends.append(time.monotonic())
    )
    migrated = migrate_many(ids, settings=settings, jobs=jobs)
    again = provision_many(ids, settings=settings, jobs=jobs)
    loaded = load_all(ids, settings, jobs=jobs)
    sampler.ended.set()
    sampler.join()
    logins = []
    for org in ids[-20:]:
        start = time.monotonic()
        connect(org, settings=settings).close()
        logins.append(time.monotonic() - start)
    part = max(1, orgs // 5)
    steps = [b - a for a, b in pairwise(ends)]
    with pg.connect() as conn:
        size = conn.execute(
            "SELECT avg(pg_database_size(datname)) FROM pg_database WHERE datname LIKE %s",
            (settings.pg_db_prefix.replace("_", "\\_") + "%",),
        ).fetchone()
    return {
        "orgs": orgs,
        "jobs": jobs,
        "failures": len(made.failures) + len(migrated.failures) + len(again.failures),
        "provision_ms_per_org": round(1000 * made.seconds / orgs, 1),
        "first_fifth_ms_per_org": round(1000 * sum(steps[:part]) / part, 1),
        "last_fifth_ms_per_org": round(1000 * sum(steps[-part:]) / part, 1),
        "migrate_nothing_ms_per_org": round(1000 * migrated.seconds / orgs, 1),
        "again_s_for_all": again.seconds,
        **loaded,
        "connections_max": max(sampler.samples),
        "login_ms_median": round(1000 * median(logins), 1),
        "megabytes_per_database": round(float(size[0]) / 1e6, 1) if size else None,
    }


@click.command()
@click.option("--orgs", default=50, show_default=True)
@click.option("--jobs", default=2, show_default=True)
@click.option("--json", "as_json", is_flag=True, help="Print the JSON object only.")
def main(orgs: int, jobs: int, as_json: bool) -> None:
    """Measure the provisioning of ORGS organizations."""
    watchdog = servers.Watchdog()
    try:
        pg = servers.start_postgres(watchdog, durable=True)
        mongo, folder = servers.start_mongo(watchdog), watchdog.folder()
        result = run(pg, mongo, folder, orgs=orgs, jobs=jobs)
    finally:
        watchdog.close()
    if not as_json:
        for name, value in result.items():
            print(f"{name:32} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
