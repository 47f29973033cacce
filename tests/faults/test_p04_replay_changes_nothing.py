"""P4. Replay changes nothing: the same work again, also at the same time, writes no row."""

from __future__ import annotations

from collections import Counter

from supplyline.tenancy.connections import connect
from tests.faults.house import TABLE, FaultyHouse, random_rows

VERSIONS = f"SELECT md5(string_agg(t::text || xmin::text, '|' ORDER BY t::text)) FROM {TABLE} t"


def versions(house: FaultyHouse) -> object:
    """A digest of the rows and of the transactions that wrote them."""
    with connect(house.org, settings=house.settings) as conn:
        return conn.execute(VERSIONS.encode()).fetchone()


def test_ingest_and_load_again_write_no_row(faulty: FaultyHouse) -> None:
    file_id = faulty.upload(random_rows(1, count=200))
    seen = []
    for _ in range(2):
        assert faulty.work("ingest", file_id) == 0
        assert faulty.work("load") == 0
        seen.append(versions(faulty))
    assert seen[0] == seen[1]
    faulty.check(expected=Counter(faulty.written[file_id]))


def test_the_same_bytes_under_another_id_write_no_row(faulty: FaultyHouse) -> None:
    rows = random_rows(2, count=200)
    seen = []
    for n in (1, 2):
        assert faulty.work("ingest", faulty.upload(rows, name=f"copy{n}.csv")) == 0
        assert faulty.work("load") == 0
        seen.append(versions(faulty))
    assert seen[0] == seen[1]
    faulty.check(expected=Counter(rows))


def test_the_very_first_load_twice_at_once(faulty: FaultyHouse) -> None:
    files = [faulty.upload(random_rows(n, count=200), name=f"d{n}.csv") for n in (3, 4)]
    assert faulty.work("ingest", *files) == 0
    both = [faulty.start("load", run=f"run-{n}") for n in (1, 2)]
    for process in both:
        out, err = process.communicate(timeout=120)
        assert process.returncode == 0, (out, err)
    faulty.check(expected=sum((Counter(r) for r in faulty.written.values()), Counter()))
