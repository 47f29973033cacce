"""`manage.py list_organizations`"""

from __future__ import annotations

from typing import Any

from backend.accounts.models import Organization
from backend.api.commands import OwnCommand


class Command(OwnCommand):
    help = "Lists the organizations. Example: manage.py list_organizations --json"

    def run(self, **options: Any) -> Any:  # noqa: ARG002 - the shape of every command
        return [
            {"org_id": o.pk, "name": o.name, "state": o.state, "users": o.users.count()}
            for o in Organization.objects.order_by("id")
        ]

    def show(self, answer: Any) -> None:
        for row in answer:
            self.stdout.write(
                f"{row['org_id']:<20} {row['state']:<13} {row['users']:>4} users  {row['name']}"
            )
        if not answer:
            self.stdout.write("None yet: manage.py create_organization 123")
