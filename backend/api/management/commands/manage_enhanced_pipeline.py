"""`manage.py manage_enhanced_pipeline …`: the pipeline for operators."""

from __future__ import annotations

import json
import sys
import time
from argparse import ArgumentTypeError
from collections.abc import Callable
from contextlib import nullcontext
from typing import IO, Any, cast

from django.core.management.base import BaseCommand, CommandParser
from rich.console import Console
from rich.status import Status

from backend.api.commands import said_as_command_errors
from backend.api.management.commands import _pipeline_text as text
from backend.api.management.commands._watch import Watch, places
from backend.backend_scripts.data_pipeline_manager import DataPipelineManager
from backend.runs.models import Run
from supplyline import overview
from supplyline.tenancy.names import parse_client_id

EXAMPLES = """\
examples:
  manage.py manage_enhanced_pipeline status --org-id 123
  manage.py manage_enhanced_pipeline trigger-ingest --org-id 123 --table products --file-id file_456
  manage.py manage_enhanced_pipeline trigger-postgres-load --org-id 123 --table products
  manage.py manage_enhanced_pipeline trigger-forecast --client-id org_123 --wait
  manage.py manage_enhanced_pipeline quality --org-id 123 --table products --days 7
  manage.py manage_enhanced_pipeline audit --org-id 123

exit codes: 0 done, 1 done but failed, partial or not in order, 2 wrong usage, 3 cannot be done,
4 something is away: try again
"""
FINISHED = {"success": 0, "partial": 1, "failed": 1, "refused": 3}


def _overall_code(answer: dict[str, Any]) -> int:
    """4 when Airflow or a store is away, 1 when an organization's pipeline is not in order."""
    codes = [_code(one) for one in answer["organizations"]]
    return 4 if "code" in answer["airflow"] else max(codes, default=0)


def _code(status: dict[str, Any]) -> int:
    if status.get("problem", {}).get("transient"):
        return 4
    return 0 if status["healthy"] else 1


