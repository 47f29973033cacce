"""A real shop, 305 daily files, through the running instance; counted again from the files.

    .venv/bin/supplyline up
    .venv/bin/python benchmarks/online_retail.py ../shared/data/online_retail/by_day.tar.gz --json

Uploads every file over HTTP as one organization's `sales`, waits for all certificates, compares
PostgreSQL's row count and sum of quantity with a count made straight from the files, and forecasts.
Exit code 1 when anything differs. `--days N` takes the first N files only; `--without-airflow`
calls the same stages in this process, file by file (`supplyline up --only backend` is
enough).
"""

from __future__ import annotations

import argparse
import csv
import io
import json
import os
import subprocess
import sys
import tarfile
import time
from pathlib import Path
from typing import Any

import httpx

from supplyline.demo.api import Api
from supplyline.local import home as homes
from supplyline.settings import read
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id

ROOT = Path(__file__).resolve().parents[1]
PASSWORD = "a-long-Passphrase-17"


def manage(variables: dict[str, str], *arguments: str) -> None:
    env = {**os.environ, **variables, "SUPPLYLINE_NEW_PASSWORD": PASSWORD, "PYTHONPATH": str(ROOT)}
    subprocess.run([sys.executable, ROOT / "manage.py", *arguments], env=env, check=True)


def files_of(archive: Path, days: int | None) -> list[tuple[str, bytes]]:
    found = []
    with tarfile.open(archive) as tar:
        for member in tar:  # in the archive's order: going back would unpack all again
            source = tar.extractfile(member) if member.name.endswith(".csv") else None
            if source is not None:
                found.append((Path(member.name).name, source.read()))
    return sorted(found)[:days]


def truth(files: list[tuple[str, bytes]]) -> tuple[int, int]:
    """Lines and sum of quantity, by Python's csv module."""
    lines = quantity = 0
    for _, content in files:
        for row in csv.DictReader(io.StringIO(content.decode())):
            lines += 1
            quantity += int(row["Quantity"])
    return lines, quantity


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("archive", type=Path)
    parser.add_argument("--org-id", default="online_retail")
    parser.add_argument("--days", type=int, default=None)
    parser.add_argument("--json", action="store_true")
    parser.add_argument("--without-airflow", action="store_true")
    options = parser.parse_args()
    if options.without_airflow:
        return without_airflow(options)
    variables = {k: str(v) for k, v in homes.read_json(homes.locate().environment).items()}
    manage(variables, "create_organization", options.org_id)
    user = f"{options.org_id}_user"
    manage(variables, "create_user", user, "--org-id", options.org_id, "--role", "owner")
    api = Api(variables["SUPPLYLINE_API"], username=user, password=PASSWORD)
    files = files_of(options.archive, options.days)
    lines, quantity = truth(files)
    began = time.monotonic()
    ids = [api.upload_bytes(name, content)["file_id"] for name, content in files]
    uploaded = time.monotonic() - began
    certificates = _certificates(api, set(ids))
    loaded = time.monotonic() - began
    asked = api.post(
        "/api/airflow/trigger/forecast-inventory/", {"client_id": f"org_{options.org_id}"}
    )
    run: dict[str, Any] = api.follow(asked["status_url"], seconds=1800, tell=lambda _: None)
    finished = time.monotonic() - began
    with session(parse_org_id(options.org_id), settings=read(variables)) as conn:
        in_table = conn.execute("SELECT count(*), sum(quantity) FROM public.sales").fetchone()
        plan = conn.execute(
            "SELECT status, count(*) FROM public.inventory_plan GROUP BY 1 ORDER BY 1"
        ).fetchall()
    result = {
        "files": len(files),
        "lines": lines,
        "quantity": quantity,
        "rows_in_postgresql": in_table[0] if in_table else None,
        "quantity_in_postgresql": int(in_table[1]) if in_table else None,
        "certificates": {
            v: sum(c["verdict"] == v for c in certificates) for v in ("success", "partial")
        },
        "rows_read": sum(c["rows_read"] for c in certificates),
        "inserted": sum(c["inserted"] for c in certificates),
        "forecast": run["state"],
        "plan": dict(plan),
        "seconds_uploaded": round(uploaded, 1),
        "seconds_loaded": round(loaded, 1),
        "seconds_in_all": round(finished, 1),
    }
    print(json.dumps(result, indent=None if options.json else 1))
    same = (result["rows_in_postgresql"], result["quantity_in_postgresql"]) == (lines, quantity)
    return 0 if same and run["state"] == "success" else 1


def without_airflow(options: argparse.Namespace) -> int:
    from supplyline import overview, stages
    from supplyline.contracts import RunRef
    from supplyline.storage import Storage
    from supplyline.tenancy.provisioning import provision

    settings = read({k: str(v) for k, v in homes.read_json(homes.locate().environment).items()})
    org = parse_org_id(options.org_id)
    provision(org, settings=settings)
    files = files_of(options.archive, options.days)
    lines, quantity = truth(files)
    storage, began = Storage(settings.storage_url), time.monotonic()
    for number, (name, content) in enumerate(files):
        file_id, run = f"day_{number:03d}", RunRef(run_id=f"day-{number:03d}")
        storage.put(org, file_id=file_id, name=name, chunks=[content])
        stages.run_ingest(org_id=org, table="sales", file_id=file_id, run=run, settings=settings)
        stages.run_load(org_id=org, table="sales", run=run, settings=settings)
        if number % 25 == 0:
            print(f"{number + 1} of {len(files)} files", file=sys.stderr)
    loaded = time.monotonic() - began
    report = stages.run_forecast(client_id=org, run=RunRef(run_id="forecast"), settings=settings)
    certificates = overview.certificates_of(org, settings=settings, limit=1000)
    with session(org, settings=settings) as conn:
        found = conn.execute("SELECT count(*), sum(quantity) FROM public.sales").fetchone()
    counted = (int(found[0]), int(found[1])) if found else (0, 0)
    result = {
        "files": len(files),
        "lines": lines,
        "quantity": quantity,
        "rows_in_postgresql": counted[0],
        "quantity_in_postgresql": counted[1],
        "certificates": {
            v: sum(c.verdict == v for c in certificates) for v in ("success", "partial")
        },
        "plan": report["status"],
        "items": report["items"],
        "seconds_loaded": round(loaded, 1),
        "seconds_in_all": round(time.monotonic() - began, 1),
    }
    print(json.dumps(result, indent=None if options.json else 1))
    return 0 if counted == (lines, quantity) else 1


def _certificates(api: Api, waiting: set[str]) -> list[dict[str, Any]]:
    shown = 0.0
    while True:
        try:
            answer = api.get("/api/pipeline/certificates/", limit=1000, table="sales")
        except httpx.TransportError:  # restarted meanwhile: the runs go on where they were
            time.sleep(1)
            continue
        found = [c for c in answer["results"] if c["file_id"] in waiting]
        if time.monotonic() - shown > 10:
            print(f"{len(found)} of {len(waiting)} files loaded", file=sys.stderr)
            shown = time.monotonic()
        if len(found) == len(waiting):
            return found
        time.sleep(1)


if __name__ == "__main__":
    sys.exit(main())
