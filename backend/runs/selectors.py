"""Reads of this room: runs as the API and the commands tell of them, and the pipeline's state."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from django.utils import timezone

from backend.airflow_client.client import AirflowClient
from backend.api.errors import RunNotFound, UnknownDag
from backend.runs.beat import NEXT_STEP, is_silent
from backend.runs.models import Run
from backend.runs.services import DAGS, FORECAST, INGEST, LOAD
from supplyline import overview
from supplyline.contracts import OrgId
from supplyline.errors import SupplylineError
from supplyline.settings import Settings

STAGES = (("ingest", INGEST), ("load", LOAD), ("forecast", FORECAST))


def status_url(run: Run) -> str:
    return f"/api/airflow/status/{run.dag_id}/{run.dag_run_id}/"


def describe(run: Run) -> dict[str, Any]:
    """A run, as every answer tells of it."""
    body: dict[str, Any] = {
        "dag_id": run.dag_id,
        "dag_run_id": run.dag_run_id,
        "state": run.state,
        "conf": run.conf,
        "source": run.source,
        "user_id": run.user_id_text,
        "parent_run_id": run.parent_run_id or None,
        "created_at": _iso(run.created_at),
        "delivered_at": _iso(run.delivered_at),
        "started_at": _iso(run.started_at),
        "ended_at": _iso(run.ended_at),
        "deadline": _iso(run.deadline),
        "overdue": run.state in Run.UNFINISHED and run.deadline < timezone.now(),
        "status_url": status_url(run),
    }
    if run.error_code or run.next_step:
        body["problem"] = {
            "code": run.error_code,
            "detail": run.error_detail,
            "next_step": run.next_step,
        }
    return body


def known_dag(dag_id: str) -> str:
    if dag_id not in DAGS:
        raise UnknownDag(f"There is no DAG {dag_id[:100]!r} here.")
    return dag_id


def runs_of(org: OrgId, *, dag_id: str, limit: int = 50, offset: int = 0) -> dict[str, Any]:
    """The organization's runs of a DAG, newest first: `{dag_id, count, results}`."""
    rows = Run.objects.filter(org_id=org, dag_id=known_dag(dag_id)).order_by("-created_at", "-pk")
    return {
        "dag_id": dag_id,
        "count": rows.count(),
        "results": [describe(run) for run in rows[offset : offset + limit]],
    }


def run_of(org: OrgId | None, *, dag_id: str, dag_run_id: str) -> Run:
    """One run; another organization's does not exist. `org` None: any (platform staff)."""
    rows = Run.objects.filter(dag_id=known_dag(dag_id), dag_run_id=dag_run_id)
    if org is not None:
        rows = rows.filter(org_id=org)
    run = rows.first()
    if run is None:
        raise RunNotFound(f"There is no run {dag_run_id[:100]!r} of {dag_id}.")
    return run


def run_detail(run: Run, *, client: AirflowClient) -> dict[str, Any]:
    """A run with its tasks; where Airflow does not answer, what was last known, and why."""
    body = describe(run)
    if run.delivered_at is None:
        body |= {"tasks": [], "airflow": "not asked: the run is not delivered yet"}
        waits = run.state == Run.State.PENDING and is_silent()
        return {**body, "next_step": NEXT_STEP} if waits else body
    try:
        live = client.get_run(run.dag_id, run_id=run.dag_run_id)
        tasks = client.list_tasks(run.dag_id, run_id=run.dag_run_id)
        paused = live.state == "queued" and client.get_dag(run.dag_id).is_paused
    except SupplylineError as error:
        return {
            **body,
            "tasks": [],
            "airflow": f"state as last known; {error.detail}",
            "next_step": error.advice,
        }
    body["airflow_state"] = live.state
    body["tasks"] = [task.as_json() for task in tasks]
    if paused:
        body["next_step"] = (
            f"The DAG {run.dag_id} is paused: unpause it in Airflow and the run starts."
        )
        body["paused"] = True
    return body


def pipeline_status(
    org: OrgId, *, settings: Settings, now: datetime, away: SupplylineError | None = None
) -> dict[str, Any]:
    """Per stage: DAG, state, last run, counts, certificate, freshness, lag, what to do next.

    `away`: a store that is known not to answer. `counts` are empty, and `problem` says why, where
    a store cannot be asked: nothing is said of what is not known.
    """
    facts: dict[str, Any] = {}
    trouble = away
    if trouble is None:
        try:
            facts = overview.organization_overview(org, settings=settings)
        except SupplylineError as error:
            trouble = error
    stages = [_stage(org, name, dag_id, facts, trouble, now=now) for name, dag_id in STAGES]
    body = {
        "org_id": str(org),
        "generated_at": _iso(now),
        "healthy": trouble is None and all(s["state"] != "failed" for s in stages),
        "stages": stages,
        "tables": facts.get("tables", []),
        "forecast": facts.get("forecast"),
    }
    if trouble is not None:
        body["problem"] = {
            "code": trouble.code,
            "detail": trouble.detail,
            "next_step": trouble.advice,
            "transient": trouble.transient,
        }
    return body


