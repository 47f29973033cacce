"""An organization's sales, stock and lead times → forecasts and what to order when.

conf: client_id, such as org_123. Items are spread over chunks by dynamic task mapping.
"""

from __future__ import annotations

from typing import Any

from airflow.providers.common.compat.sdk import dag, task
from supplyline_wiring import DEFAULT_ARGS, START, call_stage, client_param, current_run


@dag(
    dag_id="forecast_inventory_dag",
    schedule=None,
    start_date=START,
    catchup=False,
    max_active_runs=4,
    default_args=DEFAULT_ARGS,
    params={"client_id": client_param()},
    tags=["supplyline", "forecast"],
    doc_md=__doc__,
)
def forecast_inventory_dag() -> None:
    @task
    def prepare(params: dict[str, Any]) -> list[int]:
        from supplyline.stages import prepare_forecast

        chunks: list[int] = call_stage(
            prepare_forecast, client_id=params["client_id"], run=current_run()
        )
        return chunks

    @task
    def forecast(chunk: int, params: dict[str, Any]) -> int:
        from supplyline.stages import forecast_chunk

        items: int = call_stage(
            forecast_chunk, client_id=params["client_id"], chunk=chunk, run=current_run()
        )
        return items

    @task
    def publish(done: list[int], params: dict[str, Any]) -> dict[str, Any]:
        from supplyline.stages import publish_forecast

        result: dict[str, Any] = call_stage(
            publish_forecast,
            client_id=params["client_id"],
            items=sum(done),
            run=current_run(),
        )
        return result

    publish(forecast.expand(chunk=prepare()))


forecast_inventory_dag()
