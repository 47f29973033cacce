"""P3 to P7 when the servers themselves die in the middle: killed, started again, gone on with.

PostgreSQL as a whole, one of its backends (which makes it recover and cuts every session), and the
MongoDB server. The worker that was at work ends with an error that says "later"; whoever does its
work again finds everything once.
"""

from __future__ import annotations

import os
import secrets
import signal
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest

from supplyline import settings as environment
from tests import servers
from tests.faults.house import FaultyHouse, random_rows
from tests.faults.worker import REFUSED
from tests.waiting import wait_stopped


@pytest.fixture(scope="module")
def postgres(watchdog: servers.Watchdog) -> Iterator[servers.PostgresServer]:
    server = servers.start_postgres(watchdog, durable=True)
    yield server
    server.stop()


@pytest.fixture(scope="module")
def mongo(watchdog: servers.Watchdog) -> Iterator[servers.MongoServer]:
    server = servers.start_mongo(watchdog)
    yield server
    server.kill()


@pytest.fixture
def house(
    postgres: servers.PostgresServer, mongo: servers.MongoServer, tmp_path: Path
) -> FaultyHouse:
    uri = f"{mongo.uri}&serverSelectionTimeoutMS=1000"  # the server that is away comes back later
    env = servers.engine_environment(postgres, uri, storage=tmp_path, name=secrets.token_hex(4))
    return FaultyHouse(environment.read(env), env)


def kill_backend(house: FaultyHouse, postgres: servers.PostgresServer) -> None:
    with postgres.connect() as admin:
        rows = admin.execute(
            "SELECT pid FROM pg_stat_activity WHERE application_name = 'supplyline load'"
        ).fetchall()
    assert rows
    os.kill(rows[0][0], signal.SIGKILL)
    postgres.wait_ready()


def restart(server: servers.PostgresServer | servers.MongoServer) -> None:
    server.kill()
    server.start()


@pytest.mark.parametrize(
    ("how", "point"),
    [("server", "load.staged"), ("backend", "load.published"), ("server", "load.before_commit")],
)
def test_postgresql_that_dies_in_a_load_has_all_of_it_or_nothing(
    house: FaultyHouse, postgres: servers.PostgresServer, how: str, point: str
) -> None:
    for n in (1, 2):
        house.work("ingest", house.upload(random_rows(n, count=200), name=f"day{n}.csv"))
    load = house.start("load", fault=f"{point}:2:stop")  # the first file is published
    try:
        wait_stopped(load.pid)
        if how == "server":
            restart(postgres)
        else:
            kill_backend(house, postgres)
        load.send_signal(signal.SIGCONT)
        out, _ = load.communicate(timeout=120)
    finally:
        load.kill()
    assert (load.returncode, b"database_unavailable" in out) == (REFUSED, True)
    assert house.current_rows() == Counter(house.written["f1"])
    assert house.work("load", attempt=2) == 0
    house.check(expected=sum((Counter(rows) for rows in house.written.values()), Counter()))


@pytest.mark.parametrize("point", ["land.after_batch", "land.before_close"])
def test_a_mongodb_server_that_dies_in_an_ingest_has_every_row_once(
    house: FaultyHouse, mongo: servers.MongoServer, point: str
) -> None:
    file_id = house.upload(random_rows(3, count=200))
    ingest = house.start("ingest", file_id, fault=f"{point}:1:stop")
    try:
        wait_stopped(ingest.pid)
        restart(mongo)
        ingest.send_signal(signal.SIGCONT)
        ingest.communicate(timeout=120)
    finally:
        ingest.kill()
    assert ingest.returncode in (0, REFUSED)
    assert house.work("ingest", file_id, attempt=2) == house.work("load") == 0
    house.check(expected=Counter(house.written[file_id]))


def test_a_mongodb_server_that_is_away_stops_a_load_that_can_be_repeated(
    house: FaultyHouse, mongo: servers.MongoServer
) -> None:
    for n in (1, 2):
        house.work("ingest", house.upload(random_rows(n, count=200), name=f"day{n}.csv"))
    load = house.start("load", fault="load.after_commit:1:stop")
    try:
        wait_stopped(load.pid)
        mongo.kill()
        load.send_signal(signal.SIGCONT)
        out, _ = load.communicate(timeout=180)
    finally:
        load.kill()
    assert (load.returncode, b"unavailable" in out) == (REFUSED, True)
    mongo.start()
    assert house.work("load", attempt=2) == 0
    house.check(expected=sum((Counter(rows) for rows in house.written.values()), Counter()))
