"""How Airflow 3 runs on one machine: three processes of an environment of its own.

LocalExecutor, metadata in PostgreSQL, the simple auth manager with a generated password. The
intervals are short because here one person waits for one file; docs/operations.md says what each
setting buys.
"""

from __future__ import annotations

import os
from datetime import datetime
from pathlib import Path
from urllib.parse import quote_plus

from supplyline.errors import ServiceFailed
from supplyline.local import home as homes
from supplyline.local import http
from supplyline.local.environment import AIRFLOW_USER, Instance
from supplyline.local.places import ROOT
from supplyline.local.process import Program

DATABASE = "airflow"
ROLE = "airflow"


def environment_folder() -> Path:
    """SUPPLYLINE_AIRFLOW_ENV, or `.venv-airflow` beside the project."""
    return Path(os.environ.get("SUPPLYLINE_AIRFLOW_ENV") or ROOT / ".venv-airflow")


def _connection(instance: Instance) -> str:
    """SQLAlchemy's address of the metadata database."""
    given = os.environ.get("AIRFLOW__DATABASE__SQL_ALCHEMY_CONN")
    if given:
        return given
    if "postgres" in instance.embedded:
        user, password = ROLE, instance.secrets["airflow_db"]
    else:
        user, password = instance.settings.app_db_user, instance.settings.app_db_password
    at = f"{instance.settings.pg_host}:{instance.settings.pg_port}"
    return f"postgresql+psycopg2://{quote_plus(user)}:{quote_plus(password)}@{at}/{DATABASE}"


def environment(instance: Instance) -> dict[str, str]:
    """Everything that Airflow's processes, and the tasks in them, find in their environment."""
    port, secrets = instance.ports["airflow"], instance.secrets
    home = instance.home.airflow
    passwords = home / "passwords.json"
    homes.write_json(passwords, {AIRFLOW_USER: secrets["airflow_user"]})
    folder = environment_folder()
    env = instance.child_environment()
    env |= {
        "AIRFLOW_HOME": str(home),
        "PATH": f"{folder / 'bin'}:{env.get('PATH', os.defpath)}",
        # Tasks import the engine from here. The folder `airflow` beside it has no __init__.py,
        # so the installed package of that name is found all the same.
        "PYTHONPATH": str(ROOT),
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": _connection(instance),
    }
    settings = {
        "CORE__EXECUTOR": "LocalExecutor",
        "CORE__PARALLELISM": "4",
        "CORE__DAGS_FOLDER": str(ROOT / "airflow" / "dags"),
        "CORE__LOAD_EXAMPLES": "False",
        "CORE__DAGS_ARE_PAUSED_AT_CREATION": "False",
        "CORE__SIMPLE_AUTH_MANAGER_USERS": f"{AIRFLOW_USER}:admin",
        "CORE__SIMPLE_AUTH_MANAGER_PASSWORDS_FILE": str(passwords),
        "CORE__FERNET_KEY": secrets["airflow_fernet"],
        "CORE__EXECUTION_API_SERVER_URL": f"http://127.0.0.1:{port}/execution/",
        "API__HOST": "127.0.0.1",
        "API__PORT": str(port),
        "API__BASE_URL": f"http://127.0.0.1:{port}",
        "API__WORKERS": "1",
        "API__SECRET_KEY": secrets["airflow_api"],
        "API_AUTH__JWT_SECRET": secrets["airflow_jwt"],
        "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.1",
        "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "1",
        "WORKERS__MIN_HEARTBEAT_INTERVAL": "1",
        "WORKERS__EXECUTION_API_TIMEOUT": "60",
        "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
        "DAG_PROCESSOR__REFRESH_INTERVAL": "5",
        "USAGE_DATA_COLLECTION__ENABLED": "False",
    }
    for name, value in settings.items():
        # What an operator has set stays.
        env.setdefault(f"AIRFLOW__{name}", value)
    return env


def program(instance: Instance, *arguments: str) -> Program:
    """`airflow …` in its environment."""
    folder = environment_folder()
    python, script = folder / "bin" / "python", folder / "bin" / "airflow"
    if not script.exists():
        raise ServiceFailed(
            f"Airflow is not installed in {folder}.",
            next_step="Run `make setup`, or set SUPPLYLINE_AIRFLOW_ENV.",
        )
    # The scheduler's tasks are forks of it: what it has imported, they need not import.
    warm: list[str] = []
    if arguments[:1] == ("scheduler",):
        warm = ["-m", "supplyline.local.warm"]
        # Its log server listens on every address and one fixed port. Logs are read as files here.
        arguments = (*arguments, "--skip-serve-logs")
    return Program(
        argv=[str(python), *warm, str(script), *arguments],
        env=environment(instance),
        cwd=instance.home.airflow,
    )


def probe_api(instance: Instance) -> None:
    """The call that workers make. Raises ServiceFailed when it is not answered."""
    http.get_json(instance.ports["airflow"], "/execution/health", seconds=20)


def probe_part(instance: Instance, part: str, *, since: float) -> None:
    """`scheduler` or `dag_processor`: its heartbeat, newer than `since` (Unix time)."""
    health = http.get_json(instance.ports["airflow"], "/api/v2/monitor/health", seconds=10)
    about = health.get(part) or {}
    beat = about.get(f"latest_{part}_heartbeat")
    if about.get("status") != "healthy" or not beat:
        raise ServiceFailed(f"Airflow says its {part} is {about.get('status')}.")
    if datetime.fromisoformat(beat).timestamp() < since:
        raise ServiceFailed(f"Airflow's {part} has given no sign of life since it was started.")
