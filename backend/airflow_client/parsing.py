"""From Airflow's JSON, of either API, to values. Unknown fields are passed over."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from backend.airflow_client.values import AirflowDag, AirflowRun, AirflowTask


def run(body: dict[str, Any]) -> AirflowRun:
    """A run as both APIs write it (`dag_run_id`, `state`, `conf`, dates)."""
    conf = body.get("conf")
    return AirflowRun(
        dag_id=str(body.get("dag_id", "")),
        run_id=str(body.get("dag_run_id", "")),
        state=str(body.get("state", "")),
        conf=conf if isinstance(conf, dict) else {},
        queued_at=when(body.get("queued_at") or body.get("run_after")),
        started_at=when(body.get("start_date")),
        ended_at=when(body.get("end_date")),
    )


def dag(body: dict[str, Any]) -> AirflowDag:
    return AirflowDag(
        dag_id=str(body.get("dag_id", "")),
        is_paused=bool(body.get("is_paused")),
    )


def task(body: dict[str, Any]) -> AirflowTask:
    return AirflowTask(
        task_id=str(body.get("task_id", "")),
        state=str(body.get("state") or "waiting"),
        map_index=int(body.get("map_index", -1)),
        try_number=int(body.get("try_number") or 0),
        started_at=when(body.get("start_date")),
        ended_at=when(body.get("end_date")),
    )


def when(text: object) -> datetime | None:
    """An ISO time with zone; None for nothing."""
    return datetime.fromisoformat(str(text).replace("Z", "+00:00")) if text else None
