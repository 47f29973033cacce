"""Rows that the load set aside are downloaded, mended and replayed like those of the ingest."""

from __future__ import annotations

import csv
import io

import pytest

from supplyline.errors import SchemaDrift
from supplyline.operations import rebuild_table, undo_load
from supplyline.overview import organization_overview
from supplyline.quarantine import lines as quarantine_lines
from supplyline.tables import change_table, rejected_rows
from tests.integration.ingest.conftest import Shop

SALES = "line,sku,qty\n1,A,5\n2,B,many\n3,=C,x7\n"


@pytest.fixture
def rejected(shop: Shop) -> Shop:
    """Rows 2 and 3 of file f1 do not fit the type that was set for `qty`."""
    change_table(
        shop.org, "sales", types={"qty": "bigint"}, drift=None, actor="alice",
        settings=shop.settings,
    )  # fmt: skip
    shop.put("f1", SALES)
    shop.ingest("f1")
    shop.load()
    assert shop.certificate("f1").rejected == 2
    return shop


def download(shop: Shop, file_id: str, *, open_only: bool = True) -> list[dict[str, str]]:
    lines = quarantine_lines(shop.org, file_id=file_id, open_only=open_only, settings=shop.settings)
    head = next(lines)
    return [dict(zip(head, line, strict=True)) for line in lines]


def mended(shop: Shop, file_id: str, changes: dict[str, dict[str, str]]) -> str:
    rows = download(shop, file_id)
    out = io.StringIO()
    writer = csv.DictWriter(out, rows[0].keys())
    writer.writeheader()
    writer.writerows({**row, **changes.get(row["row"], {})} for row in rows)
    return out.getvalue()


def replay(shop: Shop, file_id: str, text: str, *, of: str = "f1") -> None:
    shop.put(file_id, text, name="mended.csv", replay_of=of)
    shop.ingest(file_id)
    shop.load()


def table(shop: Shop) -> list[tuple[object, ...]]:
    return shop.rows("SELECT line, sku, qty FROM sales ORDER BY line")


def open_rows(shop: Shop) -> list[int]:
    found = rejected_rows(shop.org, "sales", open_only=True, settings=shop.settings)
    return [r["row"] for r in found["results"]]


def test_rejected_rows_are_in_the_download_with_reasons_and_cells(rejected: Shop) -> None:
    two, three = download(rejected, "f1")

    assert (two["row"], two["code"], two["qty"]) == ("2", "type_mismatch", "many")
    assert two["reason"] == "qty: not a bigint"
    assert two["raw"] == "2,B,many"
    assert three["sku"] == "'=C"


def test_corrected_rows_take_their_place_and_the_certificate_closes(rejected: Shop) -> None:
    replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "7"}}))

    assert table(rejected) == [(1, "A", 5), (2, "B", 6), (3, "=C", 7)]
    first = rejected.certificate("f1")
    assert (first.rejected, first.replayed, first.verdict) == (2, 2, "success")
    assert first.differences == ()
    assert download(rejected, "f1") == []
    assert len(download(rejected, "f1", open_only=False)) == 2
    assert open_rows(rejected) == []
    (told,) = organization_overview(rejected.org, settings=rejected.settings)["tables"]
    assert told["quarantine_open"] == 0


def test_what_does_not_fit_again_stays_open_and_a_second_replay_closes_it(rejected: Shop) -> None:
    replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "seven"}}))

    half = rejected.certificate("f1")
    assert (half.replayed, half.verdict) == (1, "partial")
    assert half.differences == ("1 row does not fit the table's columns and was set aside",)
    assert [row["row"] for row in download(rejected, "f1")] == ["3"]

    replay(rejected, "r2", mended(rejected, "f1", {"3": {"qty": "7"}}))

    assert table(rejected) == [(1, "A", 5), (2, "B", 6), (3, "=C", 7)]
    assert (rejected.certificate("f1").replayed, rejected.certificate("f1").verdict) == (
        2,
        "success",
    )


def test_a_row_is_corrected_once(rejected: Shop) -> None:
    text = mended(rejected, "f1", {"2": {"qty": "6"}})
    replay(rejected, "r1", text)
    rejected.put("r2", text.replace("B,6", "B,60"), replay_of="f1")

    assert rejected.ingest("r2")["quarantined"] == 1

    assert {q.row: q.code for q in rejected.quarantine("r2")}[1] == "already_replayed"
    rejected.load()
    assert (2, "B", 6) in table(rejected)


def test_a_correction_of_a_quarantined_row_that_the_load_rejects_leaves_it_open(
    shop: Shop,
) -> None:
    shop.agree(rules={"sku": {"required": True}})
    change_table(
        shop.org, "sales", types={"qty": "bigint"}, drift=None, actor="alice",
        settings=shop.settings,
    )  # fmt: skip
    shop.put("f1", "line,sku,qty\n1,A,5\n2,,6\n")
    shop.ingest("f1")
    shop.load()

    replay(shop, "r1", mended(shop, "f1", {"2": {"sku": "B", "qty": "six"}}))

    assert (shop.certificate("f1").replayed, shop.certificate("f1").verdict) == (0, "partial")
    (told,) = organization_overview(shop.org, settings=shop.settings)["tables"]
    assert told["quarantine_open"] == 1
    assert [row["row"] for row in download(shop, "f1")] == ["2"]

    replay(shop, "r2", mended(shop, "f1", {"2": {"sku": "B"}}))

    assert table(shop) == [(1, "A", 5), (2, "B", 6)]
    assert (shop.certificate("f1").replayed, shop.certificate("f1").verdict) == (1, "success")


