"""`supplyline demo`."""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.table import Table

from supplyline.demo import samples
from supplyline.demo.api import Api
from supplyline.errors import ServiceFailed
from supplyline.local import control
from supplyline.local import home as homes
from supplyline.local.places import ROOT

ORG, USER = "demo", "demo"


@click.command()
@click.option("--timeout", default=300.0, show_default=True, help="Seconds for each run.")
def demo(timeout: float) -> None:
    """Show the main job: start everything, upload sample files over HTTP, follow the runs through
    Airflow, MongoDB and PostgreSQL, and print certificates and the most urgent orders.

    Example: supplyline demo
    """
    began = time.monotonic()
    # Wide enough for the table where nothing is known of the terminal; long lines are not cut.
    console = Console(highlight=False, soft_wrap=True)
    home = homes.locate()
    console.print("[bold]1. Services[/bold]")
    control.up(
        home, ports={}, only=(), seconds=timeout, tell=lambda line: console.print(f"   {line}")
    )
    variables = {k: str(v) for k, v in homes.read_json(home.environment).items()}
    console.print("[bold]2. Organization and user[/bold]")
    password = _account(home, variables, console)
    api = Api(variables["SUPPLYLINE_API"], username=USER, password=password)
    console.print("[bold]3. Files[/bold]")
    paths = samples.write(home.path / "demo-files", today=datetime.now(UTC).date())
    uploads = [api.upload(path) for path in paths]
    for upload in uploads:
        console.print(
            f"   {upload['name']}: {upload['size']:,} bytes accepted as table {upload['table']}"
        )
    console.print("[bold]4. Through Airflow, MongoDB and PostgreSQL[/bold]")
    certificates = [_follow_upload(api, upload, console, timeout) for upload in uploads]
    console.print("[bold]5. Forecast[/bold]")
    asked = api.post("/api/airflow/trigger/forecast-inventory/", {"client_id": f"org_{ORG}"})
    run = api.follow(asked["status_url"], seconds=timeout, tell=_teller(console, "forecast"))
    if run["state"] != "success":
        raise ServiceFailed(
            f"The forecast ended as {run['state']}.",
            next_step="Look at the run in Airflow and at `supplyline logs airflow-scheduler`.",
        )
    _show_certificates(certificates, console)
    _show_plan(api.get("/api/forecast/plan/", limit=10)["results"], console)
    _show_places(variables, console, time.monotonic() - began)
    if any(c["landed"] + c["duplicate"] == 0 for c in certificates):
        sys.exit(1)


def _manage(variables: dict[str, str], *arguments: str, password: str = "") -> dict[str, Any]:
    """A management command of the backend, in a process of its own; its JSON answer."""
    env = {**os.environ, **variables, "PYTHONPATH": str(ROOT)}
    if password:
        env["SUPPLYLINE_NEW_PASSWORD"] = password
    done = subprocess.run(  # noqa: S603 - our own program, arguments of our own
        [sys.executable, str(ROOT / "manage.py"), *arguments, "--json"],
        env=env, capture_output=True, text=True, check=False,
    )  # fmt: skip
    if done.returncode:
        raise ServiceFailed(f"manage.py {arguments[0]} failed: {done.stderr.strip()[-500:]}")
    return dict(json.loads(done.stdout))


def _account(home: homes.Home, variables: dict[str, str], console: Console) -> str:
    """The demonstration's organization and user; the password stays in a file of mode 600."""
    path: Path = home.path / "demo-account.json"
    known = homes.read_json(path)
    if not known:
        password = secrets.token_urlsafe(18)
        _manage(variables, "create_organization", ORG, "--name", "Demonstration")
        _manage(variables, "create_user", USER, "--org-id", ORG, "--role", "owner",
                password=password)  # fmt: skip
        known = {"username": USER, "password": password, "org_id": ORG}
        homes.write_json(path, known)
    console.print(f"   organization {ORG}, user {USER} (password in {path})")
    return str(known["password"])


