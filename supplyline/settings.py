"""Every environment variable is read here, once, typed; a wrong one is named in the error.

Names and defaults of the variables without the prefix SUPPLYLINE_ were promised and stay.
docs/settings.md lists them all; a test holds that list against `VARIABLES`.
"""

from __future__ import annotations

import hashlib
import hmac
import os
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from typing import Literal

from supplyline.errors import ConfigurationError

VARIABLES: dict[str, tuple[str, str]] = {
    "AIRFLOW_API_BASE": (
        "http://airflow:8080/api/v1",
        "Airflow's REST API; ends in /api/v2 (Airflow 3) or /api/v1 (Airflow 2)",
    ),
    "AIRFLOW_USERNAME": ("airflow", "user for Airflow's API"),
    "AIRFLOW_PASSWORD": ("airflow", "that user's password"),
    "MONGO_URI": ("mongodb://mongo:27017", "landing store; keep journal=true in it"),
    "MONGO_DATABASE": ("client_data", "database in MongoDB for landed rows"),
    "PG_HOST": ("postgres", "PostgreSQL server of the organizations' databases"),
    "PG_PORT": ("5432", "its port"),
    "PG_DB_PREFIX": ("orgdata_", "an organization's database is this prefix and its id"),
    "APP_DB_USER": ("supplyline", "role that may create databases and roles"),
    "APP_DB_PASSWORD": ("", "its password"),
    "SUPPLYLINE_CONTROL_DB": ("supplyline", "database of the backend's own tables"),
    "SUPPLYLINE_STORAGE_URL": ("", "where uploaded bytes lie, e.g. file:///srv/files or s3://..."),
    "SUPPLYLINE_TENANT_SECRET": (
        "",
        "secret from which the organizations' role passwords are derived; "
        "default: derived from APP_DB_PASSWORD",
    ),
    "SUPPLYLINE_SECRET_KEY": ("", "Django's secret key; required when the backend runs"),
    "SUPPLYLINE_DEBUG": ("0", "1 shows Django's debug pages; never in production"),
    "SUPPLYLINE_ALLOWED_HOSTS": (
        "localhost,127.0.0.1,[::1],backend",
        "host names the backend answers to",
    ),
    "SUPPLYLINE_MAX_UPLOAD_BYTES": ("10737418240", "largest upload that is accepted, in bytes"),
    "SUPPLYLINE_HOME": ("", "folder of the embedded services; default: .run beside the project"),
}


@dataclass(frozen=True, kw_only=True)
class Settings:
    airflow_api_base: str
    airflow_username: str
    airflow_password: str
    mongo_uri: str
    mongo_database: str
    pg_host: str
    pg_port: int
    pg_db_prefix: str
    app_db_user: str
    app_db_password: str
    control_db: str
    storage_url: str
    tenant_secret: str
    secret_key: str
    debug: bool
    allowed_hosts: tuple[str, ...]
    home: str
    max_upload_bytes: int = 10 * 2**30

    @property
    def airflow_dialect(self) -> Literal["v1", "v2"]:
        return "v2" if self.airflow_api_base.rstrip("/").endswith("/api/v2") else "v1"

    def role_password(self, role: str) -> str:
        """An organization role's password: HMAC-SHA256 of its name, so none is stored anywhere."""
        secret = self.tenant_secret or f"tenant:{self.app_db_password}"
        return hmac.new(secret.encode(), role.encode(), hashlib.sha256).hexdigest()


def read(environ: Mapping[str, str] = os.environ) -> Settings:
    """Reads and checks all variables. Raises ConfigurationError naming the wrong one."""
    raw = {name: environ.get(name, default) for name, (default, _) in VARIABLES.items()}
    base = raw["AIRFLOW_API_BASE"].rstrip("/")
    if not base.startswith(("http://", "https://")):
        raise ConfigurationError(f"AIRFLOW_API_BASE is {base!r}, which is no http(s) address.")
    if not raw["MONGO_URI"].startswith(("mongodb://", "mongodb+srv://")):
        raise ConfigurationError("MONGO_URI does not begin with mongodb:// or mongodb+srv://.")
    try:
        port = int(raw["PG_PORT"])
    except ValueError:
        raise ConfigurationError(f"PG_PORT is {raw['PG_PORT']!r}, which is no number.") from None
    if not 0 < port < 65536:
        raise ConfigurationError(f"PG_PORT is {port}, which is no TCP port.")
    return Settings(
        airflow_api_base=base,
        airflow_username=raw["AIRFLOW_USERNAME"],
        airflow_password=raw["AIRFLOW_PASSWORD"],
        mongo_uri=raw["MONGO_URI"],
        mongo_database=raw["MONGO_DATABASE"],
        pg_host=raw["PG_HOST"],
        pg_port=port,
        pg_db_prefix=raw["PG_DB_PREFIX"],
        app_db_user=raw["APP_DB_USER"],
        app_db_password=raw["APP_DB_PASSWORD"],
        control_db=raw["SUPPLYLINE_CONTROL_DB"],
        storage_url=raw["SUPPLYLINE_STORAGE_URL"],
        tenant_secret=raw["SUPPLYLINE_TENANT_SECRET"],
        secret_key=raw["SUPPLYLINE_SECRET_KEY"],
        debug=raw["SUPPLYLINE_DEBUG"] == "1",
        allowed_hosts=tuple(h for h in raw["SUPPLYLINE_ALLOWED_HOSTS"].split(",") if h),
        home=raw["SUPPLYLINE_HOME"],
        max_upload_bytes=_positive("SUPPLYLINE_MAX_UPLOAD_BYTES", raw),
    )


def _positive(name: str, raw: Mapping[str, str]) -> int:
    try:
        value = int(raw[name])
    except ValueError:
        raise ConfigurationError(f"{name} is {raw[name]!r}, which is no number.") from None
    if value <= 0:
        raise ConfigurationError(f"{name} is {value}; it must be greater than 0.")
    return value


@cache
def get() -> Settings:
    """The process's settings, read once."""
    return read()
