"""`supplyline explain`: why an item is planned as it is."""

from __future__ import annotations

import json

import click


@click.command()
@click.option("--org", required=True, help="organization id, e.g. 123")
@click.option("--item", required=True, help="the item's code")
@click.option("--run", "run_id", default=None, help="An earlier run; default: the newest.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def explain(*, org: str, item: str, run_id: str | None, as_json: bool) -> None:
    """Explain one item: data used, class, method and scores, formula with its values.

    \b
    Example:
      supplyline explain --org 123 --item 85123A
    """
    from supplyline import settings
    from supplyline.forecast import explain as explained
    from supplyline.forecast.explain_text import render
    from supplyline.tenancy.connections import session
    from supplyline.tenancy.names import parse_org_id

    with session(parse_org_id(org), settings=settings.get()) as conn:
        told = explained(conn, item=item, run_id=run_id)
    click.echo(json.dumps(told, default=str) if as_json else render(told))
