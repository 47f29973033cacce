"""`supplyline isolation-check`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from supplyline import settings as environment
from supplyline.tenancy.names import parse_org_id

if TYPE_CHECKING:
    from supplyline.isolation.probe import Verdict


@click.command(
    "isolation-check",
    epilog="Example: supplyline isolation-check --org 123 --org 124 --api http://127.0.0.1:8000 "
    "--token-a ... --token-b ...",
)
@click.option("--org", "orgs", multiple=True, required=True, help="Organization id; give two.")
@click.option("--api", default="", help="Address of the backend, to try its API as well.")
@click.option("--token-a", default="", envvar="SUPPLYLINE_TOKEN_A", help="The first one's token.")
@click.option("--token-b", default="", envvar="SUPPLYLINE_TOKEN_B", help="The second one's token.")
@click.option("--strict", is_flag=True, help="Exit code 5 when something could not be tried.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def isolation_check(  # noqa: PLR0917 - click passes by keyword
    orgs: tuple[str, ...], api: str, token_a: str, token_b: str, strict: bool, as_json: bool
) -> None:
    """Try every crossing between two organizations and show how each was refused.

    Both organizations must exist. Nothing is changed: what is tried is rolled back or removed.
    Exit code 1 when anything crosses; with --strict 5 when nothing does, but not all was tried.
    """
    from supplyline.isolation import database, http, probe, stores

    if len(orgs) != 2 or orgs[0] == orgs[1]:
        raise click.UsageError("Give two different organizations: --org A --org B.")
    if api and not (token_a and token_b):
        raise click.UsageError("--api needs --token-a and --token-b.")
    first, second = (parse_org_id(org) for org in orgs)
    settings = environment.get()

    def subject(attacker: int) -> probe.Subject:
        ids, tokens = (first, second), (token_a, token_b)
        return probe.Subject(
            attacker=ids[attacker],
            victim=ids[1 - attacker],
            settings=settings,
            api=api,
            attacker_token=tokens[attacker],
            victim_token=tokens[1 - attacker],
        )

    verdict = probe.run(
        (
            database.probes,
            stores.storage_probes,
            stores.collection_probes,
            stores.identifier_probes,
            http.probes,
        ),
        subjects=(subject(0), subject(1)),
    )
    click.echo(json.dumps(verdict.as_json()) if as_json else _text(verdict))
    if not verdict.isolated:
        raise SystemExit(1)
    if strict and not verdict.complete:
        raise SystemExit(5)


_MARK = {
    "refused": "refused ",
    "crossed": "CROSSED ",
    "visible": "visible ",
    "untested": "untested",
    "control": "control ",
}


def _text(verdict: Verdict) -> str:
    lines = [
        f"{_MARK[a.outcome]}  {a.area:<11} {a.what}\n{'':10}{a.evidence}" for a in verdict.attempts
    ]
    lines += [f"note: {note}" for note in verdict.notes]
    lines += [f"not tried: {one}" for one in verdict.not_tried]
    lines.append(
        f"{'Isolated' if verdict.isolated else 'NOT ISOLATED'}: "
        f"{verdict.count('refused')} refused, {verdict.count('crossed')} crossed, "
        f"{verdict.count('visible')} visible, {len(verdict.not_tried)} not tried."
    )
    return "\n".join(lines)
