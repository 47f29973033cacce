"""Overrides change the plan and never the model's numbers; what they were worth is told later."""

from __future__ import annotations

import math
from datetime import date, datetime, timedelta
from typing import Any

import psycopg
import pytest

from supplyline import forecast
from supplyline.audit.chain import verify
from supplyline.audit.events import events
from supplyline.contracts import OrgId
from supplyline.forecast import overrides, value_added
from supplyline.forecast.overrides import BadOverride, Override, OverrideConflict, OverrideNotFound
from supplyline.forecast.read import ItemNotPlanned
from tests.integration.forecast.test_changes import NOW, rows, run, shop

Connection = psycopg.Connection[tuple[Any, ...]]


def as_of(conn: Connection) -> date:
    row = conn.execute(
        "SELECT as_of FROM supplyline.forecast_run ORDER BY published_at DESC LIMIT 1"
    ).fetchone()
    assert row
    found: date = row[0]
    return found


def say(conn: Connection, org: OrgId, *, now: datetime = NOW, **given: Any) -> Override:
    made = overrides.set_override(
        conn, org, **({"actor": "alice", "reason": "Fair in spring"} | given), now=now
    )
    conn.commit()
    return made


def test_demand_goes_into_the_plan_and_not_into_the_forecast(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1", bucket="week")
    before = forecast.explain(conn, item="i03")
    first = as_of(conn) + timedelta(days=1)
    said = say(
        conn, org, item="i03", kind="demand", value=700, from_day=first,
        to_day=first + timedelta(days=6),
    )  # fmt: skip
    assert run(org, conn, "2", bucket="week") == {"keep": 12, "replan": 1}
    told = forecast.explain(conn, item="i03")
    assert [f["mean"] for f in told["forecast"]] == [f["mean"] for f in before["forecast"]]
    assert told["forecast"][0]["planned"] == pytest.approx(700)
    assert told["forecast"][1]["planned"] == told["forecast"][1]["mean"]
    assert told["plan"]["reorder_point"] > before["plan"]["reorder_point"] + 100
    (used,) = told["plan"]["explanation"]["overrides"]
    assert used["model"] == pytest.approx(before["forecast"][0]["mean"])
    assert (used["id"], used["reason"], used["used"]) == (said.id, "Fair in spring", 700)
    assert [o["id"] for o in told["overrides"]] == [said.id]
    assert run(org, conn, "3", bucket="week") == {"keep": 13}
    assert forecast.explain(conn, item="i03")["forecast"][0]["planned"] == pytest.approx(700)
    assert {i for i, r in rows(conn, "1").items() if r != rows(conn, "3")[i]} == {"i03"}


def test_days_outside_a_period_leave_the_rest_to_the_model(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1", bucket="week")
    first = as_of(conn) + timedelta(days=1)
    say(
        conn, org, item="i03", kind="demand", value=140, from_day=first + timedelta(days=3),
        to_day=first + timedelta(days=16),
    )  # fmt: skip
    run(org, conn, "2", bucket="week")
    told = forecast.explain(conn, item="i03")["forecast"]
    assert told[0]["planned"] == pytest.approx(told[0]["mean"] * 3 / 7 + 40)
    assert told[1]["planned"] == pytest.approx(70)
    assert told[2]["planned"] == pytest.approx(30 + told[2]["mean"] * 4 / 7)
    assert told[3]["planned"] == told[3]["mean"]


def test_fill_rate_and_lead_time_of_one_item(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1")
    before = forecast.explain(conn, item="i03")["plan"]
    say(conn, org, item="i03", kind="lead_time_days", value=45, reason="Port closed")
    rate = say(conn, org, item="i04", kind="fill_rate", value=0.999, reason="Key account")
    assert run(org, conn, "2") == {"keep": 11, "replan": 2}
    after = forecast.explain(conn, item="i03")["plan"]
    assert after["lead_time_days"] == 45
    assert after["reorder_point"] > before["reorder_point"]
    assert forecast.explain(conn, item="i04")["plan"]["fill_rate"] == 0.999
    overrides.withdraw(conn, org, override_id=rate.id, reason="lost", actor="bob", now=NOW)
    conn.commit()
    assert run(org, conn, "3") == {"keep": 12, "replan": 1}
    assert forecast.explain(conn, item="i04")["plan"]["fill_rate"] < 0.999


def test_versions_are_kept_and_audited(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1")
    first = say(conn, org, item="i03", kind="lead_time_days", value=45)
    second = say(conn, org, item="i03", kind="lead_time_days", value=30, replaces=first.id)
    assert [o.id for o in overrides.list_overrides(conn, item="i03")] == [second.id]
    old = overrides.list_overrides(conn, item="i03", in_force=False)[1]
    assert (old.id, old.value, old.withdrawn_by) == (first.id, 45, "alice")
    with pytest.raises(OverrideConflict):
        say(conn, org, item="i03", kind="lead_time_days", value=20, replaces=first.id)
    conn.rollback()
    kinds = [e.kind for e in events(conn, kind="override")]
    assert kinds == ["override.set", "override.set"]
    assert verify(conn).ok
    with pytest.raises(OverrideNotFound):
        overrides.withdraw(conn, org, override_id=999, reason="", actor="bob", now=NOW)


@pytest.mark.parametrize(
    "given",
    [
        {"kind": "demand", "value": 3},
        {"kind": "demand", "value": -3, "from_day": date(2026, 1, 1), "to_day": date(2026, 1, 1)},
        {"kind": "demand", "value": 3, "from_day": date(2026, 1, 2), "to_day": date(2026, 1, 1)},
        {"kind": "fill_rate", "value": 1.0},
        {"kind": "lead_time_days", "value": float("nan")},
        {"kind": "lead_time_days", "value": 3, "reason": "  "},
        {"kind": "price", "value": 3},
    ],
)
def test_nonsense_is_refused(org: OrgId, conn: Connection, given: dict[str, Any]) -> None:
    with pytest.raises(BadOverride):
        say(conn, org, item="i03", **given)


def test_an_item_must_be_known(org: OrgId, conn: Connection) -> None:
    shop(conn, items=2)
    run(org, conn, "1")
    with pytest.raises(ItemNotPlanned):
        say(conn, org, item="nothing", kind="lead_time_days", value=3)


def test_value_added_is_told_when_sales_are_known(org: OrgId, conn: Connection) -> None:
    shop(conn)
    run(org, conn, "1", bucket="week")
    first = as_of(conn) + timedelta(days=1)
    week = {"from_day": first, "to_day": first + timedelta(days=6)}
    good = say(conn, org, item="i03", kind="demand", value=90, **week)
    bad = say(conn, org, item="i04", kind="demand", value=0, actor="bob", **week)
    run(org, conn, "2", bucket="week")
    assert value_added.report(conn)["all"]["periods"] == 0
    for item, units in (("i03", 100), ("i04", 9)):
        day = first + timedelta(days=6)
        conn.execute("INSERT INTO sales VALUES (%s, %s, %s)", (item, day, units))
    conn.commit()
    run(org, conn, "3", bucket="week")
    told = value_added.report(conn)
    assert told["all"]["periods"] == 2
    model = {i: forecast.explain(conn, item=i, run_id="1")["forecast"][0] for i in ("i03", "i04")}
    by_id = {o["id"]: o for o in told["by_override"]}
    assert by_id[good.id]["mae_override"] == pytest.approx(10)
    assert by_id[good.id]["mae_model"] == pytest.approx(100 - model["i03"]["mean"])
    assert by_id[good.id]["value_added"] > 0.8
    assert by_id[bad.id]["mae_override"] == pytest.approx(9)
    assert by_id[bad.id]["value_added"] < 0
    assert [p["set_by"] for p in told["by_person"]] == ["alice", "bob"]


def test_an_override_wakes_a_dead_item(org: OrgId, conn: Connection) -> None:
    shop(conn, items=3)
    conn.execute("DELETE FROM sales WHERE sku = 'i01' AND sold_on > '2025-02-20'")
    conn.commit()
    run(org, conn, "1", bucket="week")
    assert forecast.explain(conn, item="i01")["plan"]["status"] == "dead"
    first = as_of(conn) + timedelta(days=1)
    say(
        conn, org, item="i01", kind="demand", value=600, from_day=first,
        to_day=first + timedelta(days=59),
    )  # fmt: skip
    run(org, conn, "2", bucket="week")
    plan = forecast.explain(conn, item="i01")["plan"]
    assert plan["status"] == "order"
    assert "override" in plan["why"]
    assert plan["order_quantity"] > 100


def with_unsold(org: OrgId, conn: Connection) -> date:
    """A run that knows an item which never sold; answers the first day ahead."""
    shop(conn, items=3)
    conn.execute("CREATE TABLE novelties (sku text, name text, on_hand int, lead_time_days int)")
    conn.execute("INSERT INTO novelties VALUES ('new', 'Novelty', 0, 14)")
    conn.commit()
    run(org, conn, "1", bucket="week")
    return as_of(conn) + timedelta(days=1)


def test_an_override_is_the_forecast_of_an_item_that_never_sold(
    org: OrgId, conn: Connection
) -> None:
    first = with_unsold(org, conn)
    assert forecast.explain(conn, item="new")["plan"]["status"] == "no_history"
    days = {"from_day": first, "to_day": first + timedelta(days=69)}
    said = say(conn, org, item="new", kind="demand", value=700, **days)
    run(org, conn, "2", bucket="week")
    told = forecast.explain(conn, item="new")
    assert told["plan"]["demand_per_day"] == pytest.approx(10)
    assert told["plan"]["order_quantity"] >= 10 * (14 + 7)
    assert told["plan"]["order_quantity"] < 700
    assert "never sold" in told["plan"]["why"]
    (used,) = told["plan"]["explanation"]["overrides"]
    assert (used["model"], used["used"]) == (0, pytest.approx(700))
    assert told["forecast"] == []
    say(conn, org, item="new", kind="lead_time_days", value=35)
    run(org, conn, "3", bucket="week")
    longer = forecast.explain(conn, item="new")["plan"]
    assert longer["order_quantity"] > told["plan"]["order_quantity"]
    overrides.withdraw(conn, org, override_id=said.id, reason="no", actor="bob", now=NOW)
    conn.commit()
    run(org, conn, "4", bucket="week")
    assert forecast.explain(conn, item="new")["plan"]["status"] == "no_history"


def test_demand_that_never_came_is_measured_and_what_was_withdrawn_in_time_is_not(
    org: OrgId, conn: Connection
) -> None:
    first = with_unsold(org, conn)
    week = {"from_day": first, "to_day": first + timedelta(days=6)}
    hoped = say(conn, org, item="new", kind="demand", value=70, **week)
    taken_back = say(conn, org, item="i01", kind="demand", value=900, **week)
    run(org, conn, "2", bucket="week")
    at = NOW + timedelta(hours=2, minutes=30)
    overrides.withdraw(conn, org, override_id=taken_back.id, reason="no", actor="bob", now=at)
    conn.commit()
    run(org, conn, "3", bucket="week")
    conn.execute("INSERT INTO sales VALUES ('last', %s, 1)", (first + timedelta(days=7),))
    conn.commit()
    run(org, conn, "4", bucket="week")
    told = value_added.report(conn)
    assert [o["id"] for o in told["by_override"]] == [hoped.id]
    assert told["all"]["mae_override"] == pytest.approx(70)
    assert told["all"]["mae_model"] == 0


def test_a_level_that_an_override_moves_is_whole(org: OrgId, conn: Connection) -> None:
    shop(conn, items=40)
    run(org, conn, "1", bucket="week")
    first = as_of(conn) + timedelta(days=1)
    week = {"from_day": first, "to_day": first + timedelta(days=6)}
    for n, units in enumerate((3.3, 47.7, 101.9)):
        say(conn, org, item=f"i{n:02}", kind="demand", value=units, **week)
    run(org, conn, "2", bucket="week")
    for n in range(3):
        plan = forecast.explain(conn, item=f"i{n:02}")["plan"]
        v = plan["explanation"]["formula"]["values"]
        assert v["level_from"] == "pool of items"
        made = v["level_mean"] + v["safety_factor"] * v["level_sd"]
        assert plan["reorder_point"] == max(0, math.ceil(made - 0.01))


def test_terms_hold_from_the_day_after_the_data_also_where_periods_are_months(
    org: OrgId, conn: Connection
) -> None:
    shop(conn, items=3)  # to 2025-10-12: the last whole month is September
    run(org, conn, "1", bucket="month")
    assert as_of(conn) == date(2025, 9, 30)
    today = date(2025, 10, 13)
    say(conn, org, item="i01", kind="lead_time_days", value=90, from_day=today)
    say(conn, org, item="i02", kind="lead_time_days", value=90, from_day=date(2025, 10, 14))
    with pytest.raises(BadOverride, match="2025-10-12"):
        say(conn, org, item="i00", kind="lead_time_days", value=90, to_day=date(2025, 10, 12))
    run(org, conn, "2", bucket="month")
    plan = {r["item"]: r["lead_time_days"] for r in forecast.read_plan(conn)}
    assert (plan["i01"], plan["i02"]) == (90, 14)
    conn.execute("INSERT INTO sales VALUES ('last', %s, 1)", (today,))
    conn.commit()
    run(org, conn, "3", bucket="month")
    plan = {r["item"]: r["lead_time_days"] for r in forecast.read_plan(conn)}
    assert (plan["i01"], plan["i02"]) == (90, 90)


def test_what_no_plan_could_use_is_refused(org: OrgId, conn: Connection) -> None:
    first = with_unsold(org, conn)
    with pytest.raises(BadOverride, match="never sold"):
        say(conn, org, item="new", kind="fill_rate", value=0.9)
    over = {"from_day": first - timedelta(days=9), "to_day": first - timedelta(days=1)}
    for kind, value in (("demand", 5), ("fill_rate", 0.9)):
        with pytest.raises(BadOverride, match="past"):
            say(conn, org, item="i01", kind=kind, value=value, **over)
    say(conn, org, item="i01", kind="demand", value=5, **(over | {"to_day": first}))
