"""One uploaded file → MongoDB, every row accounted for; then its load into PostgreSQL.

conf: org_id, table, file_id, user_id, triggered_by.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag
from airflow.providers.standard.operators.trigger_dagrun import TriggerDagRunOperator
from supplyline_wiring import DEFAULT_ARGS, START, ingest_params, land_file


@dag(
    dag_id="enhanced_org_aware_ingest_dag",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=16,
    default_args=DEFAULT_ARGS,
    params=ingest_params(),
    tags=["supplyline", "ingest"],
    doc_md=__doc__,
)
def enhanced_org_aware_ingest_dag() -> None:
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
