"""One stage in a process of its own, so that a test can kill it."""

from __future__ import annotations

import json
import sys

from supplyline.contracts import RunRef
from supplyline.errors import SupplylineError
from supplyline.stages import run_ingest, run_load

REFUSED = 3


def main(stage: str, org: str, table: str, run_id: str, attempt: str, *files: str) -> int:
    run = RunRef(run_id=run_id, attempt=int(attempt))
    try:
        if stage == "load":
            print(json.dumps(run_load(org_id=org, table=table, run=run)))
        for file_id in files:
            print(json.dumps(run_ingest(org_id=org, table=table, file_id=file_id, run=run)))
    except SupplylineError as error:
        print(json.dumps({"code": error.code}))
        return REFUSED
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
