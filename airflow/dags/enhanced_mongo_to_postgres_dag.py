"""Landed files of one table → the organization's PostgreSQL database: typed, upserted, certified.

conf: org_id, table, triggered_by. Files that were loaded before are left alone.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from supplyline_wiring import (
    DEFAULT_ARGS,
    START,
    call_stage,
    current_run,
    org_param,
    table_param,
    text_param,
)


@dag(
    dag_id="enhanced_mongo_to_postgres_dag",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=16,
    default_args=DEFAULT_ARGS,
    params={
        "org_id": org_param(),
        "table": table_param(),
        "triggered_by": text_param("airflow", "ingest_completion, api, command, ..."),
    },
    tags=["supplyline", "load"],
    doc_md=__doc__,
)
def enhanced_mongo_to_postgres_dag() -> None:
    @task
    def load_table(params: dict[str, Any]) -> dict[str, Any]:
        from supplyline.stages import run_load

        result: dict[str, Any] = call_stage(
            run_load, org_id=params["org_id"], table=params["table"], run=current_run()
        )
        return result

    load_table()


enhanced_mongo_to_postgres_dag()
