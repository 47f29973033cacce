"""Provisioning many organizations: time for each, connections held, flat or not.

    python benchmarks/provisioning.py --orgs 50 --jobs 2 --json

Starts a PostgreSQL of its own (with fsync, as in production), makes N organizations, then runs
`migrate` over all of them and provisions all again. Prints one JSON object last.
"""

from __future__ import annotations

import json
import sys
import threading
import time
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from statistics import median

import click

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from supplyline import settings as environment
from supplyline.contracts import OrgId
from supplyline.tenancy.bulk import migrate_many, provision_many
from supplyline.tenancy.connections import connect
from tests import servers


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


def run(pg: servers.PostgresServer, *, orgs: int, jobs: int) -> dict[str, object]:
    settings = replace(
        environment.read({}),
        pg_host=pg.host,
        pg_port=pg.port,
        app_db_user=pg.app_user,
        app_db_password=pg.app_password,
    )
    ids = [OrgId(f"bench{n}") for n in range(orgs)]
    sampler, ends = Sampler(pg), [time.monotonic()]
    sampler.start()
    made = provision_many(
        ids, settings=settings, jobs=jobs, progress=lambda *_: ends.append(time.monotonic())
    )
    migrated = migrate_many(ids, settings=settings, jobs=jobs)
    again = provision_many(ids, settings=settings, jobs=jobs)
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
            "SELECT avg(pg_database_size(datname)) FROM pg_database WHERE datname LIKE 'orgdata%'"
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
        result = run(servers.start_postgres(watchdog, durable=True), orgs=orgs, jobs=jobs)
    finally:
        watchdog.close()
    if not as_json:
        for name, value in result.items():
            print(f"{name:32} {value}")
    print(json.dumps(result))


if __name__ == "__main__":
    main()
