"""`/api/forecast/…`: the plan by urgency, one item, files without formulas, nothing of others."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable
from datetime import date, timedelta
from typing import Any
from urllib.parse import quote

import pytest
from rest_framework.test import APIClient

from backend.accounts.models import Role
from tests.integration.backend.conftest import FORMULA, ITEMS, Person


def get(who: Person, path: str, **asked: Any) -> Any:
    return who.client.get(f"/api/forecast/{path}", asked)


def test_items_come_by_urgency_in_pages(dana: Person) -> None:
    first = get(dana, "plan/", limit=2).json()
    rest = get(dana, "plan/", limit=3, offset=2).json()
    rows = first["results"] + rest["results"]
    assert first["count"] == rest["count"] == 5
    assert [r["urgency"] for r in rows] == [1, 2, 3, 4, 5]
    assert {r["item"] for r in rows} == set(ITEMS)
    assert first["run"]["run_id"] == "fc-1"
    assert "explanation" not in rows[0]


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ({"search": "lam"}, {"007"}),
        ({"search": "%"}, {"ÄÖ%20"}),
        ({"search": "_"}, set()),
        ({"status": "no_history"}, {"-5"}),
        ({"status": "no_history,order,ok,dead,insufficient_history"}, set(ITEMS)),
        ({"abc": "A,B,C", "search": "007"}, {"007"}),
        ({"class": "insufficient"}, {"-5"}),
    ],
)
def test_the_plan_can_be_filtered(dana: Person, asked: dict[str, str], found: set[str]) -> None:
    answer = get(dana, "plan/", **asked).json()
    assert {r["item"] for r in answer["results"]} == found
    assert answer["count"] == len(found)


@pytest.mark.parametrize(
    "asked",
    [{"class": "tasty"}, {"abc": "D"}, {"order_by": "item; DROP"}, {"limit": "0"}, {"x": "1"}],
)
def test_a_wrong_filter_is_named(dana: Person, asked: dict[str, str]) -> None:
    answer = get(dana, "plan/", **asked)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid_payload")
    assert list(answer.json()["errors"]) == list(asked)


@pytest.mark.parametrize("item", ITEMS)
def test_one_item_with_history_bands_and_reasons(dana: Person, item: str) -> None:
    answer = get(dana, f"items/{quote(item, safe='')}/")
    assert answer.status_code == 200, answer.content
    told = answer.json()
    assert told["plan"]["item"] == item
    if item == "-5":
        assert (told["history"], told["forecast"]) == ([], [])
        assert told["plan"]["why"]
        return
    formula = told["plan"]["explanation"]["formula"]
    assert formula["values"]["S"] == told["plan"]["order_up_to"]
    past = [date.fromisoformat(h["period"]) for h in told["history"]]
    ahead = [date.fromisoformat(f["period"]) for f in told["forecast"]]
    assert past == sorted(past)
    assert ahead[0] > past[-1]
    assert ahead[0] == date.fromisoformat(told["run"]["as_of"]) + timedelta(days=1)
    for f in told["forecast"]:
        assert f["lo_95"] <= f["lo_80"] <= f["mean"] <= f["hi_80"] <= f["hi_95"]


def test_an_unknown_item_or_run_is_404(dana: Person) -> None:
    assert get(dana, "items/nothing/").json()["code"] == "item_not_found"
    for path in ("plan/", "items/007/", "plan/csv/", "periods/xlsx/"):
        answer = get(dana, path, run_id="other")
        assert (answer.status_code, answer.json()["code"]) == (404, "forecast_not_found")
    assert get(dana, "plan/pdf/").status_code == 404


def test_csv_holds_no_formula_and_every_row(dana: Person) -> None:
    answer = get(dana, "plan/csv/")
    assert answer["Content-Disposition"] == 'attachment; filename="inventory-plan.csv"'
    raw = b"".join(answer.streaming_content)
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"), newline="")))
    assert {r["item"] for r in rows} == {"007", "A/B 1", "'=1+1", "'-5", "ÄÖ%20"}
    assert [r["name"] for r in rows if r["item"] == "'=1+1"] == [f"'{FORMULA}"]
    for row in rows:
        assert not [v for v in row.values() if v[:1] in ("=", "+", "@", "\t")]
    assert rows[0]["urgency"] == "1"


def test_excel_holds_texts_as_texts_and_numbers_as_numbers(dana: Person) -> None:
    from python_calamine import CalamineWorkbook

    answer = get(dana, "plan/xlsx/", search="1")
    raw = b"".join(answer.streaming_content)
    sheet = CalamineWorkbook.from_filelike(io.BytesIO(raw)).get_sheet_by_index(0).to_python()
    header, rows = sheet[0], [dict(zip(sheet[0], r, strict=True)) for r in sheet[1:]]
    assert "item" in header
    assert {r["item"] for r in rows} == {"A/B 1", "=1+1"}
    assert {r["name"] for r in rows} == {ITEMS["A/B 1"], FORMULA}
    assert all(isinstance(r["reorder_point"], float) for r in rows)
    import zipfile

    with zipfile.ZipFile(io.BytesIO(raw)) as book:
        assert b"<f>" not in book.read("xl/worksheets/sheet1.xml")


def test_periods_can_be_saved_too(dana: Person) -> None:
    raw = b"".join(get(dana, "periods/csv/", search="Lamp").streaming_content)
    rows = list(csv.DictReader(io.StringIO(raw.decode("utf-8-sig"))))
    assert {r["item"] for r in rows} == {"007"}
    assert len(rows) == get(dana, "runs/").json()["results"][0]["horizon"]


def test_the_summary_tells_the_money_in_stock_that_does_not_sell(dana: Person) -> None:
    told = get(dana, "summary/").json()
    assert sum(told["status"].values()) == sum(told["class"].values()) == 5
    rows = get(dana, "plan/").json()["results"]
    assert told["money"]["stock"] == sum(r["on_hand"] * r["unit_cost"] for r in rows)
    assert told["money"]["dead"] == next(r["excess_value"] for r in rows if r["item"] == "-5")
    assert told["money"]["excess"] >= told["money"]["dead"]


def test_runs_tell_what_became_of_the_lines(dana: Person) -> None:
    (run,) = get(dana, "runs/").json()["results"]
    assert run["run_id"] == "fc-1"
    assert run["kept"] is True
    assert run["report"]["lines"]["lines"] > 0


PATHS = ("plan/", "summary/", "items/007/", "runs/", "plan/csv/", "plan/xlsx/", "periods/csv/")


@pytest.mark.parametrize("path", PATHS)
def test_another_organization_sees_nothing(dana: Person, charlie: Person, path: str) -> None:
    named = get(charlie, path, org_id=dana.org)
    assert (named.status_code, named.json()["code"]) == (404, "org_not_found")
    own = get(charlie, path)
    if path in ("plan/", "runs/"):
        assert own.json()["results"] == []
    else:
        assert own.json()["code"] == "forecast_not_found"
    assert APIClient().get(f"/api/forecast/{path}").status_code == 401


def test_openapi_describes_rows_filters_and_files(db: None) -> None:
    from drf_spectacular.generators import SchemaGenerator

    schema = SchemaGenerator().get_schema(request=None, public=True)
    plan = schema["paths"]["/api/forecast/plan/"]["get"]
    assert {p["name"] for p in plan["parameters"]} >= {"class", "abc", "status", "search", "offset"}
    row = schema["components"]["schemas"]["PlanRow"]["properties"]
    assert {"class", "order_quantity", "stockout_date", "urgency"} <= set(row)
    answers = schema["paths"]["/api/forecast/plan/{file_type}/"]["get"]["responses"]["200"]
    assert "text/csv" in answers["content"]


def override(**more: Any) -> dict[str, Any]:
    return {"item": "007", "kind": "lead_time_days", "value": 30, "reason": "Strike"} | more


def test_overrides_are_set_listed_and_withdrawn(
    dana: Person, person: Callable[..., Person]
) -> None:
    erin = person("erin", org=dana.org, role=Role.EDITOR)
    path = "/api/forecast/overrides/"
    refused = dana.client.post(path, override(), format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "permission_denied")
    made = erin.client.post(path, override(), format="json")
    assert made.status_code == 201, made.content
    told = made.json()
    assert (told["item"], told["set_by"], told["reason"]) == ("007", str(erin.user.pk), "Strike")
    assert [o["id"] for o in get(dana, "overrides/", item="007").json()["results"]] == [told["id"]]
    assert [o["id"] for o in get(dana, "items/007/").json()["overrides"]] == [told["id"]]
    assert get(dana, "overrides/value-added/").json()["all"]["periods"] == 0
    newer = erin.client.post(path, override(value=20, replaces=told["id"]), format="json").json()
    again = erin.client.post(path, override(value=20, replaces=told["id"]), format="json")
    assert (again.status_code, again.json()["code"]) == (409, "override_conflict")
    ended = erin.client.delete(f"{path}{newer['id']}/?reason=over")
    assert (ended.status_code, ended.json()["withdrawn_reason"]) == (200, "over")
    assert get(dana, "overrides/").json()["results"] == []
    ever = {o["id"] for o in get(dana, "overrides/", all="true").json()["results"]}
    assert {told["id"], newer["id"]} <= ever


@pytest.mark.parametrize(
    ("given", "status", "code"),
    [
        (override(value="much"), 400, "invalid_payload"),
        (override(kind="price"), 400, "invalid_payload"),
        (override(color="red"), 400, "invalid_payload"),
        (override(kind="fill_rate", value=2), 422, "invalid_override"),
        (override(kind="demand"), 422, "invalid_override"),
        (override(item="nothing"), 404, "item_not_found"),
        (override(replaces=10**6), 404, "override_not_found"),
    ],
)
def test_a_wrong_override_is_refused(
    dana: Person, person: Callable[..., Person], given: Any, status: int, code: str
) -> None:
    erin = person("erin", org=dana.org, role=Role.EDITOR)
    answer = erin.client.post("/api/forecast/overrides/", given, format="json")
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert get(dana, "overrides/").json()["results"] == []


def test_nobody_overrides_for_another_organization(dana: Person, charlie: Person) -> None:
    path = "/api/forecast/overrides/"
    named = charlie.client.post(path, override(org_id=dana.org), format="json")
    assert (named.status_code, named.json()["code"]) == (404, "org_not_found")
    assert charlie.client.delete(f"{path}1/").json()["code"] == "override_not_found"
