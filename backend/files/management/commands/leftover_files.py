"""`manage.py leftover_files --remove`"""

from __future__ import annotations

from typing import Any

from django.utils import timezone

from backend.accounts.access import existing_org
from backend.accounts.models import Organization
from backend.api.commands import OwnCommand
from backend.files.leftovers import find_leftovers, remove_leftovers
from supplyline import settings as supplyline_settings
from supplyline.errors import SupplylineError
from supplyline.tenancy.names import parse_org_id


class Command(OwnCommand):
    help = (
        "Lists stored files that no record refers to: uploads that were killed before they were "
        "accepted. With --remove they go; files of the last day always stay. Exit code 1 when some "
        "are left, 4 when an organization could not be asked. Not after control database or stores "
        "were restored from a backup: then files are newer than what is known of them. "
        "Example: manage.py leftover_files --org-id 123 --json"
    )

    def add_arguments(self, parser: Any) -> None:
        super().add_arguments(parser)
        parser.add_argument("--org-id", help="one organization; otherwise every active one")
        parser.add_argument("--remove", action="store_true", help="remove them")

    def run(self, **options: Any) -> Any:
        settings, work = (
            supplyline_settings.get(),
            remove_leftovers if options["remove"] else find_leftovers,
        )
        if options["org_id"] is not None:
            org = existing_org(options["org_id"])
            return {"organizations": [work(org, settings=settings, now=timezone.now())]}
        active = Organization.objects.filter(state=Organization.State.ACTIVE).order_by("id")
        out = []
        for org in map(parse_org_id, active.values_list("id", flat=True)):
            try:
                out.append(work(org, settings=settings, now=timezone.now()))
            except SupplylineError as error:  # the others are looked at all the same
                out.append({"org_id": str(org), "files": [], "problem": str(error)})
        return {"organizations": out}

    def exit_code(self, answer: Any) -> int:
        if any("problem" in one for one in answer["organizations"]):
            return 4
        return 1 if any(one["files"] for one in answer["organizations"]) else 0

    def show(self, answer: Any) -> None:
        for one in answer["organizations"]:
            org = one["org_id"]
            if "problem" in one:
                self.stdout.write(f"{org}: not asked, and nothing removed: {one['problem']}")
            for file in one["files"]:
                self.stdout.write(
                    f"{org}: {file['file_id']} ({file['name']}, {file['size']:,} bytes, written"
                    f" {file['written_at']}): no record refers to it"
                )
            for file_id in one.get("removed", ()):
                self.stdout.write(f"{org}: {file_id} is removed")
        if not any(one["files"] for one in answer["organizations"]):
            self.stdout.write("No stored file is left over.")
