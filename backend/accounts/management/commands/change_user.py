"""`manage.py change_user alice --deactivate`"""

from __future__ import annotations

import secrets
from typing import Any

from django.core.management.base import CommandError

from backend.accounts.models import Role
from backend.accounts.services import change_user, find_user
from backend.api.commands import OwnCommand


class Command(OwnCommand):
    help = (
        "Changes a user: role, organization, password; lets nobody in by that name any more with "
        "--deactivate. Tokens end with everything but a change of role. "
        "Example: manage.py change_user alice --deactivate"
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("user", help="user name or id")
        parser.add_argument("--role", choices=Role.values, default=None)
        place = parser.add_mutually_exclusive_group()
        place.add_argument("--org-id", default=None, help="the organization from now on")
        place.add_argument("--no-org", action="store_true", help="of no organization any more")
        door = parser.add_mutually_exclusive_group()
        door.add_argument("--deactivate", action="store_true", help="no login, no token is good")
        door.add_argument("--activate", action="store_true", help="may log in again")
        parser.add_argument("--revoke-tokens", action="store_true", help="end all tokens")
        parser.add_argument(
            "--generate-password", action="store_true", help="a new one, shown once"
        )

    def run(self, **options: Any) -> Any:
        asked = ("role", "org_id", "no_org", "deactivate", "activate", "revoke_tokens",
                 "generate_password")  # fmt: skip
        if not any(options[name] for name in asked):
            raise CommandError("Say what to change (--help lists it).", returncode=2)
        made = secrets.token_urlsafe(15) if options["generate_password"] else None
        user, ended = change_user(
            find_user(options["user"]),
            role=Role(options["role"]) if options["role"] else None,
            org_id="" if options["no_org"] else options["org_id"],
            active=False if options["deactivate"] else True if options["activate"] else None,
            password=made,
            revoke_tokens=options["revoke_tokens"],
        )
        answer = {"user_id": user.pk, "username": user.username, "org_id": user.org_id,
                  "role": user.role, "active": user.is_active, "tokens_ended": ended}  # fmt: skip
        return {**answer, "password": made} if made else answer

    def show(self, answer: Any) -> None:
        place, door = answer["org_id"] or "no organization", "" if answer["active"] else ", closed"
        self.stdout.write(
            f"User {answer['username']} ({answer['user_id']}) is {answer['role']} of {place}{door};"
            f" {answer['tokens_ended']} tokens ended."
        )
        if "password" in answer:
            self.stdout.write(f"Password, shown this once: {answer['password']}")