def _teller(console: Console, what: str) -> Any:
    last: list[str] = []

    def tell(run: dict[str, Any]) -> None:
        tasks = ", ".join(f"{t['task_id']} {t['state']}" for t in run.get("tasks", ()))
        line = f"   {what}: {run['state']}" + (f" ({tasks})" if tasks else "")
        if last != [line]:
            console.print(line)
            last[:] = [line]

    return tell


def _follow_upload(
    api: Api, upload: dict[str, Any], console: Console, timeout: float
) -> dict[str, Any]:
    run = api.follow(upload["status_url"], seconds=timeout, tell=_teller(console, upload["name"]))
    if run["state"] in ("failed", "refused"):
        raise ServiceFailed(
            f"The ingest of {upload['name']} ended as {run['state']}.",
            next_step="Look at the run in Airflow and at `supplyline logs airflow-scheduler`.",
        )
    certificate = api.certificate(upload["file_id"], seconds=timeout)
    console.print(f"   {upload['name']}: loaded, {certificate['verdict']}")
    return certificate


def _show_certificates(certificates: list[dict[str, Any]], console: Console) -> None:
    for c in certificates:
        console.print(
            f"\n[bold]Certificate[/bold] {c['file_name']} → {c['table']}: "
            f"[bold]{c['verdict']}[/bold]\n"
            f"   read {c['rows_read']:,} = landed {c['landed']:,} + quarantined "
            f"{c['quarantined']:,} + duplicate {c['duplicate']:,}\n"
            f"   landed and duplicate = inserted {c['inserted']:,} + updated {c['updated']:,} + "
            f"unchanged {c['unchanged']:,} + superseded {c['superseded']:,} + rejected "
            f"{c['rejected']:,}\n"
            f"   checksums: file {c['checksum_file']}, MongoDB "
            f"{_same(c['checksum_landing'], c['checksum_file'])}, PostgreSQL "
            f"{_same(c['checksum_table'], c['checksum_file'])}"
        )
        for difference in c["differences"]:
            console.print(f"   - {difference}")


def _same(value: str, first: str) -> str:
    return "the same" if value == first else value


def _show_plan(rows: list[dict[str, Any]], console: Console) -> None:
    title = (
        "The ten most urgent orders: first what would be missing, at its price, before an order"
        " placed now arrives"
    )
    grid = Table(title=title, title_justify="left")
    for name in ("#", "item", "name", "on hand", "on order", "reorder at", "order", "cover, days"):
        grid.add_column(name, justify="left" if name in ("item", "name") else "right")
    for r in rows:
        grid.add_row(
            str(r["urgency"]), str(r["item"]), str(r["name"] or ""),
            *(_number(r[k]) for k in ("on_hand", "on_order", "reorder_point", "order_quantity",
                                      "days_of_cover")),
        )  # fmt: skip
    console.print()
    Console(highlight=False, width=max(console.width, 100)).print(grid)


def _number(value: Any) -> str:
    return "-" if value is None else f"{float(value):,.0f}"


def _show_places(variables: dict[str, str], console: Console, seconds: float) -> None:
    airflow = variables.get("AIRFLOW_API_BASE", "").removesuffix("/api/v2")
    console.print(
        f"\nDone in {seconds:.0f} s. Where to look:\n"
        f"   API       {variables['SUPPLYLINE_API']}/api/docs/\n"
        f"   Airflow   {airflow}/ (user {variables.get('AIRFLOW_USERNAME', '')}; password: "
        "`.venv/bin/supplyline env`)\n"
        "   Services  `.venv/bin/supplyline status`, `.venv/bin/supplyline logs`\n"
        "   Pipeline  `.venv/bin/python manage.py manage_enhanced_pipeline status "
        f"--org-id {ORG}`\n"
        "   Stop      `make down`"
    )
