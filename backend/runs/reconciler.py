"""What became of the runs: asks Airflow by exact id, adopts runs that were started elsewhere, and
settles what is past its deadline (P11).
"""

from __future__ import annotations

import logging
import random
from collections.abc import Mapping
from datetime import datetime, timedelta

import psycopg
from django.db import IntegrityError, transaction

from backend.accounts.models import Organization
from backend.airflow_client.client import AirflowClient
from backend.airflow_client.errors import (
    AirflowRunNotFound,
    AirflowUnavailable,
    DagNotFound,
    InvalidConf,
)
from backend.airflow_client.values import AirflowRun
from backend.runs import causes
from backend.runs.errors import DagPaused, RunOverdue
from backend.runs.models import Run
from backend.runs.services import DAGS, DEADLINE, FORECAST
from supplyline import overview
from supplyline.contracts import OrgId
from supplyline.errors import InvalidName, SupplylineError
from supplyline.settings import Settings
from supplyline.tenancy.names import parse_client_id, parse_org_id

log = logging.getLogger(__name__)

RunKey = tuple[str, str]
"""(dag_id, dag_run_id)"""

PAGE = 100  # the most that Airflow gives at once
PAGES, PAGES_DEEP = 20, 100
WORTH_A_PAGE = 10
ASKED_FOR, PATIENCE = 100, 5
"""Runs of one round that are asked for one by one; how many of these may go without an answer."""
QUEUED_LONG = timedelta(seconds=10)
SETTLED = timedelta(seconds=10)
POLL_BUSY, POLL_IDLE = timedelta(seconds=0.7), timedelta(seconds=3)
_KNOWN_STATES = {"queued": Run.State.QUEUED, "running": Run.State.RUNNING,
                 "success": Run.State.SUCCESS, "failed": Run.State.FAILED}  # fmt: skip


def reconcile(
    client: AirflowClient, *, settings: Settings, now: datetime, deep: bool = False
) -> int:
    """One round; answers how many runs are unfinished afterwards.

    `deep`, for the first round after an absence: looks for runs to adopt as far back as
    `PAGES_DEEP` reach, not only as long as new ones are found. What cannot be told of one run
    keeps nobody from being told of the others. Raises what Airflow's list of runs raises.
    """
    unfinished = {
        (run.dag_id, run.dag_run_id): run
        for run in Run.objects.filter(state__in=Run.UNFINISHED, delivered_at__isnull=False)
    }
    seen = _look(client, set(unfinished), deep=deep, now=now)
    _reopen(seen, now=now)
    silent = 0
    for key, run in unfinished.items():
        if key in seen:
            record(run, seen[key], client=client, settings=settings, now=now)
    missing = [run for key, run in unfinished.items() if key not in seen]
    # Not always the same ones, so that each has its turn however many there are.
    for run in random.sample(missing, min(len(missing), ASKED_FOR)):
        try:
            found = _exactly(client, run, now=now)
        except AirflowUnavailable as error:
            log.warning("not told of", extra={"run": run.dag_run_id, "error": error.detail})
            silent += 1
            if silent >= PATIENCE:
                break
            continue
        if found is not None:
            record(run, found, client=client, settings=settings, now=now)
    say_when_paused(client, now=now)
    settle_overdue(client, now=now)
    return Run.objects.filter(state__in=Run.UNFINISHED).count()


def _reopen(seen: Mapping[RunKey, AirflowRun], *, now: datetime) -> None:
    """Runs that had ended and that an operator cleared in Airflow: they are under way again, or
    have come to another end. Recorded by the next round, with time for it. Not at once after the
    end: another relay may have seen it a moment later than `seen` was asked for."""
    ended = Run.objects.filter(
        state__in=(Run.State.SUCCESS, Run.State.PARTIAL, Run.State.FAILED),
        ended_at__lt=now - SETTLED,
        dag_id__in=DAGS,  # known, but without it no index helps
        dag_run_id__in=[run_id for _, run_id in seen],
    )
    for run in ended:
        found = seen.get((run.dag_id, run.dag_run_id))
        was = "failed" if run.state == Run.State.FAILED else "success"
        if found is not None and found.state != was:
            Run.objects.filter(pk=run.pk, state=run.state).update(
                state=Run.State.QUEUED, ended_at=None, deadline=now + DEADLINE, **_no_error()
            )


