"""Writes of this room: accepting an intent, and what is learned of a run afterwards."""

from __future__ import annotations

import hashlib
import json
import uuid
from datetime import datetime, timedelta
from typing import Any

from django.db import IntegrityError, connection, transaction
from django.utils import timezone

from backend.api.correlation import current_correlation_id
from backend.api.errors import IdempotencyKeyReused
from backend.runs.models import Outbox, Run
from supplyline.contracts import OrgId

INGEST = "enhanced_org_aware_ingest_dag"
LOAD = "enhanced_mongo_to_postgres_dag"
FORECAST = "forecast_inventory_dag"
OLD_INGEST = "ingest_csv_to_mongo_dag"
DAGS = {INGEST: "ingest", LOAD: "load", FORECAST: "forecast", OLD_INGEST: "ingest"}
"""DAG → stage, which is also the beginning of its run ids."""

CHANNEL = "supplyline_outbox"
DEADLINE = timedelta(hours=24)


def request_run(
    org: OrgId,
    *,
    dag_id: str,
    conf: dict[str, Any],
    user_id: str,
    source: str,
    idempotency_key: str | None = None,
    content: object = None,
    now: datetime | None = None,
) -> Run:
    """Accepts an intent: durable when this returns (and the caller's transaction commits).

    The same idempotency key gives the run of the first call; with another `content` (by default
    the conf) it raises IdempotencyKeyReused. The relay is woken at commit.
    """
    at = now or timezone.now()
    identity = uuid.uuid4()
    run = Run(
        id=identity,
        org_id=org,
        dag_id=dag_id,
        dag_run_id=f"{DAGS[dag_id]}__{identity.hex}",
        conf=conf,
        source=source,
        user_id_text=user_id,
        correlation_id=current_correlation_id(),
        idempotency_key=idempotency_key,
        fingerprint=_fingerprint(dag_id, conf if content is None else content),
        created_at=at,
        deadline=at + DEADLINE,
    )
    with transaction.atomic():
        try:
            with transaction.atomic():
                run.save(force_insert=True)
        except IntegrityError:
            return _first_answer(org, run)
        Outbox.objects.create(run=run, due_at=at)
        wake_relay()
    return run


def _first_answer(org: OrgId, run: Run) -> Run:
    first = Run.objects.get(org_id=org, dag_id=run.dag_id, idempotency_key=run.idempotency_key)
    if first.fingerprint != run.fingerprint:
        raise IdempotencyKeyReused(
            "This Idempotency-Key was used before for another request.", org=org
        )
    return first


def _fingerprint(dag_id: str, content: object) -> str:
    return hashlib.sha256(json.dumps([dag_id, content], sort_keys=True).encode()).hexdigest()


def wake_relay() -> None:
    """PostgreSQL delivers the notice when the transaction commits, and not when it does not."""
    with connection.cursor() as cursor:
        cursor.execute(f"NOTIFY {CHANNEL}")


def mark_delivered(run: Run, *, state: str, now: datetime) -> None:
    """Airflow has the run, and from now on its time runs. The outbox row goes in the same
    transaction."""
    with transaction.atomic():
        Run.objects.filter(pk=run.pk, state=Run.State.PENDING).update(
            state=state, delivered_at=now, deadline=now + DEADLINE,
            error_code="", error_detail="", next_step="",
        )  # fmt: skip
        Outbox.objects.filter(run_id=run.pk).delete()


def mark_refused(run: Run, *, code: str, detail: str, next_step: str, now: datetime) -> None:
    with transaction.atomic():
        Run.objects.filter(pk=run.pk, state=Run.State.PENDING).update(
            state=Run.State.REFUSED,
            ended_at=now,
            error_code=code,
            error_detail=detail,
            next_step=next_step,
        )
        Outbox.objects.filter(run_id=run.pk).delete()


def postpone(run: Run, *, code: str, detail: str, next_step: str, due_at: datetime) -> None:
    """Airflow could not take it now; said on the run, tried again at `due_at`."""
    with transaction.atomic():
        Run.objects.filter(pk=run.pk, state=Run.State.PENDING).update(
            error_code=code, error_detail=detail, next_step=next_step
        )
        Outbox.objects.filter(run_id=run.pk).update(due_at=due_at, leased_until=None)
