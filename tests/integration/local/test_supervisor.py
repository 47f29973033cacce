"""`supplyline up` keeps its promises when processes are killed. PostgreSQL and MongoDB only."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from dataclasses import replace
from pathlib import Path

import psycopg
import pymongo
import pytest

from supplyline.local import control, environment, units
from supplyline.local import home as homes
from supplyline.local.home import Home
from supplyline.local.process import Identity, Program, start, stop
from tests.forked import Forked
from tests.waiting import wait_for

ROOT = Path(__file__).resolve().parents[3]
PROGRAM = "supplyline.local.supervise"
ONLY = ["--only", "postgres", "--only", "mongo"]


class Command:
    """The command line on a home of the test's own."""

    NOT_ALL = 3  # the exit code of ServiceFailed

    def __init__(self, home: Path) -> None:
        self.home = Home(path=home)
        names = ("PATH", "SUPPLYLINE_SERVICES_ENV", "SUPPLYLINE_AIRFLOW_ENV")
        self.env = {n: os.environ[n] for n in names if n in os.environ}
        self.env["SUPPLYLINE_HOME"] = str(home)

    def __call__(self, *arguments: str, code: int = 0) -> str:
        ended, out, err = self.run(*arguments)
        assert ended == code, out + err
        return out

    def run(self, *arguments: str) -> tuple[int, str, str]:
        """Exit code and both outputs."""
        with Forked("supplyline.cli", *arguments, env=self.env) as process:
            out, err = process.communicate(timeout=240)
            return process.wait(), out.decode(), err.decode()

    def services(self, *, code: int = 0) -> dict:
        found = json.loads(self("status", "--json", code=code))
        return {one["name"]: one for one in found["services"]}

    def sql(self, text: str):
        instance = environment.describe(self.home, self.env)
        with instance.postgres.connect() as connection:
            cursor = connection.execute(text)
            return cursor.fetchone() if cursor.description else None


@pytest.fixture
def supplyline(watchdog):
    folder = watchdog.folder()
    command = Command(folder / "run")
    yield command
    command("down")


def test_up_twice_is_harmless_and_down_leaves_nothing(supplyline):
    supplyline("up", *ONLY)
    first = supplyline.services()
    assert "Already running" in supplyline("up", *ONLY)
    assert supplyline.sql("SELECT count(*) FROM pg_roles WHERE rolname = 'supplyline'") == (1,)
    supplyline("up", code=supplyline.NOT_ALL)
    assert {n: s["pid"] for n, s in supplyline.services().items()} == {
        n: s["pid"] for n, s in first.items()
    }
    assert "postgres" in supplyline("down")
    assert "Nothing was running" in supplyline("down")
    assert not any(Identity.of(s["pid"]) for s in first.values())
    assert not any(s["healthy"] for s in supplyline.services(code=1).values())


def test_a_killed_service_comes_back_with_its_data(supplyline):
    supplyline("up", *ONLY)
    supplyline.sql("CREATE TABLE kept AS SELECT 7 AS n")
    before = supplyline.services()
    for one in before.values():
        os.kill(one["pid"], signal.SIGKILL)
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        found = json.loads(supplyline.run("status", "--json")[1])
        if found["healthy"] and all(one["restarts"] for one in found["services"]):
            break
    after = supplyline.services()
    assert all(after[name]["pid"] != before[name]["pid"] for name in before)
    assert supplyline.sql("SELECT n FROM kept") == (7,)


def test_after_a_killed_supervisor_up_ends_the_old_children_and_keeps_data_and_ports(supplyline):
    supplyline("up", *ONLY)
    supplyline.sql("CREATE TABLE kept AS SELECT 7 AS n")
    before, ports = supplyline.services(), supplyline.home.ports.read_text()
    chief = control.supervisor_of(supplyline.home)
    os.kill(chief.pid, signal.SIGKILL)
    wait_for(lambda: not chief.alive, what="the supervisor's end")
    assert Identity.of(before["postgres"]["pid"]) is not None
    assert supplyline.services(code=1)["postgres"]["healthy"]
    assert "supervisor is gone" in supplyline("status", code=1)
    supplyline("up", *ONLY)
    after = supplyline.services()
    assert all(after[name]["pid"] != before[name]["pid"] for name in before)
    assert not any(Identity.of(one["pid"]) for one in before.values())
    assert supplyline.home.ports.read_text() == ports
    assert supplyline.sql("SELECT n FROM kept") == (7,)


def test_down_after_a_killed_supervisor_ends_the_children(supplyline):
    supplyline("up", *ONLY)
    before = supplyline.services()
    os.kill(control.supervisor_of(supplyline.home).pid, signal.SIGKILL)
    supplyline("down")
    assert not any(Identity.of(one["pid"]) for one in before.values())


def test_down_while_a_supervisor_begins_ends_everything(supplyline):
    supplyline("up", *ONLY)
    os.kill(control.supervisor_of(supplyline.home).pid, signal.SIGKILL)
    beginning = Forked("supplyline.cli", "up", *ONLY, env=supplyline.env)
    wait_for(lambda: control.supervisor_of(supplyline.home), what="a supervisor", every=0.01)
    supplyline("down")
    assert beginning.wait(60) != 0
    assert control.supervisor_of(supplyline.home) is None
    assert not any(one["pid"] for one in supplyline.services(code=1).values())


