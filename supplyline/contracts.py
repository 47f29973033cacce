"""The values that rooms hand to one another. Frozen, typed, without behaviour of their own.

Rows travel in columns: a `pyarrow.RecordBatch` whose fields are

* `_row`   int64, not null: the row's number in the file, from 1, counted over data rows
  (quarantined rows use up a number too),
* `_line`  int64, not null: the physical line on which the row begins, from 1 (for sheets, the row),
* one `string` field per column of `Layout.columns`, in that order: the cell's text exactly as read;
  null means that the row was too short to have the cell, `""` is an empty cell,
* `_extra` list<string>, null for most rows: the cells beyond the last column of a long row.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Literal, NewType

if TYPE_CHECKING:
    import pyarrow as pa

OrgId = NewType("OrgId", str)
"""An organization's id, checked by `tenancy.names.parse_org_id`, e.g. `123`."""

TableName = NewType("TableName", str)
"""A table's name, checked by `tenancy.names.parse_table_name`, e.g. `products`."""

ROW, LINE, EXTRA = "_row", "_line", "_extra"

Json = dict[str, Any]


@dataclass(frozen=True, kw_only=True)
class RunRef:
    """Who does this work: the DAG run, its attempt and the person behind it."""

    run_id: str
    attempt: int = 1
    user_id: str = "system"
    correlation_id: str = ""


@dataclass(frozen=True, kw_only=True)
class ParseOptions:
    """What a person said about a file; None means: find out. Remembered per table."""

    encoding: str | None = None
    delimiter: str | None = None
    quote: str | None = None
    escape: str | None = None
    header_row: int | None = None
    """1-based physical line of the header; 0 means that there is none."""
    skip_footer: int | None = None
    sheet: str | None = None
    format: str | None = None

    def as_json(self) -> Json:
        return {k: v for k, v in asdict(self).items() if v is not None}


@dataclass(frozen=True, kw_only=True)
class StoredFile:
    """An uploaded file as it lies in storage; the bytes never change."""

    org: OrgId
    file_id: str
    name: str
    size: int
    sha256: str
    url: str
    origin: str = ""
    """The file id under which the bytes lie, where that is another: they are kept once, and this
    is a later reading of them, which takes the place of the earlier ones."""
    options: ParseOptions | None = None
    """What was said about this one file; goes before what is remembered for the table."""
    replay_of: str = ""
    """The file whose quarantined rows this one corrects."""


@dataclass(frozen=True, kw_only=True)
class Dialect:
    """How delimited text is written. Empty `quote` or `escape`: none is used."""

    encoding: str
    bom: bool = False
    delimiter: str = ","
    quote: str = '"'
    escape: str = ""
    double_quote: bool = True
    line_end: str = "\n"


@dataclass(frozen=True, kw_only=True)
class Column:
    """`header`: the text in the file. `name`: the SQL name it has everywhere behind the file."""

    header: str
    name: str


@dataclass(frozen=True, kw_only=True)
class Layout:
    """What was understood of a file, with the reasons, so that it can be overruled and redone."""

    format: str
    """csv, xlsx, xls, xlsb, ods, jsonl, json, parquet."""
    columns: tuple[Column, ...]
    dialect: Dialect | None = None
    header_row: int = 1
    preamble_lines: int = 0
    footer_lines: int = 0
    preamble: tuple[str, ...] = ()
    """The lines before the table, without the blank ones; of very many only the first."""
    footer: tuple[str, ...] = ()
    """The notes below it, likewise."""
    sheet: str | None = None
    compression: str | None = None
    confidence: float = 1.0
    reasons: tuple[str, ...] = ()

    def as_json(self) -> Json:
        return asdict(self)


def file_remarks(layout: Mapping[str, Any], *, rows_read: int) -> tuple[str, ...]:
    """What a person should know of how a file was read: sheets left out, columns taken for those
    of the key, no row at all."""
    marks = ("not read: ", "read as the key: ")
    left_out = tuple(r for r in layout.get("reasons", ()) if r.startswith(marks))
    if rows_read:
        return left_out
    where = f"sheet {layout['sheet']!r}" if layout.get("sheet") else "the file"
    return (f"no row came out of {where}: it has a header and nothing below it", *left_out)


