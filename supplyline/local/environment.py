"""The promised environment variables, with the values of this machine's embedded services.

What a person has set in the environment wins: with PG_HOST, MONGO_URI or AIRFLOW_API_BASE set to
something else, that server is used and none is embedded in its place.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, MutableMapping
from dataclasses import dataclass

from supplyline import settings
from supplyline.local import home as homes
from supplyline.local import mongo, postgres
from supplyline.local.home import Home, HomeOfAnother

AIRFLOW_USER = "airflow"
APP_USER = "supplyline"
_TOGETHER = (
    (("PG_HOST", "PG_PORT"), ("APP_DB_USER", "APP_DB_PASSWORD")),
    (("AIRFLOW_API_BASE",), ("AIRFLOW_USERNAME", "AIRFLOW_PASSWORD")),
)
"""An address and what opens it: our password never goes to somebody else's server."""


@dataclass(frozen=True, kw_only=True)
class Instance:
    """What one start is made of: which services are embedded, where, and every variable."""

    home: Home
    ports: Mapping[str, int]
    secrets: Mapping[str, str]
    embedded: frozenset[str]
    """Of `postgres`, `mongo`, `airflow`."""
    variables: Mapping[str, str]

    @property
    def postgres(self) -> postgres.Postgres:
        return postgres.Postgres(
            data=self.home.postgres,
            port=self.ports["postgres"],
            password=self.secrets["postgres_superuser"],
        )

    @property
    def mongo(self) -> mongo.Mongo:
        return mongo.Mongo(
            data=self.home.mongo, port=self.ports["mongo"], password=self.secrets["mongo"]
        )

    @property
    def settings(self) -> settings.Settings:
        return settings.read(self.variables)

    def child_environment(self) -> dict[str, str]:
        """For our own processes: the caller's environment, with the variables on top."""
        env = {**os.environ, **self.variables, "LC_ALL": "C.UTF-8", "TZ": "UTC"}
        # Bytecode is kept, or every Airflow task would compile its imports again.
        env.pop("PYTHONDONTWRITEBYTECODE", None)
        for name in ("no_proxy", "NO_PROXY"):
            known = env.get(name)
            env[name] = ",".join(filter(None, (known, "127.0.0.1", "localhost")))
        return env


def describe(home: Home, environ: Mapping[str, str] = os.environ) -> Instance:
    """The instance in this folder; makes secrets and ports when they are missing."""
    ports, secrets = homes.load_ports(home), homes.load_secrets(home)
    embedded = {"postgres", "mongo", "airflow"}
    if _elsewhere(environ, "PG_HOST", postgres.HOST) or _elsewhere(
        environ, "PG_PORT", str(ports["postgres"])
    ):
        embedded.discard("postgres")
    if f"{mongo.HOST}:{ports['mongo']}/" not in environ.get(
        "MONGO_URI", f"{mongo.HOST}:{ports['mongo']}/"
    ):
        embedded.discard("mongo")
    base = f"http://127.0.0.1:{ports['airflow']}/api/v2"
    if _elsewhere(environ, "AIRFLOW_API_BASE", base):
        embedded.discard("airflow")
    variables = {name: environ[name] for name in settings.VARIABLES if environ.get(name)}
    defaults = {
        "MONGO_DATABASE": "client_data",
        "PG_DB_PREFIX": "orgdata_",
        "SUPPLYLINE_CONTROL_DB": "supplyline",
        "SUPPLYLINE_STORAGE_URL": home.storage.as_uri(),
        "SUPPLYLINE_TENANT_SECRET": secrets["tenant"],
        "SUPPLYLINE_SECRET_KEY": secrets["django"],
    }
    variables = defaults | variables
    variables |= {
        "SUPPLYLINE_HOME": str(home.path),
        "SUPPLYLINE_API": f"http://127.0.0.1:{ports['backend']}",
    }
    if "postgres" in embedded:
        variables |= {
            "PG_HOST": postgres.HOST,
            "PG_PORT": str(ports["postgres"]),
            "APP_DB_USER": APP_USER,
            "APP_DB_PASSWORD": secrets["app_db"],
        }
    if "mongo" in embedded:
        variables["MONGO_URI"] = mongo.Mongo(
            data=home.mongo, port=ports["mongo"], password=secrets["mongo"]
        ).uri
    if "airflow" in embedded:
        variables |= {
            "AIRFLOW_API_BASE": base,
            "AIRFLOW_USERNAME": AIRFLOW_USER,
            "AIRFLOW_PASSWORD": secrets["airflow_user"],
        }
    return Instance(
        home=home,
        ports=ports,
        secrets=secrets,
        embedded=frozenset(embedded),
        variables=variables,
    )


def _elsewhere(environ: Mapping[str, str], name: str, ours: str) -> bool:
    return bool(environ.get(name)) and environ[name].rstrip("/") != ours


def load_into(environ: MutableMapping[str, str]) -> bool:
    """Fills in what is unset from the instance that was last started; False when there is none.

    So `manage.py` works in a terminal where nobody has set a variable. Where another server is
    named, nothing of ours is filled in for it.
    """
    home = homes.locate(environ)
    try:
        known: dict[str, str] = homes.read_environment(home)
    except HomeOfAnother:
        return False
    for address, login in _TOGETHER:
        if any(environ.get(name, known.get(name)) != known.get(name) for name in address):
            known = {n: value for n, value in known.items() if n not in (*address, *login)}
    for name, value in known.items():
        if not environ.get(name):
            environ[name] = value
    return bool(known)