def test_a_stop_that_comes_while_a_start_clears_up_leaves_nothing(supplyline):
    deaf = "import signal, time; signal.signal(signal.SIGTERM, signal.SIG_IGN); time.sleep(600)"
    child = start(Program(argv=[sys.executable, "-c", deaf], env={}))
    left = Identity.of(child.pid)
    homes.make(supplyline.home)
    entry = {"pid": left.pid, "started": left.started, "stop_signal": 15, "patience": 1}
    homes.write_json(supplyline.home.state, {"units": {"deaf": entry}, "phase": "running"})
    begun = [sys.executable, "-m", PROGRAM, "--home", str(supplyline.home.path), *ONLY]
    chief = subprocess.Popen(begun, cwd=ROOT, env=supplyline.env, stderr=subprocess.DEVNULL)
    try:
        wait_for(
            lambda: homes.read_json(supplyline.home.state).get("phase") == "clearing",
            what="the clearing up", every=0.01,
        )  # fmt: skip
        chief.terminate()
        assert chief.wait(60) == 0
        assert not left.alive
        state = homes.read_json(supplyline.home.state)
        assert (state["phase"], state["units"]) == ("stopped", {})
        assert not supplyline.home.postgres.exists()  # not even its first step was begun
    finally:
        chief.kill()
        stop(left, patience=0)
        child.wait()


def test_what_cannot_start_is_said_and_nothing_stays_behind(supplyline):
    homes.make(supplyline.home)
    supplyline.home.postgres.mkdir()
    (supplyline.home.postgres / "PG_VERSION").write_text("9.1\n")
    supplyline.home.postgres.chmod(0o700)
    supplyline("up", *ONLY, code=3)
    assert control.supervisor_of(supplyline.home) is None
    state = homes.read_json(supplyline.home.state)
    assert "postgres" in state["error"]


def test_a_port_lost_between_choice_and_use_is_chosen_anew(supplyline):
    done: list[str] = []
    start = threading.Thread(target=lambda: done.append(supplyline("up", *ONLY)))
    start.start()
    wait_for(
        lambda: "mongo" in homes.read_json(supplyline.home.ports), what="the ports", every=0.001
    )
    ports = homes.read_json(supplyline.home.ports)
    with socket.create_server(("127.0.0.1", ports["mongo"])):
        start.join()
        assert done
        services = supplyline.services()
        assert all(one["healthy"] for one in services.values())
        assert services["mongo"]["port"] != ports["mongo"]
        assert f"127.0.0.1:{ports['mongo']}" not in supplyline("env")


def test_env_lets_a_client_in_and_status_says_what_is_wrong_without_it(supplyline):
    supplyline("up", *ONLY)
    env = json.loads(supplyline("env", "--json"))
    with psycopg.connect(
        host=env["PG_HOST"],
        port=env["PG_PORT"],
        user="postgres",
        password=homes.load_secrets(supplyline.home)["postgres_superuser"],
        dbname="postgres",
    ) as connection:
        assert connection.execute("SHOW fsync").fetchone() == ("on",)
    instance = environment.describe(supplyline.home, env)
    strange = replace(instance, secrets={**instance.secrets, "postgres_superuser": "wrong"})
    with pytest.raises(units.ServiceFailed, match="does not answer"):
        units.probe_postgres(strange)


def test_a_copy_of_the_stopped_folder_is_the_instance_elsewhere(supplyline, watchdog):
    supplyline("up", "--quiet", *ONLY)
    supplyline.sql("CREATE TABLE kept AS SELECT 7 AS n")
    uri = environment.describe(supplyline.home, supplyline.env).settings.mongo_uri
    with pymongo.MongoClient(uri) as client:
        client["client_data"]["kept"].insert_one({"_id": 7})
    supplyline("down")
    folder, elsewhere = supplyline.home.path.parent, watchdog.folder()
    packed = elsewhere / "backup.tar"
    subprocess.run(
        ["tar", "-C", str(folder), "-cpf", str(packed), "--exclude=run/logs", "run"], check=True
    )
    subprocess.run(["tar", "-C", str(elsewhere), "-xpf", str(packed)], check=True)
    restored = Command(elsewhere / "run")
    try:
        if os.geteuid() == 0 and restored.home.postgres.stat().st_uid != 0:
            elsewhere.chmod(0o700)
            with pytest.raises(AssertionError, match="who cannot enter it"):
                restored("up", "--quiet", "--only", "postgres")
            elsewhere.chmod(0o711)
        restored("up", "--quiet", *ONLY)
        assert restored.sql("SELECT n FROM kept") == (7,)
        uri = environment.describe(restored.home, restored.env).settings.mongo_uri
        with pymongo.MongoClient(uri) as client:
            assert client["client_data"]["kept"].find_one() == {"_id": 7}
    finally:
        restored("down")


def test_a_copy_of_the_running_folder_knows_nothing_of_the_originals_processes(
    supplyline, watchdog
):
    supplyline("up", "--quiet", "--only", "postgres")
    copy = Command(watchdog.folder() / "run")
    subprocess.run(["cp", "-a", str(supplyline.home.path), str(copy.home.path)], check=True)
    before = supplyline.services()
    try:
        assert not any(one["pid"] for one in copy.services(code=1).values())
        copy("env", code=3)
        assert "Nothing was running" in copy("down")
        os.kill(control.supervisor_of(supplyline.home).pid, signal.SIGKILL)
        copy("up", "--quiet", "--only", "postgres", code=3)  # PostgreSQL's own lock file, copied
        copy("down")
        assert Identity.of(before["postgres"]["pid"]) is not None
        (copy.home.postgres / "postmaster.pid").unlink()
        copy("up", "--quiet", "--only", "postgres")
        assert supplyline.services(code=1)["postgres"]["healthy"]
        assert copy.services()["postgres"]["port"] != before["postgres"]["port"]
    finally:
        copy("down")