def test_cells_in_excess_of_a_row_come_back_with_its_correction(shop: Shop) -> None:
    change_table(
        shop.org, "sales", types={"qty": "bigint"}, drift=None, actor="alice",
        settings=shop.settings,
    )  # fmt: skip
    shop.put("f1", SALES + "4,D,x,more,still more\n" + "".join(f"{n},E,1\n" for n in range(5, 50)))
    shop.ingest("f1")
    shop.load()
    lines = [list(line) for line in quarantine_lines(
        shop.org, file_id="f1", open_only=True, settings=shop.settings
    )]  # fmt: skip
    for line in lines[1:]:
        line[8] = "7"
    out = io.StringIO()
    csv.writer(out).writerows(lines)

    replay(shop, "r1", out.getvalue())

    assert shop.rows("SELECT qty, _raw ->> 'extra' FROM sales WHERE line IN (3, 4) ORDER BY 1") == [
        (7, None), (7, '["more", "still more"]'),
    ]  # fmt: skip


def test_corrections_that_are_refused_hold_no_row(rejected: Shop) -> None:
    types: dict[str, str | None] = {"qty": None}
    change_table(
        rejected.org, "sales", types=types, drift="freeze", actor="alice",
        settings=rejected.settings,
    )  # fmt: skip
    with pytest.raises(SchemaDrift, match="changed types"):
        replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "six"}}))

    replay(rejected, "r2", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "7"}}))

    assert table(rejected) == [(1, "A", 5), (2, "B", 6), (3, "=C", 7)]


def test_a_frozen_table_takes_corrections_of_a_file_from_before_a_column_came(
    rejected: Shop,
) -> None:
    rejected.put("f2", "line,sku,qty,note\n9,Z,1,x\n")
    rejected.ingest("f2")
    rejected.load()
    change_table(
        rejected.org, "sales", types={}, drift="freeze", actor="alice", settings=rejected.settings
    )

    replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "7"}}))

    assert [row[:2] for row in table(rejected)] == [(1, "A"), (2, "B"), (3, "=C"), (9, "Z")]


def test_undoing_the_correction_opens_the_row_and_it_can_be_corrected_again(
    rejected: Shop,
) -> None:
    replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "7"}}))
    undo_load(
        rejected.org,
        table="sales",
        file_id="r1",
        later="refuse",
        user="alice",
        settings=rejected.settings,
    )

    assert (rejected.certificate("f1").replayed, rejected.certificate("f1").verdict) == (
        0,
        "partial",
    )
    replay(rejected, "r2", mended(rejected, "f1", {"2": {"qty": "16"}, "3": {"qty": "17"}}))

    assert table(rejected) == [(1, "A", 5), (2, "B", 16), (3, "=C", 17)]
    assert rejected.certificate("f1").verdict == "success"


@pytest.mark.parametrize("widened", [False, True])
def test_a_rebuild_keeps_the_correction_in_its_place(rejected: Shop, widened: bool) -> None:
    """Also where the row would fit by now: it is in the table once, as it was corrected."""
    replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "7"}}))
    if widened:
        change_table(
            rejected.org, "sales", types={"qty": None}, drift=None, actor="alice",
            settings=rejected.settings,
        )  # fmt: skip
    done, _ = rebuild_table(rejected.org, table="sales", user="alice", settings=rejected.settings)

    assert [c.verdict for c in done.certificates] == ["success", "success"]
    found = rejected.rows("SELECT line::text, sku, qty::text FROM sales ORDER BY line")
    assert found == [("1", "A", "5"), ("2", "B", "6"), ("3", "=C", "7")]
    first = rejected.certificate("f1")
    assert (first.rejected, first.replayed, first.verdict) == (2, 2, "success")


@pytest.mark.parametrize("twin", [False, True])
def test_corrections_go_with_the_file_that_they_correct_unless_its_content_stays(
    rejected: Shop, twin: bool
) -> None:
    replay(rejected, "r1", mended(rejected, "f1", {"2": {"qty": "6"}, "3": {"qty": "7"}}))
    rejected.put("f2", SALES if twin else "line,sku,qty\n9,Z,1\n", name="again.csv")
    rejected.ingest("f2")
    rejected.load()

    done = undo_load(
        rejected.org, table="sales", file_id="f1", later="replay", user="alice",
        settings=rejected.settings,
    )  # fmt: skip

    assert done["undone"] == (["f1"] if twin else ["r1", "f1"])
    wanted = [(1, "A", 5), (2, "B", 6), (3, "=C", 7)] if twin else [(9, "Z", 1)]
    assert table(rejected) == wanted
    rebuild_table(rejected.org, table="sales", user="alice", settings=rejected.settings)
    assert table(rejected) == wanted
