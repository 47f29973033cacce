"""From the outbox to Airflow, at least once, with one run as the result (P1, P2).

Airflow starts runs in the order in which it got them, whosever they are. So it is given only
`IN_AIRFLOW` runs of one organization at a time, loads that follow an ingest included (and as many
forecasts, which a paused load does not hold up, nor the other way round); the others wait here,
where another organization's run does not wait behind them (P12).

A row is claimed by a conditional UPDATE whose row count must be 1, so that two relays are harmless;
the lease ends by itself when a relay dies. A lost answer leads to a second POST with the same run
id: Airflow answers 409, and a GET tells that the run is ours. Clocks need not agree: a time further
in the future than any that is written here was written by a clock that runs ahead, and counts as
now.
"""

from __future__ import annotations

import logging
import random
from collections import Counter
from datetime import datetime, timedelta
from uuid import UUID

from django.db.models import Case, F, Q, When, Window
from django.db.models.functions import RowNumber

from backend.airflow_client.client import AirflowClient
from backend.airflow_client.errors import InvalidConf, RunConflict
from backend.runs import services
from backend.runs.models import Outbox, Run
from backend.runs.services import FORECAST
from supplyline.errors import SupplylineError

log = logging.getLogger(__name__)

IN_AIRFLOW = 8
LEASE = timedelta(seconds=60)
FIRST_WAIT_S, LONGEST_WAIT_S = 0.5, 30.0
JITTER = 0.25
LONGEST_WAIT = timedelta(seconds=LONGEST_WAIT_S * (1 + JITTER))


def deliver_due(client: AirflowClient, *, now: datetime, limit: int = 50) -> int:
    """Delivers what is due; answers how many rows were handled."""
    waiting = (
        Q(leased_until__isnull=True) | Q(leased_until__lt=now) | Q(leased_until__gt=now + 2 * LEASE)
    )
    handled = 0
    for run_id in _next_ones(waiting, now=now)[:limit]:
        claimed = Outbox.objects.filter(waiting, run_id=run_id).update(leased_until=now + LEASE)
        if claimed == 1:
            deliver(client, run_id=run_id, now=now)
            handled += 1
    return handled


def _next_ones(waiting: Q, *, now: datetime) -> list[UUID]:
    """Runs to deliver: the first of each organization, then the second of each, and so on."""
    due = Outbox.objects.filter(waiting, Q(due_at__lte=now) | Q(due_at__gt=now + LONGEST_WAIT))
    place = Window(
        RowNumber(),
        partition_by=[F("run__org_id"), _is_forecast("run__dag_id")],
        order_by=("due_at", "run_id"),
    )
    found = list(
        due.annotate(place=place, forecast=_is_forecast("run__dag_id"))
        .filter(place__lte=IN_AIRFLOW)
        .order_by("place", "due_at")
        .values_list("run_id", "run__org_id", "forecast", "place")
    )
    if not found:
        return []
    there = Counter(
        Run.objects.filter(
            org_id__in={org for _, org, _, _ in found},
            state__in=(Run.State.QUEUED, Run.State.RUNNING),
        )
        .annotate(forecast=_is_forecast("dag_id"))
        .values_list("org_id", "forecast")
    )
    return [
        run_id
        for run_id, org, forecast, place in found
        if place + there[org, forecast] <= IN_AIRFLOW
    ]


def _is_forecast(field: str) -> Case:
    return Case(When(**{field: FORECAST}, then=True), default=False)


def deliver(client: AirflowClient, *, run_id: UUID, now: datetime) -> None:
    """Delivers one claimed run and records what came of it."""
    entry = Outbox.objects.select_related("run").filter(run_id=run_id).first()
    if entry is None:
        return  # another relay has delivered it, or its organization is erased
    run = entry.run
    try:
        state = _ask(client, run)
    except InvalidConf as error:
        services.mark_refused(
            run, code=error.code, detail=error.detail, next_step=error.advice, now=now
        )
    except SupplylineError as error:
        # Also a missing DAG or a wrong password: someone will mend it, and the run is owed.
        attempts = entry.attempts + 1
        Outbox.objects.filter(run_id=run.pk).update(attempts=attempts)
        services.postpone(
            run,
            code=error.code,
            detail=error.detail,
            next_step=error.advice,
            due_at=now + backoff(attempts),
        )
        log.warning("not delivered", extra={**_about(run), "code": error.code})
    else:
        services.mark_delivered(run, state=state, now=now)
        log.info("delivered", extra=_about(run))


def _about(run: Run) -> dict[str, str]:
    about = {"run": run.dag_run_id, "org": run.org_id, "correlation_id": run.correlation_id}
    return {name: text for name, text in about.items() if text}


def _ask(client: AirflowClient, run: Run) -> str:
    """Airflow's state of the run. Raises InvalidConf when its id belongs to something else."""
    try:
        made = client.trigger(
            run.dag_id, run_id=run.dag_run_id, conf=run.conf, correlation_id=run.correlation_id
        )
    except RunConflict:
        made = client.get_run(run.dag_id, run_id=run.dag_run_id)
        if made.conf != run.conf:
            raise InvalidConf(
                f"Airflow has a run {run.dag_run_id} with another conf.",
                next_step="Somebody made a run of this id by hand; trigger again.",
            ) from None
    return Run.State.QUEUED if made.state == "queued" else Run.State.RUNNING


def backoff(attempts: int) -> timedelta:
    """Doubles up to half a minute, with a quarter of jitter."""
    seconds = min(FIRST_WAIT_S * 2 ** min(attempts, 10), LONGEST_WAIT_S)
    return timedelta(seconds=seconds * random.uniform(1 - JITTER, 1 + JITTER))  # noqa: S311 - jitter is no secret
