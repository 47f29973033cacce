"""Whether a certificate still holds: recomputed from MongoDB and PostgreSQL. Changes nothing."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import psycopg
import pyarrow as pa
from psycopg import sql

from supplyline.checksums import Checksum
from supplyline.contracts import Certificate, Json, Manifest
from supplyline.errors import FileNotStored, LoadNotFound
from supplyline.load import form, merge, records, sums, types
from supplyline.load.exclusive import hold_shape
from supplyline.load.keys import actual_key
from supplyline.load.pipeline import Stream
from supplyline.load.quarantine import (
    leave_out_misfits,
    leave_out_rejected,
    leave_out_superseded,
)
from supplyline.load.schema import HIDDEN
from supplyline.load.staging import STAGING, stage
from supplyline.tenancy.connections import Connection

AS_OF = "supplyline_as_of"


@dataclass(frozen=True, kw_only=True)
class Verification:
    """`certificate` as it was issued; `differences`: what the stores say otherwise today."""

    certificate: Certificate
    differences: tuple[str, ...]
    checksum_landing: str
    checksum_table: str
    note: str = ""

    def as_json(self) -> Json:
        return {
            "table": self.certificate.table,
            "file_id": self.certificate.file_id,
            "load_id": self.certificate.load_id,
            "holds": not self.differences,
            "differences": list(self.differences),
            "checksum_file": self.certificate.checksum_file,
            "checksum_landing": self.checksum_landing,
            "checksum_table": self.checksum_table,
            "note": self.note,
        }


def verify(conn: Connection, *, manifest: Manifest, stream: Stream) -> Verification:
    """Recomputes a file's certificate from MongoDB and PostgreSQL. Raises LoadNotFound.

    The file's rows are compared with the versions that were current right after its load, wherever
    these are now: in the table or in its history.
    """
    hold_shape(conn, manifest.table)
    found = records.certificates(conn, file_id=manifest.file_id, limit=1)
    if not found or records.is_undone(conn, manifest.file_id):
        raise LoadNotFound(f"The file {manifest.file_id} is not loaded.", file_id=manifest.file_id)
    certificate, note, source = found[0], "", "landing"
    if manifest.released_at:
        note = f"landing released on {manifest.released_at[:10]}, checksum kept"
        source = "the stored file"
    try:
        return _recomputed(conn, certificate, manifest, stream(manifest), source=source, note=note)
    except FileNotStored:
        return Verification(
            certificate=certificate, differences=(), note=f"{note}; the stored file is gone too",
            checksum_landing="", checksum_table="",
        )  # fmt: skip


def _recomputed(
    conn: Connection,
    certificate: Certificate,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    *,
    source: str,
    note: str,
) -> Verification:
    out = _against_manifest(conn, certificate, manifest)
    columns = manifest.columns
    if form.damage(conn, manifest.table):
        return _without_table(certificate, manifest, batches, out, source=source, note=note)
    known = types.remembered(conn, manifest.table)
    barred = records.shape(conn, certificate.load_id).get("barred", [])
    if missing := [c for c in columns if c not in known and c not in barred]:
        out.append(f"the table has no column {', '.join(missing)} of the file")
        return _without_table(certificate, manifest, batches, out, source=source, note=note)
    with conn.transaction(force_rollback=True):
        landed = stage(conn, columns=columns, batches=batches)
        target = merge.Target(
            table=manifest.table,
            types={c: known[c] for c in columns if c not in barred},
            barred=tuple(barred),
            key=actual_key(conn, manifest.table),
            file_key=manifest.file_key,
            sequence=manifest.sequence,
            load_id=certificate.load_id,
            relation=AS_OF,
        )
        _as_of(conn, target)
        apart = 0
        aside = leave_out_rejected(conn, load_id=certificate.load_id, columns=columns)
        try:
            with conn.transaction():
                fates = merge.classify_only(conn, target)
        except psycopg.DataError:  # the landed text was changed into one that has no such value
            # or one of a row that another of the file replaced: no kind of the table had to fit it
            apart = leave_out_superseded(conn, target.key) if target.key else 0
            aside += leave_out_misfits(conn, target.types)
            fates = merge.classify_only(conn, target)
        foreign = _foreign(conn, target)
        rows, high, low = sums.checksum_parts(conn, target)
    in_table = Checksum.over(columns).merged(rows=rows, high=high, low=low).text
    expected = certificate.landed + certificate.duplicate
    if landed.rows != expected:
        out.append(f"{source} holds {landed.rows} rows of the file, not {expected}")
    if landed.text != certificate.checksum_file:
        out.append(_not_the_rows(source))
    if aside + fates.rejected != certificate.rejected:
        out.append(f"{aside + fates.rejected} rows were set aside, not {certificate.rejected}")
    # A row that a later file had already replaced when this one was loaded has no version of it.
    late = certificate.superseded - fates.superseded - apart
    if fates.inserted > late:
        out.append(f"{fates.inserted - late} rows are neither in the table nor in its history")
    if fates.updated:
        out.append(f"{fates.updated} rows were changed without a load")
    if foreign:
        out.append(f"{foreign} rows are said to be of this file and are not")
    # Certificates of before rejected rows were kept whole have a sum without them.
    whole = certificate.checksum_table == certificate.checksum_landing
    if whole and not late and not apart and in_table != landed.text and not out:
        out.append("the rows in PostgreSQL are not the rows of MongoDB (checksum)")
    return Verification(
        certificate=certificate,
        differences=tuple(out),
        checksum_landing=landed.text,
        checksum_table=in_table,
        note=f"{note}; read again from storage" if note else "",
    )


def _not_the_rows(source: str) -> str:
    where = "MongoDB" if source == "landing" else source
    return f"the rows in {where} are not the rows of the file (checksum)"


def _without_table(
    certificate: Certificate,
    manifest: Manifest,
    batches: Iterator[pa.RecordBatch],
    out: list[str],
    *,
    source: str,
    note: str,
) -> Verification:
    """What can be said of a file whose table is not whole: whether its landed rows are."""
    checksum = Checksum.of(batches, columns=manifest.columns)
    if checksum.text != certificate.checksum_file:
        out.append(_not_the_rows(source))
    out.append("its rows were not compared: the table is not whole")
    return Verification(
        certificate=certificate, differences=tuple(out), checksum_landing=checksum.text,
        checksum_table="", note=note,
    )  # fmt: skip


_SAME = ("rows_read", "landed", "quarantined", "duplicate", "sha256")
_SAID: dict[str, str] = {"checksum": "checksum_file", **{name: name for name in _SAME}}


RELEASE_UNSAID = "the manifest says that its rows were released, the certificate does not"


def _against_manifest(conn: Connection, certificate: Certificate, manifest: Manifest) -> list[str]:
    """What landing's record of the file says otherwise than its certificate and its receipt."""
    out = [] if manifest.state == "closed" else [f"the manifest says {manifest.state}"]
    if manifest.released_at and not (
        certificate.landing_released_at or _released(conn, certificate.checksum_file)
    ):
        out.append(RELEASE_UNSAID)
    if certificate.landing_released_at and not _released(conn, certificate.checksum_file):
        out.append("its certificate says that its rows were released, no event does")
    out += [
        f"the manifest says {mine} {said!r}, the certificate {certified!r}"
        for mine, said, certified in (
            (mine, getattr(manifest, mine), getattr(certificate, theirs))
            for mine, theirs in _SAID.items()
        )
        if said != certified
    ]
    row = conn.execute(
        "SELECT file_key, sequence, rows_in, columns FROM supplyline.loads WHERE load_id = %s",
        (certificate.load_id,),
    ).fetchone()
    if row is not None:
        columns = manifest.columns
        rows = manifest.landed + manifest.duplicate
        wanted = (manifest.file_key, manifest.sequence, rows, row[3] and columns)
        names = ("file_key", "sequence", "rows", "columns")
        out += [
            f"the manifest says {name} {mine!r}, the receipt {theirs!r}"
            for name, mine, theirs in zip(names, wanted, row, strict=True)
            if mine != theirs
        ]
    return out


