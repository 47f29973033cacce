"""`supplyline retention`: how long landed rows are kept after their load was certified.

At the level of `stages`. Promises: rows are released only when their certificate holds on that very
day and the stored file, read again, has the certificate's checksum; the release is recorded, with
its audit event, before anything is deleted; a release that was cut off is completed by the next
call. The certificate, the manifest and the rows in quarantine stay. For ever is the default.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime, timedelta
from typing import TYPE_CHECKING

import click

from supplyline import settings as environment
from supplyline.audit import events
from supplyline.contracts import Json, Manifest, OrgId, RunRef
from supplyline.errors import FileNotStored, UnreadableFile
from supplyline.faults import reach
from supplyline.rereading import Rows, stored_checksum
from supplyline.settings import Settings
from supplyline.stages import open_landing, run_by_hand, utc_now
from supplyline.tenancy.connections import Connection, session
from supplyline.tenancy.names import parse_org_id

if TYPE_CHECKING:
    from supplyline.landing import Landing


def landing_days(conn: Connection) -> int | None:
    """The policy: days that landed rows are kept; None for ever."""
    row = conn.execute(
        "SELECT landing_days FROM supplyline.retention_policy ORDER BY version DESC LIMIT 1"
    ).fetchone()
    return row[0] if row else None


def set_landing_days(
    conn: Connection, org: OrgId, days: int | None, *, actor: str, now: datetime
) -> None:
    """Saves the policy's next version and its audit event in the caller's transaction."""
    conn.execute(
        "INSERT INTO supplyline.retention_policy (version, landing_days, saved_at, saved_by)"
        " SELECT coalesce(max(version), 0) + 1, %s, %s, %s FROM supplyline.retention_policy",
        (days, now, actor),
    )
    events.append(
        conn, org=org, kind="retention.set", actor=actor, subject="landing",
        detail={"landing_days": days}, now=lambda: now,
    )  # fmt: skip


def release(
    org: OrgId,
    *,
    run: RunRef,
    settings: Settings,
    now: Callable[[], datetime] = utc_now,
    dry_run: bool = False,
    say: Callable[[str], None] = lambda _: None,
) -> Json:
    """Releases the landed rows that the policy lets go.

    Answers `{landing_days, released: [{file_id, table, rows}], kept: [{file_id, why}]}`; `say` is
    told about each file as it is done.
    """
    with open_landing(settings) as landing, session(org, settings=settings) as conn:
        manifests = landing.manifests(org)
        work = _Release(org, conn, landing, settings, run)
        if not dry_run:
            for group in _by_content([m for m in manifests if m.released_at]):
                landing.finish_release(org, group)
                work.record_twins(group, now())
        days = landing_days(conn)
        answer: Json = {"landing_days": days, "released": [], "kept": []}
        if days is None:
            return answer
        due = _due(conn, before=now() - timedelta(days=days))
        conn.commit()
        for group in _by_content([m for m in manifests if not m.released_at]):
            if not any(m.file_id in due for m in group):
                continue
            why = work.obstacle(group, due)
            if why:
                answer["kept"] += [{"file_id": m.file_id, "why": why} for m in group]
                say(f"kept {', '.join(m.file_id for m in group)}: {why}")
                continue
            if not dry_run:
                work.let_go(group, now())
            answer["released"] += [
                {"file_id": m.file_id, "table": m.table, "rows": m.landed} for m in group
            ]
            say(f"released {', '.join(m.file_id for m in group)}")
    return answer


def _by_content(manifests: Sequence[Manifest]) -> Iterator[list[Manifest]]:
    """Files that share their landed rows, since they have the same content."""
    groups: dict[str, list[Manifest]] = {}
    for manifest in manifests:
        groups.setdefault(manifest.file_key, []).append(manifest)
    yield from groups.values()


def _due(conn: Connection, *, before: datetime) -> set[str]:
    """Files whose load stands and was certified long enough ago, or was undone."""
    rows = conn.execute(
        "SELECT l.file_id FROM supplyline.loads l LEFT JOIN supplyline.certificates c USING"
        " (load_id) WHERE coalesce(c.issued_at, l.loaded_at) <= %s",
        (before,),
    ).fetchall()
    return {r[0] for r in rows}


class _Release:
    """The release of one file's rows, or of several files of the same content."""

    def __init__(
        self, org: OrgId, conn: Connection, landing: Landing, settings: Settings, run: RunRef
    ) -> None:
        self.org, self.conn, self.landing, self.settings = org, conn, landing, settings
        self.run = run

    def obstacle(self, group: Sequence[Manifest], due: set[str]) -> str:
        """Why the rows must stay, or ''."""
        from supplyline import load
        from supplyline.load.records import is_undone

        if any(m.file_id not in due for m in group):
            return "a file of the same content is not loaded, or not long enough"
        if any(m.replay_of for m in group):
            return "corrections of other rows are kept with them"
        for manifest in group:
            if is_undone(self.conn, manifest.file_id):
                continue
            rows = Rows(self.org, landing=self.landing, settings=self.settings)
            verified = load.verify(self.conn, manifest=manifest, stream=rows)
            self.conn.commit()
            if verified.differences:
                return f"its certificate does not hold: {verified.differences[0]}"
        try:
            again = stored_checksum(
                self.org, group[0], landing=self.landing, settings=self.settings
            )
        except (FileNotStored, UnreadableFile) as error:
            return f"the stored file cannot be read again: {error.detail}"
        return "" if again == group[0].checksum else "the stored file reads otherwise now"

    def let_go(self, group: Sequence[Manifest], now: datetime) -> None:
        # 1. say it, where the certificates are
        self._record(group, now, now=now)
        reach("release.recorded")
        # 2. do it, where the rows are
        self.landing.begin_release(self.org, group, now=now)
        reach("release.begun")
        self.landing.finish_release(self.org, group)
        reach("release.deleted")

    def record_twins(self, group: Sequence[Manifest], now: datetime) -> None:
        """Says it of those, too, that were landed and loaded while the others were released."""
        waiting = self.conn.execute(
            "SELECT file_id FROM supplyline.loads WHERE released_at IS NULL AND file_id = ANY(%s)",
            ([m.file_id for m in group],),
        ).fetchall()
        for (file_id,) in waiting:
            twin = next(m for m in group if m.file_id == file_id)
            self._record([twin], datetime.fromisoformat(twin.released_at), now=now)
        self.conn.commit()

    def _record(self, group: Sequence[Manifest], released_at: datetime, *, now: datetime) -> None:
        from supplyline.load import records

        for manifest in group:
            records.mark_released(self.conn, manifest.file_id, released_at)
            events.append(
                self.conn,
                org=self.org,
                kind="landing.released",
                actor=self.run.user_id,
                subject=manifest.table,
                detail={"file_id": manifest.file_id, "rows": manifest.landed,
                        "checksum": manifest.checksum},
                run_id=self.run.run_id,
                correlation_id=self.run.correlation_id,
                now=lambda: now,
            )  # fmt: skip
        self.conn.commit()


