"""The DAG files in Airflow's own environment: they import, refuse bad conf, and do no work."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PYTHON = Path(os.environ.get("SUPPLYLINE_AIRFLOW_ENV") or ROOT / ".venv-airflow") / "bin/python"

LOOK = """
import importlib, json, sys
sys.path.insert(0, "airflow/dags")
found, heavy = {}, ("supplyline", "pyarrow", "pandas", "pymongo", "psycopg", "django")
for name in ("enhanced_org_aware_ingest_dag", "enhanced_mongo_to_postgres_dag",
             "forecast_inventory_dag", "ingest_csv_to_mongo_dag"):
    module = importlib.import_module(name)
    for dag in [getattr(module, name)()]:
        found[name] = {"tasks": sorted(dag.task_ids)}
        checks = {}
        for conf in json.loads(sys.argv[1]):
            params = dag.params
            try:
                merged = {**{k: params.get_param(k).value for k in params}, **conf}
                for key in params:
                    params.get_param(key).resolve(merged[key])
                checks[json.dumps(conf, sort_keys=True)] = True
            except Exception:  # Airflow 2 and 3 refuse a value by different errors
                checks[json.dumps(conf, sort_keys=True)] = False
        found[name]["checks"] = checks
print("RESULT" + json.dumps({"dags": found, "heavy": [m for m in heavy if m in sys.modules]}))
"""
GOOD = {"org_id": "123", "table": "products", "file_id": "file_456", "client_id": "org_123"}
BAD = [
    {**GOOD, "org_id": "a b", "client_id": "org_A"},
    {**GOOD, "org_id": "../x", "client_id": "../x"},
]


@pytest.fixture(scope="module")
def seen(tmp_path_factory: pytest.TempPathFactory) -> dict:
    if not PYTHON.exists():
        pytest.skip("no Airflow environment; run `make setup`")
    env = {**os.environ, "AIRFLOW_HOME": str(tmp_path_factory.mktemp("airflow"))}
    env["PYTHONPATH"] = ""
    done = subprocess.run(
        [PYTHON, "-c", LOOK, json.dumps([GOOD, *BAD])],
        cwd=ROOT, env=env, capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return json.loads(done.stdout.split("RESULT")[-1])


def test_every_promised_dag_is_there_with_its_tasks(seen: dict) -> None:
    assert {n: d["tasks"] for n, d in seen["dags"].items()} == {
        "enhanced_org_aware_ingest_dag": ["land_file", "start_load"],
        "enhanced_mongo_to_postgres_dag": ["load_table"],
        "forecast_inventory_dag": ["forecast", "prepare", "publish"],
        "ingest_csv_to_mongo_dag": ["land_file"],
    }


def test_good_conf_is_taken_and_bad_conf_is_refused(seen: dict) -> None:
    for name, dag in seen["dags"].items():
        assert dag["checks"][json.dumps(GOOD, sort_keys=True)], name
        for bad in BAD:
            assert not dag["checks"][json.dumps(bad, sort_keys=True)], name


def test_parsing_a_dag_file_imports_nothing_of_the_engine(seen: dict) -> None:
    assert [m for m in seen["heavy"] if m in ("supplyline", "pyarrow", "pandas", "django")] == []
