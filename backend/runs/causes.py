"""Why a run failed, in the words of the stage that failed: read from the log of its task.

The DAG files write one line `supplyline_error {json}` before they fail (supplyline_wiring.py), so
that whoever may see the run is told the reason without a login to Airflow.
"""

from __future__ import annotations

import json
import logging
import re
from dataclasses import dataclass

from backend.airflow_client.client import AirflowClient
from backend.airflow_client.values import AirflowRun, AirflowTask
from supplyline.errors import SupplylineError

log = logging.getLogger(__name__)

_LINE = re.compile(r"supplyline_error (\{.*\})")
_SAME_FOR_ALL = "Read the task's log in Airflow; mend the cause and trigger again."


@dataclass(frozen=True, kw_only=True)
class Cause:
    code: str = "run_failed"
    detail: str = "A task of the run failed."
    next_step: str = _SAME_FOR_ALL


def of(client: AirflowClient, run: AirflowRun) -> Cause:
    """The cause that the failed task wrote down; a general one where there is none to be had."""
    try:
        tasks = client.list_tasks(run.dag_id, run_id=run.run_id)
        failed = next((task for task in tasks if task.state == "failed"), None)
        if failed is None:
            return Cause(detail="The run was ended in Airflow, or none of its tasks could start.")
        return _of_task(client, run, failed)
    except SupplylineError as error:
        log.warning("no cause to be had", extra={"run": run.run_id, "code": error.code})
        return Cause()


def _of_task(client: AirflowClient, run: AirflowRun, task: AirflowTask) -> Cause:
    text = client.task_log(
        run.dag_id,
        run_id=run.run_id,
        task_id=task.task_id,
        try_number=max(1, task.try_number),
        map_index=task.map_index,
    )
    general = Cause(detail=f"The task {task.task_id} failed.")
    for found in reversed(_LINE.findall(text)):
        try:
            said = json.loads(found)
            return Cause(
                code=str(said["code"])[:40],
                detail=str(said["detail"])[:2000],
                next_step=str(said["next_step"])[:500],
            )
        except (ValueError, KeyError, TypeError):
            continue  # a line that was cut, or somebody else's
    return general
