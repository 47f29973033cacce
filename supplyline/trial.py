"""What a file would become, before anything is written: preview and dry run.

At the level of `overview`. A dry run is the load itself, in a transaction that is always taken
back: what it counts is what a load would count. MongoDB is only read. While it runs it holds what
a load holds, so loads of the same table wait.
"""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, BinaryIO

import click

from supplyline import settings as environment
from supplyline.contracts import (
    Certificate,
    Json,
    Manifest,
    OrgId,
    ParseOptions,
    QuarantinedRow,
    RunRef,
    StoredFile,
    TableName,
    file_remarks,
)
from supplyline.errors import SupplylineError, UnreadableFile
from supplyline.ingest.commands import options_from, parse_options
from supplyline.ingest.preview import overruled, preview
from supplyline.intake import Intake, asked_of, key_spellings, opened, options_for
from supplyline.settings import Settings
from supplyline.stages import key_candidates, open_landing, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.catalog import table_settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id, parse_table_name

if TYPE_CHECKING:
    import pyarrow as pa

SHOWN = 20
_LAST = 2**62
"""Behind every file that there is."""


def preview_file(
    org: OrgId,
    *,
    file_id: str,
    table: TableName,
    given: ParseOptions,
    rows: int,
    count: bool,
    settings: Settings,
) -> Json:
    """`ingest.preview.preview` of a stored file, with `options`: what was applied.

    What is said now goes before what was said of the file, and that before what is remembered for
    its table. Raises FileNotStored, UnreadableFile.
    """
    storage = Storage(settings.storage_url)
    file = storage.find(org, file_id)
    with session(org, settings=settings) as conn:
        options = overruled(options_for(file, table_settings(conn, table)), given)
    with storage.open(file) as source:
        shown = preview(source, name=file.name, options=options, rows=rows, count=count)
    return {**shown, "options": options.as_json()}


def require_readable(
    org: OrgId, *, file: StoredFile, table: TableName, given: ParseOptions, settings: Settings
) -> None:
    """Raises UnreadableFile where an ingest of the file, read with `given`, would be refused."""
    with session(org, settings=settings) as conn:
        agreed = table_settings(conn, table)
    with open_landing(settings) as landing, Storage(settings.storage_url).open(file) as source:
        opened(
            source,
            name=file.name,
            options=overruled(agreed.options, given),
            asked=asked_of(agreed),
            spelled=key_spellings(org, table, agreed, landing),
        )


@dataclass
class _Tally:
    good: int = 0
    aside: int = 0
    codes: Counter[str] = field(default_factory=Counter)
    first: list[QuarantinedRow] = field(default_factory=list)

    def of(self, intake: Intake) -> Iterator[pa.RecordBatch]:
        for batch in intake.batches():
            self.good += batch.data.num_rows
            self.aside += len(batch.quarantined)
            self.codes.update(q.code for q in batch.quarantined)
            self.first.extend(batch.quarantined[: max(0, SHOWN - len(self.first))])
            yield batch.data


def dry_run(
    org: OrgId,
    *,
    source: BinaryIO,
    file: StoredFile,
    table: TableName,
    given: ParseOptions,
    settings: Settings,
    now: datetime,
) -> Json:
    """`{table, layout, options, key, rows, quarantine, load, refused, ...}`: the counts of ingest
    and load as they would be.

    `refused`: why the load as a whole would be refused, or None. Raises UnreadableFile,
    OrganizationNotFound, DatabaseUnavailable (also when a load of the table takes long).
    """
    from supplyline.landing.documents import file_key

    if file.replay_of:
        raise UnreadableFile(
            "The file holds corrections.", next_step="Look at the quarantine of what it corrects."
        )
    with session(org, settings=settings) as conn:
        agreed = table_settings(conn, table)
    options = overruled(options_for(file, agreed), given)
    asked = asked_of(agreed)
    with open_landing(settings) as landing:
        known = landing.manifests(org, table=table, state="closed")
        intake = opened(
            source,
            name=file.name,
            options=options,
            asked=asked,
            spelled=key_spellings(org, table, agreed, landing),
        )
    asked = intake.asked
    key = file_key(org, table=table, sha256=file.sha256, options=options, asked=asked)
    root = file.origin or file.file_id
    earlier = [m for m in known if root in (m.file_id, m.origin)]
    manifest = Manifest(
        org=org,
        table=table,
        file_id="dry_run",
        name=file.name,
        sha256=file.sha256,
        file_key=key,
        sequence=earlier[-1].sequence if earlier else _LAST,
        layout=intake.layout.as_json(),
    )
    tally = _Tally()
    certificate, refused = _rehearse(
        org, manifest=manifest, intake=intake, tally=tally, settings=settings, now=now
    )
    there = any(m.file_key == key for m in known)
    return {
        "table": table,
        "layout": manifest.layout,
        "options": options.as_json(),
        "contract_version": agreed.version,
        "rows": {
            "read": tally.good + tally.aside,
            "landed": 0 if there else tally.good,
            "duplicate": tally.good if there else 0,
            "quarantined": tally.aside,
        },
        "quarantine": {"codes": dict(tally.codes), "first": [asdict(q) for q in tally.first]},
        "load": _fates(certificate),
        "remarks": _remarks(certificate, manifest, read=tally.good + tally.aside),
        "refused": refused,
        "replaces": [m.file_id for m in earlier],
    }