@dataclass(frozen=True, kw_only=True)
class QuarantinedRow:
    """A row that could not be taken, with everything needed to mend and replay it."""

    row: int
    line: int | None
    column: str | None
    code: str
    reason: str
    raw: str
    replayed: Json | None = None
    """Where its correction is: `{file_id, row}`; None while the row is open."""


@dataclass(frozen=True, kw_only=True)
class RowBatch:
    """A piece of a file: the good rows in columns, and the rows set aside."""

    data: pa.RecordBatch
    quarantined: tuple[QuarantinedRow, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Manifest:
    """One file's record in landing. read = landed + quarantined + duplicate once closed (P3)."""

    org: OrgId
    table: TableName
    file_id: str
    name: str
    sha256: str
    file_key: str
    """Prefix of every landed `_id` (see `landing.documents.file_key`)."""
    sequence: int
    """Grows with every file of the table; later wins in an upsert."""
    layout: Json
    options: Json = field(default_factory=dict)
    state: Literal["open", "closed", "refused"] = "open"
    rows_read: int = 0
    landed: int = 0
    quarantined: int = 0
    duplicate: int = 0
    checksum: str = ""
    """Order-free checksum over the text of all rows that can be loaded (landed + duplicate)."""
    checksum_quarantine: str = ""
    """Of the rows that were set aside, as they were written; '' when there are none."""
    run_id: str = ""
    opened_at: datetime | None = None
    closed_at: datetime | None = None
    refusal: str = ""
    origin: str = ""
    replay_of: str = ""
    """As in StoredFile."""
    asked: Json = field(default_factory=dict)
    """What the table's contract asked of the rows when the file was opened."""
    released_at: str = ""
    """When its rows were released from landing (ISO 8601); they are in the stored file only."""
    released: bool = False
    """Whether they are all deleted."""

    @property
    def columns(self) -> list[str]:
        """The names of the layout's columns, in order."""
        return [c["name"] for c in self.layout["columns"]]


Verdict = Literal["success", "partial"]


@dataclass(frozen=True, kw_only=True)
class Certificate:
    """The reconciliation of one file and one load (P3): every row, at every stage.

    read = landed + quarantined + duplicate, and
    landed + duplicate = inserted + updated + unchanged + superseded + rejected.
    `verdict` is `partial` when rows were quarantined or rejected, or when a count or checksum
    differs; `differences` says which. When every row that was set aside was corrected and replayed,
    it is `success` again.
    """

    org: OrgId
    table: TableName
    file_id: str
    file_name: str
    sha256: str
    load_id: str
    run_id: str
    rows_read: int
    landed: int
    quarantined: int
    duplicate: int
    inserted: int
    updated: int
    unchanged: int
    superseded: int
    rejected: int
    replayed: int = 0
    """Of the quarantined and rejected rows, those whose corrections are loaded."""
    deleted: int = 0
    checksum_file: str = ""
    checksum_landing: str = ""
    checksum_table: str = ""
    verdict: Verdict = "success"
    differences: tuple[str, ...] = ()
    remarks: tuple[str, ...] = ()
    """What was decided about columns and a person should know; no fault."""
    landing_released_at: str | None = None
    """When the landed rows were released by policy; the checksums are of before."""
    issued_at: datetime | None = None

    def as_json(self) -> Json:
        data = asdict(self)
        data["issued_at"] = self.issued_at.isoformat() if self.issued_at else None
        return data


Drift = Literal["evolve", "freeze", "quarantine"]
"""A table's policy for files of another shape."""


@dataclass(frozen=True, kw_only=True)
class TableSettings:
    """What an organization has decided for one table; kept in its own database.

    `options`: parse options remembered. `key`: the business key, or () for none (rows then keep
    their file identity). `key_source`: `configured`, `proposed` or `none`. `types`: column → kind
    set by hand, such as `date DD.MM.YYYY` (see `load.kinds`).
    `mapping`: standard field (e.g. `item`, `quantity`, `date`) → column name.
    `rules`: column → what is asked of its cells (`ingest.rules`). `aliases`: another spelling of a
    column in some files → the column.
    """

    table: TableName
    options: ParseOptions = field(default_factory=ParseOptions)
    key: tuple[str, ...] | None = None
    key_source: str = ""
    drift: Drift = "evolve"
    types: dict[str, str] = field(default_factory=dict)
    mapping: dict[str, str] = field(default_factory=dict)
    rules: dict[str, Json] = field(default_factory=dict)
    aliases: dict[str, str] = field(default_factory=dict)
    version: int = 0
