"""The folder of the embedded services (`.run`, or SUPPLYLINE_HOME): secrets, ports, data, logs.

Promises: secrets are generated once, of 128 bits or more, in a file that only its owner may read;
ports are chosen once and remembered; every file is replaced in one step, so no reader sees half;
what a copy of the folder says of running processes is not believed, since they are the original's.
"""

from __future__ import annotations

import base64
import json
import os
import secrets
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from supplyline.errors import ServiceFailed
from supplyline.local.places import ROOT
from supplyline.local.process import free_port

SECRETS = (
    "postgres_superuser",
    "app_db",
    "airflow_db",
    "mongo",
    "airflow_user",
    "airflow_jwt",
    "airflow_api",
    "airflow_fernet",
    "tenant",
    "django",
)
PREFERRED_PORTS: dict[str, int | None] = {
    "postgres": None,
    "mongo": None,
    "airflow": 8080,
    "backend": 8000,
}


class HomeOfAnother(ServiceFailed):
    """The folder, or what is in it, belongs to another user."""

    next_step = "Do this as the user who started the services, or set SUPPLYLINE_HOME."


@dataclass(frozen=True, kw_only=True)
class Home:
    """One instance on this machine."""

    path: Path

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def storage(self) -> Path:
        return self.path / "storage"

    @property
    def postgres(self) -> Path:
        return self.path / "postgres"

    @property
    def mongo(self) -> Path:
        return self.path / "mongo"

    @property
    def airflow(self) -> Path:
        return self.path / "airflow"

    @property
    def state(self) -> Path:
        """What the supervisor says of itself and its services."""
        return self.path / "state.json"

    @property
    def lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.path / "supervisor.lock"

    @property
    def environment(self) -> Path:
        """The environment variables for who wants to speak with the services."""
        return self.path / "environment.json"

    @property
    def secrets(self) -> Path:
        return self.path / "secrets.json"

    @property
    def ports(self) -> Path:
        return self.path / "ports.json"


def locate(environ: Mapping[str, str] = os.environ) -> Home:
    """SUPPLYLINE_HOME, or `.run` in the project's folder; it may not exist yet."""
    return Home(path=Path(environ.get("SUPPLYLINE_HOME") or ROOT / ".run").absolute())


def make(home: Home) -> None:
    """Makes the folders. As root the way to PostgreSQL's data stays passable for its account."""
    try:
        home.path.mkdir(parents=True, exist_ok=True)
        home.path.chmod(0o711 if os.geteuid() == 0 else 0o700)
        for folder in (home.logs, home.storage, home.airflow):
            folder.mkdir(mode=0o700, exist_ok=True)
    except PermissionError as error:
        raise HomeOfAnother(f"{home.path} cannot be used: {error.strerror}.") from error


def close_off(home: Home) -> None:
    """Takes the passage away again when PostgreSQL runs under our own account after all."""
    if home.postgres.exists() and home.postgres.stat().st_uid == os.geteuid():
        home.path.chmod(0o700)


def write_json(path: Path, value: object) -> None:
    """Replaces a file in one step; only its owner may read it."""
    part = path.with_name(f".{path.name}.{os.getpid()}")
    with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as out:
        json.dump(value, out, indent=1)
        out.flush()
        os.fsync(out.fileno())
    part.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The file's object; `{}` when there is no file. Raises HomeOfAnother, ServiceFailed."""
    try:
        value = json.loads(path.read_text())
    except FileNotFoundError:
        return {}
    except PermissionError as error:
        raise HomeOfAnother(f"{path} cannot be read: it belongs to another user.") from error
    except ValueError as error:
        raise ServiceFailed(
            f"{path} is damaged: {error}.", next_step="Restore it from a backup."
        ) from error
    return dict(value)


def write_state(home: Home, state: Mapping[str, Any]) -> None:
    """What the supervisor says, with the place and the time in which it is true."""
    write_json(home.state, {**state, "of": _here_and_now(home)})


def read_state(home: Home) -> dict[str, Any]:
    """What the supervisor of this very folder said since the machine was started; `{}` for none.

    In a copy of the folder, and after a restart of machine or container, the processes that are
    named are somebody else's.
    """
    state = read_json(home.state)
    return state if "of" not in state or state["of"] == _here_and_now(home) else {}


def _here_and_now(home: Home) -> list[str]:
    """The machine's start, the space of process numbers and the folder itself; a sandbox may not
    show the first two."""
    boot = space = ""
    with suppress(OSError):
        boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    with suppress(OSError):
        space = str(Path("/proc/self/ns/pid").readlink())
    folder = home.path.stat()
    return [boot, space, f"{folder.st_dev}:{folder.st_ino}"]


def read_environment(home: Home) -> dict[str, str]:
    """The variables of the instance that was last started in this folder; `{}` for none, also in a
    copy of it, where they are the original's."""
    known: dict[str, str] = read_json(home.environment)
    try:
        return known if Path(known["SUPPLYLINE_HOME"]).samefile(home.path) else {}
    except (KeyError, OSError):  # written by nobody, or moved since
        return {}


def load_secrets(home: Home) -> dict[str, str]:
    """All secrets, generating those that are missing."""
    known = read_json(home.secrets)
    missing = [name for name in SECRETS if name not in known]
    for name in missing:
        known[name] = (
            base64.urlsafe_b64encode(os.urandom(32)).decode()
            if name == "airflow_fernet"
            else secrets.token_hex(32)
        )
    if missing:
        write_json(home.secrets, known)
    return known


def load_ports(home: Home, wanted: Mapping[str, int | None] | None = None) -> dict[str, int]:
    """Remembered ports, made or changed where `wanted` says so."""
    known: dict[str, int] = read_json(home.ports)
    before = dict(known)
    for name, preferred in PREFERRED_PORTS.items():
        asked = (wanted or {}).get(name)
        if asked is not None:
            known[name] = asked
        elif name not in known:
            known[name] = free_port(preferred)
    if known != before:
        write_json(home.ports, known)
    return known


def move_taken_ports(home: Home, fixed: Mapping[str, int | None]) -> dict[str, tuple[int, int]]:
    """Before a start: another port for each remembered one that a stranger has taken meanwhile.

    Answers name → (old, new). Raises ServiceFailed when the port was asked for by name.
    """
    ports, moved = load_ports(home, fixed), {}
    for name, port in ports.items():
        now = free_port(port)
        if now == port:
            continue
        if fixed.get(name) is not None:
            raise ServiceFailed(
                f"Port {port} for {name} is taken by another program.",
                next_step="Choose another port, or end the program that listens there.",
            )
        moved[name] = (port, now)
    if moved:
        write_json(home.ports, ports | {name: new for name, (_, new) in moved.items()})
    return moved
