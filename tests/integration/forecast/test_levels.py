"""The plan in the database and `plan-series` are the same policy, on the same histories."""

from __future__ import annotations

import math
from datetime import UTC, date, datetime, timedelta
from typing import Any

import numpy as np
import psycopg

from supplyline import forecast
from supplyline.contracts import OrgId, RunRef
from supplyline.forecast import ForecastSettings, overrides
from supplyline.forecast.series import Series
from supplyline.forecast.stocking import plan_levels

Connection = psycopg.Connection[tuple[Any, ...]]
NOW = datetime(2026, 1, 1, tzinfo=UTC)
FIRST, WEEKS = date(2024, 6, 3), 80
RATES = {"A": 0.98, "B": 0.95, "C": 0.90}


def spare_parts(conn: Connection, *, items: int = 40) -> dict[str, Series]:
    rng = np.random.default_rng(3)
    conn.execute("CREATE TABLE sales (sku text, sold_on date, quantity int)")
    out = {}
    for n in range(items):
        values = np.where(rng.random(WEEKS) < 0.4, rng.poisson(2 + n % 7, WEEKS), 0)
        values[0] = values[-1] = 1
        out[f"p{n:02}"] = Series(id=f"p{n:02}", values=values.astype(float))
        conn.cursor().executemany(
            "INSERT INTO sales VALUES (%s, %s, %s)",
            [
                (f"p{n:02}", FIRST + timedelta(days=7 * week + 6), int(units))
                for week, units in enumerate(values)
                if units
            ],
        )
    conn.commit()
    return out


def plan(org: OrgId, conn: Connection, name: str, **settings: Any) -> dict[str, dict[str, Any]]:
    chosen = ForecastSettings(bucket="week", **settings)
    at = NOW + timedelta(hours=int(name))
    forecast.run_all(org, conn=conn, now=at, run=RunRef(run_id=name), settings=chosen)
    return {r["item"]: r for r in forecast.read_plan(conn)}


def source(row: dict[str, Any]) -> str:
    return str(row["explanation"]["formula"]["values"]["level_from"])


def recomputed(row: dict[str, Any]) -> float:
    """The level from the numbers that the explanation gives, in whole units."""
    v = row["explanation"]["formula"]["values"]
    return float(math.ceil(max(0.0, v["level_mean"] + v["safety_factor"] * v["level_sd"]) - 0.01))


def test_the_database_plan_has_the_levels_of_plan_series(org: OrgId, conn: Connection) -> None:
    parts = spare_parts(conn)
    rows = plan(org, conn, "1")
    own = {i: forecast.explain(conn, item=i)["history"] for i in parts}
    batch = [
        Series(id=i, values=np.array([h["demand"] for h in history])) for i, history in own.items()
    ]
    expected, _ = plan_levels(
        batch, lead_time=2, review=1, targets=tuple(sorted(RATES.values())), prices={}
    )
    pooled = [r for r in rows.values() if source(r) == "pool of items"]
    assert len(pooled) == len(parts)
    for row in pooled:
        assert row["reorder_point"] == expected[row["item"]][RATES[row["abc"]]]
        assert row["reorder_point"] == recomputed(row)


def test_one_changed_item_is_planned_in_a_pool_too(org: OrgId, conn: Connection) -> None:
    spare_parts(conn)
    before = plan(org, conn, "1")
    conn.execute("INSERT INTO sales VALUES ('p05', %s, 1)", (FIRST + timedelta(days=300),))
    conn.commit()
    after = plan(org, conn, "2")
    changed = [i for i in after if after[i]["computed_in"] == "2"]
    assert "p05" in changed
    assert len(changed) < 5
    assert source(after["p05"]) == "pool of items"
    assert abs(after["p05"]["reorder_point"] - before["p05"]["reorder_point"]) <= 2


def test_what_is_no_whole_period_has_the_formula(org: OrgId, conn: Connection) -> None:
    spare_parts(conn)
    assert {source(r) for r in plan(org, conn, "1", lead_time_days=10).values()} == {
        "formula per item"
    }


def test_an_override_of_demand_moves_the_pooled_level(org: OrgId, conn: Connection) -> None:
    spare_parts(conn)
    before = plan(org, conn, "1")["p07"]
    first = FIRST + timedelta(days=7 * WEEKS)
    overrides.set_override(
        conn, org, item="p07", kind="demand", value=90, actor="a", now=NOW, reason="x",
        from_day=first, to_day=first + timedelta(days=20),
    )  # fmt: skip
    conn.commit()
    after = plan(org, conn, "2")["p07"]
    assert source(after) == "pool of items"
    mean = before["demand_per_day"] * 21
    moved = after["reorder_point"] - before["reorder_point"]
    assert abs(moved - (90 - mean)) < 1.5