def _rehearse(
    org: OrgId,
    *,
    manifest: Manifest,
    intake: Intake,
    tally: _Tally,
    settings: Settings,
    now: datetime,
) -> tuple[Certificate | None, Json | None]:
    """The load of the manifest's rows, taken back."""
    from supplyline.load.pipeline import load_within, lock_table

    rows = tally.of(intake)
    with session(org, settings=settings) as conn:
        try:
            with conn.transaction(force_rollback=True):
                conn.execute("SET LOCAL lock_timeout = '15s'")
                lock_table(conn, manifest.table)
                done = load_within(
                    org,
                    conn=conn,
                    manifest=manifest,
                    batches=rows,
                    run=RunRef(run_id="dry_run"),
                    now=now,
                    key_candidates=lambda columns: key_candidates(manifest.table, columns),
                )
        except UnreadableFile:
            raise
        except SupplylineError as error:
            if error.transient:
                raise
            for _ in rows:  # what is set aside is told all the same
                pass
            return None, {
                "code": error.code, "detail": error.detail, "next_step": error.advice,
            }  # fmt: skip
    return replace(done, rows_read=tally.good + tally.aside), None


def _remarks(certificate: Certificate | None, manifest: Manifest, *, read: int) -> list[str]:
    """The load's, and those of the file: how many rows it has was not known when it was begun."""
    if certificate is None:
        return []
    early = file_remarks(manifest.layout, rows_read=0)
    loads = [remark for remark in certificate.remarks if remark not in early]
    return [*file_remarks(manifest.layout, rows_read=read), *loads]


def _fates(certificate: Certificate | None) -> Json | None:
    names = ("inserted", "updated", "unchanged", "superseded", "rejected", "deleted")
    return {n: getattr(certificate, n) for n in names} if certificate else None


@click.command("dry-run")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--org", required=True, help="Organization id.")
@click.option("--table", help="Table; proposed from the file when left out.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
@parse_options
def dry_run_command(file: Path, org: str, table: str | None, as_json: bool, **given: Any) -> None:
    """Say what FILE would become: landed, set aside, inserted, updated. Nothing is written.

    Exit code 1 when rows would be set aside or the load would be refused.

    Example: supplyline dry-run sales.csv --org 123 --table sales
    """
    options, owner = options_from(given), parse_org_id(org)
    with file.open("rb") as source:
        if table is None:
            shown = preview(source, name=file.name, options=options, rows=0)
            table = shown["table"]["table"]
        source.seek(0)
        digest = hashlib.file_digest(source, "sha256").hexdigest()
        stored = StoredFile(
            org=owner, file_id="dry_run", name=file.name, size=file.stat().st_size,
            sha256=digest, url=str(file),
        )  # fmt: skip
        answer = dry_run(
            owner,
            source=source,
            file=stored,
            table=parse_table_name(table),
            given=options,
            settings=environment.get(),
            now=utc_now(),
        )
    click.echo(json.dumps(answer, ensure_ascii=False) if as_json else _sentences(answer))
    if answer["refused"] or answer["rows"]["quarantined"]:
        raise SystemExit(1)


def _sentences(answer: Json) -> str:
    rows, out = answer["rows"], []
    out.append(
        f"{answer['table']}: {rows['read']} rows read; {rows['landed']} would be landed, "
        f"{rows['duplicate']} are there already, {rows['quarantined']} would be set aside."
    )
    out += [f"  set aside  {code}: {n}" for code, n in answer["quarantine"]["codes"].items()]
    if answer["load"]:
        out.append("  " + ", ".join(f"{n} {what}" for what, n in answer["load"].items()))
    if answer["refused"]:
        out.append(f"  The load would be refused: {answer['refused']['detail']}")
        out.append(f"  {answer['refused']['next_step']}")
    out += [f"  {remark}" for remark in answer["remarks"]]
    return "\n".join(out)
