"""`supplyline`: the command of the engine. Each room brings its commands in a module `commands`.

A room's commands are imported only when they are called, so that a small command stays fast.
"""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

import click

from supplyline import __version__
from supplyline.errors import SupplylineError

COMMANDS = {
    "demo": "supplyline.demo.commands:demo",
    "up": "supplyline.local.commands:up",
    "down": "supplyline.local.commands:down",
    "status": "supplyline.local.commands:status",
    "logs": "supplyline.local.commands:logs",
    "env": "supplyline.local.commands:env",
    "preview": "supplyline.ingest.commands:preview",
    "parse": "supplyline.ingest.commands:parse",
    "columns": "supplyline.tables:columns",
    "rejected": "supplyline.tables:rejected",
    "load-preview": "supplyline.tables:load_preview",
    "dry-run": "supplyline.trial:dry_run_command",
    "verify": "supplyline.verification:verify",
    "undo": "supplyline.operations:undo",
    "rebuild": "supplyline.operations:rebuild",
    "retention": "supplyline.retention:retention",
    "erase": "supplyline.erasure:erase",
    "provision": "supplyline.tenancy.commands:provision",
    "migrate": "supplyline.tenancy.commands:migrate",
    "audit-verify": "supplyline.tenancy.commands:audit_verify",
    "isolation-check": "supplyline.isolation.commands:isolation_check",
    "explain": "supplyline.forecast.explain_command:explain",
    "forecast-series": "supplyline.forecast.commands:forecast_series",
    "plan-series": "supplyline.forecast.commands:plan_series",
}
"""Command → where it is; modules are imported lazily."""


class LazyGroup(click.Group):
    """A group that imports a command's module when the command is looked at."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click's signature
        return sorted(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        target = COMMANDS.get(cmd_name)
        if target is None:
            return None
        module, _, name = target.partition(":")
        command = getattr(importlib.import_module(module), name)
        assert_command(command, cmd_name)
        return command  # type: ignore[no-any-return] # checked one line above


def assert_command(command: object, name: str) -> None:
    if not isinstance(command, click.Command):
        raise TypeError(f"{name} is no click command")


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__)
def cli() -> None:
    """Supplyline: files in, every row accounted for, inventory forecast out.

    Exit codes: 0 done, 1 done with rows set aside or a check that failed, 2 wrong usage,
    3 the input or the request cannot be served, 4 something is away: try again.
    """


def main() -> None:
    """Entry point: turns the engine's errors into one sentence, a next step and an exit code."""
    found = True
    try:
        found = _find_instance(sys.argv[1:])
        cli()
    except SupplylineError as error:
        click.echo(f"{error.detail}\n{error.advice}", err=True)
        if error.code == "database_unavailable" and not found and not os.environ.get("PG_HOST"):
            click.echo(
                "No PG_HOST is set, and no instance was ever started here: run `supplyline up`, or "
                "set SUPPLYLINE_HOME to the folder of one.",
                err=True,
            )
        raise SystemExit(4 if error.transient else 3) from None


def _find_instance(args: Sequence[str]) -> bool:
    """Takes the addresses of the instance last started here for what is not set, as manage.py does;
    not for the commands that start and stop it, which tell from the variables what to embed."""
    name = next((a for a in args if not a.startswith("-")), "")
    room = COMMANDS.get(name, "").partition(":")[0]
    if not room or room.startswith(("supplyline.local", "supplyline.demo")):
        return True
    from supplyline.local.environment import load_into

    return load_into(os.environ)


if __name__ == "__main__":
    main()