def _look(
    client: AirflowClient, wanted: set[RunKey], *, deep: bool, now: datetime
) -> dict[RunKey, AirflowRun]:
    """The newest runs of our DAGs, adopting those that are not known; page by page.

    Goes on as long as a page brings something new, or so many of `wanted` are missing that a page
    is cheaper than asking for each.
    """
    seen: dict[RunKey, AirflowRun] = {}
    for page in range(PAGES_DEEP if deep else PAGES):
        found = client.list_runs(limit=PAGE, offset=page * PAGE)
        here = {(one.dag_id, one.run_id): one for one in found if one.dag_id in DAGS}
        seen |= here
        adopted = adopt(here, now=now)
        if len(found) < PAGE:
            break
        if not deep and not adopted and len(wanted - seen.keys()) < WORTH_A_PAGE:
            break
    return seen


def _exactly(client: AirflowClient, run: Run, *, now: datetime) -> AirflowRun | None:
    """Raises AirflowUnavailable, also where Airflow has trouble with this one run only."""
    try:
        return client.get_run(run.dag_id, run_id=run.dag_run_id)
    except AirflowRunNotFound as error:
        _settle(run, state=Run.State.FAILED, error=error, now=now)
    except DagNotFound:
        log.warning("dag missing", extra={"run": run.dag_run_id})
    except InvalidConf as error:
        raise AirflowUnavailable(error.detail) from error
    return None


def settle_overdue(client: AirflowClient, *, now: datetime) -> int:
    """Ends delivered runs that are past their deadline, in Airflow first, then here (P11).

    Intents that still wait for Airflow are not dropped (P1): they are shown as overdue, with the
    reason why they wait.
    """
    late = Run.objects.filter(
        state__in=(Run.State.QUEUED, Run.State.RUNNING),
        delivered_at__isnull=False,
        deadline__lt=now,
    )
    count = 0
    for run in late[:100]:
        try:
            client.cancel_run(run.dag_id, run_id=run.dag_run_id)
        except AirflowRunNotFound:
            log.info("overdue run is gone from Airflow", extra={"run": run.dag_run_id})
        except (AirflowUnavailable, InvalidConf) as trouble:
            log.warning("cannot end", extra={"run": run.dag_run_id, "code": trouble.code})
            continue
        error = RunOverdue(f"Not finished by {run.deadline:%Y-%m-%d %H:%M} UTC; ended.")
        _settle(run, state=Run.State.FAILED, error=error, now=now)
        count += 1
    return count


def _settle(run: Run, *, state: str, error: SupplylineError, now: datetime) -> None:
    Run.objects.filter(pk=run.pk).update(
        state=state,
        ended_at=now,
        error_code=error.code,
        error_detail=error.detail,
        next_step=error.advice,
    )


def say_when_paused(client: AirflowClient, *, now: datetime) -> None:
    """Runs that stay queued get the reason when their DAG is paused; it goes when they start."""
    queued = Run.objects.filter(state=Run.State.QUEUED, delivered_at__lt=now - QUEUED_LONG)
    for dag_id in queued.order_by().values_list("dag_id", flat=True).distinct():
        try:
            paused = client.get_dag(dag_id).is_paused
        except DagNotFound as error:
            error_now: SupplylineError = error
        else:
            error_now = DagPaused(f"The DAG {dag_id} is paused, so its runs stay queued.")
            if not paused:
                queued.filter(dag_id=dag_id).exclude(error_code="").update(**_no_error())
                continue
        queued.filter(dag_id=dag_id).update(
            error_code=error_now.code, error_detail=error_now.detail, next_step=error_now.advice
        )


