"""A table of an organization: its columns, what was decided for it, and what a file would change.

At the level of `stages`: it joins landing and load. `supplyline columns | load-preview`.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import replace

import click

from supplyline import settings as environment
from supplyline.contracts import Drift, Json, OrgId, TableName, TableSettings
from supplyline.errors import InvalidName, TableNotLanded
from supplyline.settings import Settings
from supplyline.stages import key_candidates, open_landing
from supplyline.tenancy.catalog import save_table_settings, table_settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import (
    column_names,
    parse_file_id,
    parse_org_id,
    parse_table_name,
)

DRIFT: tuple[Drift, ...] = ("evolve", "freeze", "quarantine")


def describe_table(org: OrgId, table: TableName, *, settings: Settings) -> Json:
    """`{table, key, key_source, drift, types, version, columns: [{name, kind, remark}], remarks}`.

    `types` are set by the organization; `columns` are as the table has them now; `remarks` name
    what was decided for something that is not there (yet).
    """
    with session(org, settings=settings) as conn:
        decided = table_settings(conn, table)
        columns = conn.execute(
            "SELECT column_name, type, remark FROM supplyline.column_types"
            " WHERE table_name = %s ORDER BY column_name",
            (table,),
        ).fetchall()
    return {
        "table": table,
        "key": None if decided.key is None else list(decided.key),
        "key_source": decided.key_source,
        "drift": decided.drift,
        "types": decided.types,
        "version": decided.version,
        "columns": [{"name": n, "kind": k, "remark": r} for n, k, r in columns],
        "remarks": _to_come(table, [n for n, _, _ in columns], decided),
    }


def _to_come(table: TableName, columns: Sequence[str], decided: TableSettings) -> list[str]:
    """Decisions may be made before the first file; a name that was mistyped looks the same."""
    if not columns:
        there = f"no file is loaded into {table} yet"
        holds = ": what is decided holds from its first file on" if decided.version else ""
        return [there + holds]
    return [
        f"{table} has no column {c}: its type holds when a file brings it"
        for c in sorted(decided.types.keys() - set(columns))
    ]


def change_table(
    org: OrgId,
    table: TableName,
    *,
    types: Mapping[str, str | None],
    drift: Drift | None,
    actor: str,
    settings: Settings,
) -> Json:
    """Sets kinds of columns (None: found out again) and the drift policy; answers `describe_table`.

    Effective from the next load on. Raises InvalidName, InvalidColumnType, SettingsConflict.
    """
    from supplyline.load.kinds import kind_of, normal

    for name in (c for c, k in types.items() if k is not None and column_names([c]) != (c,)):
        raise InvalidName(
            f"{name[:60]!r} is no column's name.",
            next_step=f"A column with that header is named {column_names([name])[0]}.",
        )
    wanted = {c: k if k is None else kind_of(normal(k)).spec for c, k in types.items()}
    with session(org, settings=settings) as conn:
        before = table_settings(conn, table)
        merged = {**before.types, **wanted}
        save_table_settings(
            conn,
            replace(
                before,
                types={c: k for c, k in merged.items() if k is not None},
                drift=drift or before.drift,
            ),
            actor=actor,
        )
    return describe_table(org, table, settings=settings)


def preview_load(org: OrgId, table: TableName, *, file_id: str | None, settings: Settings) -> Json:
    """What loading a landed file would do (see `load.preview`); without an id, the next in line.

    With `behind`, the files that are loaded before it and may change the table first, and
    `rebuilds`, whether the load makes the table again in the order of its files. Raises
    TableNotLanded when no such file waits to be loaded.
    """
    from supplyline import load

    with (
        open_landing(settings) as landing,
        session(org, settings=settings, application_name="supplyline preview") as conn,
    ):
        closed = landing.manifests(org, table=table, state="closed")
        waiting = load.pending(conn, table=table, manifests=closed)
        chosen = next((m for m in waiting if file_id in (None, m.file_id)), None)
        if chosen is None:
            raise TableNotLanded(
                f"No such file of {table} waits to be loaded.",
                next_step="Only files that are landed and not yet loaded can be previewed.",
            )
        found = load.preview(
            conn,
            manifest=chosen,
            batches=landing.stream(org, manifest=chosen),
            key_candidates=lambda columns: key_candidates(table, columns),
        )
        found["behind"] = [m.file_id for m in waiting[: waiting.index(chosen)]]
        found["rebuilds"] = load.outdated(conn, table=table, manifests=closed) or load.late(
            conn, table=table, manifests=waiting
        )
        if found["rebuilds"]:  # not by these statements, and what does not fit is set aside
            found |= {"ddl": [], "refused": ""}
        return found


def rejected_rows(
    org: OrgId,
    table: TableName,
    *,
    file_id: str | None = None,
    limit: int = 100,
    offset: int = 0,
    open_only: bool = False,
    settings: Settings,
) -> Json:
    """Rows that loads that stand set aside, in the order of loads and rows.

    `{total, results: [{file_id, row, code, reason, cells}]}`; `cells`: column → text as it came,
    null for a cell that was absent. `open_only`: without those whose correction is loaded.
    """
    from psycopg import sql

    from supplyline.load.corrected import STILL_OPEN

    where = sql.SQL(
        " FROM supplyline.rejected_rows r JOIN supplyline.loads l USING (load_id)"
        " WHERE l.table_name = %(t)s AND l.undone_at IS NULL"
        " AND (%(f)s::text IS NULL OR l.file_id = %(f)s)"
        " {}"
    ).format(STILL_OPEN if open_only else sql.SQL(""))
    values = {"t": table, "f": file_id, "n": limit, "o": offset}
    with session(org, settings=settings) as conn:
        total = conn.execute(sql.SQL("SELECT count(*) {}").format(where), values).fetchone()
        rows = conn.execute(
            sql.SQL(
                "SELECT l.file_id, r.row_number, r.code, r.reason, r.cells - '_raw' - '_extra' {}"
                " ORDER BY l.ordinal, r.row_number LIMIT %(n)s OFFSET %(o)s"
            ).format(where),
            values,
        ).fetchall()
    names = ("file_id", "row", "code", "reason", "cells")
    return {
        "total": total[0] if total else 0,
        "results": [dict(zip(names, row, strict=True)) for row in rows],
    }


@click.command(epilog="Example: supplyline rejected --org 123 --table sales --json > rows.jsonl")
@click.option("--org", required=True, help="Organization id.")
@click.option("--table", required=True, help="Table, such as products.")
@click.option("--file", "file_id", help="Of one file; otherwise of all.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object a row, with its cells."
)
def rejected(org: str, table: str, file_id: str | None, as_json: bool) -> None:
    """Show the rows that loads set aside and nobody corrected since, with their reasons.

    Exit code 1 when there are any.
    """
    owner, name, config = parse_org_id(org), parse_table_name(table), environment.get()
    one, at, total = None if file_id is None else parse_file_id(file_id), 0, 1
    while at < total:
        page = rejected_rows(
            owner, name, file_id=one, limit=1000, offset=at, open_only=True, settings=config
        )
        total = page["total"]
        for row in page["results"]:
            plain = f"{row['file_id']} row {row['row']}: {row['reason']}"
            click.echo(json.dumps(row, ensure_ascii=False) if as_json else plain)
        at += 1000
    if total:
        raise SystemExit(1)
    click.echo(f"No row of {name} is set aside.", err=True)


@click.command(
    epilog="Example: supplyline columns --org 123 --table sales --set 'day=date DD/MM/YYYY'"
)
@click.option("--org", required=True, help="Organization id.")
@click.option("--table", required=True, help="Table, such as products.")
@click.option("--set", "assigned", multiple=True, help="COLUMN=KIND; may be repeated.")
@click.option("--unset", multiple=True, help="Column whose kind is found out again.")
@click.option("--drift", type=click.Choice(DRIFT), help="What happens when files change shape.")
@click.option("--user", default="operator", show_default=True, help="Who, for the audit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def columns(  # noqa: PLR0917 - click passes by keyword
    org: str,
    table: str,
    assigned: tuple[str, ...],
    unset: tuple[str, ...],
    drift: Drift | None,
    user: str,
    as_json: bool,
) -> None:
    """Show a table's columns, set their kinds and the drift policy."""
    owner, name, config = parse_org_id(org), parse_table_name(table), environment.get()
    pairs = [text.partition("=") for text in assigned]
    if any(not sign for _, sign, _ in pairs):
        raise click.UsageError("--set takes COLUMN=KIND.")
    types: dict[str, str | None] = {c: k for c, _, k in pairs} | dict.fromkeys(unset)
    if types or drift:
        found = change_table(owner, name, types=types, drift=drift, actor=user, settings=config)
    else:
        found = describe_table(owner, name, settings=config)
    if as_json:
        click.echo(json.dumps(found))
        return
    click.echo(f"{name}: drift policy {found['drift']}, key {found['key'] or 'none'}")
    for column in found["columns"]:
        click.echo(f"  {column['name']:<30} {column['kind']:<24} {column['remark']}")
    for column, kind in found["types"].items():
        known = column in {c["name"] for c in found["columns"]}
        click.echo(f"  set: {column} = {kind}{'' if known else ' (there is no such column yet)'}")
    for remark in found["remarks"]:
        click.echo(f"  note: {remark}")


