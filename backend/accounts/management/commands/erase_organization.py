"""`manage.py erase_organization 123 --yes-erase 123 --json > proof.json`"""

from __future__ import annotations

import json
from typing import Any

from django.core.management.base import CommandError

from backend.accounts.erasing import erase_organization
from backend.airflow_client.client import AirflowClient
from backend.api.commands import OwnCommand
from supplyline import settings as supplyline_settings


class Command(OwnCommand):
    help = (
        "Erases an organization: its users, uploads and runs, its files, landed rows, database and "
        "role. Prints the proof of what is gone; exit code 1 when something is left. Repeatable. "
        "Example: manage.py erase_organization 123 --yes-erase 123 --json > proof.json"
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("org_id")
        parser.add_argument(
            "--yes-erase", required=True, help="the id once more, so that none goes by mistake"
        )

    def run(self, **options: Any) -> Any:
        if options["yes_erase"] != options["org_id"]:
            raise CommandError("--yes-erase does not name the same organization.", returncode=2)
        settings = supplyline_settings.get()
        with AirflowClient.of(settings) as client:
            return erase_organization(
                options["org_id"], client=client, settings=settings, tell=self.stderr.write
            )

    def exit_code(self, answer: Any) -> int:
        return 0 if answer["gone"] else 1

    def show(self, answer: Any) -> None:
        was, org = answer["was"], answer["org"]
        if not answer["found"]:
            self.stdout.write(f"Nothing of {org} was found.")
        elif answer["gone"]:
            rows = ", ".join(f"{n} {what}" for what, n in was["rows"].items() if n)
            self.stdout.write(
                f"{org}: {was['files']} files of {was['bytes']} bytes, {was['documents']} landed"
                f" documents, {len(was['tables'])} tables, database and role; {rows}:"
                f" gone at {answer['at']}"
            )
        else:
            left = json.dumps({k: n for k, n in answer["left"].items() if n})
            self.stdout.write(f"{org} is not gone, left: {left}. {answer['problem']}".rstrip())