def _no_error() -> dict[str, str]:
    return {"error_code": "", "error_detail": "", "next_step": ""}


def record(
    run: Run, found: AirflowRun, *, client: AirflowClient, settings: Settings, now: datetime
) -> None:
    """Writes Airflow's state of a run to our record, with our own verdict on a finished one."""
    state = str(_KNOWN_STATES.get(found.state, Run.State.RUNNING))
    change: dict[str, object] = {"state": state, "started_at": found.started_at}
    if state != Run.State.QUEUED:
        change.update(_no_error())
    if state == Run.State.SUCCESS:
        try:
            if overview.is_partial(
                OrgId(run.org_id), stage=DAGS[run.dag_id], run_id=run.dag_run_id,
                file_id=str(run.conf.get("file_id", "")), settings=settings,
            ):  # fmt: skip
                change["state"] = Run.State.PARTIAL
                change["next_step"] = "Look at the certificate: it says which rows and why."
        except (SupplylineError, psycopg.Error) as error:
            log.warning("no verdict yet", extra={"run": run.dag_run_id, "error": str(error)[:200]})
            return  # a store is away: the verdict waits for the next round
        change["ended_at"] = found.ended_at or now
    elif state == Run.State.FAILED:
        cause = causes.of(client, found)
        change.update(
            ended_at=found.ended_at or now,
            error_code=cause.code,
            error_detail=cause.detail,
            next_step=cause.next_step,
        )
    Run.objects.filter(pk=run.pk).update(**change)


def adopt(seen: dict[RunKey, AirflowRun], *, now: datetime) -> int:
    """Gives runs that Airflow knows and we do not a row, under the organization of their conf."""
    ids = [run_id for _, run_id in seen]
    ours = Run.objects.filter(dag_id__in=DAGS, dag_run_id__in=ids)
    known = set(ours.values_list("dag_id", "dag_run_id"))
    adopted = 0
    for (dag_id, run_id), found in seen.items():
        if (dag_id, run_id) in known:
            continue
        org = _owner(dag_id, found)
        if org is None:
            continue
        began = found.queued_at or found.started_at or now
        try:
            with transaction.atomic():
                Run.objects.create(
                    org_id=org,
                    dag_id=dag_id,
                    dag_run_id=run_id,
                    conf=found.conf,
                    state=Run.State.QUEUED,
                    source=str(found.conf.get("triggered_by") or "airflow")[:20],
                    user_id_text=str(found.conf.get("user_id") or "airflow")[:64],
                    parent_run_id=_parent_of(run_id),
                    created_at=began,
                    delivered_at=began,
                    deadline=now + DEADLINE,
                )
                adopted += 1
        except IntegrityError:
            continue  # another relay adopted it
    return adopted


def _parent_of(run_id: str) -> str:
    """`load__ingest__1f` → `ingest__1f`, by which an ingest names the load that it starts; ''."""
    inner = run_id.removeprefix("load__")
    return inner if inner != run_id and "__" in inner else ""


def _owner(dag_id: str, found: AirflowRun) -> str | None:
    """Whose run it is: its conf says so, and a parent of ours must agree.

    Runs from before the organization was made are those of an erased one that had its id.
    """
    try:
        org = (
            parse_client_id(found.conf.get("client_id", ""))
            if dag_id == FORECAST
            else parse_org_id(found.conf.get("org_id", ""))
        )
    except InvalidName:
        return None
    owner = Organization.objects.filter(pk=org).first()
    parent = Run.objects.filter(dag_run_id=_parent_of(found.run_id)).first()
    if owner is None or (parent is not None and parent.org_id != org):
        return None
    began = found.queued_at or found.started_at
    too_old = parent is None and began is not None and began < owner.created_at
    return None if too_old else org
