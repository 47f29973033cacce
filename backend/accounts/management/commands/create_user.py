"""`manage.py create_user alice --org-id 123 --role owner`"""

from __future__ import annotations

import getpass
import os
import secrets
from typing import Any

from django.core.management.base import CommandError

from backend.accounts.models import Role
from backend.accounts.services import create_user
from backend.api.commands import OwnCommand


class Command(OwnCommand):
    help = (
        "Makes a user. The password comes from SUPPLYLINE_NEW_PASSWORD, is asked for, or with "
        "--generate-password is made and shown once. "
        "Example: manage.py create_user alice --org-id 123 --role owner --generate-password"
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("username")
        parser.add_argument("--org-id", default=None, help="left out for platform staff")
        parser.add_argument(
            "--role",
            choices=Role.values,
            default=Role.VIEWER,
            help="viewer (reads), editor (also uploads, triggers), owner (also manages)",
        )
        parser.add_argument("--user-id", default=None, help="an id of your own, e.g. user_789")
        parser.add_argument("--email", default="")
        parser.add_argument("--platform-staff", action="store_true")
        parser.add_argument("--generate-password", action="store_true")

    def run(self, **options: Any) -> Any:
        made = secrets.token_urlsafe(15) if options["generate_password"] else ""
        password = made or os.environ.get("SUPPLYLINE_NEW_PASSWORD") or _asked()
        user = create_user(
            options["username"],
            password=password,
            org_id=options["org_id"],
            role=Role(options["role"]),
            platform_staff=options["platform_staff"],
            user_id=options["user_id"],
            email=options["email"],
        )
        answer = {"user_id": user.pk, "username": user.username, "org_id": user.org_id,
                  "role": user.role}  # fmt: skip
        return {**answer, "password": made} if made else answer

    def show(self, answer: Any) -> None:
        self.stdout.write(
            f"User {answer['username']} ({answer['user_id']}) is {answer['role']} of "
            f"{answer['org_id'] or 'the platform'}."
        )
        if "password" in answer:
            self.stdout.write(f"Password, shown this once: {answer['password']}")


def _asked() -> str:
    try:
        return getpass.getpass()
    except EOFError:
        raise CommandError(
            "There is no terminal to ask for the password.\n"
            "Set SUPPLYLINE_NEW_PASSWORD, or let --generate-password make one.",
            returncode=2,
        ) from None
