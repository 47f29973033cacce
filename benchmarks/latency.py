"""How long one small upload takes: from POST to rows that a query of PostgreSQL sees.

    .venv/bin/supplyline up
    .venv/bin/python benchmarks/latency.py --uploads 10 --json

Every upload is a new file of 500 rows for one table, sent when the rows of the one before are
there. The peer, in the same run: the same two stages called in this process, without HTTP, relay
and Airflow. `ratio_to_stages` says what the way through Airflow costs. The first upload makes the
table and is shown apart (`first`).
"""

from __future__ import annotations

import argparse
import json
import secrets
import statistics
import sys
import time

from benchmarks.online_retail import PASSWORD, manage
from supplyline import stages
from supplyline.contracts import OrgId, RunRef
from supplyline.demo.api import Api
from supplyline.local import home as homes
from supplyline.settings import Settings, read
from supplyline.storage import Storage
from supplyline.tenancy.connections import Connection, session
from supplyline.tenancy.names import parse_org_id

ROWS = 500


def content(number: int) -> bytes:
    lines = [f"O{number:05}-{i:03},SKU-{i % 40:03},2026-10-{i % 28 + 1:02},{i % 9 + 1}"
             for i in range(ROWS)]  # fmt: skip
    return ("order_id,sku,date,quantity\n" + "\n".join(lines) + "\n").encode()


def wait(conn: Connection, rows: int, *, seconds: float = 120.0) -> None:
    """Until `sales` has that many rows; asks every 20 ms."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        there = conn.execute("SELECT to_regclass('public.sales') IS NOT NULL").fetchone()
        if there and there[0]:
            found = conn.execute("SELECT count(*) FROM public.sales").fetchone()
            if found and found[0] >= rows:
                return
        time.sleep(0.02)
    raise SystemExit(f"{rows} rows were not there within {seconds:.0f} s")


def through_airflow(api: Api, conn: Connection, uploads: int) -> list[float]:
    took = []
    for number in range(uploads):
        began = time.monotonic()
        api.upload_bytes(f"sales-{number:05}.csv", content(number))
        wait(conn, (number + 1) * ROWS)
        took.append(time.monotonic() - began)
        print(f"upload {number + 1} of {uploads}: {took[-1]:.2f} s", file=sys.stderr)
    return took


def stages_alone(org: OrgId, settings: Settings, uploads: int) -> list[float]:
    storage, took = Storage(settings.storage_url), []
    for number in range(1000, 1000 + uploads):
        began = time.monotonic()
        file_id, run = f"direct_{number}", RunRef(run_id=f"direct-{number}")
        storage.put(org, file_id=file_id, name="sales.csv", chunks=[content(number)])
        stages.run_ingest(org_id=org, table="sales", file_id=file_id, run=run, settings=settings)
        stages.run_load(org_id=org, table="sales", run=run, settings=settings)
        took.append(time.monotonic() - began)
    return took


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--uploads", type=int, default=10, help="after the first (default: 10)")
    parser.add_argument("--json", action="store_true", help="one object, on one line")
    options = parser.parse_args()
    variables = {k: str(v) for k, v in homes.read_json(homes.locate().environment).items()}
    settings, name = read(variables), f"latency_{secrets.token_hex(3)}"
    org = parse_org_id(name)
    manage(variables, "create_organization", org)
    manage(variables, "create_user", f"{name}_user", "--org-id", org, "--role", "owner")
    api = Api(variables["SUPPLYLINE_API"], username=f"{name}_user", password=PASSWORD)
    with session(org, settings=settings) as conn:
        conn.autocommit = True
        first, *warm = through_airflow(api, conn, options.uploads + 1)
    alone = stages_alone(org, settings, options.uploads)
    result = {
        "rows_per_upload": ROWS,
        "first": round(first, 2),
        "median": round(statistics.median(warm), 2),
        "min": round(min(warm), 2),
        "max": round(max(warm), 2),
        "stages_alone_median": round(statistics.median(alone), 3),
        "ratio_to_stages": round(statistics.median(warm) / statistics.median(alone), 1),
    }
    print(json.dumps(result, indent=None if options.json else 1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
