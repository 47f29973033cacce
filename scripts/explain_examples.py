"""Writes docs/explain-examples.md: one item of each class, forecast and planned for real.

    .venv/bin/python scripts/explain_examples.py

Starts a PostgreSQL of its own, makes an organization with a small shop, runs the forecast and asks
`explain`. A test runs the same and fails when the document is stale.
"""

from __future__ import annotations

import sys
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from supplyline import forecast  # noqa: E402
from supplyline.contracts import OrgId, RunRef  # noqa: E402
from supplyline.forecast import ForecastSettings, overrides  # noqa: E402
from supplyline.forecast.explain_text import render  # noqa: E402

TARGET = ROOT / "docs" / "explain-examples.md"
FIRST, WEEKS = date(2024, 1, 1), 104
NOW = datetime(2026, 1, 1, tzinfo=UTC)
SHOWN = {
    "S-100": "Smooth: sells every week in much the same quantity",
    "E-200": "Erratic: sells every week, in quantities far apart",
    "I-300": "Intermittent: sells now and then, in much the same quantity",
    "L-400": "Lumpy: sells now and then, in quantities far apart",
    "N-500": "New: on sale for a few weeks",
    "D-600": "Dead: has not sold for long",
    "F-700": "Insufficient history: one sale only",
    "O-800": "With an override: a person knew more",
    "U-900": "Never sold",
    "POSTAGE": "Not a product",
}
HEAD = """# Explained: one item of each class

Made by `scripts/explain_examples.py` from a real run over a small shop (104 weeks, the items below
and forty more that lend them their errors). `supplyline explain --org 123 --item CODE` prints the
same for an item of yours; `GET /api/forecast/items/CODE/` answers it as JSON.
"""


def histories() -> dict[str, np.ndarray[Any, Any]]:
    """Units per week of every item that sold."""
    rng = np.random.default_rng(7)
    smooth = rng.poisson(40, WEEKS)
    out = {
        "S-100": smooth,
        "E-200": np.ceil(rng.lognormal(2.5, 1.0, WEEKS)),
        "I-300": np.where(np.arange(WEEKS) % 4 == 1, rng.poisson(6, WEEKS) + 4, 0),
        "L-400": np.where(rng.random(WEEKS) < 0.25, np.ceil(rng.lognormal(2.2, 1.1, WEEKS)), 0),
        "N-500": np.concatenate([np.zeros(WEEKS - 5), [12, 15, 9, 14, 13]]),
        "D-600": np.concatenate([rng.poisson(5, 30), np.zeros(WEEKS - 30)]),
        "F-700": np.concatenate([np.zeros(WEEKS - 2), [6, 0]]),
        "O-800": rng.poisson(20, WEEKS),
        "POSTAGE": np.ones(WEEKS),
    }
    for n in range(40):
        busy = rng.random(WEEKS) < (1.0 if n % 2 else 0.3)
        out[f"X-{n:03}"] = np.where(busy, rng.poisson(5 + n, WEEKS), 0)
    return out


def examples(conn: Any, org: OrgId) -> str:
    """The document's text, from a run in the organization's (empty) database."""
    conn.execute(
        "CREATE TABLE sales (item_code text, sold_on date, quantity int, unit_price numeric)"
    )
    conn.execute(
        "CREATE TABLE products (item_code text, name text, on_hand int, on_order int,"
        " lead_time_days int, lead_time_sd_days int, moq int, pack_size int, unit_cost int)"
    )
    lines = [
        (item, FIRST + timedelta(days=7 * week + 6), int(units), 9)
        for item, weeks in histories().items()
        for week, units in enumerate(weeks)
        if units > 0
    ]
    with conn.cursor() as cursor:
        cursor.executemany("INSERT INTO sales VALUES (%s, %s, %s, %s)", lines)
        for item, about in SHOWN.items():
            if item != "POSTAGE":
                cursor.execute(
                    "INSERT INTO products VALUES (%s, %s, 60, 0, 14, 3, 24, 12, 5)",
                    (item, about.partition(":")[0]),
                )
    conn.commit()
    settings = ForecastSettings(bucket="week")
    forecast.run_all(org, conn=conn, now=NOW, run=RunRef(run_id="first"), settings=settings)
    first_day = FIRST + timedelta(days=7 * WEEKS)
    overrides.set_override(
        conn, org, item="O-800", kind="demand", value=300, actor="alice", now=NOW,
        from_day=first_day, to_day=first_day + timedelta(days=6), reason="Fair in Nuremberg",
    )  # fmt: skip
    conn.commit()
    again = NOW + timedelta(hours=1)
    forecast.run_all(org, conn=conn, now=again, run=RunRef(run_id="second"), settings=settings)
    parts = [HEAD]
    for item, title in SHOWN.items():
        told = forecast.explain(conn, item=item)
        parts.append(f"## {title}\n\n```text\n{render(told)}\n```\n")
    return "\n".join(parts)


def main() -> int:
    from benchmarks.common import place
    from supplyline.tenancy.connections import connect
    from supplyline.tenancy.names import parse_org_id
    from supplyline.tenancy.provisioning import provision

    with place(durable=False) as here:
        org = parse_org_id("examples")
        provision(org, settings=here.settings)
        with connect(org, settings=here.settings) as conn:
            TARGET.write_text(examples(conn, org))
    print(f"{TARGET.relative_to(ROOT)} is written.")
    return 0


if __name__ == "__main__":
    sys.exit(main())