@click.command(
    "load-preview", epilog="Example: supplyline load-preview --org 123 --table sales --file 5f0c..."
)
@click.option("--org", required=True, help="Organization id.")
@click.option("--table", required=True, help="Table, such as products.")
@click.option("--file", "file_id", help="A landed file; otherwise the next that waits.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def load_preview(org: str, table: str, file_id: str | None, as_json: bool) -> None:
    """Show what loading a file would change, and run nothing. Exit code 1 if rows are set aside."""
    found = preview_load(
        parse_org_id(org),
        parse_table_name(table),
        file_id=None if file_id is None else parse_file_id(file_id),
        settings=environment.get(),
    )
    click.echo(json.dumps(found) if as_json else _sentences(found))
    if found["refused"] or found["set_aside"]:
        raise SystemExit(1)


_BEHIND = "  these are loaded before it, and may change the table first: "
_REBUILDS = "  the table is made again in the order of its files, as `supplyline rebuild` does"


def _sentences(found: Json) -> str:
    changed = [c for c in found["columns"] if c["change"] != "none" or c["remark"]]
    return "\n".join(
        [
            f"{found['file_name']}: {found['rows']} rows, policy {found['policy']}",
            *(
                f"  {c['name']:<30} {c['change']:<10} {c['before'] or '-'} -> {c['after'] or '-'}"
                f"  {c['remark']}".rstrip()
                for c in changed
            ),
            *(f"  {statement};" for statement in found["ddl"]),
            *(f"  set aside: {r['rows']} rows, {r['reason']}" for r in found["reasons"]),
            *([f"  refused: {found['refused']}"] if found["refused"] else []),
            *([_BEHIND + ", ".join(found["behind"])] if found["behind"] else []),
            *([_REBUILDS] if found["rebuilds"] else []),
            *(
                ["  nothing changes in the table's shape"]
                if not (found["ddl"] or found["rebuilds"])
                else []
            ),
        ]
    )
