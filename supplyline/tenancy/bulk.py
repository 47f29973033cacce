"""Many organizations at once: provisioned or migrated in parallel, to be interrupted and resumed.

Promises: at most `jobs` organizations are worked on at a time and each holds at most two
connections, so connections do not grow with the number of organizations; what is complete already
is found with one query and left alone; a failure of one does not stop the others and is reported.
Refuses nothing: it only calls `provision` and `migrate`, which do.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from dataclasses import asdict, dataclass

import psycopg

from supplyline.contracts import Json, OrgId
from supplyline.errors import DatabaseUnavailable, OrganizationNotFound, SupplylineError
from supplyline.settings import Settings
from supplyline.tenancy import migrate as schema
from supplyline.tenancy.connections import exists
from supplyline.tenancy.provisioning import list_organizations, provision

Progress = Callable[[OrgId, str], None]
"""Called after each organization with `done`, `already there` or the error's sentence."""


@dataclass(frozen=True, kw_only=True)
class Failure:
    org: OrgId
    code: str
    detail: str
    transient: bool


@dataclass(frozen=True, kw_only=True)
class BulkReport:
    """`done`: changed now; `skipped`: complete before; `seconds`: wall time of the whole."""

    done: int
    skipped: int
    failures: tuple[Failure, ...]
    seconds: float

    def as_json(self) -> Json:
        return asdict(self)


def provision_many(
    orgs: Sequence[OrgId],
    *,
    settings: Settings,
    jobs: int = 2,
    again: bool = False,
    progress: Progress = lambda _org, _what: None,
) -> BulkReport:
    """Provisions each of `orgs`; those that are complete are skipped unless `again`."""
    complete = set() if again else set(list_organizations(settings=settings))
    return _each(
        orgs,
        skip=complete,
        work=lambda org: provision(org, settings=settings),
        jobs=jobs,
        progress=progress,
    )


def migrate_many(
    orgs: Sequence[OrgId],
    *,
    settings: Settings,
    jobs: int = 2,
    progress: Progress = lambda _org, _what: None,
) -> BulkReport:
    """Brings each of `orgs` to the newest schema; those that have it count as skipped."""
    return _each(
        orgs,
        skip=set(),
        work=lambda org: _migrated(org, settings=settings),
        jobs=jobs,
        progress=progress,
    )


def _migrated(org: OrgId, *, settings: Settings) -> bool:
    """Whether a step was run. Raises OrganizationNotFound where there is nothing to migrate."""
    try:
        return bool(schema.migrate(org, settings=settings))
    except DatabaseUnavailable as error:
        if exists(org, settings=settings):
            raise
        raise OrganizationNotFound(
            f"Organization {org} has no database, or an unfinished one.",
            next_step=f"Check the id; `supplyline provision --org {org}` completes what is meant to"
            " be there.",
        ) from error


def _each(
    orgs: Sequence[OrgId],
    *,
    skip: set[OrgId],
    work: Callable[[OrgId], bool],
    jobs: int,
    progress: Progress,
) -> BulkReport:
    started = time.monotonic()
    due = [org for org in dict.fromkeys(orgs) if org not in skip]
    done, skipped, failures = 0, len(orgs) - len(due), []
    with ThreadPoolExecutor(max(1, jobs), thread_name_prefix="organizations") as pool:
        running = {pool.submit(work, org): org for org in due}
        try:
            for future in as_completed(running):
                org = running[future]
                try:
                    changed = future.result()
                except (SupplylineError, psycopg.Error) as error:
                    failures.append(_failure(org, error))
                    progress(org, failures[-1].detail)
                    continue
                done, skipped = done + changed, skipped + (not changed)
                progress(org, "done" if changed else "already there")
        except BaseException:
            # Interrupted: what has begun is finished, what has not is left for the next call.
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return BulkReport(
        done=done,
        skipped=skipped,
        failures=tuple(failures),
        seconds=round(time.monotonic() - started, 3),
    )


def _failure(org: OrgId, error: SupplylineError | psycopg.Error) -> Failure:
    if isinstance(error, psycopg.Error):  # such as a right that APP_DB_USER has not
        said = error.diag.message_primary or type(error).__name__
        return Failure(org=org, code="internal_error", detail=f"{said}.", transient=False)
    return Failure(org=org, code=error.code, detail=error.detail, transient=error.transient)
