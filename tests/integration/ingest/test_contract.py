"""What breaks a table's contract is set aside in full, mended, replayed, and the account closes."""

from __future__ import annotations

import pytest
from click.testing import CliRunner

from supplyline.contracts import ParseOptions
from supplyline.errors import SchemaDrift, UnreadableFile
from supplyline.operations import undo as undo_command
from supplyline.overview import organization_overview
from supplyline.stages import open_landing
from supplyline.table_contracts import contract_of
from supplyline.tenancy.names import parse_table_name
from supplyline.verification import verify as verify_command
from tests.integration.ingest.conftest import Shop

SALES = (
    "line,sku,qty,day\n"
    "1,A,5,2024-01-01\n2,B,many,2024-01-02\n3,,7,2024-02-30\n4,=D(1),2,2024-01-04\n"
)
RULES = {
    "qty": {"required": True, "type": "integer", "min": 1},
    "day": {"type": "date"},
    "sku": {"required": True},
}


def test_rows_against_the_contract_are_set_aside_with_column_reason_and_raw_text(
    shop: Shop,
) -> None:
    shop.agree(rules=RULES)
    shop.put("f1", SALES)

    answer = shop.ingest("f1")

    assert (answer["rows_read"], answer["landed"], answer["quarantined"]) == (4, 2, 2)
    two, three = shop.quarantine("f1")
    assert (two.row, two.line, two.column, two.code) == (2, 3, "qty", "wrong_type")
    assert two.raw == "2,B,many,2024-01-02"
    assert three.column == "day"
    assert "'2024-02-30' is no date" in three.reason
    assert "sku: a value is required" in three.reason
    shop.load()
    assert shop.certificate("f1").verdict == "partial"


def test_no_cap_on_what_is_set_aside(shop: Shop) -> None:
    shop.agree(rules={"qty": {"type": "integer"}})
    shop.put("f1", "sku,qty\n" + "".join(f"s{n},x{n}\n" for n in range(12_000)))

    assert shop.ingest("f1")["quarantined"] == 12_000
    assert [q.row for q in shop.quarantine("f1")] == list(range(1, 12_001))


def test_a_file_without_a_required_column_is_refused_whole(shop: Shop) -> None:
    shop.agree(rules=RULES)
    shop.put("f1", "line,sku,day\n1,A,2024-01-01\n")

    with pytest.raises(UnreadableFile, match="qty"):
        shop.ingest("f1")


def test_another_spelling_of_a_column_lands_in_the_column(shop: Shop) -> None:
    shop.agree(rules=RULES, aliases={"menge": "qty", "qty": "sku"})
    shop.put("f1", "line,sku,Menge,day\n1,A,5,2024-01-01\n2,B,x,2024-01-01\n")

    shop.ingest("f1")
    shop.load()

    assert shop.rows("SELECT line, sku, qty FROM sales") == [(1, "A", 5)]


def test_corrected_rows_are_replayed_linked_and_close_the_certificate(shop: Shop) -> None:
    shop.agree(rules=RULES)
    shop.put("f1", SALES)
    shop.ingest("f1")
    shop.load()
    mended = shop.corrected("f1", {2: {"qty": "6"}, 3: {"sku": "C", "day": "2024-02-29"}})
    shop.put("r1", mended, name="mended.csv", replay_of="f1")

    answer = shop.ingest("r1")
    shop.load()

    assert (answer["landed"], answer["quarantined"]) == (2, 0)
    assert shop.rows("SELECT line, sku, qty FROM sales ORDER BY line") == [
        (1, "A", 5), (2, "B", 6), (3, "C", 7), (4, "=D(1)", 2),
    ]  # fmt: skip
    assert shop.quarantine("f1") == []
    linked = [q.replayed for q in shop.quarantine("f1", open_only=False)]
    assert linked == [{"file_id": "r1", "row": 1}, {"file_id": "r1", "row": 2}]
    closed = shop.certificate("f1")
    assert (closed.quarantined, closed.replayed, closed.verdict) == (2, 2, "success")
    (told,) = organization_overview(shop.org, settings=shop.settings)["tables"]
    assert (told["quarantined"], told["quarantine_open"]) == (2, 0)
    verified = CliRunner().invoke(verify_command, ["--org", shop.org, "--table", "sales"])
    assert verified.exit_code == 0, verified.output
    assert shop.certificate("r1").verdict == "success"


def test_what_is_still_wrong_stays_open_and_a_second_replay_closes_it(shop: Shop) -> None:
    shop.agree(rules=RULES)
    shop.put("f1", SALES)
    shop.ingest("f1")
    shop.load()
    shop.put("r1", shop.corrected("f1", {2: {"qty": "6"}}), replay_of="f1")
    first = shop.ingest("r1")
    shop.load()

    assert (first["landed"], first["quarantined"]) == (1, 1)
    assert [q.row for q in shop.quarantine("f1")] == [3]
    half = shop.certificate("f1")
    assert (half.replayed, half.verdict) == (1, "partial")
    assert half.differences == ("1 row is in quarantine",)

    shop.put("r2", shop.corrected("f1", {3: {"sku": "C", "day": ""}}), replay_of="f1")
    shop.ingest("r2")
    shop.load()

    assert shop.certificate("f1").verdict == "success"
    assert shop.rows("SELECT count(*) FROM sales") == [(4,)]


