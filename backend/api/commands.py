"""What the management commands share: text or JSON out, errors as a sentence and an exit code."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from django.core.management.base import BaseCommand, CommandError
from django.db import OperationalError

from backend.api.errors import InvalidPayload
from supplyline.errors import SupplylineError


@contextmanager
def said_as_command_errors() -> Iterator[None]:
    """Errors that a person can act on become Django's CommandError: sentence, next step, code."""
    try:
        yield
    except InvalidPayload as error:
        said = "\n".join(f"{name}: {' '.join(map(str, why))}" for name, why in error.errors.items())
        raise CommandError(f"{error.detail}\n{said or error.advice}", returncode=3) from error
    except SupplylineError as error:
        raise CommandError(
            f"{error.detail}\n{error.advice}", returncode=4 if error.transient else 3
        ) from error
    except OperationalError as error:
        raise CommandError(
            "The control database does not answer.\nCheck PG_HOST, PG_PORT, APP_DB_USER and "
            "APP_DB_PASSWORD, or start the services with `supplyline up`.",
            returncode=4,
        ) from error


class OwnCommand(BaseCommand):
    """`run` answers a JSON-able value; `show` says it to a person. Exit codes: 0 done, 1 done with
    something wrong in the data, 2 usage, 3 cannot be done, 4 something is away: try again."""

    def add_arguments(self, parser: Any) -> None:
        parser.add_argument("--json", action="store_true", help="print one JSON object")

    def run(self, **options: Any) -> Any:
        raise NotImplementedError

    def show(self, answer: Any) -> None:
        self.stdout.write(str(answer))

    def exit_code(self, answer: Any) -> int:  # noqa: ARG002 - for those that have another
        return 0

    def handle(self, *args: Any, **options: Any) -> None:  # noqa: ARG002 - Django's signature
        with said_as_command_errors():
            answer = self.run(**options)
        if options.get("json"):
            self.stdout.write(json.dumps(answer, default=str))
        else:
            self.show(answer)
        if code := self.exit_code(answer):
            sys.exit(code)
