"""Commands find the instance of this machine by themselves when no variable names a server."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from supplyline.local import environment
from supplyline.local import home as homes
from supplyline.local.home import Home


@pytest.fixture
def bare(tmp_path):
    """The environment of a terminal in which nobody has set anything."""
    ours = ("PG_", "APP_DB_", "MONGO_", "AIRFLOW_", "SUPPLYLINE_")
    env = {k: v for k, v in os.environ.items() if not k.startswith(ours)}
    return env | {"SUPPLYLINE_HOME": str(tmp_path / "run")}


def explain(env):
    command = [sys.executable, "-m", "supplyline.cli", "explain", "--org", "1", "--item", "x"]
    return subprocess.run(command, env=env, capture_output=True, text=True, check=False)


def test_the_instance_last_started_is_asked(bare):
    home = Home(path=homes.locate(bare).path)
    homes.make(home)
    known = environment.describe(home, {}).variables
    homes.write_json(home.environment, dict(known))
    done = explain(bare)
    assert done.returncode == 4
    assert f"127.0.0.1:{known['PG_PORT']}" in done.stderr
    named = explain(bare | {"PG_HOST": "127.0.0.2", "PG_PORT": "1"})
    assert "127.0.0.2:1" in named.stderr


def test_without_one_the_error_says_how_to_have_one(bare):
    done = explain(bare)
    assert done.returncode == 4
    assert "supplyline up" in done.stderr
