"""The certificate of a load: what it says before anything is published, and the verdict."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime

from supplyline.checksums import Checksum
from supplyline.contracts import Certificate, Manifest, RunRef
from supplyline.load.counted import (
    AWAITED,
    FATE,
    IN_QUARANTINE,
    MISFITS,
    NO_KEY,
    REPLACED,
    SHARED,
)
from supplyline.load.merge import Fates


@dataclass(frozen=True, kw_only=True)
class Key:
    """A table's business key, () for none, and whether it was configured or proposed."""

    columns: tuple[str, ...]
    source: str


def draft(
    manifest: Manifest, load_id: str, run: RunRef, now: datetime, landed: Checksum
) -> Certificate:
    return Certificate(
        org=manifest.org,
        table=manifest.table,
        file_id=manifest.file_id,
        file_name=manifest.name,
        sha256=manifest.sha256,
        load_id=load_id,
        run_id=run.run_id,
        rows_read=manifest.rows_read,
        landed=manifest.landed,
        quarantined=manifest.quarantined,
        duplicate=manifest.duplicate,
        inserted=0,
        updated=0,
        unchanged=0,
        superseded=0,
        rejected=0,
        checksum_file=manifest.checksum,
        checksum_landing=landed.text,
        landing_released_at=manifest.released_at or None,
        issued_at=now,
    )


def judge(
    draft: Certificate,
    fates: Fates,
    in_table: Checksum,
    key: Key,
    *,
    misfits: int = 0,
    corrected: int = 0,
) -> Certificate:
    """`misfits`, `corrected`: rows set aside before the merge, by reason (see `corrected`)."""
    c = replace(
        draft,
        inserted=fates.inserted,
        updated=fates.updated,
        unchanged=fates.unchanged,
        superseded=fates.superseded,
        rejected=fates.rejected + misfits + corrected,
        deleted=fates.deleted,
        checksum_table=in_table.text,
    )
    out = []
    source = "the stored file" if c.landing_released_at else "MongoDB"  # where they came from
    if c.rows_read != c.landed + c.quarantined + c.duplicate:
        out.append(
            f"read {c.rows_read}, but landed {c.landed} + quarantined {c.quarantined}"
            f" + duplicate {c.duplicate}"
        )
    fate_sum = c.inserted + c.updated + c.unchanged + c.superseded + c.rejected
    if c.landed + c.duplicate != fate_sum:
        out.append(f"landed {c.landed} + duplicate {c.duplicate}, but {FATE.of(fate_sum)}")
    if c.checksum_file != c.checksum_landing:
        out.append(f"the rows in {source} are not the rows of the file (checksum)")
    if c.checksum_landing != c.checksum_table:
        out.append(f"the rows in PostgreSQL are not the rows of {source} (checksum)")
    if c.quarantined:
        out.append(IN_QUARANTINE.of(c.quarantined))
    if misfits:
        out.append(MISFITS.of(misfits))
    if fates.rejected:
        out.append(NO_KEY.of(fates.rejected, f" {', '.join(key.columns)} is empty"))
    if corrected:
        out.append(AWAITED.of(corrected))
    if c.superseded and key.source == "proposed":
        out.append(
            SHARED.of(c.superseded)
            + f" the proposed key {', '.join(key.columns)} with a later row; if they are lines of"
            " their own, set another key and rebuild"
        )
    if c.updated and key.source == "proposed":
        said = (
            REPLACED.of(c.updated) + f" with the same {', '.join(key.columns)}, a key that was"
            " proposed and not confirmed; what was there is in history. If they are lines of their"
            " own, run `supplyline rebuild --no-key`; if the key is right, say so in the table's"
            " contract"
        )
        c = replace(c, remarks=(*c.remarks, said))
    return replace(c, differences=tuple(out), verdict="partial" if out else "success")
