"""`supplyline undo | rebuild`: what a person does about loads afterwards.

At the level of `stages`: it joins landing, load and storage.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from supplyline import settings as environment
from supplyline.contracts import Json, Manifest, OrgId, TableName
from supplyline.rereading import Rows
from supplyline.settings import Settings
from supplyline.stages import open_landing, require_landed, run_by_hand, utc_now
from supplyline.tenancy.connections import connect, session, unavailable_mapped
from supplyline.tenancy.names import parse_file_id, parse_org_id, parse_table_name

if TYPE_CHECKING:
    from supplyline.load import Rebuilt
    from supplyline.load.undo import Later

_ORG = click.option("--org", required=True, help="Organization id.")
_TABLE = click.option("--table", required=True, help="Table, such as products.")
_USER = click.option("--user", default="operator", show_default=True, help="Who, for the audit.")
_JSON = click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")


@click.command(epilog="Example: supplyline undo --org 123 --table products --file 5f0c...")
@_ORG
@_TABLE
@click.option("--file", "file_id", required=True, help="The file whose load is taken back.")
@click.option("--cascade", is_flag=True, help="Undo the later loads of the table too.")
@click.option("--replay", is_flag=True, help="Load the later files again, without this one.")
@_USER
@_JSON
def undo(  # noqa: PLR0917 - click passes by keyword
    org: str, table: str, file_id: str, cascade: bool, replay: bool, user: str, as_json: bool
) -> None:
    """Take back a load exactly: rows, values, history and columns as before.

    A load that later ones rest on is taken back with --cascade or --replay only.
    """
    if cascade and replay:
        raise click.UsageError("Say --cascade or --replay, not both.")
    done = undo_load(
        parse_org_id(org),
        table=parse_table_name(table),
        file_id=parse_file_id(file_id),
        later="cascade" if cascade else "replay" if replay else "refuse",
        user=user,
        settings=environment.get(),
    )
    lines = [f"{done['removed']} rows removed, {done['restored']} restored."]
    lines += [f"undone: {', '.join(done['undone'])}"] if done["undone"][1:] else []
    lines += [f"loaded again: {', '.join(done['replayed'])}"] if done["replayed"] else []
    lines += [f"kept as it is: {what}" for what in done["kept"]]
    _say(done, "\n".join(lines), as_json=as_json)


def undo_load(
    org: OrgId, *, table: TableName, file_id: str, later: Later, user: str, settings: Settings
) -> Json:
    """Takes a file's load back (see `load.undo`). Raises LoadNotFound, UndoRefused."""
    from supplyline import load

    with open_landing(settings) as landing, session(org, settings=settings) as conn:

        def closed() -> dict[str, Manifest]:
            return {m.file_id: m for m in landing.manifests(org, table=table, state="closed")}

        rows = Rows(org, landing=landing, settings=settings)
        return rows.mended(
            lambda: load.undo(
                org,
                conn=conn,
                table=table,
                file_id=file_id,
                run=run_by_hand("undo", user=user),
                now=utc_now(),
                later=later,
                landed=load.Landed(manifests=closed, stream=rows),
            )
        )


@click.command(epilog="Example: supplyline rebuild --org 123 --table sales --no-key")
@_ORG
@_TABLE
@click.option("--key", "keys", multiple=True, help="Column of a new key; may be repeated.")
@click.option("--no-key", is_flag=True, help="Without a key: every line stays a row of its own.")
@_USER
@_JSON
def rebuild(  # noqa: PLR0917 - click passes by keyword
    org: str, table: str, keys: tuple[str, ...], no_key: bool, user: str, as_json: bool
) -> None:
    """Make a table again from the landed files, in one transaction. Undone loads stay out."""
    if keys and no_key:
        raise click.UsageError("Name columns with --key, or say --no-key; not both.")
    name = parse_table_name(table)
    done, reread = rebuild_table(
        parse_org_id(org),
        table=name,
        key=() if no_key else keys or None,
        user=user,
        settings=environment.get(),
    )
    partial = sum(c.verdict == "partial" for c in done.certificates)
    answer: Json = {
        "table": name, "files": len(done.certificates), "partial": partial, "reread": reread,
        "left_out": done.left_out,
    }  # fmt: skip
    lines = [f"{len(done.certificates)} files loaded again, {partial} partial."]
    lines += [f"read again from storage, not in landing any more: {one}" for one in reread]
    lines += [f"left out: {one}: {why}" for one, why in done.left_out.items()]
    _say(answer, "\n".join(lines), as_json=as_json)
    if partial or done.left_out:
        raise SystemExit(1)


def rebuild_table(
    org: OrgId,
    *,
    table: TableName,
    key: tuple[str, ...] | None = None,
    user: str,
    settings: Settings,
) -> tuple[Rebuilt, list[str]]:
    """Makes a table again (see `load.rebuild`). Answers what came of it, and the files whose rows
    were read from storage again. Raises TableNotLanded, LandingDamaged."""
    from supplyline import load

    with (
        unavailable_mapped(),
        open_landing(settings) as landing,
        connect(org, settings=settings) as conn,
    ):
        if not load.certificates(conn, table=table, limit=1):
            require_landed(landing, org, table)
        conn.commit()
        rows = Rows(org, landing=landing, settings=settings)
        done = rows.mended(
            lambda: load.rebuild(
                org,
                conn=conn,
                table=table,
                manifests=lambda: landing.manifests(org, table=table, state="closed"),
                stream=rows,
                run=run_by_hand("rebuild", user=user),
                now=utc_now,
                key=key,
            )
        )
    return done, rows.reread


def _say(data: Json, sentence: str, *, as_json: bool) -> None:
    click.echo(json.dumps(data) if as_json else sentence)
