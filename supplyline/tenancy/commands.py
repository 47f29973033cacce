"""`supplyline provision | migrate | audit-verify`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from supplyline import settings as environment
from supplyline.tenancy.names import parse_org_id

if TYPE_CHECKING:
    from supplyline.contracts import OrgId
    from supplyline.tenancy.bulk import BulkReport, Progress

_JOBS = click.option(
    "--jobs", default=2, show_default=True, type=click.IntRange(1, 32), help="How many at a time."
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command(
    epilog="Example: supplyline provision --org 123 --org 124, or --count 50 --first bench_"
)
@click.option("--org", "orgs", multiple=True, help="Organization id; may be repeated.")
@click.option("--count", default=0, type=click.IntRange(0, 100_000), help="Make this many ids.")
@click.option("--first", default="org", show_default=True, help="What the made ids begin with.")
@click.option("--again", is_flag=True, help="Also those that are complete (sets passwords anew).")
@_JOBS
@_JSON
def provision(  # noqa: PLR0917 - click passes by keyword
    orgs: tuple[str, ...], count: int, first: str, again: bool, jobs: int, as_json: bool
) -> None:
    """Make sure that organizations have their database and role. Resumes where it was stopped."""
    from supplyline.tenancy.bulk import provision_many

    ids = [parse_org_id(org) for org in orgs]
    ids += [parse_org_id(f"{first}{n}") for n in range(1, count + 1)]
    if not ids:
        raise click.UsageError("Name organizations with --org, or a number of them with --count.")
    report = provision_many(
        ids,
        settings=environment.get(),
        jobs=jobs,
        again=again,
        progress=_progress(len(ids), quiet=as_json),
    )
    _finish(report, as_json=as_json)


@click.command(epilog="Example: supplyline migrate --all --jobs 4")
@click.option("--org", "orgs", multiple=True, help="Organization id; may be repeated.")
@click.option("--all", "everyone", is_flag=True, help="Every organization.")
@_JOBS
@_JSON
def migrate(orgs: tuple[str, ...], everyone: bool, jobs: int, as_json: bool) -> None:
    """Bring organizations' databases to the newest schema. May be stopped and repeated."""
    from supplyline.tenancy.bulk import migrate_many
    from supplyline.tenancy.provisioning import list_organizations

    if bool(orgs) == everyone:
        raise click.UsageError("Name organizations with --org, or all of them with --all.")
    settings = environment.get()
    ids = list_organizations(settings=settings) if everyone else tuple(map(parse_org_id, orgs))
    report = migrate_many(
        ids, settings=settings, jobs=jobs, progress=_progress(len(ids), quiet=as_json)
    )
    _finish(report, as_json=as_json)


@click.command(
    "audit-verify", epilog="Example: supplyline audit-verify --org 123 --anchor 12:3f9c..."
)
@click.option("--org", required=True, help="Organization id.")
@click.option("--anchor", help="Newest event as noted earlier, NUMBER:HASH.")
@_JSON
def audit_verify(org: str, anchor: str | None, as_json: bool) -> None:
    """Check that nobody touched an organization's audit trail. Exit 1 when somebody did."""
    from supplyline.audit.chain import Anchor, verify
    from supplyline.tenancy.connections import session

    try:
        noted = Anchor.parse(anchor) if anchor else None
    except ValueError as error:
        raise click.BadParameter(f"{error}.", param_hint="--anchor") from error
    with session(parse_org_id(org), settings=environment.get()) as conn:
        report = verify(conn, anchor=noted)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    elif report.ok:
        click.echo(f"The chain of {report.events} events is whole. Anchor: {report.head}")
    else:
        click.echo(f"Broken at event {report.first_broken}: {report.problem}.")
    for warning in () if as_json else report.warnings:
        click.echo(f"Warning: {warning}.", err=True)
    if not report.ok or report.warnings:
        raise SystemExit(1)


def _progress(total: int, *, quiet: bool) -> Progress:
    seen = 0

    def show(org: OrgId, what: str) -> None:
        nonlocal seen
        seen += 1
        if not quiet:
            click.echo(f"[{seen}/{total}] {org}: {what}", err=True)

    return show


def _finish(report: BulkReport, *, as_json: bool) -> None:
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        click.echo(
            f"{report.done} done, {report.skipped} complete before, "
            f"{len(report.failures)} failed, in {report.seconds:.1f} s."
        )
        for failure in report.failures:
            click.echo(f"{failure.org}: {failure.detail}", err=True)
    if report.failures:
        later = all(failure.transient for failure in report.failures)
        raise SystemExit(4 if later else 3)
