"""What can become of a run that was accepted."""

from __future__ import annotations

from supplyline.errors import Terminal


class RunOverdue(Terminal):
    code = "run_overdue"
    next_step = "Look in Airflow why it did not end (DAG paused, workers busy), then trigger again."
