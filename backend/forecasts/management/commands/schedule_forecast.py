"""`manage.py schedule_forecast 123 --at 03:00 --timezone Europe/Berlin`"""

from __future__ import annotations

from argparse import ArgumentTypeError
from datetime import time
from typing import Any

from django.utils import timezone

from backend.accounts.access import existing_org
from backend.api.commands import OwnCommand
from backend.forecasts import schedule


def _time(text: str) -> time:
    try:
        return time.fromisoformat(text)
    except ValueError:
        raise ArgumentTypeError(f"{text!r} is no time of day such as 03:00") from None


class Command(OwnCommand):
    help = (
        "Sets when an organization is forecast; without options, shows it. "
        "Example: manage.py schedule_forecast 123 --at 03:00 --timezone Europe/Berlin"
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("org_id", help="e.g. 123")
        parser.add_argument("--at", type=_time, help="local time; default: a time of the night")
        parser.add_argument("--timezone", help="such as Europe/Berlin; default UTC")
        parser.add_argument("--weekdays", help="1 (Monday) to 7; default all: 1234567")
        parser.add_argument("--on", action="store_true", help="switch on with what is given")
        parser.add_argument("--off", action="store_true", help="switch off")

    def run(self, **options: Any) -> Any:
        org = existing_org(options["org_id"])
        given = {k: options[k] for k in ("at", "timezone", "weekdays") if options[k] is not None}
        if given or options["on"] or options["off"]:
            schedule.set_schedule(
                org, now=timezone.now(), actor="system", enabled=not options["off"], **given
            )
        return {"org_id": str(org), **schedule.describe(org)}

    def show(self, answer: Any) -> None:
        if not answer["enabled"]:
            self.stdout.write(f"Organization {answer['org_id']} is not forecast by schedule.")
            return
        self.stdout.write(
            f"Organization {answer['org_id']} is forecast at {answer['at']} {answer['timezone']} "
            f"on days {answer['weekdays']}; next {answer['next_due']:%Y-%m-%d %H:%M} UTC."
        )
