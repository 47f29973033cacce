"""One uploaded file → MongoDB, every row accounted for; then its load into PostgreSQL.

conf: org_id, table, file_id, user_id, triggered_by.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from supplyline_wiring import (
    DEFAULT_ARGS,
    START,
    call_stage,
    current_run,
    file_param,
    org_param,
    table_param,
    text_param,
)


@dag(
    dag_id="enhanced_org_aware_ingest_dag",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=16,
    default_args=DEFAULT_ARGS,
    params={
        "org_id": org_param(),
        "table": table_param(),
        "file_id": file_param(),
        "user_id": text_param("system", "who uploaded the file"),
        "triggered_by": text_param("airflow", "file_upload, api, command, ..."),
    },
    tags=["supplyline", "ingest"],
    doc_md=__doc__,
)
def enhanced_org_aware_ingest_dag() -> None:
    @task
    def land_file(params: dict[str, Any]) -> dict[str, Any]:
        from supplyline.stages import run_ingest

        result: dict[str, Any] = call_stage(
            run_ingest,
            org_id=params["org_id"],
            table=params["table"],
            file_id=params["file_id"],
            run=current_run(),
        )
        return result

    # The run id is derived from ours, so that a retry of this task cannot start a second load.
    start_load = TriggerDagRunOperator(
        task_id="start_load",
        trigger_dag_id="enhanced_mongo_to_postgres_dag",
        trigger_run_id="load__{{ run_id }}",
        conf={
            "org_id": "{{ params.org_id }}",
            "table": "{{ params.table }}",
            "triggered_by": "ingest_completion",
        },
        skip_when_already_exists=True,
        openlineage_inject_parent_info=False,
    )
    land_file() >> start_load


enhanced_org_aware_ingest_dag()
