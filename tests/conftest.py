"""Fixtures that every test may ask for; servers begin only when a test asks."""

from __future__ import annotations

import os
import secrets
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck
from hypothesis import settings as hypothesis_settings

from supplyline import settings as supplyline_settings
from supplyline.contracts import OrgId
from supplyline.tenancy.names import parse_org_id
from supplyline.tenancy.provisioning import drop, provision
from tests import servers
from tests.airflow_server import AirflowServer, make_airflow, make_airflow2

# A machine under load is no failure: how fast is measured in benchmarks/.
hypothesis_settings.register_profile(
    "supplyline", deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
hypothesis_settings.load_profile("supplyline")


@pytest.fixture(scope="session")
def watchdog() -> Iterator[servers.Watchdog]:
    """Cleans up servers and folders, even when this test run is killed."""
    dog = servers.Watchdog()
    yield dog
    dog.close()


@pytest.fixture(scope="session")
def pg(watchdog: servers.Watchdog) -> servers.PostgresServer:
    """The run's shared PostgreSQL (fsync off). Do not stop it; see `own_pg`."""
    return servers.start_postgres(watchdog)


@pytest.fixture(scope="session")
def shared_mongo(watchdog: servers.Watchdog) -> servers.MongoServer:
    """The run's shared MongoDB server. Do not stop it; see `own_mongo`."""
    return servers.start_mongo(watchdog)


@pytest.fixture(scope="session")
def mongo_uri(shared_mongo: servers.MongoServer) -> str:
    """URI of the shared MongoDB server, with password and journal=true."""
    return shared_mongo.uri


@pytest.fixture
def own_pg(watchdog: servers.Watchdog) -> Iterator[Callable[..., servers.PostgresServer]]:
    """`own_pg(durable=True)`: a PostgreSQL of the test's own, to stop and to kill."""
    made: list[servers.PostgresServer] = []

    def make(*, durable: bool = True) -> servers.PostgresServer:
        made.append(servers.start_postgres(watchdog, durable=durable))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture
def own_mongo(watchdog: servers.Watchdog) -> Iterator[Callable[[], servers.MongoServer]]:
    """`own_mongo()`: a MongoDB server of the test's own, to stop and to kill."""
    made: list[servers.MongoServer] = []

    def make() -> servers.MongoServer:
        made.append(servers.start_mongo(watchdog))
        return made[-1]

    yield make
    for server in made:
        server.stop()


@pytest.fixture(scope="session")
def engine_env(
    pg: servers.PostgresServer, mongo_uri: str, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[dict[str, str]]:
    """The promised environment variables for the shared servers, also set in os.environ.

    PG_DB_PREFIX, MONGO_DATABASE and the control database are this test run's own.
    """
    storage: Path = tmp_path_factory.mktemp("storage")
    env = servers.engine_environment(pg, mongo_uri, storage=storage, name=secrets.token_hex(4))
    with pytest.MonkeyPatch.context() as patch:
        for name, value in env.items():
            patch.setenv(name, value)
        supplyline_settings.get.cache_clear()
        yield env
    supplyline_settings.get.cache_clear()


@pytest.fixture(scope="session")
def engine_settings(engine_env: dict[str, str]) -> supplyline_settings.Settings:
    """The same as Settings (the name `settings` belongs to pytest-django's fixture)."""
    return supplyline_settings.read(engine_env)


@pytest.fixture
def new_org(engine_settings: supplyline_settings.Settings) -> Iterator[Callable[..., OrgId]]:
    """`new_org()`: a freshly provisioned organization, dropped after the test.

    `new_org("name")` gives it that id, `new_org(provisioned=False)` only reserves one.
    """
    made: list[OrgId] = []

    def make(name: str = "", *, provisioned: bool = True) -> OrgId:
        org = parse_org_id(name or f"t{secrets.token_hex(5)}")
        made.append(org)
        if provisioned:
            provision(org, settings=engine_settings)
        return org

    yield make
    for org in made:
        drop(org, settings=engine_settings)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Third-party data for tests: SUPPLYLINE_TEST_DATA, or ../shared/data beside the project."""
    root = Path(__file__).resolve().parents[1]
    folder = Path(os.environ.get("SUPPLYLINE_TEST_DATA") or root.parent / "shared" / "data")
    if not folder.is_dir():
        pytest.skip(f"no test data at {folder}; set SUPPLYLINE_TEST_DATA")
    return folder


@pytest.fixture(scope="session")
def django_db_modify_db_settings(engine_env: dict[str, str]) -> None:
    """Django's control database lies on the shared PostgreSQL, under the name in engine_env.

    pytest-django loads Django before any fixture runs, so what was read then is set right here.
    """
    from django.conf import settings
    from django.db import connections

    place = {
        "NAME": engine_env["SUPPLYLINE_CONTROL_DB"],
        "HOST": engine_env["PG_HOST"],
        "PORT": engine_env["PG_PORT"],
        "USER": engine_env["APP_DB_USER"],
        "PASSWORD": engine_env["APP_DB_PASSWORD"],
    }
    default = connections["default"].settings_dict
    default.update(place)
    # The same name as the processes that tests start find in their environment.
    default["TEST"]["NAME"] = engine_env["SUPPLYLINE_CONTROL_DB"]
    settings.SECRET_KEY = engine_env["SUPPLYLINE_SECRET_KEY"]


@pytest.fixture(scope="session")
def airflow_server(
    watchdog: servers.Watchdog, pg: servers.PostgresServer, engine_env: dict[str, str]
) -> Iterator[AirflowServer]:
    """A real Airflow 3.3 with the project's DAGs; ask for `airflow` to have it running."""
    server = make_airflow(watchdog, pg, engine_env)
    yield server
    server.stop()


@pytest.fixture
def airflow(airflow_server: AirflowServer) -> AirflowServer:
    """Airflow's API server, running. A test may stop it; the next one finds it running again."""
    airflow_server.start()
    return airflow_server


@pytest.fixture(scope="session")
def airflow2_server(
    watchdog: servers.Watchdog, pg: servers.PostgresServer, engine_env: dict[str, str]
) -> Iterator[AirflowServer]:
    """A real Airflow 2.11 with the same DAG files."""
    server = make_airflow2(watchdog, pg, engine_env)
    yield server
    server.stop()
