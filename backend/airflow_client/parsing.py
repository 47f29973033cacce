"""From Airflow's JSON, of either API, to values. Unknown fields are passed over.

What is not of that form raises `NotAirflow`: somebody else may answer at Airflow's address.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from backend.airflow_client.values import AirflowDag, AirflowRun, AirflowTask


class NotAirflow(ValueError):
    """An answer that has not the form of Airflow's."""


def items(body: dict[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of a list in an answer."""
    found = body.get(name, [])
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise NotAirflow(f"`{name}` is no list of objects")
    return found


def run(body: dict[str, Any]) -> AirflowRun:
    """A run as both APIs write it (`dag_run_id`, `state`, `conf`, dates)."""
    conf = body.get("conf")
    return AirflowRun(
        dag_id=_text(body, "dag_id"),
        run_id=_text(body, "dag_run_id"),
        state=_text(body, "state"),
        conf=conf if isinstance(conf, dict) else {},
        queued_at=when(body.get("queued_at") or body.get("run_after")),
        started_at=when(body.get("start_date")),
        ended_at=when(body.get("end_date")),
    )


def runs(body: dict[str, Any]) -> list[AirflowRun]:
    return [run(item) for item in items(body, "dag_runs")]


def dag(body: dict[str, Any]) -> AirflowDag:
    return AirflowDag(
        dag_id=str(body.get("dag_id", "")),
        is_paused=bool(body.get("is_paused")),
    )


def task(body: dict[str, Any]) -> AirflowTask:
    return AirflowTask(
        task_id=_text(body, "task_id"),
        state=str(body.get("state") or "waiting"),
        map_index=_number(body, "map_index", -1),
        try_number=_number(body, "try_number", 0),
        started_at=when(body.get("start_date")),
        ended_at=when(body.get("end_date")),
    )


def tasks(body: dict[str, Any]) -> tuple[list[AirflowTask], int]:
    """A page of tasks, and how many there are in all."""
    return [task(item) for item in items(body, "task_instances")], _number(body, "total_entries", 0)


def when(text: object) -> datetime | None:
    """An ISO time, in UTC where it names no zone; None for nothing."""
    if not text:
        return None
    try:
        at = datetime.fromisoformat(str(text).replace("Z", "+00:00"))
    except ValueError as error:
        raise NotAirflow(f"{str(text)[:40]!r} is no time") from error
    return at if at.tzinfo else at.replace(tzinfo=UTC)


def _text(body: dict[str, Any], name: str) -> str:
    found = body.get(name)
    if not isinstance(found, str) or not found:
        raise NotAirflow(f"`{name}` is missing")
    return found


def _number(body: dict[str, Any], name: str, otherwise: int) -> int:
    found = body.get(name)
    if found is None:
        return otherwise
    if not isinstance(found, int):
        raise NotAirflow(f"`{name}` is no number")
    return found
