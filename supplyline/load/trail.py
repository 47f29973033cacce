"""Receipts and certificates of a table against its audit trail, which nobody can rewrite unseen.

The events `load.published`, `load.undone` and `table.rebuilt` say which loads stand; the first
carries the SHA-256 of its certificate, of its receipt and of the file's manifest. The
organization's role may change receipts and certificates, but not the trail.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from supplyline.audit import chain
from supplyline.contracts import Json, Manifest, TableName
from supplyline.load.digests import certificate_digest, manifest_digest, receipt_digests
from supplyline.tenancy.connections import Connection


@dataclass(frozen=True, kw_only=True)
class Published:
    """A load as its event tells it."""

    seq: int
    detail: Json


def told(conn: Connection, table: TableName) -> tuple[dict[str, Published], dict[str, int]]:
    """What the audit trail says: file id → the load that stands; file id → the event that undid
    its load, which was not published again."""
    found: dict[str, Published] = {}
    undone: dict[str, int] = {}
    newest: list[tuple[str, Published]] = []
    for seq, kind, detail in conn.execute(
        "SELECT seq, kind, detail FROM supplyline.audit_events WHERE subject = %s"
        " AND kind IN ('load.published', 'load.undone', 'table.rebuilt') ORDER BY seq",
        (table,),
    ):
        if kind == "load.published":
            found[detail["file_id"]] = one = Published(seq=seq, detail=detail)
            newest.append((detail["file_id"], one))
            undone.pop(detail["file_id"], None)
        elif kind == "load.undone":
            for file_id in detail["undone"]:
                found.pop(file_id, None)
                undone[file_id] = seq
        else:  # the loads of a rebuild come before its own event, and no others stand
            files = int(detail["files"])
            found = dict(newest[len(newest) - files :])
    return found, undone


def against_trail(
    conn: Connection, table: TableName, *, manifests: Mapping[str, Manifest]
) -> dict[str, list[str]]:
    """What manifests (by file id), receipts and certificates say otherwise, by file id ('' for the
    trail itself and for the table's settings)."""
    out: dict[str, list[str]] = {}
    report = chain.verify(conn)
    if not report.ok:
        out[""] = [f"the audit trail is broken at event {report.first_broken}: {report.problem}"]
    out.setdefault("", []).extend(_unaudited_settings(conn, table))
    expected, taken_back = told(conn, table)
    digests = receipt_digests(conn, table=table)
    receipts: dict[str, tuple[str, bool, Json | None, str | None]] = {
        file_id: (load_id, undone, body, verdict)
        for file_id, load_id, undone, body, verdict in conn.execute(
            "SELECT l.file_id, l.load_id, l.undone_at IS NOT NULL, c.body, c.verdict"
            " FROM supplyline.loads l LEFT JOIN supplyline.certificates c USING (load_id)"
            " WHERE l.table_name = %s",
            (table,),
        )
    }
    for file_id, published in expected.items():
        if file_id not in receipts:
            out[file_id] = [f"its receipt is gone; event {published.seq} says that it is loaded"]
            continue
        load_id, undone, body, verdict = receipts[file_id]
        if undone:
            out[file_id] = [f"its receipt says undone; event {published.seq} that it is loaded"]
        elif body is None:
            out[file_id] = [f"its certificate is gone; event {published.seq} says that it had one"]
        else:
            changed = {
                "certificate": _changed(body, verdict, published.detail),
                "receipt": _other(digests[load_id], published.detail.get("receipt_sha256")),
                "manifest": _other(
                    manifest_digest(manifests[file_id]), published.detail.get("manifest_sha256")
                )
                if file_id in manifests
                else "",
            }
            out[file_id] = [
                f"its {what} was changed since event {published.seq}: {how}"
                for what, how in changed.items()
                if how
            ]
    for file_id, (load_id, undone, _, _) in receipts.items():
        if not undone and file_id not in expected:
            out[file_id] = [f"no event says that it is loaded, its receipt {load_id} does"]
    for file_id, seq in taken_back.items():
        if file_id not in receipts:  # it would be loaded again
            out[file_id] = [f"its receipt is gone; event {seq} says that its load was undone"]
    return {file_id: said for file_id, said in out.items() if said}


def _unaudited_settings(conn: Connection, table: TableName) -> list[str]:
    rows = conn.execute(
        "SELECT version FROM supplyline.table_settings s WHERE table_name = %(t)s AND NOT EXISTS"
        " (SELECT FROM supplyline.audit_events e WHERE e.kind = 'table_settings.saved'"
        " AND e.subject = %(t)s AND (e.detail ->> 'version')::int = s.version) ORDER BY 1",
        {"t": table},
    ).fetchall()
    out = [f"no event says who saved version {version} of the settings" for (version,) in rows]
    unsaid = conn.execute(
        "SELECT (SELECT count(*) FROM supplyline.retention_policy) >"
        " (SELECT count(*) FROM supplyline.audit_events WHERE kind = 'retention.set')"
    ).fetchone()
    if unsaid and unsaid[0]:
        out.append("no event says who decided how long landed rows are kept")
    return out


def _changed(body: Json, verdict: str | None, said: Json) -> str:
    names = [name for name in said if name in body and body[name] != said[name]]
    if names:
        return ", ".join(f"{name} is {body[name]!r}, was {said[name]!r}" for name in names)
    if verdict != body.get("verdict"):
        return f"verdict is {verdict!r}"
    return _other(certificate_digest(body), said.get("certificate_sha256"))


def _other(sha256: str, said: str | None) -> str:
    """Events of before a digest was kept say nothing."""
    return "its SHA-256 is another" if said and said != sha256 else ""
