"""Secrets and ports of an instance: made once, kept, and closed to others."""

from __future__ import annotations

import shutil
import socket
import stat
from pathlib import Path

import pytest

from supplyline.errors import ServiceFailed
from supplyline.local import control
from supplyline.local import home as homes
from supplyline.local.home import Home
from tests.users import ordinary_user


def test_secrets_are_readable_by_their_owner_only(home):
    homes.load_secrets(home)
    assert stat.S_IMODE(home.secrets.stat().st_mode) == 0o600


def test_secrets_are_generated_once_and_differ_from_one_another(home):
    first = homes.load_secrets(home)
    assert homes.load_secrets(home) == first
    assert len(set(first.values())) == len(homes.SECRETS)


def test_a_secret_added_by_a_new_version_leaves_the_old_ones_alone(home):
    first = homes.load_secrets(home)
    homes.write_json(home.secrets, {k: v for k, v in first.items() if k != "tenant"})
    again = homes.load_secrets(home)
    assert again["tenant"] != first["tenant"]
    assert again["app_db"] == first["app_db"]


def test_ports_are_remembered(home):
    chosen = homes.load_ports(home)
    assert homes.read_json(home.ports) == chosen
    assert homes.load_ports(home) == chosen


def test_a_configured_port_wins_and_is_remembered(home):
    homes.load_ports(home)
    homes.load_ports(home, {"backend": 8123})
    assert homes.load_ports(home)["backend"] == 8123


def test_a_remembered_port_that_a_stranger_took_is_replaced(home):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        homes.load_ports(home, {"backend": taken})
        moved = homes.move_taken_ports(home, {})
        assert moved["backend"][0] == taken
        assert homes.load_ports(home)["backend"] != taken


def test_a_port_asked_for_by_name_and_taken_is_refused(home):
    with socket.create_server(("127.0.0.1", 0)) as stranger:
        taken = stranger.getsockname()[1]
        with pytest.raises(ServiceFailed, match=str(taken)):
            homes.move_taken_ports(home, {"backend": taken})


def test_a_damaged_file_is_named(home):
    home.secrets.write_text("{")
    with pytest.raises(ServiceFailed, match=r"secrets\.json"):
        homes.load_secrets(home)


def test_what_was_said_before_a_restart_of_the_machine_is_not_believed(home: Home) -> None:
    homes.write_state(home, {"phase": "running", "units": {}})
    assert homes.read_state(home)["phase"] == "running"
    said = homes.read_json(home.state)
    homes.write_json(home.state, {**said, "of": ["another boot", *said["of"][1:]]})
    assert homes.read_state(home) == {}


def test_a_folder_that_was_moved_is_still_the_instances_one(home: Home, tmp_path: Path) -> None:
    homes.write_state(home, {"phase": "running", "units": {}})
    moved = Home(path=home.path.rename(tmp_path / "moved"))
    assert homes.read_state(moved)["phase"] == "running"


def test_the_variables_in_a_copy_are_the_originals_and_not_taken(
    home: Home, tmp_path: Path
) -> None:
    homes.write_json(home.environment, {"SUPPLYLINE_HOME": str(home.path), "PG_PORT": "1"})
    copy = Home(path=Path(shutil.copytree(home.path, tmp_path / "copy")))
    assert homes.read_environment(home)["PG_PORT"] == "1"
    assert homes.read_environment(copy) == {}


def test_another_users_instance_is_told_in_a_sentence(home: Home) -> None:
    homes.load_ports(home)
    homes.write_json(home.state, {})
    closed = [home.state, home.ports, home.path]
    for path in closed:
        path.chmod(0)
    try:
        with ordinary_user():
            for ask in (
                lambda: control.status(home),
                lambda: control.down(home),
                lambda: homes.make(Home(path=home.path / "within")),
            ):
                with pytest.raises(homes.HomeOfAnother, match="as the user who started"):
                    ask()
    finally:
        for path in reversed(closed):
            path.chmod(0o700)
