"""What is decided for a table and for landing: what can never hold is refused when it is said."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from supplyline.cli import cli
from supplyline.errors import InvalidColumnType, InvalidName
from supplyline.ingest.rules import InvalidContract
from supplyline.load.kinds import kind_of
from supplyline.operations import rebuild_table
from supplyline.stages import utc_now
from supplyline.table_contracts import save_contract
from supplyline.tables import change_table
from supplyline.tenancy.catalog import table_settings
from supplyline.tenancy.connections import session
from tests.integration.load.books import TABLE, Books


@pytest.mark.parametrize("name", ["", "_row", "A B", "ctid", "x" * 64])
def test_a_type_for_a_name_that_no_column_has_is_refused(fresh: Books, name: str) -> None:
    with pytest.raises(InvalidName, match="no column's name"):
        change_table(
            fresh.org, TABLE, types={name: "text"}, drift=None, actor="u", settings=fresh.settings
        )
    with pytest.raises(InvalidContract, match="no column's name"):
        save_contract(
            fresh.org, table=TABLE, given={"types": {name: "text"}}, version=1, actor="u",
            settings=fresh.settings, now=utc_now,
        )  # fmt: skip


def test_what_is_said_of_types_that_are_none_names_some_that_are() -> None:
    with pytest.raises(InvalidColumnType) as caught:
        kind_of("timestamptz")
    shown = [part for part in caught.value.advice.split("`") if part.startswith("timestamptz ")]
    assert [kind_of(one).type for one in shown] == ["timestamptz"]


def test_days_that_no_calendar_has_are_refused(fresh: Books) -> None:
    kept = ["retention", "--org", fresh.org, "--release", "--keep-days"]
    assert CliRunner().invoke(cli, [*kept, "999999999"]).exit_code == 2
    assert CliRunner().invoke(cli, [*kept, "36500"]).exit_code == 0


def test_a_column_of_the_key_that_is_named_twice_is_one(fresh: Books) -> None:
    fresh.deliver("f1", b"id,a\n1,x\n")
    rebuild_table(fresh.org, table=TABLE, key=("id", "id"), user="u", settings=fresh.settings)
    with session(fresh.org, settings=fresh.settings) as conn:
        assert table_settings(conn, TABLE).key == ("id",)
