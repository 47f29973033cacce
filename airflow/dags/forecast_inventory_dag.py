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
    def prepare(params: dict[str, Any]) -> list[dict[str, Any]]:
        from supplyline.stages import prepare_forecast

        parts: list[dict[str, Any]] = call_stage(
            prepare_forecast, client_id=params["client_id"], run=current_run()
        )
        return parts

    @task
    def forecast(part: dict[str, Any], params: dict[str, Any]) -> dict[str, Any]:
        from supplyline.stages import forecast_part

        done: dict[str, Any] = call_stage(
            forecast_part, client_id=params["client_id"], part=part, run=current_run()
        )
        return done

    @task
    def publish(done: list[dict[str, Any]], params: dict[str, Any]) -> dict[str, Any]:
        from supplyline.stages import publish_forecast

        report: dict[str, Any] = call_stage(
            publish_forecast,
            client_id=params["client_id"],
            parts=list(done),
            run=current_run(),
        )
        return report

    publish(forecast.expand(part=prepare()))


forecast_inventory_dag()
