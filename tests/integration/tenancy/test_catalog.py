"""Table settings are versioned, audited, and never overwritten unread."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from supplyline.audit.events import events
from supplyline.contracts import OrgId, ParseOptions, TableName, TableSettings
from supplyline.errors import SettingsConflict
from supplyline.settings import Settings
from supplyline.tenancy.catalog import save_table_settings, table_settings, tables
from supplyline.tenancy.connections import session

SALES = TableName("sales")


@pytest.fixture
def org(new_org: Callable[..., OrgId]) -> OrgId:
    return new_org()


def test_defaults_when_nothing_was_decided(org: OrgId, engine_settings: Settings) -> None:
    with session(org, settings=engine_settings) as conn:
        assert table_settings(conn, SALES) == TableSettings(table=SALES)


def test_saved_settings_come_back_whole_with_a_version(
    org: OrgId, engine_settings: Settings
) -> None:
    wanted = TableSettings(
        table=SALES,
        options=ParseOptions(encoding="cp1252", delimiter=";", header_row=3),
        key=("order_id", "line"),
        key_source="configured",
        drift="freeze",
        types={"qty": "numeric"},
        mapping={"item": "sku"},
    )
    with session(org, settings=engine_settings) as conn:
        saved = save_table_settings(conn, wanted, actor="user 7")
    with session(org, settings=engine_settings) as conn:
        assert saved == replace(wanted, version=1) == table_settings(conn, SALES)
        again = save_table_settings(conn, replace(saved, key=()), actor="user 7")
        assert again.version == 2
        assert table_settings(conn, SALES).key == ()
        assert table_settings(conn, SALES, version=1) == saved
        newest = events(conn, kind="table_settings")[0]
        assert (newest.actor, newest.subject) == ("user 7", "sales")
        assert newest.detail == {"version": 2, "changed": {"key": []}}


def test_saving_what_is_there_changes_nothing(org: OrgId, engine_settings: Settings) -> None:
    with session(org, settings=engine_settings) as conn:
        saved = save_table_settings(conn, TableSettings(table=SALES, key=("a",)), actor="x")
        assert save_table_settings(conn, saved, actor="x") == saved
        assert len(events(conn, kind="table_settings")) == 1


def test_an_unread_version_is_not_overwritten(org: OrgId, engine_settings: Settings) -> None:
    with session(org, settings=engine_settings) as conn:
        save_table_settings(conn, TableSettings(table=SALES, key=("a",)), actor="x")
    with session(org, settings=engine_settings) as conn, pytest.raises(SettingsConflict):
        save_table_settings(conn, TableSettings(table=SALES, key=("b",)), actor="y")


def test_tables_are_those_of_files_only(org: OrgId, engine_settings: Settings) -> None:
    with session(org, settings=engine_settings) as conn:
        for name in ("sales", "sales_history", "products"):
            conn.execute(f"CREATE TABLE public.{name} (a int)".encode())
        # inventory_plan is there too: a schema step made it.
        assert tables(conn) == ("products", "sales")
