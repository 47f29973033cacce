"""What the DAG files share: parameter schemas and the call of a stage. No DAG of its own.

Nothing of the engine is imported while Airflow parses these files: it does so again for every task.
"""

from __future__ import annotations

import json
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    Param,
    get_current_context,
    task,
)

START = datetime(2024, 1, 1, tzinfo=UTC)

DEFAULT_ARGS = {
    "owner": "supplyline",
    "retries": 3,
    "retry_delay": timedelta(seconds=5),
    "retry_exponential_backoff": True,
    "max_retry_delay": timedelta(minutes=5),
    "execution_timeout": timedelta(hours=6),
}

ORG = "^[a-z0-9]([a-z0-9_]{0,38}[a-z0-9])?$"


def org_param() -> Param:
    return Param(type="string", pattern=ORG, description="organization id, e.g. 123")


def table_param() -> Param:
    return Param(type="string", pattern="^[a-z][a-z0-9_]{0,47}$", description="e.g. products")


def file_param() -> Param:
    return Param(
        type="string",
        pattern="^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        description="file id that the upload answered",
    )


def text_param(default: str, description: str) -> Param:
    return Param(default, type="string", maxLength=200, description=description)


def client_param() -> Param:
    return Param(
        type="string",
        pattern="^(org_)?[a-z0-9]([a-z0-9_]{0,38}[a-z0-9])?$",
        description="org_123 or 123",
    )


def call_stage(stage: Callable[..., Any], **kwargs: Any) -> Any:
    """Calls a stage; an error that no retry can help fails the task at once, with its next step.

    Before any failure its reason is logged in one line that the backend reads (runs/causes.py).
    """
    from supplyline.errors import SupplylineError

    try:
        return stage(**kwargs)
    except SupplylineError as error:
        _say(error.code, error.detail, error.advice)
        if error.transient:
            raise
        raise AirflowFailException(f"[{error.code}] {error}") from error
    except Exception as error:
        what = f"{type(error).__name__} in {stage.__name__}."
        _say("internal_error", what, "Give the operator this run's id: its task's log has more.")
        raise


def _say(code: str, detail: str, next_step: str) -> None:
    said = {"code": code, "detail": detail, "next_step": next_step}
    logging.getLogger("supplyline").error("supplyline_error %s", json.dumps(said))


def current_run() -> Any:
    """The engine's RunRef of the task that runs now."""
    from supplyline.contracts import RunRef

    context = get_current_context()
    return RunRef(
        run_id=context["run_id"],
        attempt=context["ti"].try_number,
        user_id=str(context["params"].get("user_id") or "system"),
        correlation_id=context["run_id"],
    )


def ingest_params() -> dict[str, Param]:
    """The conf of both ingest DAGs."""
    return {
        "org_id": org_param(),
        "table": table_param(),
        "file_id": file_param(),
        "user_id": text_param("system", "who uploaded the file"),
        "triggered_by": text_param("airflow", "file_upload, api, command, ..."),
    }


@task
def land_file(params: dict[str, Any]) -> dict[str, Any]:
    """One stored file → MongoDB; answers its counts."""
    from supplyline.stages import run_ingest

    result: dict[str, Any] = call_stage(
        run_ingest,
        org_id=params["org_id"],
        table=params["table"],
        file_id=params["file_id"],
        run=current_run(),
    )
    return result
