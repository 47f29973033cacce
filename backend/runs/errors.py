"""What can become of a run that was accepted."""

from __future__ import annotations

from supplyline.errors import Terminal, Transient


class RunOverdue(Terminal):
    code = "run_overdue"
    next_step = "Look in Airflow why it did not end (DAG paused, workers busy), then trigger again."


class DagPaused(Transient):
    code = "dag_paused"
    next_step = "Unpause the DAG in Airflow; its queued runs start by themselves then."
