"""Forecast: from sales, stock and lead times to what will sell and what to order when.

Promises: every item of the organization gets a row in `inventory_plan`, with the reason where no
forecast can be made; intervals cover what they say on held-out data (P13); results are published
whole, with their audit event (P5, P9). Refuses (NotEnoughHistory) organizations without any dated
quantities. Heavy libraries are imported only when items are forecast.

Three steps for Airflow: `prepare` → `forecast_chunk` for each of `ForecastPlanInput.chunks` →
`publish`; `run_all` does them in one process.
"""

from supplyline.forecast.chunks import ChunkResult, forecast_chunk
from supplyline.forecast.decisions import load_settings
from supplyline.forecast.explain import explain
from supplyline.forecast.jobs import ForecastReport, missing_chunks, publish, run_all
from supplyline.forecast.options import ForecastSettings
from supplyline.forecast.preparing import ForecastPlanInput, prepare
from supplyline.forecast.read import plan_summary, read_plan

__all__ = [
    "ChunkResult",
    "ForecastPlanInput",
    "ForecastReport",
    "ForecastSettings",
    "explain",
    "forecast_chunk",
    "load_settings",
    "missing_chunks",
    "plan_summary",
    "prepare",
    "publish",
    "read_plan",
    "run_all",
]
