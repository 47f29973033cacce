"""`supplyline verify`: whether a table is still what its files made it, from every store there is.

At the level of `stages`: it joins storage, landing, load and the audit trail. Promises: it changes
nothing; what it compares is recomputed, not remembered; every difference is named with what it
concerns.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

import click
from psycopg import IsolationLevel

from supplyline import settings as environment
from supplyline.contracts import Json, Manifest, OrgId, TableName
from supplyline.errors import FileNotStored, LoadNotFound, StoredFileDamaged, UnreadableFile
from supplyline.rereading import Rows, stored_checksum
from supplyline.settings import Settings
from supplyline.stages import open_landing, require_landed, run_by_hand, utc_now
from supplyline.storage import Storage
from supplyline.tenancy.connections import Connection, connect, unavailable_mapped
from supplyline.tenancy.names import parse_file_id, parse_org_id, parse_table_name

if TYPE_CHECKING:
    from supplyline.landing import Landing
    from supplyline.load.verify import Verification


Say = Callable[[str], None]


@dataclass(kw_only=True)
class Report:
    """`missing`: loaded files without landed rows; `table`: what concerns the table as a whole;
    `trail`: what receipts and certificates say otherwise than the audit trail; `anew`: what the
    table made anew has otherwise, None when it was not made."""

    files: list[Verification] = field(default_factory=list)
    missing: list[str] = field(default_factory=list)
    table: list[str] = field(default_factory=list)
    trail: list[str] = field(default_factory=list)
    anew: list[str] | None = None

    @property
    def holds(self) -> bool:
        found = any(one.differences for one in self.files)
        return not (found or self.missing or self.table or self.trail or self.anew)

    def as_json(self) -> Json:
        return {
            "holds": self.holds,
            "missing": self.missing,
            "certificates": [one.as_json() for one in self.files],
            "table": self.table,
            "trail": self.trail,
            "rebuilt": self.anew,
        }


def verify_table(
    org: OrgId,
    *,
    table: TableName,
    settings: Settings,
    file_id: str | None = None,
    deep: bool = False,
    anew: bool = False,
    done: Callable[[Verification], None] = lambda _: None,
    say: Say = lambda _: None,
) -> Report:
    """Verifies one file, or every loaded file and the table as a whole.

    `deep`: stored files are read again; `anew`: the table is made anew and compared row by row.
    Raises LoadNotFound, OrganizationNotFound and transient errors.
    """
    with (
        unavailable_mapped(),
        open_landing(settings) as landing,
        connect(org, settings=settings) as conn,
    ):
        conn.isolation_level = IsolationLevel.REPEATABLE_READ  # one moment for all of PostgreSQL
        # As for a load: a few large sorts and joins, which take longer to compile than to run.
        conn.execute("SET work_mem = '64MB'")
        conn.execute("SET jit = off")
        conn.commit()
        work = _Work(org, table, conn, landing, settings)
        work.report(file_id, deep=deep, done=done)
        conn.rollback()
        if anew:
            conn.isolation_level = IsolationLevel.READ_COMMITTED
            work.make_anew(say)
        return work.out


class _Work:
    def __init__(
        self, org: OrgId, table: TableName, conn: Connection, landing: Landing, settings: Settings
    ) -> None:
        self.org, self.table, self.conn = org, table, conn
        self.landing, self.settings = landing, settings
        self.rows = Rows(org, landing=landing, settings=settings)
        self.manifests: Mapping[str, Manifest] = {}
        self.just_released: frozenset[str] = frozenset()
        self.out = Report()

    def _known(self) -> Mapping[str, Manifest]:
        return {m.file_id: m for m in self.landing.manifests(self.org, table=self.table)}

    def _released(self) -> frozenset[str]:
        return frozenset(f for f, m in (self.manifests or self._known()).items() if m.released_at)

    def report(
        self, file_id: str | None, *, deep: bool, done: Callable[[Verification], None]
    ) -> None:
        from supplyline import load
        from supplyline.load.records import loaded_file_ids, undone_file_ids

        released = self._released()
        load.hold_shape(self.conn, self.table)
        loaded = loaded_file_ids(self.conn, self.table) - undone_file_ids(self.conn, self.table)
        self.manifests = self._known()  # after that moment: what is loaded in it is landed
        self.just_released = self._released() - released
        chosen = loaded if file_id is None else {parse_file_id(file_id)}
        trail = load.against_trail(self.conn, self.table, manifests=self.manifests)
        for manifest in self.manifests.values():
            if manifest.file_id in chosen:
                self._file(manifest, deep=deep, done=done, in_trail=manifest.file_id in trail)
        known = {one.certificate.file_id for one in self.out.files} | trail.keys()
        self.out.missing = sorted(chosen - known)
        self.out.trail = [
            f"{one}: {said}" if one else said
            for one, differences in sorted(trail.items())
            if file_id is None or one in ("", file_id)
            for said in differences
        ]
        if file_id is None:
            damaged = list(load.damage(self.conn, self.table))
            standing = bool(loaded) and not damaged
            self.out.table = damaged + (load.whole_table(self.conn, self.table) if standing else [])

    def _file(
        self,
        manifest: Manifest,
        *,
        deep: bool,
        done: Callable[[Verification], None],
        in_trail: bool,
    ) -> None:
        from supplyline import load
        from supplyline.load.verify import RELEASE_UNSAID

        try:
            one = load.verify(self.conn, manifest=manifest, stream=self.rows)
        except LoadNotFound:
            if in_trail:  # which says that it is loaded, and that its receipt is gone
                return
            raise
        if manifest.file_id in self.just_released:  # said behind the moment that is looked at
            differences = tuple(d for d in one.differences if d != RELEASE_UNSAID)
            one = replace(one, differences=differences)
        more = self._landed(manifest) + self._stored(manifest, deep=deep)
        one = replace(one, differences=(*one.differences, *more))
        self.out.files.append(one)
        done(one)

    def _landed(self, manifest: Manifest) -> list[str]:
        """Counts of landing against its manifest, which says it when rows were released since."""
        rows, own, aside = self.landing.counts(self.org, manifest)
        manifest = self.landing.manifest(self.org, manifest.file_id) or manifest
        out = []
        expected = manifest.landed + manifest.duplicate
        if not manifest.released_at and rows != expected:
            out.append(f"MongoDB holds {rows} rows of the file, its manifest says {expected}")
        elif not manifest.released_at and own != manifest.landed:
            out.append(f"{own} rows in MongoDB name the file, its manifest says {manifest.landed}")
        if aside != manifest.quarantined:
            out.append(f"{aside} rows are in quarantine, the manifest says {manifest.quarantined}")
        elif (said := manifest.checksum_quarantine) and said != self.landing.quarantine.checksum(
            self.org, manifest=manifest
        ):
            out.append("the rows in quarantine are not those that were set aside (checksum)")
        return out

    def _stored(self, manifest: Manifest, *, deep: bool) -> list[str]:
        """The stored bytes against the manifest; `deep`: the rows that they give, too."""
        storage = Storage(self.settings.storage_url)
        try:
            file = storage.find(self.org, manifest.file_id)
            size, sha256 = storage.digest(file)
        except StoredFileDamaged as error:
            return [error.detail]
        except FileNotStored:
            # Of a released file that is said as a note: only the checksum is left.
            return [] if manifest.released_at else ["the stored file is gone"]
        if size != file.size or sha256 != manifest.sha256:
            return [f"the stored file is not the one that was uploaded ({size} bytes)"]
        if (file.sha256, file.name) != (manifest.sha256, manifest.name):
            return ["what storage says of the file is not what its manifest says"]
        return self._read_again(manifest) if deep and not manifest.replay_of else []

    def _read_again(self, manifest: Manifest) -> list[str]:
        try:
            again = stored_checksum(
                self.org, manifest, landing=self.landing, settings=self.settings
            )
        except UnreadableFile as error:
            return [f"the stored file cannot be read again: {error.detail}"]
        same = again == manifest.checksum
        return [] if same else ["the stored file, read again, gives other rows"]

    def make_anew(self, say: Say) -> None:
        from supplyline import load

        self.out.anew = load.compare_anew(
            self.org,
            conn=self.conn,
            table=self.table,
            manifests=self._known,
            stream=self.rows,
            run=run_by_hand("verify", user="verify"),
            now=utc_now,
            say=say,
        )


@click.command(epilog="Example: supplyline verify --org 123 --table products --rebuild")
@click.option("--org", required=True, help="Organization id.")
@click.option("--table", required=True, help="Table, such as products.")
@click.option("--file", "file_id", default=None, help="One file id; otherwise every loaded file.")
@click.option("--deep", is_flag=True, help="Also read the stored files again, row by row.")
@click.option("--rebuild", is_flag=True, help="Also make the table anew, compare every row.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object.")
def verify(  # noqa: PLR0917 - click passes by keyword
    org: str, table: str, file_id: str | None, deep: bool, rebuild: bool, as_json: bool
) -> None:
    """Recompute certificates from storage, MongoDB, PostgreSQL and the audit trail.

    Without --file the table as a whole too: rows of no load, its history, its columns. Changes
    nothing. Exit code 1 when something differs, 3 when nobody knows the table.
    """
    name, settings = parse_table_name(table), environment.get()
    report = verify_table(
        parse_org_id(org),
        table=name,
        settings=settings,
        file_id=file_id,
        deep=deep,
        anew=rebuild,
        done=(lambda _: None) if as_json else _print,
        say=lambda text: click.echo(text, err=True),
    )
    if file_id is None and not (report.files or report.missing or report.trail):
        # A table that nobody knows does not hold: its name is wrong, perhaps in a crontab.
        look = "Check the table's name; GET /api/tables/ lists the tables."
        with open_landing(settings) as landing:
            require_landed(landing, parse_org_id(org), name, next_step=look)
    if as_json:
        click.echo(json.dumps(report.as_json()))
    else:
        _print_whole(report, name)
    if not report.holds:
        raise SystemExit(1)


def _print(one: Verification) -> None:
    c = one.certificate
    click.echo(f"{'holds ' if not one.differences else 'BROKEN'} {c.file_id}  {c.file_name}")
    for line in (one.note, *one.differences):
        if line:
            click.echo(f"       {line}")


def _print_whole(report: Report, table: TableName) -> None:
    for where, differences in (
        ("table", report.table),
        ("audit trail", report.trail),
        ("made anew", report.anew or []),
    ):
        for difference in differences:
            click.echo(f"BROKEN {where}: {difference}")
    if report.missing:
        click.echo(f"No landed rows of: {', '.join(report.missing)}")
    if not (report.files or report.missing or report.trail):
        click.echo(f"Nothing is loaded into {table}.")
    elif report.anew == []:
        click.echo(f"Made anew, {table} and its history are the same, row for row.")
