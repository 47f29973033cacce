"""`manage.py create_token alice`"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

from django.core.management.base import CommandError

from backend.accounts.services import create_token, find_user
from backend.api.commands import OwnCommand


class Command(OwnCommand):
    help = "Makes a bearer token, shown this once. Example: manage.py create_token alice --hours 12"

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="user name or id")
        parser.add_argument("--hours", type=float, default=None, help="how long it is good")

    def run(self, **options: Any) -> Any:
        hours = options["hours"]
        if hours is not None and not 0 < hours <= 24 * 366:
            raise CommandError("--hours takes more than 0 and at most 8784 hours.", returncode=2)
        ttl = timedelta(hours=hours) if hours else None
        token, expiry = create_token(find_user(options["user"]), ttl=ttl)
        return {"token": token, "expiry": expiry.isoformat()}

    def show(self, answer: Any) -> None:
        self.stdout.write(answer["token"])
