"""`python -m supplyline.local.warm AIRFLOW scheduler`: a scheduler that holds the engine in memory.

LocalExecutor forks each task from the scheduler, so what is imported here is there in every task.
benchmarks/latency.py shows what that saves. Only modules that open nothing and start no thread
when they are imported belong here.
"""

from __future__ import annotations

import importlib
import runpy
import sys

ENGINE = (
    "supplyline.stages",
    "supplyline.ingest",
    "supplyline.landing",
    "supplyline.load",
    "supplyline.forecast",
    "supplyline.quality",
)


def main() -> None:
    """Runs the `airflow` script named first with the arguments after it."""
    script, *arguments = sys.argv[1:]
    for name in ENGINE:
        importlib.import_module(name)
    sys.argv = [script, *arguments]
    runpy.run_path(script, run_name="__main__")


if __name__ == "__main__":
    main()
