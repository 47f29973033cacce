"""How one stored file is to be read: its own options, the table's contract, what it corrects.

At the level of `stages`: it joins ingest and landing. Promises: an attempt that is repeated reads
with what the first one recorded, whatever was decided meanwhile. Writes nothing.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, BinaryIO

from supplyline.contracts import (
    Json,
    Layout,
    Manifest,
    OrgId,
    ParseOptions,
    RowBatch,
    StoredFile,
    TableName,
    TableSettings,
)
from supplyline.errors import UnreadableFile
from supplyline.settings import Settings
from supplyline.tenancy.connections import session

if TYPE_CHECKING:
    from supplyline.landing import Landing


@dataclass(frozen=True, kw_only=True)
class Intake:
    """A file opened and ready to be landed. `asked` as in `landing.documents.file_key`."""

    layout: Layout
    options: ParseOptions
    asked: Json
    sequence: int | None
    """The place of the file which this one is another reading or a correction of."""
    batches: Callable[[], Iterator[RowBatch]]


def understand(
    org: OrgId,
    *,
    source: BinaryIO,
    file: StoredFile,
    table: TableName,
    agreed: TableSettings,
    landing: Landing,
    settings: Settings,
) -> Intake:
    """Opens `source`, the bytes of `file`. Raises UnreadableFile."""
    found = landing.manifest(org, file.file_id)
    if found is not None and found.layout["format"] != "unknown":
        options, asked = ParseOptions(**found.options), found.asked
    else:
        options, asked = options_for(file, agreed), asked_of(agreed)
        if file.replay_of:
            asked = {**asked, "replay_of": file.replay_of}
    if file.replay_of:
        return _corrections(
            org, source=source, file=file, table=table, options=options, asked=asked,
            landing=landing, settings=settings,
        )  # fmt: skip
    first = landing.manifest(org, file.origin) if file.origin else None
    place = first.sequence if first is not None and first.table == table else None
    return opened(
        source,
        name=file.name,
        options=options,
        asked=asked,
        sequence=place,
        spelled=None if found is not None else key_spellings(org, table, agreed, landing),
    )


Spelled = Callable[[Sequence[str]], dict[str, str]]
"""A file's columns → those of them that are the key's under another name (`vocabulary`)."""


def key_spellings(org: OrgId, table: TableName, agreed: TableSettings, landing: Landing) -> Spelled:
    """By the files of the table that are landed already; looks at them only if it has to."""
    from supplyline.vocabulary import field_columns, key_aliases, key_candidates, recognise

    def spelled(columns: Sequence[str]) -> dict[str, str]:
        if agreed.key == () or (agreed.key and set(agreed.key) <= set(columns)):
            return {}
        before = [m for m in landing.manifests(org, table=table, state="closed") if not m.replay_of]
        if not before:
            return {}
        headers = [[str(c["name"]) for c in m.layout["columns"]] for m in before]
        first = recognise(headers[0], file_name=f"{table}.csv")
        keys = key_candidates(first.kind, field_columns(headers[0]))
        known = list(dict.fromkeys(name for header in headers for name in header))
        key = agreed.key or tuple(dict.fromkeys(name for one in keys for name in one))
        return key_aliases(columns, key=key, known=known)

    return spelled


def opened(
    source: BinaryIO,
    *,
    name: str,
    options: ParseOptions,
    asked: Json,
    sequence: int | None = None,
    spelled: Spelled | None = None,
) -> Intake:
    """A file read with a contract: columns under their agreed names, each row checked."""
    from supplyline.ingest import checks, open_file

    rules = checks.checks_of(rules=asked.get("rules", {}), key=tuple(asked.get("key", ())))
    reading = open_file(source, name=name, options=options)
    checks.require_table(reading.layout)
    reading.layout = renamed(reading.layout, asked.get("aliases", {}))
    if spelled is not None and (found := spelled([c.name for c in reading.layout.columns])):
        asked = {**asked, "spelled": found}
    reading.layout = _under_the_keys_names(reading.layout, asked.get("spelled", {}))
    checks.require_columns(rules, reading.layout, options=options)
    return Intake(
        layout=reading.layout,
        options=options,
        asked=asked,
        sequence=sequence,
        batches=lambda: checks.apply(reading.batches(), checks=rules, layout=reading.layout),
    )


def _corrections(
    org: OrgId,
    *,
    source: BinaryIO,
    file: StoredFile,
    table: TableName,
    options: ParseOptions,
    asked: Json,
    landing: Landing,
    settings: Settings,
) -> Intake:
    from supplyline.ingest import checks, corrections

    corrected = landing.manifest(org, file.replay_of)
    if corrected is None or corrected.state != "closed" or corrected.table != table:
        raise UnreadableFile(
            f"The file {file.replay_of} has no rows of {table} to correct.",
            next_step="Name the file whose quarantine was downloaded.",
        )
    reading, layout = corrections.read(
        source, name=file.name, options=options, columns=corrected.layout["columns"]
    )
    rules = checks.checks_of(rules=asked.get("rules", {}), key=tuple(asked.get("key", ())))
    return Intake(
        layout=layout,
        options=options,
        asked=asked,
        sequence=corrected.sequence,
        batches=lambda: corrections.batches(
            reading,
            layout=layout,
            asked=rules,
            claim=lambda rows: _claim(
                org, rows, corrected=corrected, by=file.file_id, landing=landing,
                settings=settings,
            ),
        ),
    )  # fmt: skip


def _claim(
    org: OrgId,
    rows: Mapping[int, int],
    *,
    corrected: Manifest,
    by: str,
    landing: Landing,
    settings: Settings,
) -> Mapping[int, str]:
    """`ingest.corrections.Claim`: rows that the ingest set aside, and rows that a load did."""
    from supplyline.load import corrected as loaded

    with session(org, settings=settings) as conn:
        failed = loaded.failed(conn, file_key=corrected.file_key)
        refused = landing.quarantine.claim(
            org, manifest=corrected, corrections=rows, by=by, failed=failed
        )
        if others := [row for row, code in refused.items() if code == "not_in_quarantine"]:
            own = loaded.claim(
                conn,
                file_key=corrected.file_key,
                corrections={row: rows[row] for row in others},
                by=by,
            )
            refused = {r: c for r, c in refused.items() if c != "not_in_quarantine"} | own
    return refused


def release_claims(
    org: OrgId, *, corrected: Manifest, by: str, landing: Landing, settings: Settings
) -> None:
    """Opens the rows again that the file `by`, which was refused, had claimed."""
    from supplyline.load import corrected as loaded

    landing.quarantine.release(org, manifest=corrected, by=by)
    with session(org, settings=settings) as conn:
        loaded.release(conn, by=by)


def earlier(org: OrgId, file: StoredFile | Manifest, landing: Landing) -> Manifest | None:
    """The file that this one corrects, if it corrects one."""
    return landing.manifest(org, file.replay_of) if file.replay_of else None


def options_for(file: StoredFile, agreed: TableSettings) -> ParseOptions:
    """What was said of the file itself goes before what is remembered for its table."""
    from supplyline.ingest.preview import overruled

    if file.replay_of:  # not written as the table's files are
        return file.options or ParseOptions()
    return overruled(agreed.options, file.options or ParseOptions())


def asked_of(agreed: TableSettings) -> Json:
    """What a contract asks of rows, {} for nothing: part of a file's identity in landing."""
    from supplyline.ingest.rules import parse_rules

    out: Json = {}
    if agreed.rules:
        out["rules"] = {c: rule.as_json() for c, rule in parse_rules(agreed.rules).items()}
    if agreed.key and (agreed.rules or agreed.key_source == "configured"):
        out["key"] = list(agreed.key)
    if agreed.aliases:
        out["aliases"] = dict(agreed.aliases)
    return out


def _under_the_keys_names(layout: Layout, spelled: dict[str, str]) -> Layout:
    reasons = tuple(
        f"read as the key: column {theirs} is taken for {own}, which the file lacks;"
        " if it is another, say so in `aliases` of the table's contract and read the file again"
        for theirs, own in spelled.items()
    )
    return replace(renamed(layout, spelled), reasons=(*layout.reasons, *reasons))


def renamed(layout: Layout, aliases: dict[str, str]) -> Layout:
    """Columns under the table's own names where a file spells them otherwise."""
    taken = {c.name for c in layout.columns}
    columns = []
    for column in layout.columns:
        wanted = aliases.get(column.name)
        if wanted is not None and wanted not in taken:
            taken.add(wanted)
            columns.append(replace(column, name=wanted))
        else:
            columns.append(column)
    return replace(layout, columns=tuple(columns))
