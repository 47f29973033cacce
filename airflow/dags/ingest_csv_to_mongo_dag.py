"""The ingest under its old id, for callers that have not moved to enhanced_org_aware_ingest_dag.

conf: org_id, table, file_id; user_id and triggered_by may be left out. Only lands, as it always
did: the load is started by whoever starts it today.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import dag, task
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
    dag_id="ingest_csv_to_mongo_dag",
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
        "triggered_by": text_param("airflow", "who asks"),
    },
    tags=["supplyline", "ingest", "old id"],
    doc_md=__doc__,
)
def ingest_csv_to_mongo_dag() -> None:
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

    land_file()


ingest_csv_to_mongo_dag()
