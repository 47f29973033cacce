"""The DAG files at work in Airflow 2.11: a stored file becomes rows and a plan.

With Airflow 3.3 the end-to-end tests do this through the whole product.
"""

from __future__ import annotations

import secrets
from collections.abc import Callable

import pytest

from backend.runs.services import FORECAST, INGEST, LOAD
from supplyline.contracts import OrgId
from supplyline.settings import Settings
from supplyline.storage import Storage
from supplyline.tenancy.connections import connect
from tests.airflow_server import AirflowServer
from tests.waiting import wait_for

pytestmark = [pytest.mark.airflow, pytest.mark.long]


def test_a_file_becomes_rows_and_a_plan_in_airflow_2(
    airflow2_server: AirflowServer,
    engine_settings: Settings,
    new_org: Callable[..., OrgId],
) -> None:
    org = new_org()
    days = [f"2026-{month:02}-{day:02}" for month in range(1, 10) for day in range(1, 29)]
    body = "sku,date,quantity\n" + "".join(f"A,{day},{i % 7}\n" for i, day in enumerate(days))
    file = Storage(engine_settings.storage_url).put(
        org, file_id=f"f{secrets.token_hex(4)}", name="sales.csv", chunks=[body.encode()]
    )
    airflow2_server.start()
    airflow2_server.start_scheduler()
    with airflow2_server.client() as client:

        def state(dag_id: str, run_id: str) -> str:
            return client.get_run(dag_id, run_id=run_id).state

        def ended(dag_id: str, run_id: str) -> None:
            wait_for(
                lambda: state(dag_id, run_id) in ("success", "failed"),
                seconds=240,
                what=f"the end of {run_id}",
            )
            assert state(dag_id, run_id) == "success", run_id

        conf = {"org_id": org, "table": "sales", "file_id": file.file_id}
        client.trigger(INGEST, run_id="ingest__1", conf=conf)
        ended(INGEST, "ingest__1")
        ended(LOAD, "load__ingest__1")
        with connect(org, settings=engine_settings) as conn:
            row = conn.execute("SELECT count(*), sum(quantity) FROM sales").fetchone()
        assert row == (len(days), sum(i % 7 for i in range(len(days))))
        client.trigger(FORECAST, run_id="forecast__1", conf={"client_id": f"org_{org}"})
        ended(FORECAST, "forecast__1")
        with connect(org, settings=engine_settings) as conn:
            row = conn.execute("SELECT count(*) FROM inventory_plan").fetchone()
        assert row == (1,)
        tasks = client.list_tasks(FORECAST, run_id="forecast__1")
        assert {task.state for task in tasks} == {"success"}
