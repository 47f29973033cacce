"""The embedded servers keep strangers out and data in, and go away with the test run."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import psycopg
import pymongo
import pytest
from pymongo.errors import OperationFailure

from supplyline.local.process import Identity
from supplyline.settings import Settings
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]


def test_postgres_refuses_a_wrong_password(pg):
    with pytest.raises(psycopg.OperationalError, match="password authentication failed"):
        psycopg.connect(
            host=pg.host, port=pg.port, user=pg.app_user, password="wrong", dbname="postgres"
        )


def test_app_role_may_make_databases_and_roles_and_is_no_superuser(pg):
    with pg.connect(user=pg.app_user) as connection:
        row = connection.execute(
            "SELECT rolcreatedb, rolcreaterole, rolsuper FROM pg_roles WHERE rolname = current_user"
        ).fetchone()
    assert row == (True, True, False)


def test_postgres_does_not_run_as_root(pg):
    with pg.connect() as connection:
        version = connection.execute("SHOW server_version_num").fetchone()
        encoding = connection.execute("SHOW server_encoding").fetchone()
    assert int(version[0]) >= 150000
    assert encoding == ("UTF8",)


def test_mongo_refuses_who_brings_no_password(shared_mongo):
    client = pymongo.MongoClient("127.0.0.1", shared_mongo.port, serverSelectionTimeoutMS=3000)
    with client, pytest.raises(OperationFailure):
        client["client_data"]["rows"].find_one()


def test_mongo_uri_journals(mongo_uri):
    with pymongo.MongoClient(mongo_uri) as client:
        assert client.write_concern.document["j"] is True


def test_rows_acknowledged_survive_a_killed_mongo(own_mongo):
    server = own_mongo()
    with pymongo.MongoClient(server.uri) as client:
        client["client_data"]["rows"].insert_many([{"_id": n} for n in range(1000)])
    server.kill()
    server.start()
    with pymongo.MongoClient(server.uri) as client:
        assert client["client_data"]["rows"].count_documents({}) == 1000


def test_rows_committed_survive_a_killed_postgres(own_pg):
    server = own_pg(durable=True)
    with server.connect() as connection:
        connection.execute("CREATE TABLE kept AS SELECT generate_series(1, 1000)")
    server.kill()
    server.start()
    with server.connect() as connection:
        assert connection.execute("SELECT count(*) FROM kept").fetchone() == (1000,)


def test_environment_of_the_run_is_set_and_its_own(engine_env, engine_settings):
    assert isinstance(engine_settings, Settings)
    assert engine_settings.pg_port == int(os.environ["PG_PORT"])
    assert engine_settings.pg_db_prefix != "orgdata_"


def test_nothing_is_left_when_the_run_is_killed(tmp_path):
    program = (
        "import json, sys, time\n"
        "from tests import servers\n"
        "dog = servers.Watchdog()\n"
        "pg = servers.start_postgres(dog)\n"
        "print(json.dumps([pg.process.pid, str(pg.log.parent)]), flush=True)\n"
        "time.sleep(600)\n"
    )
    run = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    pid, folder = json.loads(run.stdout.readline())
    server = Identity.of(pid)
    assert server is not None
    run.send_signal(signal.SIGKILL)
    run.wait()
    wait_for(lambda: not server.alive and not Path(folder).exists(), what="the cleaning up")
