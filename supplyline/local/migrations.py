"""Databases, roles and schemas that must be there before the services start.

A migration that has been done is noted in the comment of its database, so that the note goes
wherever the data go; when nothing has changed since, the migration is not started at all.
"""

from __future__ import annotations

import hashlib
import sys
from collections.abc import Iterable
from pathlib import Path

import psycopg
from psycopg import sql

from supplyline.errors import DatabaseUnavailable
from supplyline.local import airflow, postgres
from supplyline.local.environment import APP_USER, Instance
from supplyline.local.places import ROOT
from supplyline.local.process import Program, run
from supplyline.tenancy.bulk import migrate_many
from supplyline.tenancy.provisioning import list_organizations


def make_databases(instance: Instance) -> None:
    """The app's role and the databases of the backend and of Airflow, where they are missing.

    On a PostgreSQL of somebody else's only the databases are made, by the role that was given.
    """
    control = instance.settings.control_db
    if "postgres" not in instance.embedded:
        for name in (control, *([airflow.DATABASE] if "airflow" in instance.embedded else [])):
            _make_database(instance, name)
        return
    server, secrets = instance.postgres, instance.secrets
    postgres.ensure_role(
        server, APP_USER, password=secrets["app_db"], createdb=True, createrole=True
    )
    postgres.ensure_role(server, airflow.ROLE, password=secrets["airflow_db"])
    postgres.ensure_database(server, control, owner=APP_USER)
    postgres.ensure_database(server, airflow.DATABASE, owner=airflow.ROLE)
    with server.connect() as connection:
        # An organization's role may enter its own database and no other.
        for name in ("postgres", "template1"):
            connection.execute(
                sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(sql.Identifier(name))
            )
        connection.execute(
            sql.SQL("GRANT CONNECT ON DATABASE postgres TO {}").format(sql.Identifier(APP_USER))
        )


def _make_database(instance: Instance, name: str) -> None:
    with _connect(instance, "postgres") as connection:
        if connection.execute("SELECT 1 FROM pg_database WHERE datname = %s", [name]).fetchone():
            return
        database = sql.Identifier(name)
        connection.execute(sql.SQL("CREATE DATABASE {}").format(database))
        connection.execute(sql.SQL("REVOKE CONNECT ON DATABASE {} FROM PUBLIC").format(database))


def _connect(instance: Instance, dbname: str) -> psycopg.Connection:
    """As superuser of the embedded server, or as the role that was given for another."""
    if "postgres" in instance.embedded:
        return instance.postgres.connect(dbname)
    settings = instance.settings
    try:
        return psycopg.connect(
            host=settings.pg_host,
            port=settings.pg_port,
            user=settings.app_db_user,
            password=settings.app_db_password,
            dbname=dbname,
            connect_timeout=5,
            autocommit=True,
        )
    except psycopg.OperationalError as error:
        raise DatabaseUnavailable(
            f"PostgreSQL at {settings.pg_host}:{settings.pg_port} does not let us in: {error}"
        ) from error


def migrate_backend(instance: Instance) -> None:
    """`manage.py migrate` and every organization's schema, unless this version has done it here."""
    files = sorted((ROOT / "backend").glob("**/migrations/*.py"))
    schema = sorted((ROOT / "supplyline" / "tenancy" / "schema").glob("*.sql"))
    stamp = _stamp([*files, *schema, ROOT / "requirements" / "dev.txt"])
    database = instance.settings.control_db
    if _noted(instance, database) == stamp:
        return
    command = Program(
        argv=[sys.executable, "manage.py", "migrate", "--no-input"],
        env=instance.child_environment() | {"PYTHONPATH": str(ROOT)},
        cwd=ROOT,
    )
    run(command, log=instance.home.logs / "backend-migrate.log")
    settings = instance.settings
    report = migrate_many(list_organizations(settings=settings), settings=settings)
    if not report.failures:  # an organization that fails is tried again at the next start
        _note(instance, database, stamp)


def migrate_airflow(instance: Instance) -> None:
    """`airflow db migrate`, unless this version has done it to this database."""
    stamp = _stamp([ROOT / "requirements" / "airflow.txt"])
    if _noted(instance, airflow.DATABASE) == stamp:
        return
    run(
        airflow.program(instance, "db", "migrate"),
        log=instance.home.logs / "airflow-migrate.log",
    )
    _note(instance, airflow.DATABASE, stamp)


def _stamp(files: Iterable[Path]) -> str:
    digest = hashlib.sha256()
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes() + b"\0")
    return "supplyline migrated " + digest.hexdigest()


def _noted(instance: Instance, database: str) -> str | None:
    with _connect(instance, "postgres") as connection:
        row = connection.execute(
            "SELECT shobj_description(oid, 'pg_database') FROM pg_database WHERE datname = %s",
            [database],
        ).fetchone()
    return row[0] if row else None


def _note(instance: Instance, database: str, stamp: str) -> None:
    with _connect(instance, "postgres") as connection:
        connection.execute(
            sql.SQL("COMMENT ON DATABASE {} IS {}").format(
                sql.Identifier(database), sql.Literal(stamp)
            )
        )
