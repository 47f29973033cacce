"""Verify, undo, rebuild, and corrected files of tables without a key."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Any, Literal

import pytest

from supplyline.contracts import Manifest, TableSettings
from supplyline.errors import SchemaDrift, UndoRefused
from supplyline.load import Landed, load_files, rebuild, undo, verify
from supplyline.load.undo import Later
from supplyline.operations import rebuild_table
from supplyline.settings import Settings
from supplyline.tenancy.catalog import save_table_settings
from supplyline.tenancy.names import parse_table_name
from supplyline.verification import verify_table
from tests.integration.ingest.conftest import Shop
from tests.integration.load.house import NOW, RUN, TABLE, House

STATE = (
    "SELECT (SELECT json_agg(t ORDER BY t::text)::text FROM products t),"
    " (SELECT json_agg(h ORDER BY h::text)::text FROM products_history h)"
)


def check(house: House, manifest: Manifest) -> tuple[str, ...]:
    found = verify(
        house.conn,
        manifest=manifest,
        stream=lambda m: house.landing.stream(house.org, manifest=m),
    )
    house.conn.commit()
    return found.differences


def take_back(house: House, file_id: str, later: Later = "refuse") -> dict[str, Any]:
    manifests = {m.file_id: m for m in house.landing.manifests(house.org, table=TABLE)}
    done = undo(
        house.org, conn=house.conn, table=TABLE, file_id=file_id, run=RUN, later=later,
        now=NOW + timedelta(hours=1),
        landed=Landed(
            manifests=manifests, stream=lambda m: house.landing.stream(house.org, manifest=m)
        ),
    )  # fmt: skip
    house.conn.commit()
    return done


SHAPE = (
    "SELECT c.relname, a.attname, a.atttypid::regtype::text, k.type, k.remark FROM pg_class c"
    " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
    " LEFT JOIN supplyline.column_types k ON k.column_name = a.attname"
    " AND k.table_name = replace(c.relname, '_history', '')"
    " WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' ORDER BY 1, a.attnum"
)


def everything(house: House) -> tuple[list[tuple[object, ...]], ...]:
    """All rows of table and history as text, their shape, and the certificates' fates."""
    rows = [
        house.rows(f"SELECT {r}::text FROM {r} ORDER BY 1")
        for r in ("products", "products_history")
    ]
    fates = house.rows(
        "SELECT l.file_id, c.body - 'issued_at' - 'run_id' FROM supplyline.loads l"
        " JOIN supplyline.certificates c USING (load_id) WHERE undone_at IS NULL ORDER BY ordinal"
    )
    return (*rows, house.rows(SHAPE), fates)


