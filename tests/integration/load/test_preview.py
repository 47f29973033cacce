"""A load is shown before it runs: the statements, the kinds, the rows that would be set aside."""

from __future__ import annotations

import json
from dataclasses import replace
from typing import Any

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.contracts import Manifest
from supplyline.errors import SchemaDrift
from supplyline.load import load_files, preview
from supplyline.settings import Settings
from supplyline.tables import preview_load
from supplyline.tenancy.catalog import save_table_settings, table_settings
from tests.integration.load.house import NOW, RUN, TABLE, House


def shown(house: House, manifest: Manifest) -> dict[str, Any]:
    found = preview(
        house.conn,
        manifest=manifest,
        batches=house.landing.stream(house.org, manifest=manifest),
        key_candidates=lambda _: [("sku",)],
    )
    house.conn.commit()
    return found


def policy(house: House, drift: Any) -> None:
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, drift=drift), actor="t")
    house.conn.commit()


def test_a_new_table_is_shown_and_not_made(house: House) -> None:
    manifest = house.land(["sku", "day"], [["a", "31.12.2025"], ["b", "01.02.2025"]])
    found = shown(house, manifest)
    assert (found["creates_table"], found["key"], found["rows"]) == (True, ["sku"], 2)
    assert found["ddl"][0].startswith('CREATE TABLE "public"."products" ("sku" text, "day" date,')
    assert found["columns"][1]["after"] == "date DD.MM.YYYY"
    assert house.rows("SELECT to_regclass('public.products')") == [(None,)]
    assert table_settings(house.conn, TABLE).version == 0


def test_the_statements_shown_are_the_ones_that_run(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"]])
    house.load(keys=[("sku",)])
    manifest = house.land(["sku", "qty", "more"], [["a", "1.5", "x"]])
    found = shown(house, manifest)
    assert [(c["name"], c["change"], c["before"], c["after"]) for c in found["columns"]] == [
        ("sku", "none", "text", "text"),
        ("qty", "changed", "bigint", "numeric"),
        ("more", "new", None, "text"),
    ]
    for statement in found["ddl"]:
        house.conn.execute(statement.encode())
    shape = "SELECT attrelid::regclass::text, attname, atttypid::regtype::text FROM pg_attribute"
    shape += " WHERE attrelid IN ('products'::regclass, 'products_history'::regclass)"
    shape += " AND attnum > 0 ORDER BY 1, attnum"
    by_hand = house.conn.execute(shape.encode()).fetchall()
    house.conn.rollback()
    house.load()
    assert house.rows(shape) == by_hand


def test_refusals_and_rows_set_aside_are_foretold(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"]])
    house.load(keys=[("sku",)])
    manifest = house.land(["sku", "qty", "more"], [["b", "x", "y"], ["c", "x", ""], ["d", "2", ""]])
    policy(house, "freeze")
    found = shown(house, manifest)
    assert "policy is freeze" in found["refused"]
    assert found["ddl"] == []
    policy(house, "quarantine")
    found = shown(house, manifest)
    assert (found["refused"], found["ddl"], found["set_aside"]) == ("", [], 2)
    assert found["reasons"] == [
        {"reason": "qty: not a bigint", "rows": 1},
        {"reason": "qty: not a bigint; more: no column of the table", "rows": 1},
    ]
    (certificate,) = house.load()
    assert certificate.rejected == 2


def test_what_the_load_refuses_or_sets_aside_for_its_key_is_foretold(house: House) -> None:
    house.land(["sku", "qty"], [["a", "1"]])
    house.load(keys=[("sku",)])
    manifest = house.land(["sku", "qty"], [["", "2"], [None, "3"], ["b", "4"]])
    found = shown(house, manifest)
    assert found["reasons"] == [{"reason": "the key sku is empty in this row", "rows": 2}]
    settings = table_settings(house.conn, TABLE)
    save_table_settings(house.conn, replace(settings, key=("qty",)), actor="t")
    house.conn.commit()
    assert "is keyed by ('sku',)" in shown(house, manifest)["refused"]
    with pytest.raises(SchemaDrift, match="is keyed by"):
        house.load()
    house.conn.rollback()
    save_table_settings(house.conn, replace(settings, version=2), actor="t")
    house.conn.commit()
    (certificate,) = house.load()
    assert certificate.rejected == 2


def test_files_that_come_before_are_named(house: House, engine_settings: Settings) -> None:
    house.land(["sku"], [["a"]])
    house.land(["sku", "more"], [["b", "1"]])
    found = preview_load(house.org, TABLE, file_id="f2", settings=engine_settings)
    assert (found["behind"], found["rebuilds"]) == (["f1"], False)


def test_a_file_that_comes_late_is_not_shown_as_if_it_were_merged(
    house: House, engine_settings: Settings
) -> None:
    house.land(["sku", "more"], [["a", "1"]])
    second = house.land(["sku"], [["a"]])
    load_files(
        house.org, conn=house.conn, table=TABLE, manifests=[second], run=RUN, now=lambda: NOW,
        stream=lambda m: house.landing.stream(house.org, manifest=m),
        key_candidates=lambda _: [("sku",)],
    )  # fmt: skip
    house.conn.commit()
    found = preview_load(house.org, TABLE, file_id="f1", settings=engine_settings)
    assert (found["rebuilds"], found["ddl"], found["refused"]) == (True, [], "")


def test_the_commands_set_kinds_and_show_what_comes(house: House) -> None:
    def call(*arguments: str) -> Any:
        place = ("--org", house.org, "--table", TABLE)
        return CliRunner().invoke(cli, [arguments[0], *place, *arguments[1:]])

    house.land(["sku", "day"], [["a", "01/02/2025"], ["b", "n/a"]])
    assert "left as text" not in call("load-preview").stdout
    assert call("columns", "--set", "day=date 1.1.2025").exit_code != 0
    changed = call("columns", "--set", "day=date DD/MM/YYYY", "--drift", "freeze", "--json")
    assert json.loads(changed.stdout)["types"] == {"day": "date DD/MM/YYYY"}
    result = call("load-preview")
    assert result.exit_code == 1
    assert "set aside: 1 rows, day: not a date DD/MM/YYYY" in result.stdout
    house.load()
    assert "date DD/MM/YYYY" in call("columns").stdout
    assert call("load-preview").exit_code != 0
    (event,) = house.rows(
        "SELECT detail -> 'changed' -> 'types' ->> 'day' FROM supplyline.audit_events"
        " WHERE kind = 'table_settings.saved' AND actor = 'operator'"
    )
    assert event == ("date DD/MM/YYYY",)
