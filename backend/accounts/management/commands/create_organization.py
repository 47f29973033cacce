"""`manage.py create_organization 123 --name "Acme"`"""

from __future__ import annotations

from typing import Any

from backend.accounts.services import create_organization
from backend.api.commands import OwnCommand
from supplyline import settings as supplyline_settings


class Command(OwnCommand):
    help = (
        "Makes an organization with a database and a role of its own. Repeatable after a cut. "
        'Example: manage.py create_organization 123 --name "Acme"'
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("org_id", help="lower-case letters, digits, underscores; e.g. 123")
        parser.add_argument("--name", default="", help="what people call it")

    def run(self, **options: Any) -> Any:
        row = create_organization(
            options["org_id"], name=options["name"], settings=supplyline_settings.get()
        )
        return {"org_id": row.pk, "name": row.name, "state": row.state}

    def show(self, answer: Any) -> None:
        self.stdout.write(f"Organization {answer['org_id']} is {answer['state']}.")