@click.command(epilog="Example: supplyline retention --org 123 --keep-days 90 --release")
@click.option("--org", required=True, help="Organization id.")
@click.option(
    "--keep-days", type=click.IntRange(0, 36_500), help="Set the policy: keep so many days."
)
@click.option("--keep-forever", is_flag=True, help="Set the policy: keep for ever (the default).")
@click.option("--release", "do_release", is_flag=True, help="Release what the policy lets go.")
@click.option("--dry-run", is_flag=True, help="Say what --release would do, and do nothing.")
@click.option("--user", default="operator", show_default=True, help="Who, for the audit.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def retention(  # noqa: PLR0917 - click passes by keyword
    org: str,
    keep_days: int | None,
    keep_forever: bool,
    do_release: bool,
    dry_run: bool,
    user: str,
    as_json: bool,
) -> None:
    """Show or set how long landed rows are kept, and release those that are past it.

    Exit code 1 when rows that are due must stay, such as when a certificate does not hold.
    """
    if keep_forever and keep_days is not None:
        raise click.UsageError("Say --keep-days or --keep-forever, not both.")
    owner, config = parse_org_id(org), environment.get()
    with session(owner, settings=config) as conn:
        if keep_forever or keep_days is not None:
            set_landing_days(conn, owner, keep_days, actor=user, now=utc_now())
        days = landing_days(conn)
    found: Json = {"landing_days": days, "released": [], "kept": []}
    if do_release or dry_run:
        found = release(
            owner,
            run=run_by_hand("release", user=user),
            settings=config,
            dry_run=dry_run,
            say=(lambda _: None) if as_json else click.echo,
        )
    if as_json:
        click.echo(json.dumps(found))
    else:
        kept = "for ever" if days is None else f"{days} days after their load is certified"
        click.echo(f"{owner}: landed rows are kept {kept}.")
    if found["kept"]:
        raise SystemExit(1)
