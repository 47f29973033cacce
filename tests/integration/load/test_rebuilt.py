"""A table made again from landing: the same rows, periods and kinds, by the rules of their day."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from typing import Literal

import pytest

from supplyline.contracts import Manifest
from supplyline.errors import SchemaDrift
from supplyline.load import load_files, rebuild
from supplyline.operations import rebuild_table
from supplyline.tenancy.names import parse_table_name
from supplyline.verification import verify_table
from tests.integration.ingest.conftest import Shop
from tests.integration.load.house import NOW, RUN, STATE, TABLE, House, check, take_back


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
    with pytest.raises(SchemaDrift, match="is to be boolean Yes/No") as refused:
        shop.load()
    assert (refused.value.of_file, refused.value.reasons) == (False, {})
    assert "supplyline rebuild" in refused.value.advice

    rebuild_table(shop.org, table=table, user="a", settings=shop.settings)
    assert shop.rows("SELECT id, a FROM sales ORDER BY id") == [
        ("w", False), ("y", True), ("z", None)
    ]  # fmt: skip
    assert verify_table(shop.org, table=table, settings=shop.settings, anew=True).holds


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
    assert "1 row shares the proposed key" in differences


def test_no_version_ends_before_it_began_when_the_clock_goes_back(house: House) -> None:
    for n, hours in enumerate((5, 1, 3)):
        manifest = house.land(["sku", "qty"], [["a", str(n)]])
        load_files(
            house.org, conn=house.conn, table=TABLE, manifests=[manifest], run=RUN,
            stream=lambda m: house.landing.stream(house.org, manifest=m),
            now=lambda hours=hours: NOW + timedelta(hours=hours),
            key_candidates=lambda _: [("sku",)],
        )  # fmt: skip
    house.conn.commit()
    assert house.rows("SELECT _valid_to - _valid_from FROM products_history") == [
        (timedelta(0),), (timedelta(0),),
    ]  # fmt: skip
    assert check(house, manifest) == ()