def _stage(
    org: OrgId,
    name: str,
    dag_id: str,
    facts: dict[str, Any],
    trouble: SupplylineError | None,
    *,
    now: datetime,
) -> dict[str, Any]:
    rows = Run.objects.filter(org_id=org, dag_id=dag_id)
    last = rows.order_by("-created_at").first()
    unfinished = rows.filter(state__in=Run.UNFINISHED).order_by("created_at")
    oldest = unfinished.first()
    body: dict[str, Any] = {
        "stage": name,
        "dag_id": dag_id,
        "state": last.state if last else "never_run",
        "last_run": describe(last) if last else None,
        "runs": {s: n for s in Run.State.values if (n := rows.filter(state=s).count())},
        "unfinished": unfinished.count(),
        "lag_seconds": round((now - oldest.created_at).total_seconds(), 1) if oldest else 0.0,
        **(_facts_of(name, facts) if trouble is None else _UNKNOWN),
    }
    fresh = body.pop("_fresh")
    body["fresh_as_of"] = fresh
    body["freshness_seconds"] = (
        round((now - datetime.fromisoformat(fresh)).total_seconds(), 1) if fresh else None
    )
    told = next((run.next_step for run in (last, oldest) if run and run.next_step), "")
    said = trouble.advice if trouble else body.pop("_said", "")
    body["next_step"] = told or _next_step(name, body, last, said=said)
    return body


_UNKNOWN: dict[str, Any] = {"counts": {}, "certificate": None, "_fresh": None}
"""Of a stage when a store does not answer."""


def _facts_of(name: str, facts: dict[str, Any]) -> dict[str, Any]:
    tables = facts["tables"]

    def total(field: str) -> int:
        return sum(t[field] or 0 for t in tables)

    if name == "ingest":
        counts = ("files", "files_open", "files_refused", "rows_read", "landed", "quarantined",
                  "duplicate")  # fmt: skip
        fresh = max((t["last_landed_at"] for t in tables if t["last_landed_at"]), default=None)
        return {"counts": {c: total(c) for c in counts}, "certificate": None, "_fresh": fresh}
    if name == "load":
        issued = [t["certificate"] for t in tables if t["certificate"]]
        newest = max(issued, key=lambda c: c["issued_at"], default=None)
        fresh = max((t["last_loaded_at"] for t in tables if t["last_loaded_at"]), default=None)
        counts_ = {c: total(c) for c in ("rows_in_table", "files_waiting_for_load")}
        return {"counts": counts_, "certificate": newest, "_fresh": fresh}
    forecast = facts["forecast"]
    lines = forecast["report"].get("lines", {}) if forecast else {}
    return {
        "counts": {
            "items": forecast["items"] if forecast else 0,
            "lines_unused": lines.get("unused", 0),
        },
        "_said": f"{forecast['unused']} {UNUSED}" if forecast and forecast["unused"] else "",
        "certificate": None,
        "_fresh": forecast["published_at"] if forecast else None,
    }


UNUSED = (
    "Where their columns have other names, say so in `aliases` of the table's contract and read"
    " those files again (POST /api/files/<file_id>/reingest/); GET /api/forecast/runs/ has the"
    " report."
)


def _next_step(name: str, stage: dict[str, Any], last: Run | None, *, said: str) -> str:
    if stage["unfinished"] and is_silent():
        return NEXT_STEP
    if stage["state"] == Run.State.PENDING:
        return "Wait: its turn comes when those before it have ended."
    if stage["unfinished"]:
        return "Wait: a run is under way."
    if name == "load" and stage["counts"].get("files_waiting_for_load"):
        return "Files wait for a load: POST /api/airflow/trigger/mongo-to-postgres/."
    if last is None and name in _FIRST:
        return _FIRST[name]
    return said or "Nothing to do."


_FIRST = {
    "ingest": "Upload a file with POST /api/files/upload/.",
    "forecast": "When sales are loaded: POST /api/airflow/trigger/forecast-inventory/.",
}


def _iso(value: datetime | None) -> str | None:
    return value.astimezone(UTC).isoformat() if value else None
