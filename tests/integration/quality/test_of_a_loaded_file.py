"""A real file, through MongoDB into PostgreSQL, then its quality report and audit trail."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from supplyline import overview
from supplyline.contracts import Json, OrgId, RunRef
from supplyline.errors import TableNotLanded
from supplyline.settings import Settings
from supplyline.stages import run_ingest, run_load
from supplyline.storage import Storage

CSV = b"""sku,quantity,sold_on
A,5,2026-01-02
B,-1,2026-01-03
C,,2026-01-04
D,7,2026-01-05
"""


def test_quality_and_audit_speak_of_the_file(
    new_org: Callable[..., OrgId], engine_settings: Settings
) -> None:
    org, run = new_org(), RunRef(run_id="run-1", user_id="user 7")
    Storage(engine_settings.storage_url).put(org, file_id="f1", name="sales.csv", chunks=[CSV])
    run_ingest(org_id=org, table="sales", file_id="f1", run=run, settings=engine_settings)
    with pytest.raises(TableNotLanded):
        quality(org, engine_settings)
    with pytest.raises(TableNotLanded):  # a misspelt name is no success
        run_load(org_id=org, table="saels", run=run, settings=engine_settings)
    run_load(org_id=org, table="sales", run=run, settings=engine_settings)
    answer = quality(org, engine_settings)
    checks = {check["name"]: check for check in answer["checks"]}
    assert (answer["rows_in_table"], answer["files"], answer["rows_read"]) == (4, 1, 4)
    assert (checks["completeness"]["checked"], checks["completeness"]["failed"]) == (12, 1)
    assert checks["validity"]["failed"] == 1
    assert checks["freshness"]["score"] == 100
    assert checks["reconciliation"]["score"] == 100
    assert [column["column"] for column in answer["columns"]] == ["sku", "quantity", "sold_on"]
    assert sum(day["landed"] for day in answer["trend"]) == 4
    assert answer["trend"][-1]["score"] == answer["score"]
    assert json.dumps(answer), "plain JSON"
    trail = overview.audit_trail(org, settings=engine_settings)
    assert trail["chain"]["ok"]
    assert any(e["kind"].startswith("load.") and e["run_id"] == "run-1" for e in trail["events"])


def quality(org: OrgId, settings: Settings) -> Json:
    return overview.quality_report(
        org, table="sales", days=7, settings=settings, now=datetime.now(UTC)
    )
