"""run_ingest, run_load, run_forecast: the only place where the stages meet.

Each function is what one Airflow task, one command or one test calls. Arguments are texts as they
stand in a DAG run's conf; answers are plain JSON: ids and counts, never rows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from typing import TYPE_CHECKING

from supplyline import settings as environment
from supplyline.audit import events
from supplyline.contracts import (
    Certificate,
    Json,
    Manifest,
    OrgId,
    RunRef,
    StoredFile,
    TableName,
    TableSettings,
    file_remarks,
)
from supplyline.errors import (
    FileNotLoaded,
    FileOfOtherTable,
    OrganizationNotFound,
    SchemaDrift,
    TableNotLanded,
    UnreadableFile,
)
from supplyline.rereading import Rows
from supplyline.settings import Settings
from supplyline.storage import Storage
from supplyline.tenancy.catalog import file_places, table_settings
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_client_id, parse_org_id, parse_table_name

if TYPE_CHECKING:
    from supplyline.landing import Landing

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    return datetime.now(UTC)


@contextmanager
def open_landing(settings: Settings) -> Iterator[Landing]:
    """The landing store of MONGO_URI; closed at the end."""
    from pymongo import MongoClient

    from supplyline.landing import Landing

    client: MongoClient = MongoClient(
        settings.mongo_uri, serverSelectionTimeoutMS=10_000, appname="supplyline"
    )
    try:
        yield Landing(client[settings.mongo_database])
    finally:
        client.close()


def run_ingest(
    *,
    org_id: str,
    table: str,
    file_id: str,
    run: RunRef,
    settings: Settings | None = None,
    now: Clock = utc_now,
) -> Json:
    """Lands one stored file. Answers the manifest's counts.

    Raises InvalidName, OrganizationNotFound, FileNotStored, FileOfOtherTable, UnreadableFile (which
    is recorded in the manifest and the audit trail first) and the transient errors of the stores.
    """
    config = settings or environment.get()
    org, name = parse_org_id(org_id), parse_table_name(table)
    file = Storage(config.storage_url).find(org, file_id)
    with session(org, settings=config) as conn:
        agreed = table_settings(conn, name)
        place = file_places(conn, name, file_id=file.file_id)
    with open_landing(config) as landing:
        already = landing.manifest(org, file.file_id)
        if already is not None and already.state != "refused" and already.table != name:
            raise FileOfOtherTable(
                f"The file {file_id} ({file.name}) is landed in the table {already.table}, not in "
                f"{name}."
            )
        if already is not None and already.state == "closed":
            return _ingest_answer(already)
        manifest = _land(
            org, name, file, landing, agreed=agreed, place=place, run=run, config=config, now=now
        )
        try:
            _record_ingest(org, manifest, run, config, now)
        except OrganizationNotFound:
            if not Storage(config.storage_url).everything(org):  # erased: nothing of it may stay
                landing.withdraw(org, manifest)
            raise
    return _ingest_answer(manifest)


def _land(
    org: OrgId,
    table: TableName,
    file: StoredFile,
    landing: Landing,
    *,
    agreed: TableSettings,
    place: tuple[int | None, int],
    run: RunRef,
    config: Settings,
    now: Clock,
) -> Manifest:
    from supplyline.intake import earlier, release_claims, understand

    own, last = place
    with Storage(config.storage_url).open(file) as source:
        try:
            intake = understand(
                org, source=source, file=file, table=table, agreed=agreed, landing=landing,
                settings=config,
            )  # fmt: skip
            manifest = landing.open_manifest(
                org,
                table=table,
                file=file,
                layout=intake.layout,
                options=intake.options,
                run=run,
                now=now(),
                asked=intake.asked,
                sequence=own or intake.sequence,
                last=last,
            )
            return landing.land(org, manifest=manifest, batches=intake.batches(), now=now())
        except UnreadableFile as error:
            refused = landing.refuse(
                org, table=table, file=file, reason=error.detail, run=run, now=now()
            )
            if (corrected := earlier(org, file, landing)) is not None:
                release_claims(
                    org, corrected=corrected, by=file.file_id, landing=landing, settings=config
                )
            _record_ingest(org, refused, run, config, now)
            raise


def _record_ingest(
    org: OrgId, manifest: Manifest, run: RunRef, config: Settings, now: Clock
) -> None:
    with session(org, settings=config) as conn:
        events.append(
            conn,
            org=org,
            kind=f"ingest.{manifest.state}",
            actor=run.user_id,
            subject=manifest.table,
            detail=_ingest_answer(manifest),
            run_id=run.run_id,
            correlation_id=run.correlation_id,
            now=now,
        )


def _ingest_answer(manifest: Manifest) -> Json:
    fields = ("table", "file_id", "name", "sha256", "state", "rows_read", "landed", "quarantined",
              "duplicate", "checksum", "refusal")  # fmt: skip
    answer: Json = {name: getattr(manifest, name) for name in fields}
    if manifest.state == "closed":
        answer["remarks"] = list(file_remarks(manifest.layout, rows_read=manifest.rows_read))
    return answer


def run_load(
    *,
    org_id: str,
    table: str,
    run: RunRef,
    settings: Settings | None = None,
    now: Clock = utc_now,
) -> Json:
    """Loads every closed file of the table that has no receipt yet. Answers the certificates.

    Raises InvalidName, OrganizationNotFound, SchemaDrift, FileNotLoaded (files that are
    at fault are then recorded as refused), StaleWorker and transient errors.
    """
    from supplyline.load import claim_attempt, late, load_files, outdated, pending, rebuild

    config = settings or environment.get()
    org, name = parse_org_id(org_id), parse_table_name(table)
    with (
        open_landing(config) as landing,
        session(org, settings=config, application_name="supplyline load") as conn,
    ):
        manifests = landing.manifests(org, table=name, state="closed")
        if not manifests and not landing.manifests(org, table=name):
            raise TableNotLanded(f"Organization {org} has no file of a table {name}.")
        waiting = pending(conn, table=name, manifests=manifests)
        redo = outdated(conn, table=name, manifests=manifests) or late(
            conn, table=name, manifests=waiting
        )
        if redo:  # a file is understood otherwise now, or came late: in order from the beginning
            claim_attempt(conn, run)
        conn.commit()
        parts: Json = {
            "conn": conn, "table": name, "run": run, "now": now,
            "stream": Rows(org, landing=landing, settings=config),
            "key_candidates": lambda columns: key_candidates(name, columns),
        }  # fmt: skip
        try:
            if redo:
                closed = partial(landing.manifests, org, table=name, state="closed")
                again = rebuild(org, manifests=closed, **parts)
                done, left_out = again.certificates, again.left_out
            else:
                done, left_out = load_files(org, manifests=waiting, **parts), {}
        except (FileNotLoaded, SchemaDrift) as error:
            if not redo:  # what was loaded once is not given up because a rebuild fails
                _refuse_landed(org, error.reasons, landing, run=run, config=config, now=now)
            raise
        _refuse_landed(org, left_out, landing, run=run, config=config, now=now)
    if left_out:
        raise FileNotLoaded(" ".join(left_out.values()), reasons=left_out)
    new = {m.file_id for m in waiting}
    return _load_answer(name, [c for c in done if c.file_id in new])


def _refuse_landed(
    org: OrgId,
    reasons: Mapping[str, str],
    landing: Landing,
    *,
    run: RunRef,
    config: Settings,
    now: Clock,
) -> None:
    """Later loads of the table do without these files; rows that they were to correct are open."""
    from supplyline.intake import release_claims

    for file_id, reason in reasons.items():
        manifest = landing.manifest(org, file_id)
        corrected = manifest and landing.manifest(org, manifest.replay_of)
        if corrected is not None:
            release_claims(org, corrected=corrected, by=file_id, landing=landing, settings=config)
        refused = landing.refuse_landed(org, file_id=file_id, reason=reason)
        if refused is not None:
            _record_ingest(org, refused, run, config, now)


def key_candidates(table: TableName, columns: Sequence[str]) -> Sequence[tuple[str, ...]]:
    """Business keys worth testing for a new table, from what its columns are called."""
    from supplyline import vocabulary

    proposal = vocabulary.recognise(columns, file_name=f"{table}.csv")
    return vocabulary.key_candidates(proposal.kind, vocabulary.field_columns(columns))


def _load_answer(table: str, certificates: Sequence[Certificate]) -> Json:
    counted = ("rows_read", "landed", "quarantined", "duplicate", "inserted", "updated",
               "unchanged", "superseded", "rejected")  # fmt: skip
    return {
        "table": table,
        "files": len(certificates),
        "verdict": "partial" if any(c.verdict == "partial" for c in certificates) else "success",
        **{name: sum(getattr(c, name) for c in certificates) for name in counted},
    }


def prepare_forecast(
    *, client_id: str, run: RunRef, settings: Settings | None = None, now: Clock = utc_now
) -> list[Json]:
    """Reads demand and stock and splits the items. Answers one `{chunk, attempt}` for each part.

    The attempt travels with the parts: tasks of one run are retried apart, and only the newest
    preparation may be published. Raises OrganizationNotFound, NotEnoughHistory, transient errors.
    """
    from supplyline.forecast import prepare

    config = settings or environment.get()
    org = parse_client_id(client_id)
    with session(org, settings=config) as conn:
        prepared = prepare(org, conn=conn, now=now(), run=run)
    return [{"chunk": chunk, "attempt": run.attempt} for chunk in prepared.chunks]


def forecast_part(
    *, client_id: str, part: Json, run: RunRef, settings: Settings | None = None
) -> Json:
    """Forecasts and plans one part's items into staging. Answers `{items, attempt}`."""
    from supplyline.forecast import forecast_chunk

    config = settings or environment.get()
    org = parse_client_id(client_id)
    owner = replace(run, attempt=part["attempt"])
    with session(org, settings=config) as conn:
        result = forecast_chunk(org, conn=conn, run=owner, chunk=part["chunk"])
    return {"items": result.items, "attempt": part["attempt"]}


def publish_forecast(
    *,
    client_id: str,
    parts: Sequence[Json],
    run: RunRef,
    settings: Settings | None = None,
    now: Clock = utc_now,
) -> Json:
    """Makes all parts visible at once. Answers the run's report.

    Parts whose results a crash of PostgreSQL took out of staging are done again first.
    """
    from supplyline.forecast import forecast_chunk, missing_chunks, publish

    config = settings or environment.get()
    org = parse_client_id(client_id)
    owner = replace(run, attempt=max((p["attempt"] for p in parts), default=run.attempt))
    with session(org, settings=config) as conn:
        for chunk in missing_chunks(conn, run=owner):
            forecast_chunk(org, conn=conn, run=owner, chunk=chunk)
        return publish(org, conn=conn, now=now(), run=owner).as_json()


def run_forecast(
    *, client_id: str, run: RunRef, settings: Settings | None = None, now: Clock = utc_now
) -> Json:
    """All three steps in this process."""
    parts = [
        forecast_part(client_id=client_id, part=part, run=run, settings=settings)
        for part in prepare_forecast(client_id=client_id, run=run, settings=settings, now=now)
    ]
    return publish_forecast(client_id=client_id, parts=parts, run=run, settings=settings, now=now)
