"""run_ingest, run_load, run_forecast: the only place where the stages meet.

Each function is what one Airflow task, one command or one test calls. Arguments are texts as they
stand in a DAG run's conf; answers are plain JSON: ids and counts, never rows.
"""

from supplyline.stages.common import open_landing, require_landed, run_by_hand, utc_now
from supplyline.stages.forecast import (
    forecast_part,
    prepare_forecast,
    publish_forecast,
    run_forecast,
)
from supplyline.stages.ingest import run_ingest
from supplyline.stages.load import key_candidates, run_load

__all__ = [
    "forecast_part",
    "key_candidates",
    "open_landing",
    "prepare_forecast",
    "publish_forecast",
    "require_landed",
    "run_by_hand",
    "run_forecast",
    "run_ingest",
    "run_load",
    "utc_now",
]
