"""Which server is meant, and whose password goes where."""

from __future__ import annotations

import pytest

from supplyline.local import environment
from supplyline.local import home as homes


def test_with_nothing_set_everything_is_embedded(home):
    instance = environment.describe(home, {})
    assert instance.embedded == {"postgres", "mongo", "airflow"}
    assert "journal=true" in instance.variables["MONGO_URI"]
    assert instance.settings.airflow_dialect == "v2"


@pytest.mark.parametrize(
    ("name", "value", "service"),
    [
        ("PG_HOST", "db.example", "postgres"),
        ("MONGO_URI", "mongodb://db.example:27017", "mongo"),
        ("AIRFLOW_API_BASE", "http://airflow:8080/api/v1", "airflow"),
    ],
)
def test_a_server_that_is_named_is_used_instead(home, name, value, service):
    instance = environment.describe(home, {name: value})
    assert service not in instance.embedded
    assert instance.variables[name] == value


def test_the_instances_own_environment_does_not_make_it_a_stranger(home):
    own = environment.describe(home, {}).variables
    assert environment.describe(home, own).embedded == {"postgres", "mongo", "airflow"}


def test_no_generated_password_goes_to_somebody_elses_postgres(home):
    instance = environment.describe(home, {"PG_HOST": "db.example", "APP_DB_PASSWORD": "theirs"})
    assert instance.variables["APP_DB_PASSWORD"] == "theirs"
    assert instance.secrets["app_db"] not in instance.variables.values()


def test_load_into_fills_only_what_is_unset(home):
    known = environment.describe(home, {}).variables
    homes.write_json(home.environment, dict(known))
    environ = {"SUPPLYLINE_HOME": str(home.path), "PG_DB_PREFIX": "mine_"}
    assert environment.load_into(environ)
    assert environ["PG_DB_PREFIX"] == "mine_"
    assert environ["MONGO_URI"] == known["MONGO_URI"]


def test_load_into_keeps_our_password_from_another_server(home):
    homes.write_json(home.environment, dict(environment.describe(home, {}).variables))
    environ = {"SUPPLYLINE_HOME": str(home.path), "PG_HOST": "db.example"}
    environment.load_into(environ)
    assert "APP_DB_PASSWORD" not in environ


def test_load_into_keeps_the_address_beside_a_login_that_is_given(home):
    known = environment.describe(home, {}).variables
    homes.write_json(home.environment, dict(known))
    environ = {"SUPPLYLINE_HOME": str(home.path), "AIRFLOW_PASSWORD": "another"}
    environment.load_into(environ)
    assert environ["AIRFLOW_API_BASE"] == known["AIRFLOW_API_BASE"]
    assert environ["AIRFLOW_PASSWORD"] == "another"


def test_load_into_without_an_instance_changes_nothing(tmp_path):
    environ = {"SUPPLYLINE_HOME": str(tmp_path / "none")}
    assert not environment.load_into(environ)
    assert list(environ) == ["SUPPLYLINE_HOME"]
