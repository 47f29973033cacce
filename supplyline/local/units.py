"""What an instance is made of, in the order in which it starts.

A unit is either a service, which runs until it is stopped, or a step, which ends. A unit begins
when everything it needs is ready; what does not need one another starts side by side.
"""

from __future__ import annotations

import signal
import sys
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field

import psycopg
from pymongo.errors import PyMongoError

from supplyline.errors import ServiceFailed
from supplyline.local import airflow, http, migrations, mongo, postgres
from supplyline.local import home as homes
from supplyline.local.environment import Instance
from supplyline.local.places import ROOT
from supplyline.local.process import Program

SERVICES = (
    "postgres",
    "mongo",
    "airflow-api",
    "airflow-scheduler",
    "airflow-dag-processor",
    "backend",
    "relay",
)
Probe = Callable[[float], None]
"""Raises ServiceFailed unless the service, running since the given Unix time, is well."""


@dataclass(frozen=True, kw_only=True)
class Unit:
    name: str
    needs: tuple[str, ...] = ()
    program: Callable[[], Program] | None = None
    action: Callable[[], None] | None = None
    probe: Probe = field(default=lambda _since: None)
    port: int | None = None
    stop_signal: int = signal.SIGTERM
    patience: float = 15.0
    """Seconds that a polite end may take."""


def build(instance: Instance, only: Iterable[str] = ()) -> list[Unit]:
    """The units of this instance; with `only`, those services and what they need."""
    every = [*_databases(instance), *_airflow(instance), *_backend(instance)]
    known = {unit.name for unit in every}
    wanted = set(only) or {u.name for u in every}
    if "postgres" in wanted:
        wanted.add("databases")  # a server without our role and databases is of no use
    queue = list(wanted)
    while queue:
        for unit in every:
            if unit.name == queue[-1]:
                break
        else:
            raise ServiceFailed(
                f"{queue[-1]} is no service that runs here.",
                next_step=f"Known are: {', '.join(s for s in SERVICES if s in known)}.",
            )
        queue.pop()
        new = [need for need in unit.needs if need in known and need not in wanted]
        wanted |= set(new)
        queue += new
    return [
        Unit(**{**vars(unit), "needs": tuple(n for n in unit.needs if n in known)})
        for unit in every
        if unit.name in wanted
    ]


def _databases(instance: Instance) -> list[Unit]:
    units = []
    if "postgres" in instance.embedded:
        server = instance.postgres
        units += [
            Unit(name="postgres-init", action=lambda: _make_postgres(instance)),
            Unit(
                name="postgres",
                needs=("postgres-init",),
                program=lambda: postgres.program(server),
                probe=lambda _since: probe_postgres(instance),
                port=server.port,
                stop_signal=postgres.STOP_SIGNAL,
                patience=30,
            ),
        ]
    if "mongo" in instance.embedded:
        wire = instance.mongo
        units += [
            Unit(name="mongo-init", action=lambda: _do(mongo.initialize, wire)),
            Unit(
                name="mongo",
                needs=("mongo-init",),
                program=lambda: mongo.program(wire),
                probe=lambda _since: probe_mongo(instance),
                port=wire.port,
                stop_signal=mongo.STOP_SIGNAL,
                patience=30,
            ),
        ]
    units.append(
        Unit(
            name="databases",
            needs=("postgres",),
            action=lambda: migrations.make_databases(instance),
        )
    )
    return units


def _make_postgres(instance: Instance) -> None:
    postgres.initialize(instance.postgres)
    homes.close_off(instance.home)


def _do(function: Callable[[mongo.Mongo], bool], server: mongo.Mongo) -> None:
    function(server)


def _airflow(instance: Instance) -> list[Unit]:
    if "airflow" not in instance.embedded:
        return []

    def part(name: str, key: str, *needs: str) -> Unit:
        return Unit(
            name=f"airflow-{name}",
            needs=needs,
            program=lambda: airflow.program(instance, name),
            probe=lambda since: airflow.probe_part(instance, key, since=since),
        )

    return [
        Unit(
            name="airflow-migrate",
            needs=("databases",),
            action=lambda: migrations.migrate_airflow(instance),
        ),
        Unit(
            name="airflow-api",
            needs=("airflow-migrate",),
            program=lambda: airflow.program(instance, "api-server"),
            probe=lambda _since: airflow.probe_api(instance),
            port=instance.ports["airflow"],
        ),
        # The scheduler starts tasks at once, and they fail while the api-server does not answer.
        part("scheduler", "scheduler", "airflow-api"),
        part("dag-processor", "dag_processor", "airflow-migrate"),
    ]


def _backend(instance: Instance) -> list[Unit]:
    port = instance.ports["backend"]
    return [
        Unit(
            name="backend-migrate",
            needs=("databases",),
            action=lambda: migrations.migrate_backend(instance),
        ),
        Unit(
            name="backend",
            needs=("backend-migrate", "mongo"),
            program=lambda: _python(
                instance,
                "-m",
                "granian",
                "--interface=wsgi",
                "--host=127.0.0.1",
                f"--port={port}",
                "--workers=2",
                "--respawn-failed-workers",
                "--no-ws",
                "backend.config.wsgi:application",
            ),
            probe=lambda _since: probe_backend(instance),
            port=port,
        ),
        Unit(
            name="relay",
            needs=("backend-migrate",),
            program=lambda: _python(instance, "manage.py", "run_relay"),
            probe=_settled,
        ),
    ]


def _python(instance: Instance, *arguments: str) -> Program:
    env = instance.child_environment()
    env |= {"PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"}
    return Program(argv=[sys.executable, *arguments], env=env, cwd=ROOT)


def _settled(since: float) -> None:
    """The relay listens nowhere: it counts as well when it has not fallen over at once."""
    if time.time() - since < 1:
        raise ServiceFailed("The relay has only just been started.")


def probe_postgres(instance: Instance) -> None:
    settings = instance.settings
    try:
        with psycopg.connect(
            host=settings.pg_host,
            port=settings.pg_port,
            user=postgres.SUPERUSER,
            password=instance.secrets["postgres_superuser"],
            dbname="postgres",
            connect_timeout=3,
        ) as connection:
            connection.execute("SELECT 1")
    except psycopg.Error as error:
        raise ServiceFailed(f"PostgreSQL does not answer: {error}") from error


def probe_mongo(instance: Instance) -> None:
    try:
        mongo.ping(instance.settings.mongo_uri)
    except PyMongoError as error:
        said = str(error).partition(", full error:")[0].partition(", Topology Description:")[0]
        raise ServiceFailed(f"MongoDB does not answer: {said}") from error


def probe_backend(instance: Instance) -> None:
    """Any answer of the application itself will do; only its failure will not."""
    status, _ = http.get(instance.ports["backend"], "/api/health/", seconds=10)
    if status >= 500:
        raise ServiceFailed(f"The backend answers {status}.")