class Command(BaseCommand):
    help = "Shows and drives the pipeline: status, triggers, quality, audit."

    def create_parser(self, prog_name: str, subcommand: str, **kwargs: Any) -> CommandParser:
        import argparse

        parser = super().create_parser(prog_name, subcommand, **kwargs)
        parser.epilog = EXAMPLES
        parser.formatter_class = argparse.RawDescriptionHelpFormatter
        return parser

    def add_arguments(self, parser: Any) -> None:
        actions = parser.add_subparsers(dest="action", required=True, metavar="ACTION")

        def action(name: str, about: str, *, org: bool = True) -> Any:
            example = next(e.strip() for e in EXAMPLES.splitlines() if f" {name} " in e)
            one = actions.add_parser(
                name, help=about, description=about, epilog=f"example: {example}"
            )
            one.add_argument("--json", action="store_true", help="print one JSON object")
            one.add_argument(
                "--verbose", action="store_true", help="show requests, connections and timings"
            )
            if org:
                one.add_argument(
                    "--org-id", required=name != "status", type=_text(40), help="e.g. 123"
                )
            return one

        action("status", "state of an organization's pipeline, or of all")
        ingest = action("trigger-ingest", "land an uploaded file")
        ingest.add_argument("--table", required=True)
        ingest.add_argument("--file-id", required=True)
        ingest.add_argument(
            "--user-id", type=_text(64), default="system", help="in whose name (default: system)"
        )
        load = action("trigger-postgres-load", "load landed files into PostgreSQL")
        load.add_argument("--table", required=True)
        forecast = action("trigger-forecast", "forecast inventory", org=False)
        forecast.add_argument("--client-id", required=True, help="org_123 or 123")
        for one in (ingest, load, forecast):
            one.add_argument("--wait", action="store_true", help="until the run has ended")
            one.add_argument("--timeout", type=float, default=3600.0, help="seconds for --wait")
            one.add_argument("--idempotency-key", type=_text(200), default=None)
        quality = action("quality", "how good a table's data is")
        quality.add_argument("--table", required=True)
        quality.add_argument("--days", type=_whole(1, 3650), default=7)
        audit = action("audit", "what was done, and whether the trail holds")
        audit.add_argument("--limit", type=_whole(1, 1000), default=50)
        audit.add_argument(
            "--before", type=_whole(1, 2**63 - 1), help="only events before this number"
        )

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        began, watch = time.perf_counter(), Watch() if options["verbose"] else None
        manager = DataPipelineManager(observe=watch.airflow if watch else None)
        try:
            with said_as_command_errors(), watch or nullcontext():
                answer, code = self._act(manager, options)
        finally:
            if watch:
                self._show(watch, manager, time.perf_counter() - began)
        if options["json"]:
            self.stdout.write(json.dumps(answer, default=str))
        else:
            text.show(
                options["action"],
                answer,
                text.console_of(cast("IO[str]", self.stdout)),
            )
        if code:
            sys.exit(code)

    def _act(self, manager: DataPipelineManager, o: dict[str, Any]) -> tuple[Any, int]:
        match o["action"]:
            case "status" if o["org_id"]:
                status = manager.get_organization_status(o["org_id"])
                return status, _code(status)
            case "status":
                overall = manager.get_overall_status()
                return overall, _overall_code(overall)
            case "quality":
                return (
                    manager.generate_quality_report(o["org_id"], table=o["table"], days=o["days"]),
                    0,
                )
            case "audit":
                trail = manager.get_audit_trail(o["org_id"], limit=o["limit"], before=o["before"])
                return trail, 0 if trail["chain"]["ok"] else 1
            case "trigger-ingest":
                run = manager.trigger_enhanced_ingest_dag(
                    o["org_id"], table=o["table"], file_id=o["file_id"], user_id=o["user_id"],
                    idempotency_key=o["idempotency_key"],
                )  # fmt: skip
            case "trigger-postgres-load":
                run = manager.trigger_postgres_load_dag(
                    o["org_id"], table=o["table"], idempotency_key=o["idempotency_key"]
                )
            case _:
                run = manager.trigger_forecast_dag(
                    o["client_id"], idempotency_key=o["idempotency_key"]
                )
        return self._waited(manager, run, o) if o["wait"] else (run, 0)

    def _waited(
        self, manager: DataPipelineManager, run: dict[str, Any], o: dict[str, Any]
    ) -> tuple[Any, int]:
        """Follows the run; a forecast that ends well brings its plan along."""
        deadline = time.monotonic() + o["timeout"]
        console, told = Console(stderr=True), ""
        with Status(f"{run['dag_run_id']}: {run['state']}", console=console) as line:
            while run["state"] not in FINISHED and time.monotonic() < deadline:
                time.sleep(0.3)
                row = Run.objects.get(dag_id=run["dag_id"], dag_run_id=run["dag_run_id"])
                trouble = f" ({row.error_detail} {row.next_step})" if row.error_detail else ""
                now = f"{row.dag_run_id}: {row.state}{trouble}"
                line.update(now)
                if now != told and not console.is_terminal:
                    self.stderr.write(now)  # no moving line there, so one for each change
                told, run = now, {**run, "state": row.state}
        run = manager.run_status(run["dag_id"], run["dag_run_id"])
        if o["action"] == "trigger-forecast" and run["state"] == "success":
            org = parse_client_id(o["client_id"])
            run["plan"] = overview.plan_rows(org, settings=manager.settings, limit=20)
            run["plan_summary"] = overview.plan_summary(org, settings=manager.settings)
        return run, FINISHED.get(run["state"], 4)

    def _show(self, watch: Watch, manager: DataPipelineManager, seconds: float) -> None:
        for line in (*places(manager.settings), *watch.lines, f"{seconds:.2f} s in all"):
            self.stderr.write(line)


def _whole(least: int, most: int) -> Callable[[str], int]:
    def parse(given: str) -> int:
        value = int(given)
        if not least <= value <= most:
            raise ArgumentTypeError(f"{value} is not from {least} to {most}")
        return value

    parse.__name__ = "whole number"
    return parse


def _text(longest: int) -> Callable[[str], str]:
    def parse(given: str) -> str:
        if not given.strip() or len(given) > longest:
            raise ArgumentTypeError(f"it must have 1 to {longest} characters")
        return given

    return parse