def test_a_row_is_corrected_once_also_within_one_file_and_a_retry_changes_nothing(
    shop: Shop,
) -> None:
    shop.agree(rules=RULES)
    shop.put("f1", SALES)
    shop.ingest("f1")
    head = "row,line_2,sku,qty,day\n"
    shop.put("r1", head + "2,2,B,6,\n2,2,B,8,\n1,1,A,9,\nx,,,,\n3,,,,\n", replay_of="f1")

    answer = shop.ingest("r1")

    assert (answer["rows_read"], answer["landed"], answer["quarantined"]) == (5, 1, 4)
    codes = [q.code for q in shop.quarantine("r1")]
    assert codes == ["already_replayed", "not_in_quarantine", "no_row_number", "not_corrected"]
    shop.put("r2", head + "2,2,B,7,\n", replay_of="f1")
    assert shop.ingest("r2")["landed"] == 0
    shop.load()
    assert shop.rows("SELECT line, qty FROM sales ORDER BY line") == [(1, 5), (2, 6), (4, 2)]


def test_corrections_without_one_of_the_columns_are_refused(shop: Shop) -> None:
    """Its cells would be emptied."""
    shop.agree(rules=RULES)
    shop.put("f1", SALES)
    shop.ingest("f1")
    shop.put("r1", "row,line,sku,qty,day\n2,2,B,6,\n", replay_of="f1")

    with pytest.raises(UnreadableFile, match="line_2"):
        shop.ingest("r1")

    assert [q.row for q in shop.quarantine("f1")] == [2, 3]


def test_a_correction_does_not_win_over_a_later_file(shop: Shop) -> None:
    shop.agree(rules=RULES, key=("line",), key_source="configured")
    shop.put("f1", SALES)
    shop.ingest("f1")
    shop.put("f2", "line,sku,qty,day\n2,B,60,2024-03-01\n", name="march.csv")
    shop.ingest("f2")
    shop.load()
    shop.put("r1", shop.corrected("f1", {2: {"qty": "6"}}), replay_of="f1")
    shop.ingest("r1")
    shop.load()

    assert shop.rows("SELECT qty FROM sales WHERE line = 2") == [(60,)]
    assert shop.certificate("r1").superseded == 1


def test_undoing_a_replay_opens_the_certificate_again(shop: Shop) -> None:
    shop.agree(rules=RULES)
    shop.put("f1", SALES)
    shop.ingest("f1")
    shop.load()
    mended = shop.corrected("f1", {2: {"qty": "6"}, 3: {"sku": "C", "day": ""}})
    shop.put("r1", mended, replay_of="f1")
    shop.ingest("r1")
    shop.load()
    assert shop.certificate("f1").verdict == "success"

    done = CliRunner().invoke(undo_command, ["--org", shop.org, "--table", "sales", "--file", "r1"])

    assert done.exit_code == 0, done.output
    assert shop.certificate("f1").verdict == "partial"
    assert shop.rows("SELECT count(*) FROM sales") == [(2,)]


def test_what_was_decided_between_two_attempts_does_not_mix_in(shop: Shop) -> None:
    """The second attempt reads as the first one did: with the options it recorded."""
    shop.agree(options=ParseOptions(delimiter=","))
    shop.put("f1", SALES)
    shop.ingest("f1")
    with open_landing(shop.settings) as landing:
        manifests = landing._manifests(shop.org)
        manifests.update_one({"_id": "f1"}, {"$set": {"state": "open"}})
    shop.agree(options=ParseOptions(delimiter=";"), rules=RULES)

    answer = shop.ingest("f1")

    assert (answer["landed"], answer["quarantined"]) == (4, 0)


@pytest.mark.parametrize("loaded_between", [True, False])
def test_a_key_under_another_name_is_read_as_the_key_and_said(
    shop: Shop, loaded_between: bool
) -> None:
    shop.put("f1", "codigo;existencias\nA;1\nB;2\n", name="stock.csv")
    shop.put("f2", "SKU,Stock\nB,3\nC,4\n", name="stock.csv")
    shop.ingest("f1", table="inventory")
    if loaded_between:
        shop.load(table="inventory")

    answer = shop.ingest("f2", table="inventory")
    shop.load(table="inventory")

    assert shop.rows("SELECT codigo FROM inventory ORDER BY 1") == [("A",), ("B",), ("C",)]
    (remark,) = answer["remarks"]
    assert remark.startswith("read as the key: column sku is taken for codigo")
    assert remark in shop.certificate("f2").remarks
    again = shop.ingest("f2", table="inventory")
    assert again["remarks"] == [remark]


def test_a_key_that_cannot_be_told_is_refused_with_the_way_out(shop: Shop) -> None:
    shop.put("f1", "codigo;existencias\nA;1\nB;2\n", name="stock.csv")
    shop.put("f2", "SKU,EAN,Stock\nB,1,3\nC,2,4\n", name="stock.csv")
    shop.ingest("f1", table="inventory")
    shop.load(table="inventory")
    shop.ingest("f2", table="inventory")
    with pytest.raises(SchemaDrift, match="lacks the key column codigo") as error:
        shop.load(table="inventory")
    assert "aliases" in error.value.advice
    proposed = contract_of(shop.org, table=parse_table_name("inventory"), settings=shop.settings)[
        "proposed"
    ]
    assert proposed["aliases"] == {}
