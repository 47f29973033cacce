"""A table's landed files into PostgreSQL, in order; files at fault are refused."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import partial
from typing import TYPE_CHECKING

from supplyline import settings as environment
from supplyline.contracts import Certificate, Json, OrgId, RunRef, TableName
from supplyline.errors import FileNotLoaded, SchemaDrift
from supplyline.rereading import Rows
from supplyline.settings import Settings
from supplyline.stages.common import Clock, open_landing, require_landed, utc_now
from supplyline.stages.ingest import record_ingest
from supplyline.tenancy.connections import session
from supplyline.tenancy.names import parse_org_id, parse_table_name

if TYPE_CHECKING:
    from supplyline.landing import Landing


def run_load(
    *,
    org_id: str,
    table: str,
    run: RunRef,
    settings: Settings | None = None,
    now: Clock = utc_now,
) -> Json:
    """Loads every closed file of the table that has no receipt yet. Answers the certificates.

    Raises InvalidName, OrganizationNotFound, TableNotLanded, SchemaDrift, FileNotLoaded (files that
    are at fault are then recorded as refused), StaleWorker and transient errors.
    """
    from supplyline.load import (
        OutOfOrder,
        claim_attempt,
        late,
        load_files,
        outdated,
        pending,
        rebuild,
    )

    config = settings or environment.get()
    org, name = parse_org_id(org_id), parse_table_name(table)
    with (
        open_landing(config) as landing,
        session(org, settings=config, application_name="supplyline load") as conn,
    ):
        manifests = landing.manifests(org, table=name, state="closed")
        if not manifests:
            require_landed(landing, org, name)
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
        done: Sequence[Certificate] = ()
        left_out: dict[str, str] = {}
        try:
            if not redo:
                try:
                    done = load_files(org, manifests=waiting, **parts)
                except OutOfOrder:
                    redo = True
            if redo:
                closed = partial(landing.manifests, org, table=name, state="closed")
                again = rebuild(org, manifests=closed, **parts)
                done, left_out = again.certificates, again.left_out
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
    from supplyline.intake import earlier, release_claims

    for file_id, reason in reasons.items():
        manifest = landing.manifest(org, file_id)
        corrected = manifest and earlier(org, manifest, landing)
        if corrected is not None:
            release_claims(org, corrected=corrected, by=file_id, landing=landing, settings=config)
        refused = landing.refuse_landed(org, file_id=file_id, reason=reason)
        if refused is not None:
            record_ingest(org, refused, run, config, now)


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