def _released(conn: Connection, checksum: str) -> bool:
    """Whether the audit trail tells of a release of rows that have this checksum: a certificate
    that was made at the same time has it said by the next release."""
    row = conn.execute(
        "SELECT EXISTS (SELECT FROM supplyline.audit_events WHERE kind = 'landing.released'"
        " AND detail ->> 'checksum' = %s)",
        (checksum,),
    ).fetchone()
    return bool(row and row[0])


def _foreign(conn: Connection, target: merge.Target) -> int:
    """Versions that name this load and stand for no row of the file, or for another one."""
    row = conn.execute(
        sql.SQL(
            "SELECT count(*) FROM {t} t WHERE t._load = {load} AND NOT EXISTS"
            " (SELECT FROM {p} p WHERE {same} AND p._row = t._row)"
        ).format(
            t=target.name,
            load=sql.Literal(target.load_id),
            p=sql.Identifier(merge.SOURCE),
            same=target.same_row(source="p"),
        )
    ).fetchone()
    return int(row[0]) if row else 0


def _as_of(conn: Connection, target: merge.Target) -> None:
    """A temporary table of every version that concerns the file, right after its load: of the rows
    that have its keys (or are its own), and what names the load."""
    if not target.key:
        _versions(conn, target, sql.SQL("v._file = {}").format(sql.Literal(target.file_key)))
        return
    ours = sql.SQL("({}) IN (SELECT {} FROM {} s)").format(
        sql.SQL(", ").join(sql.Identifier("v", c) for c in target.key),
        sql.SQL(", ").join(types.typed(c, target.types[c]) for c in target.key),
        sql.Identifier(STAGING),
    )
    try:
        with conn.transaction():
            _versions(conn, target, ours)
    except psycopg.DataError:  # a key's landed text was changed into one that has no such value
        _versions(conn, target, sql.SQL("true"))


def _versions(conn: Connection, target: merge.Target, ours: sql.Composable) -> None:
    names = [*types.remembered(conn, target.table), *HIDDEN]
    identity = sql.SQL(", ").join(sql.Identifier("v", c) for c in target.key or ("_file", "_row"))
    conn.execute(
        sql.SQL(
            "CREATE TEMP TABLE {a} ON COMMIT DROP AS SELECT DISTINCT ON ({i}) {v} FROM"
            " (SELECT {n} FROM {t} UNION ALL SELECT {n} FROM {h}) v"
            " JOIN supplyline.loads l ON l.load_id = v._load AND l.ordinal <="
            " (SELECT ordinal FROM supplyline.loads WHERE load_id = {load})"
            " WHERE {ours} OR v._load = {load}"
            " ORDER BY {i}, l.ordinal DESC"
        ).format(
            a=sql.Identifier(AS_OF),
            i=identity,
            n=sql.SQL(", ").join(map(sql.Identifier, names)),
            v=sql.SQL(", ").join(sql.Identifier("v", name) for name in names),
            t=sql.Identifier("public", target.table),
            h=target.history,
            load=sql.Literal(target.load_id),
            ours=ours,
        )
    )
