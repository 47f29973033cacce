"""Which sheet of a workbook is the table: the first one shown that has a header and rows below it.

The others are named in the reasons with their rows, so that a person sees what was not read.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from supplyline.contracts import ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest.readers.book import Book, Sheet, open_book, open_sheet
from supplyline.ingest.records import Record
from supplyline.ingest.sniff import structure
from supplyline.ingest.source import Opened

SAMPLE_ROWS = 300
MAX_LOOKED_AT = 20_000_000
"""Cells after which further sheets are named without having been opened."""


@dataclass(frozen=True, kw_only=True)
class Found:
    """The sheet to read; `structure` is None where it has no row."""

    name: str
    sheet: Sheet
    sample: list[Record]
    structure: structure.Structure | None
    reasons: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class _Look:
    """What a sheet looks like. `rows`: None where nobody has looked, or could."""

    name: str
    shown: bool
    rows: int | None = None
    rank: int = 0
    """How much it is like a table (see `_rank`)."""
    error: UnreadableFile | None = None

    @property
    def told(self) -> str:
        counted = "" if self.rows is None else f"{self.rows:,} row{'s' if self.rows != 1 else ''}"
        notes = ", ".join(part for part in ("" if self.shown else "hidden", counted) if part)
        return f"{self.name!r}" + (f" ({notes})" if notes else "")


def choose(opened: Opened, options: ParseOptions) -> Found:
    """The sheet asked for, or the first that is shown and is a table (header and rows).

    Raises UnreadableFile for what cannot be opened, or a sheet that is not there.
    """
    book, sheets = open_book(opened)
    names = [name for name, _ in sheets]
    if options.sheet is not None and options.sheet not in names:
        raise UnreadableFile(
            f"The workbook has no sheet {options.sheet!r}.",
            next_step=f"Its sheets are {', '.join(names)[:300]}.",
        )
    if not sheets:
        raise UnreadableFile("The workbook has no sheet with cells.")
    looks = [_Look(name=name, shown=shown) for name, shown in sheets]
    if len(sheets) > 1:
        book, looks = _look_at_all(opened, book, looks, options)
    chosen = options.sheet or _best(looks).name
    sheet = open_sheet(book, chosen)
    sample = list(sheet.records(limit=SAMPLE_ROWS))
    others = [look.told for look in looks if look.name != chosen]
    reasons = [f"sheet {chosen!r} of {len(sheets)}"]
    if others:
        shown = ", ".join(others[:20]) + (f" and {len(others) - 20} more" * (len(others) > 20))
        reasons.append(f"not read: {shown}; name another with `sheet`")
    if opened.format in {"xls", "xlsb"}:
        reasons.append(f"{opened.format}: cells with an error, if there are any, are read as empty")
    return Found(
        name=chosen,
        sheet=sheet,
        sample=sample,
        structure=_structure(sample, options) if sample else None,
        reasons=tuple(reasons),
    )


def _best(looks: list[_Look]) -> _Look:
    for shown in (True, False):
        mine = [look for look in looks if look.shown == shown and look.rows]
        if mine:
            return max(mine, key=lambda look: look.rank)
    if error := next((look.error for look in looks if look.error), None):
        raise error
    return looks[0]


def _rank(rows: int, sample: list[Record], options: ParseOptions) -> int:
    """4: a header and rows; 3: the same, but narrow and short as a cover; 2: rows of several
    cells without a header; 1: rows; 0: none, or a header alone."""
    if not sample:
        return 0
    found = _structure(sample, options)
    if found.data >= len(sample):
        return 0
    named = sum(1 for name in found.names if name.strip())
    if named > 1:
        return 3 if named == 2 and rows <= 20 else 4
    return 2 if found.width > 1 else 1


def _look_at_all(
    opened: Opened, book: Book, looks: list[_Look], options: ParseOptions
) -> tuple[Book, list[_Look]]:
    """Opens sheet after sheet, as long as they are not too large to be looked at in passing."""
    cells = 0
    out: list[_Look] = []
    for look in looks:
        if cells > MAX_LOOKED_AT and any(o.rank > 2 for o in out):
            out.append(look)
            continue
        try:
            sheet = open_sheet(book, look.name)
            cells += sheet.height * sheet.width
            sample = list(sheet.records(limit=SAMPLE_ROWS))
            rows = sheet.count()
        except UnreadableFile as error:
            out.append(replace(look, error=error))
            if book.dead:
                book, _ = open_book(opened)
            continue
        out.append(replace(look, rows=rows, rank=_rank(rows, sample, options)))
    return book, out


def _structure(sample: list[Record], options: ParseOptions) -> structure.Structure:
    found = structure.of(sample, header_row=options.header_row)
    return found or structure.with_header(sample, 0)
