"""The ingest under its old id, for callers that have not moved to enhanced_org_aware_ingest_dag.

conf: org_id, table, file_id; user_id and triggered_by may be left out. Only lands, as it always
did: the load is started by whoever starts it today.
"""

from __future__ import annotations

from airflow.providers.common.compat.sdk import dag
from supplyline_wiring import DEFAULT_ARGS, START, ingest_params, land_file


@dag(
    dag_id="ingest_csv_to_mongo_dag",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=16,
    default_args=DEFAULT_ARGS,
    params=ingest_params(),
    tags=["supplyline", "ingest", "old id"],
    doc_md=__doc__,
)
def ingest_csv_to_mongo_dag() -> None:
    land_file()


ingest_csv_to_mongo_dag()
