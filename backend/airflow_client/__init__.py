"""Airflow's REST API from outside: one client, two dialects. Airflow itself is never imported."""

from __future__ import annotations

from backend.airflow_client.client import AirflowClient
from backend.airflow_client.transport import Exchange
from backend.airflow_client.values import (
    AirflowDag,
    AirflowHealth,
    AirflowRun,
    AirflowTask,
)

__all__ = [
    "AirflowClient",
    "AirflowDag",
    "AirflowHealth",
    "AirflowRun",
    "AirflowTask",
    "Exchange",
]
