"""P3 and P4 for corrected rows and second readings: killed at a named point, done once."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import pytest

from supplyline.contracts import ParseOptions
from supplyline.load import certificates
from supplyline.stages import open_landing
from supplyline.storage import Storage
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import connect, session
from tests.faults.house import TABLE, FaultyHouse

pytestmark = pytest.mark.slow

FIRST = "code,place,quantity,note\na,A,1,x\nb,B,many,y\nc,C,,z\nd,D,4,\n"
MENDED = "row,code_2,place,quantity,note\n2,b,B,2,y\n3,c,C,3,z\n"
EXPECTED = Counter([("a", "A", "1", "x"), ("b", "B", "2", "y"), ("c", "C", "3", "z"),
                    ("d", "D", "4", "")])  # fmt: skip


def put(house: FaultyHouse, file_id: str, text: str, *, replay_of: str = "") -> None:
    storage = Storage(house.settings.storage_url)
    stored = storage.put(house.org, file_id=file_id, name="m.csv", chunks=[text.encode()])
    if replay_of:
        storage.describe(stored, replay_of=replay_of)


def to_the_end(house: FaultyHouse, fault: str, *files: str) -> None:
    """Ingest and load, killed once at `fault`, then tried again as Airflow would."""
    stages = [("ingest", *files), ("load",)]
    killed = 0
    for stage, *named in stages:
        mine = fault if fault.startswith("land.") == (stage == "ingest") else ""
        if mine:
            assert house.work(stage, *named, fault=mine, run=f"{stage}-2") == -9
            killed += 1
        assert house.work(stage, *named, run=f"{stage}-2", attempt=2) == 0
    assert killed == 1


@pytest.mark.parametrize(
    "fault",
    ["land.before_batch:1", "land.before_close:1", "land.after_close:1", "load.before_commit:1",
     "load.after_commit:1"],
)  # fmt: skip
def test_a_killed_replay_corrects_each_row_once(faulty: FaultyHouse, fault: str) -> None:
    with session(faulty.org, settings=faulty.settings) as conn:
        rules = {"quantity": {"required": True, "type": "integer"}}
        known = replace(table_settings(conn, TABLE), rules=rules)
        save_table_settings(conn, known, actor="alice")
    put(faulty, "f1", FIRST)
    assert faulty.work("ingest", "f1") == 0
    assert faulty.work("load", run="load-1") == 0
    put(faulty, "r1", MENDED, replay_of="f1")

    to_the_end(faulty, fault, "r1")

    assert faulty.current_rows() == EXPECTED
    with (
        open_landing(faulty.settings) as landing,
        connect(faulty.org, settings=faulty.settings) as conn,
    ):
        replay = landing.manifest(faulty.org, "r1")
        assert replay is not None
        assert (replay.rows_read, replay.landed, replay.quarantined) == (2, 2, 0)
        assert list(landing.quarantined(faulty.org, file_id="f1", open_only=True)) == []
        (first,) = certificates(conn, file_id="f1")
        assert (first.quarantined, first.replayed, first.verdict) == (2, 2, "success")
        (second,) = certificates(conn, file_id="r1")
        assert second.verdict == "success"


@pytest.mark.parametrize("fault", ["rebuild.dropped:1", "rebuild.before_commit:1"])
def test_a_killed_second_reading_is_in_place_of_the_first_once(
    faulty: FaultyHouse, fault: str
) -> None:
    text = FIRST.replace(",", ";").replace("many", "2").replace("c;C;;", "c;C;3;")
    storage = Storage(faulty.settings.storage_url)
    stored = storage.put(faulty.org, file_id="f1", name="m.csv", chunks=[text.encode()])
    storage.describe(stored, options=ParseOptions(delimiter=",", header_row=1))
    assert faulty.work("ingest", "f1") == 0
    assert faulty.work("load", run="load-1") == 0
    storage.again(stored, file_id="f1b", options=ParseOptions(delimiter=";"))

    to_the_end(faulty, fault, "f1b")

    assert faulty.current_rows() == EXPECTED
    with connect(faulty.org, settings=faulty.settings) as conn:
        found = certificates(conn, table=TABLE)
    assert [(c.file_id, c.verdict) for c in found] == [("f1b", "success")]
