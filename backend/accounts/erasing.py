"""An organization leaves: its door is closed, and everything of it goes, in every store.

Promises: nobody comes in and nothing is started from the first moment; what is under way in Airflow
is ended and its record there removed; the engine erases files, landed rows and database; users,
tokens, uploads and runs go while the inventory can still be read, so that a call which completes an
interrupted one gives the whole proof. The organization's own row goes last, and stays, suspended,
as long as anything else is left.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress

from django.db import IntegrityError, transaction
from knox.models import AuthToken

from backend.accounts.models import Organization, User
from backend.airflow_client.client import AirflowClient
from backend.airflow_client.errors import AirflowRunNotFound, AirflowUnavailable, DagNotFound
from backend.files.models import ResumableUpload, Upload
from backend.forecasts.models import Schedule
from backend.runs.models import Outbox, Run
from supplyline import erasure
from supplyline.contracts import Json, OrgId
from supplyline.settings import Settings
from supplyline.storage import Storage
from supplyline.tenancy.names import parse_org_id

Tell = Callable[[str], None]


def erase_organization(
    org_id: str,
    *,
    client: AirflowClient,
    settings: Settings,
    tell: Tell = lambda _line: None,
) -> Json:
    """As `supplyline.erasure.erase_organization`, with `was.rows` and `left.rows` of the control
    database. May be repeated. Raises InvalidName and the transient errors of every store and of
    Airflow, where what was begun is completed by the next call."""
    org = parse_org_id(org_id)
    # 1. Nobody comes in any more, and nothing that waits is started.
    known = Organization.objects.filter(pk=org).update(state=Organization.State.SUSPENDED)
    rows = _rows(org)
    Outbox.objects.filter(run__org_id=org).delete()
    # 2. What Airflow does for it ends; its record of it holds ids and names of files.
    try:
        _forget_runs(org, client, tell)
    except AirflowUnavailable as error:
        raise AirflowUnavailable(
            f"{error.detail} Of organization {org}, which is closed now, nothing is erased yet.",
            next_step="Give the same command again when Airflow answers.",
        ) from error
    # 3. The stores, and before the last of them the rows here.
    proof = erasure.erase_organization(
        org, settings=settings, rows=rows, erase_rows=lambda: _erase_rows(org)
    )
    # 4. What an upload that was under way has brought meanwhile.
    storage = Storage(settings.storage_url)
    storage.erase(org)
    proof["left"]["files"] = len(storage.everything(org))
    if not any(proof["left"].values()):
        _close_for_good(org)
    proof["left"]["rows"] = sum(_rows(org).values())
    proof["found"] = proof["found"] or bool(known)
    proof["gone"] = not any(proof["left"].values())
    return proof


def _rows(org: OrgId) -> dict[str, int]:
    return {
        "organizations": Organization.objects.filter(pk=org).count(),
        "users": User.objects.filter(org_id=org).count(),
        "tokens": AuthToken.objects.filter(user__org_id=org).count(),
        "uploads": Upload.objects.filter(org_id=org).count(),
        "uploads_begun": ResumableUpload.objects.filter(org_id=org).count(),
        "runs": Run.objects.filter(org_id=org).count(),
        "schedules": Schedule.objects.filter(org_id=org).count(),
    }


@transaction.atomic
def _erase_rows(org: OrgId) -> None:
    for rows in (ResumableUpload, Upload, Run, Schedule, User):
        rows.objects.filter(org_id=org).delete()


def _close_for_good(org: OrgId) -> None:
    """The organization's own row; it stays when something came in beside, such as a run of Airflow
    that the reconciler saw before: then the next call completes it."""
    with suppress(IntegrityError), transaction.atomic():
        _erase_rows(org)
        Organization.objects.filter(pk=org).delete()


def _forget_runs(org: OrgId, client: AirflowClient, tell: Tell) -> None:
    """Ends the organization's runs in Airflow and removes them there."""
    runs = Run.objects.filter(org_id=org, delivered_at__isnull=False)
    total = runs.count()
    for number, run in enumerate(runs.iterator(), start=1):
        try:
            if run.state in Run.UNFINISHED:
                client.cancel_run(run.dag_id, run_id=run.dag_run_id)
            client.delete_run(run.dag_id, run_id=run.dag_run_id)
        except (AirflowRunNotFound, DagNotFound):
            pass  # removed there before
        if number % 100 == 0 or number == total:
            tell(f"{number} of {total} runs are removed from Airflow")
