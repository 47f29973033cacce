#!/usr/bin/env python
"""Django's commands. With the embedded services running, no variable needs to be set."""

from __future__ import annotations

import os
import sys


def main() -> None:
    """Takes the embedded services' addresses over for what is not set, then runs the command."""
    from supplyline.errors import SupplylineError

    try:
        from supplyline.local.environment import load_into
    except ImportError:
        pass
    else:
        load_into(os.environ)
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "backend.config.settings")
    from django.core.management import execute_from_command_line

    try:
        execute_from_command_line(sys.argv)
    except SupplylineError as error:
        sys.stderr.write(f"{error.detail}\n{error.advice}\n")
        raise SystemExit(4 if error.transient else 3) from None


if __name__ == "__main__":
    main()
