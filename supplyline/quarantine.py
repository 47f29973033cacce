"""Rows that were set aside, by the ingest or by a load alike, and how many were corrected since.

At the level of `stages`: it joins what landing and load keep of them.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import TYPE_CHECKING

from supplyline.contracts import Json, Manifest, OrgId, QuarantinedRow
from supplyline.settings import Settings
from supplyline.stages import open_landing
from supplyline.tenancy.connections import Connection, session
from supplyline.tenancy.names import parse_table_name

if TYPE_CHECKING:
    from supplyline.load.corrected import SetAside


def lines(org: OrgId, *, file_id: str, open_only: bool, settings: Settings) -> Iterator[list[str]]:
    """The rows set aside as a table to mend: its header, then a line a row; no cap. First those
    that the ingest set aside, then those that a load did.

    Columns as in `ingest.corrections`; no cell is a formula for a spreadsheet.
    """
    from supplyline.ingest import corrections
    from supplyline.load import corrected as set_aside

    with open_landing(settings) as landing, session(org, settings=settings) as conn:
        manifest = landing.manifest(org, file_id)
        if manifest is None:
            yield corrections.header(())
            return
        layout, key = manifest.layout, manifest.file_key
        yield corrections.header(manifest.columns)
        failed = set_aside.failed(conn, file_key=key)
        for row in landing.quarantined(org, file_id=file_id, open_only=open_only, failed=failed):
            yield corrections.line(row, layout=layout)
        for each in set_aside.rows_set_aside(conn, file_key=key, open_only=open_only):
            yield _line(each, layout)


def _line(row: SetAside, layout: Json) -> list[str]:
    from supplyline.ingest import checks, corrections

    known = [row.cells.get(c["name"]) for c in layout["columns"]]
    raw = row.cells.get("_raw")
    extra = raw.get("extra", []) if isinstance(raw, dict) else []
    cells = ["" if cell is None else str(cell) for cell in (*known, *extra)]
    told = QuarantinedRow(
        row=row.row,
        line=None,
        column=None,
        code=row.code,
        reason=row.reason,
        raw=checks.raw_of(cells, delimiter=checks.raw_delimiter(layout)),
    )
    return corrections.line(told, layout=layout, cells=cells)


def has_rows(org: OrgId, *, file_id: str, settings: Settings) -> bool:
    """Whether a landed file, which is not itself one of corrections, has rows set aside."""
    from supplyline.load import corrected

    with open_landing(settings) as landing:
        manifest = landing.manifest(org, file_id)
    if manifest is None or manifest.replay_of:
        return False
    if manifest.quarantined:
        return True
    with session(org, settings=settings) as conn:
        return corrected.any_set_aside(conn, file_key=manifest.file_key)


def corrected_since(conn: Connection, table: str, closed: Sequence[Manifest]) -> Counter[str]:
    """File → how many of its rows in quarantine were corrected by the rows of `closed` files."""
    from supplyline.load import corrected
    from supplyline.load.records import undone_file_ids

    undone = undone_file_ids(conn, parse_table_name(table))
    standing = [m for m in closed if m.replay_of and m.file_id not in undone]
    elsewhere = corrected.corrections_elsewhere(conn, files=[m.file_id for m in standing])
    out = Counter[str]()
    for m in standing:
        out[m.replay_of] += m.landed + m.duplicate - elsewhere.get(m.file_id, 0)
    return out


def counted(conn: Connection, table: str, manifests: list[Manifest]) -> list[Manifest]:
    """Without readings of a file that a later one replaced, and with what was corrected since
    taken off what was set aside."""
    from supplyline.load import current

    kept = current(manifests)
    corrected = corrected_since(conn, table, kept)
    refused = [m for m in manifests if m.state != "closed"]
    return [
        replace(m, quarantined=m.quarantined - corrected[m.file_id])
        for m in (*kept, *refused)
        if not m.replay_of
    ]
