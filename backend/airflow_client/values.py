"""What Airflow tells, in one form for both of its APIs."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any


@dataclass(frozen=True, kw_only=True)
class AirflowRun:
    """One DAG run. `state`: queued, running, success, failed (as Airflow calls them)."""

    dag_id: str
    run_id: str
    state: str
    conf: dict[str, Any] = field(default_factory=dict)
    queued_at: datetime | None = None
    started_at: datetime | None = None
    ended_at: datetime | None = None


@dataclass(frozen=True, kw_only=True)
class AirflowDag:
    dag_id: str
    is_paused: bool


@dataclass(frozen=True, kw_only=True)
class AirflowTask:
    """One try of one task; `map_index` is -1 unless the task is mapped."""

    task_id: str
    state: str
    map_index: int = -1
    try_number: int = 0
    started_at: datetime | None = None
    ended_at: datetime | None = None

    def as_json(self) -> dict[str, Any]:
        return {
            "task_id": self.task_id,
            "state": self.state,
            "map_index": self.map_index,
            "try_number": self.try_number,
            "started_at": self.started_at.isoformat() if self.started_at else None,
            "ended_at": self.ended_at.isoformat() if self.ended_at else None,
        }


@dataclass(frozen=True, kw_only=True)
class AirflowHealth:
    """Component → `healthy`, `unhealthy` or `unknown`."""

    components: dict[str, str]

    @property
    def healthy(self) -> bool:
        return all(self.components.get(name) == "healthy" for name in ("metadatabase", "scheduler"))


@dataclass(frozen=True, kw_only=True)
class DagImportError:
    """A DAG file that Airflow could not import."""

    file: str
    trace: str