def test_undo_of_a_merge_gives_back_the_exact_table_and_history(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    before = house.rows(STATE)
    second = house.land(["sku", "qty"], [["b", "3"], ["c", "4.50"], ["a", "1"]])
    house.load()
    assert house.rows(STATE) != before
    take_back(house, second.file_id)
    after = house.rows(STATE)
    assert after == before
    assert house.load() == []  # an undone file is not loaded again by itself


FILES = (
    (["sku", "qty"], [["a", "1"], ["b", "2"], ["c", ""]]),
    (["sku", "qty", "day"], [["b", "3.50"], ["d", "4", "31.12.2025"], ["c", "", ""]]),
    (["sku", "qty", "note"], [["a", "many", "x"], ["e", "5", ""], ["b", "3.50", None]]),
    (["sku", "day"], [["a", "1.1.2026"], ["f", "02.02.2026"]]),
    (["sku", "qty"], [["b", "3.50"], ["g", ""]]),
)
"""Adds columns, widens, corrects, leaves out."""


def load_one(house: House, number: int) -> Manifest:
    columns, rows = FILES[number]
    padded = [[*row, *[None] * (len(columns) - len(row))] for row in rows]
    manifest = house.land(columns, padded)
    house.load(keys=[("sku",)])
    return manifest


@pytest.mark.parametrize("keyed", [True, False])
def test_loads_undone_one_by_one_leave_exactly_what_was_there(house: House, keyed: bool) -> None:
    if not keyed:
        save_table_settings(house.conn, TableSettings(table=TABLE, key=()), actor="t")
        house.conn.commit()
    loads: list[Manifest] = []
    states = []
    for number in range(len(FILES)):
        loads.append(load_one(house, number))
        states.append(everything(house))
    for manifest, state in zip(loads[:0:-1], states[-2::-1], strict=True):
        assert take_back(house, manifest.file_id)["kept"] == []
        assert everything(house) == state
        assert [check(house, m) for m in loads[: loads.index(manifest)]] == [()] * loads.index(
            manifest
        )
    take_back(house, loads[0].file_id)
    assert house.rows("SELECT to_regclass('public.products')") == [(None,)]


def test_a_load_that_others_rest_on_is_refused_with_the_two_ways(house: House) -> None:
    first, second = load_one(house, 0), load_one(house, 1)
    before = everything(house)
    with pytest.raises(UndoRefused, match=f"{second.file_id}.*--replay.*--cascade"):
        take_back(house, first.file_id)
    house.conn.rollback()
    assert everything(house) == before


def test_cascade_undoes_the_later_loads_too(house: House) -> None:
    load_one(house, 0)
    before = everything(house)
    later = [load_one(house, n).file_id for n in (1, 2, 3)]
    assert take_back(house, later[0], "cascade")["undone"] == later[::-1]
    assert everything(house) == before
    assert house.load() == []


@pytest.mark.parametrize("gone", range(len(FILES) - 1))
def test_replay_leaves_what_the_other_files_alone_would_have_made(
    house: House, engine_settings: Settings, gone: int
) -> None:
    loads = [load_one(house, n) for n in range(len(FILES))]
    done = take_back(house, loads[gone].file_id, "replay")
    assert done["replayed"] == [m.file_id for m in loads[gone + 1 :]]
    found = everything(house)
    assert all(check(house, m) == () for m in loads if m is not loads[gone])
    for relation in ("products", "products_history"):
        house.conn.execute(f"DROP TABLE {relation}".encode())
    for name in ("rejected_rows", "certificates", "loads", "column_types"):
        house.conn.execute(f"DELETE FROM supplyline.{name}".encode())
    house.conn.commit()
    for number, manifest in enumerate(loads):
        if number != gone:
            load_files(
                house.org, conn=house.conn, table=TABLE, manifests=[manifest], run=RUN,
                stream=lambda m: house.landing.stream(house.org, manifest=m), now=lambda: NOW,
            )  # fmt: skip
    house.conn.commit()
    expected = everything(house)
    assert [tuple(_untimed(part)) for part in found] == [tuple(_untimed(p)) for p in expected]


def _untimed(rows: list[tuple[object, ...]]) -> list[str]:
    """Replayed rows were loaded an hour later than those of the other run."""
    return [str(row).replace("01:00:00+00", "00:00:00+00") for row in rows]


def test_what_somebody_built_on_a_column_keeps_it(house: House) -> None:
    load_one(house, 0)
    second = load_one(house, 1)
    house.conn.execute("CREATE VIEW days AS SELECT sku, day FROM products")
    house.conn.commit()
    done = take_back(house, second.file_id)
    assert done["kept"] == ["column day: something else rests on it"]
    assert house.rows("SELECT day FROM days") == [(None,)] * 3
    third = house.land(["sku", "day"], [["a", "soon"]])
    with pytest.raises(SchemaDrift, match="days"):
        house.load()
    house.conn.rollback()
    assert third.state == "closed"


def test_verify_holds_for_every_file_also_after_later_ones(house: House) -> None:
    files = [
        house.land(["sku", "qty"], rows)
        for rows in ([["a", "1"], ["b", "2"]], [["a", "7"], ["c", ""]], [["b", "x"], ["b", "y"]])
    ]
    house.load(keys=[("sku",)])
    assert [check(house, m) for m in files] == [(), (), ()]


def test_verify_sees_a_value_that_was_changed_by_hand(house: House) -> None:
    file = house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    house.rows("UPDATE products SET qty = 5 WHERE sku = 'a' RETURNING 1")
    assert check(house, file) == ("1 rows were changed without a load",)
    house.rows("DELETE FROM products WHERE sku = 'b' RETURNING 1")
    assert any("neither in the table" in d for d in check(house, file))


def test_rebuild_from_landing_gives_the_same_rows(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.land(["sku", "qty"], [["b", "3"]])
    house.load(keys=[("sku",)])
    before = house.rows(STATE)
    again = rebuild(
        house.org, conn=house.conn, table=TABLE,
        manifests=lambda: house.landing.manifests(house.org, table=TABLE),
        stream=lambda m: house.landing.stream(house.org, manifest=m), run=RUN, now=lambda: NOW,
    )  # fmt: skip
    house.conn.commit()
    assert [c.verdict for c in again.certificates] == ["success", "success"]
    assert house.rows(STATE) == before


PERIODS = "SELECT sku, qty, _valid_from::text, _valid_to::text FROM products_history ORDER BY 4, 1"


@pytest.mark.parametrize("late", [False, True])
def test_loaded_again_versions_keep_the_periods_in_which_they_were_valid(
    house: House, late: bool
) -> None:
    days: list[Manifest] = []
    for number, qty in enumerate("123"):
        days.append(house.land(["sku", "qty"], [["a", qty], ["b", "1"]]))
        load_files(
            house.org, conn=house.conn, table=TABLE, manifests=days[-1:], run=RUN,
            stream=lambda m: house.landing.stream(house.org, manifest=m),
            now=lambda number=number: NOW - timedelta(days=9 - number),
            key_candidates=lambda _: [("sku",)],
        )  # fmt: skip
    before = house.rows(PERIODS)
    assert [row[1] for row in before] == [1, 2]
    if late:  # between the second and the third
        came = house.land(["sku", "qty"], [["c", "7"], ["a", "8"]])
        manifests = [*days[:2], replace(came, sequence=days[1].sequence), days[2]]
    else:
        manifests = days
    rebuild(
        house.org, conn=house.conn, table=TABLE, manifests=lambda: manifests,
        stream=lambda m: house.landing.stream(house.org, manifest=m), run=RUN, now=lambda: NOW,
    )  # fmt: skip
    house.conn.commit()
    found = [row for row in house.rows(PERIODS) if row[1] != 8]
    assert found == before
    assert house.rows("SELECT count(*) FROM products_history WHERE _valid_to < _valid_from") == [
        (0,)
    ]
    if not late:
        take_back(house, days[0].file_id, "replay")
        assert house.rows(PERIODS) == before[1:]
    at = house.rows("SELECT max(at)::text, max(loaded_at)::text FROM supplyline.loads,"
                    " supplyline.audit_events WHERE kind = 'load.published'")  # fmt: skip
    assert at[0][0] != at[0][1]  # the audit trail tells when it was done


def test_rebuild_without_the_key_keeps_every_line(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "qty"], [["a", "5"], ["a", "6"]])
    (second,) = house.load()
    assert second.verdict == "partial"
    rebuild(
        house.org, conn=house.conn, table=TABLE, key=(),
        manifests=lambda: house.landing.manifests(house.org, table=TABLE),
        stream=lambda m: house.landing.stream(house.org, manifest=m), run=RUN, now=lambda: NOW,
    )  # fmt: skip
    house.conn.commit()
    assert house.rows("SELECT count(*) FROM products") == [(4,)]


def test_a_corrected_file_replaces_its_rows_in_a_table_without_key(house: House) -> None:
    columns, day = ["day", "sku", "qty"], "2025-01-01"
    house.land(columns, [[day, "x", "1"], [day, "x", "1"], [day, "y", "2"]])
    house.load()
    before = house.rows(STATE)
    second = house.land(columns, [[day, "x", "1"], [day, "x", "1"], [day, "y", "20"]])
    (certificate,) = house.load()
    assert (certificate.inserted, certificate.deleted, certificate.verdict) == (3, 3, "success")
    assert house.rows("SELECT sum(qty), count(*) FROM products") == [(22, 3)]
    take_back(house, second.file_id)
    assert house.rows(STATE) == before


def test_the_next_delivery_under_the_same_name_is_added(house: House) -> None:
    house.land(["d", "q"], [["mon", "1"], ["mon", "1"]])
    house.land(["d", "q"], [["tue", "1"], ["tue", "1"]])
    _, second = house.load()
    assert (second.inserted, second.deleted) == (2, 0)
    assert house.rows("SELECT count(*) FROM products") == [(4,)]


def test_a_delivery_that_may_be_an_earlier_one_written_otherwise_is_named(house: House) -> None:
    house.land(["day", "sku", "qty"], [["2025-01-01", "x", "1"], ["2025-01-02", "y", "2"]])
    house.load()
    house.land(["day", "sku", "qty"], [["01.01.2025", "x", "1"], ["02.01.2025", "y", "2"]])
    (certificate,) = house.load()
    assert (certificate.inserted, certificate.deleted) == (2, 0)
    assert any(
        "2 of the 2 lines of the earlier file f1" in said and "undo --table products" in said
        for said in certificate.remarks
    )
    house.land(["day", "sku", "qty"], [["03.01.2025", "x", "5"], ["04.01.2025", "y", "2"]])
    (certificate,) = house.load()
    assert certificate.remarks == ()


@pytest.mark.parametrize("key", [("id",), ()])
@pytest.mark.parametrize("policy", ["quarantine", "freeze"])
def test_a_stricter_policy_of_today_takes_nothing_from_a_table_that_is_made_again(
    shop: Shop, policy: Literal["quarantine", "freeze"], key: tuple[str, ...]
) -> None:
    shop.agree(key=key)
    files = ["id,a\n1,x\n", "id,a,b\n2,y,5\n", "id,a,c\n3,z,7\n4,z,\n", "id,a,b\n5,y,x\n"]
    for number, lines in enumerate(files):
        if number == 2:
            shop.agree(drift="quarantine")
        shop.put(f"f{number}", lines)
        shop.ingest(f"f{number}")
        shop.load()
    shop.agree(drift=policy)
    state = "SELECT id, a, b FROM sales ORDER BY id"
    policies = "SELECT shape ->> 'policy' FROM supplyline.loads ORDER BY ordinal"
    before, said = shop.rows(state), shop.rows(policies)
    assert before == [(1, "x", None), (2, "y", 5), (4, "z", None)]

    rebuild_table(shop.org, table=parse_table_name("sales"), user="a", settings=shop.settings)

    assert shop.rows(state) == before
    assert shop.rows(policies) == said  # the next time too, whichever file is the first then
    anew = verify_table(
        shop.org, table=parse_table_name("sales"), settings=shop.settings, anew=True
    )
    assert anew.holds


def test_a_kind_set_by_hand_waits_for_a_file_that_has_its_column(shop: Shop) -> None:
    shop.agree(key=())
    files = ["id,a\nx,1\n", "id,a\ny,Yes\n", "id\nz\n", "id,a\nw,No\n"]
    table = parse_table_name("sales")
    for number, lines in enumerate(files[:3]):
        if number == 2:
            shop.agree(types={"a": "boolean Yes/No"})
        shop.put(f"f{number}", lines)
        shop.ingest(f"f{number}")
        shop.load()
    assert shop.rows("SELECT id, a FROM sales ORDER BY id") == [
        ("x", "1"), ("y", "Yes"), ("z", None)
    ]  # fmt: skip
    assert verify_table(shop.org, table=table, settings=shop.settings).holds
    anew = verify_table(shop.org, table=table, settings=shop.settings, anew=True)
    assert anew.as_json()["rebuilt"][0].startswith(
        "the column a is text, made anew it is boolean Yes/No"
    )

    shop.put("f3", files[3])
    shop.ingest("f3")
    with pytest.raises(SchemaDrift, match="is to be boolean Yes/No"):
        shop.load()

    rebuild_table(shop.org, table=table, user="a", settings=shop.settings)
    assert shop.rows("SELECT id, a FROM sales ORDER BY id") == [
        ("w", False), ("y", True), ("z", None)
    ]  # fmt: skip
    assert verify_table(shop.org, table=table, settings=shop.settings, anew=True).holds


def test_the_same_bytes_read_otherwise_replace_what_was_read_of_them(shop: Shop) -> None:
    lines = "day,sku,qty\n2025-01-01,x,1\n2025-01-02,y,2\n"
    shop.agree(key=(), rules={"qty": {"required": True}})
    shop.put("f1", lines, name="monday.csv")
    shop.ingest("f1")
    shop.load()
    shop.agree(rules={})
    shop.put("f2", lines, name="copy.csv")
    shop.ingest("f2")
    shop.load()
    assert shop.rows("SELECT sum(qty), count(*) FROM sales") == [(3, 2)]
    (remark,) = shop.certificate("f2").remarks
    assert "earlier file f1 of this content" in remark


@pytest.mark.parametrize("late", ["5", "many"])
def test_an_empty_cell_that_a_later_file_left_alone_is_empty_again_after_undo(
    house: House, late: str
) -> None:
    """The row is of a file without the column; its empty cell is of the one before."""
    house.land(["sku", "a", "note"], [["x", "1", ""], ["y", "2", None], ["z", "3", ""]])
    house.load(keys=[("sku",)])
    house.land(["sku", "a"], [["x", "10"], ["y", "20"]])
    house.load()
    house.land(["sku", "a"], [["x", "11"]])
    house.load()
    before = everything(house)
    third = house.land(["sku", "a", "note"], [["w", "4", late]])
    house.load()
    take_back(house, third.file_id)
    assert everything(house) == before


def test_empty_cells_are_the_same_whether_the_column_was_text_or_became_it(house: House) -> None:
    house.land(["sku", "a", "n"], [["x", "1", ""], ["y", "2", "7"]])
    house.load(keys=[("sku",)])
    house.land(["sku", "a"], [["x", "10"]])
    house.load()
    house.land(["sku", "a", "n"], [["z", "3", "abc"]])
    house.load()
    assert house.rows("SELECT sku, n FROM products ORDER BY 1") == [
        ("x", ""), ("y", "7"), ("z", "abc"),
    ]  # fmt: skip


def test_a_frozen_table_that_is_made_again_keeps_its_texts(shop: Shop) -> None:
    shop.agree(key=("id",))
    for number, lines in enumerate(["id,a\n1,\n", "id,a\n2,7\n"]):
        if number == 1:
            shop.agree(drift="freeze")
        shop.put(f"f{number}", lines)
        shop.ingest(f"f{number}")
        shop.load()
    table = parse_table_name("sales")
    assert verify_table(shop.org, table=table, settings=shop.settings, anew=True).holds

    for _ in range(2):
        rebuild_table(shop.org, table=table, user="a", settings=shop.settings)

    assert shop.rows("SELECT id, a FROM sales ORDER BY id") == [(1, ""), (2, "7")]


def test_a_proposed_key_stays_one_when_its_first_file_is_undone(house: House) -> None:
    first = house.land(["sku", "qty"], [["a", "1"], ["b", "2"]])
    house.land(["sku", "qty"], [["a", "3"], ["a", "4"]])
    house.load(keys=[("sku",)])
    take_back(house, first.file_id, "replay")
    ((verdict, differences),) = house.rows(
        "SELECT c.verdict, body ->> 'differences' FROM supplyline.certificates c"
        " JOIN supplyline.loads USING (load_id) WHERE undone_at IS NULL"
    )
    assert verdict == "partial"
    assert "share the proposed key" in differences


def test_no_version_ends_before_it_began_when_the_clock_goes_back(house: House) -> None:
    for n, hours in enumerate((5, 1, 3)):
        manifest = house.land(["sku", "qty"], [["a", str(n)]])
        load_files(
            house.org, conn=house.conn, table=TABLE, manifests=[manifest], run=RUN,
            stream=lambda m: house.landing.stream(house.org, manifest=m),
            now=lambda hours=hours: NOW + timedelta(hours=hours),  # type: ignore[misc]
            key_candidates=lambda _: [("sku",)],
        )  # fmt: skip
    house.conn.commit()
    assert house.rows("SELECT _valid_to - _valid_from FROM products_history") == [
        (timedelta(0),), (timedelta(0),),
    ]  # fmt: skip
    assert check(house, manifest) == ()
