"""A second run after 1 % of the items changed, beside the full run of the same shop.

    .venv/bin/python -m benchmarks.replan --items 10000 --json

Three years of sales per item, weekly or monthly; from PostgreSQL's tables to a published plan, on
all cores. `ratio` is the second run's time by the full run's; `identical` counts the other items
whose rows (plan and forecast) are the same to the last digit. Exit code 1 when one is not.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from benchmarks.common import measured, place
from supplyline import forecast
from supplyline.contracts import RunRef
from supplyline.forecast import ForecastSettings
from supplyline.settings import Settings
from supplyline.tenancy.connections import Connection, connect
from supplyline.tenancy.names import parse_org_id
from supplyline.tenancy.provisioning import provision

ORG = parse_org_id("replan")
NOW = datetime(2026, 1, 5, tzinfo=UTC)
STEP = {"week": "7 days", "month": "1 month"}


def shop(conn: Connection, *, items: int, bucket: str) -> None:
    """Every item sells on some days of three years: a third steadily, a third with seasons, a
    third now and then. Deterministic."""
    conn.execute("CREATE TABLE sales (sku text, sold_on date, quantity int, unit_price numeric)")
    conn.execute(
        "CREATE TABLE products (sku text, name text, on_hand int, lead_time_days int,"
        " unit_cost numeric)"
    )
    conn.execute("SELECT setseed(0.5)")
    conn.execute(
        "INSERT INTO sales SELECT 'sku-' || lpad(n::text, 6, '0'), d::date,"
        " 1 + floor(random() * (4 + n %% 20) * CASE WHEN n %% 3 = 1"
        " THEN 1.5 + sin(2 * pi() * extract(doy FROM d) / 365) ELSE 1 END), 5 + n %% 40"
        f" FROM generate_series(1, %s) n, generate_series(date '2023-01-02', date '2025-12-28',"
        f" interval '{STEP[bucket]}') d WHERE n %% 3 <> 2"
        " OR hashtext(n || d::text) & 3 = 0",
        (items,),
    )
    conn.execute(
        "INSERT INTO products SELECT sku, 'Article ' || sku, 5 + 40 * random(), 7 + 7 * (count(*)"
        " % 3), min(unit_price) * 0.6 FROM sales GROUP BY sku"
    )
    conn.execute("ANALYZE")
    conn.commit()


def one_run(settings: Settings, name: str, hours: int, bucket: str, workers: int) -> dict[str, Any]:
    with connect(ORG, settings=settings) as conn:
        report = forecast.run_all(
            ORG,
            conn=conn,
            now=NOW + timedelta(hours=hours),
            run=RunRef(run_id=name),
            settings=ForecastSettings(bucket=bucket),
            workers=workers,
        )
    return {"changes": report.report["changes"]}


def same_rows(conn: Connection) -> tuple[int, int]:
    """Items whose rows are the same in both runs, and items that are not."""
    row = conn.execute(
        "WITH rows AS (SELECT p.run_id, p.item, md5((to_jsonb(p) - 'run_id' - 'urgency')::text ||"
        " coalesce((SELECT string_agg((to_jsonb(f) - 'run_id')::text, ',' ORDER BY step)"
        " FROM inventory_forecast f WHERE f.run_id = p.run_id AND f.item = p.item), '')) AS digest"
        " FROM inventory_plan p) SELECT count(*) FILTER (WHERE a.digest = b.digest),"
        " count(*) FILTER (WHERE a.digest <> b.digest) FROM rows a JOIN rows b USING (item)"
        " WHERE a.run_id = 'full' AND b.run_id = 'second'"
    ).fetchone()
    return (int(row[0]), int(row[1])) if row else (0, 0)


def main() -> int:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--items", type=int, default=10_000)
    parser.add_argument("--bucket", choices=("week", "month"), default="week")
    parser.add_argument("--workers", type=int, default=len(os.sched_getaffinity(0)))
    parser.add_argument("--json", action="store_true")
    o = parser.parse_args()
    with place() as here:
        provision(ORG, settings=here.settings)
        with connect(ORG, settings=here.settings) as conn:
            shop(conn, items=o.items, bucket=o.bucket)
            (lines,) = conn.execute("SELECT count(*) FROM sales").fetchone() or (0,)
        full = measured(one_run, here.settings, "full", 0, o.bucket, o.workers)
        with connect(ORG, settings=here.settings) as conn:
            conn.execute(
                "UPDATE sales SET quantity = quantity + 1 WHERE ctid = ANY(ARRAY(SELECT"
                " max(ctid) FROM sales WHERE right(sku, 2) = '37' GROUP BY sku))"
            )
            conn.commit()
        began = time.perf_counter()
        second = measured(one_run, here.settings, "second", 1, o.bucket, o.workers)
        with connect(ORG, settings=here.settings) as conn:
            same, other = same_rows(conn)
    changed = second["changes"]["fit"]
    result = {
        "items": o.items, "bucket": o.bucket, "lines": lines, "workers": o.workers,
        "full_s": round(full["seconds"], 1), "full_peak_mb": round(full["peak_mb"]),
        "second_s": round(second["seconds"], 1), "second_cpu_s": round(second["cpu_s"], 1),
        "second_peak_mb": round(second["peak_mb"]),
        "with_start_s": round(time.perf_counter() - began, 1),
        "changes": second["changes"], "ratio": round(second["seconds"] / full["seconds"], 4),
        "identical": same, "different": other,
    }  # fmt: skip
    print(json.dumps(result, indent=None if o.json else 1))
    return 0 if other <= changed else 1


if __name__ == "__main__":
    sys.exit(main())
