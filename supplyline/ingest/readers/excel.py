"""Workbooks (xlsx, xls, xlsb, ods): one sheet's rows as text a person would recognise.

Whole numbers without `.0`, others with all their digits; dates as ISO text (both date systems);
errors and booleans as the sheet shows them. Refuses encrypted and damaged workbooks.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import date, datetime, time, timedelta
from typing import Any

from supplyline.contracts import Layout, ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest.plan import columns
from supplyline.ingest.records import Event, Record
from supplyline.ingest.sniff import structure
from supplyline.ingest.source import Opened

MAX_CELLS = 200_000_000


def read_sheet(
    opened: Opened, *, options: ParseOptions
) -> tuple[Layout, Callable[[], Iterator[Event]]]:
    """Raises UnreadableFile for what calamine cannot open, or a sheet that is not there."""
    book = _open(opened)
    names = list(book.sheet_names)
    if options.sheet is not None and options.sheet not in names:
        raise UnreadableFile(
            f"The workbook has no sheet {options.sheet!r}.",
            next_step=f"Its sheets are {', '.join(names)[:300]}.",
        )
    chosen, sheet = _choose(book, names, options)
    sample = [Record(n, c) for n, c in _rows(sheet, limit=300) if structure.filled(c)]
    if not sample:
        layout = Layout(
            format=opened.format,
            columns=(),
            header_row=0,
            sheet=chosen,
            reasons=("the sheet is empty",),
        )
        return layout, lambda: iter(())
    found = _structure(sample, options)
    width = max(found.width, len(found.names))
    data_line = sample[found.data].line if found.data < len(sample) else sample[-1].line + 1
    last = _last_row(sheet, found, options, data_line)
    header = sample[found.header].line if found.header_rows else 0
    reasons = (f"sheet {chosen!r} of {len(names)}", *found.reasons)
    layout = Layout(
        format=opened.format,
        columns=columns(found.names, width),
        header_row=header,
        preamble_lines=(header or data_line) - 1,
        sheet=chosen,
        reasons=reasons,
    )

    def events() -> Iterator[Event]:
        for number, cells in _rows(sheet):
            if number < data_line or not structure.filled(cells) or number > last:
                continue
            yield Record(number, cells)

    return layout, events


def _open(opened: Opened) -> Any:
    from python_calamine import CalamineError, CalamineWorkbook

    opened.stream.seek(0)
    try:
        return CalamineWorkbook.from_filelike(opened.stream)
    except (CalamineError, OSError, ValueError, KeyError) as error:
        protected = _encrypted(opened) or "password" in str(error).lower()
        what = "The workbook is encrypted" if protected else "The workbook cannot be read"
        raise UnreadableFile(f"{what}: {error}.") from error
    except BaseException as error:
        # A panic of the Rust reader is no Exception; anything else goes on.
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableFile(f"The workbook is damaged: {error}.") from error


def _encrypted(opened: Opened) -> bool:
    """The marks that an encrypted workbook leaves near its beginning."""
    opened.stream.seek(0)
    head = opened.stream.read(1 << 18)
    marks = ("EncryptedPackage".encode("utf-16-le"), "EncryptionInfo".encode("utf-16-le"))
    return any(m in head for m in marks) or b"manifest:encryption-data" in head


def _choose(book: Any, names: list[str], options: ParseOptions) -> tuple[str, Any]:
    """The sheet asked for, or the first that has rows."""
    last_error: UnreadableFile | None = None
    fallback: tuple[str, Any] | None = None
    for name in [options.sheet] if options.sheet else names:
        try:
            sheet = _sheet(book, name)
        except UnreadableFile as error:
            last_error = error
            continue
        fallback = fallback or (name, sheet)
        if sheet.total_height and sheet.total_width:
            return name, sheet
    if fallback:
        return fallback
    raise last_error or UnreadableFile("The workbook has no sheet with cells.")


def _sheet(book: Any, name: str) -> Any:
    from python_calamine import CalamineError

    try:
        sheet = book.get_sheet_by_name(name)
    except (CalamineError, OSError, ValueError, KeyError) as error:
        raise UnreadableFile(f"The sheet {name!r} cannot be read: {error}.") from error
    except BaseException as error:
        if type(error).__name__ != "PanicException":
            raise
        raise UnreadableFile(f"The sheet {name!r} is damaged: {error}.") from error
    if sheet.total_height * sheet.total_width > MAX_CELLS:
        raise UnreadableFile("The sheet has an unreasonable number of cells.")
    return sheet


def _rows(sheet: Any, *, limit: int | None = None) -> Iterator[tuple[int, list[str]]]:
    for number, values in enumerate(sheet.iter_rows(), start=1):
        if limit is not None and number > limit:
            return
        yield number, [text(v) for v in values]


def _structure(sample: list[Record], options: ParseOptions) -> structure.Structure:
    if options.header_row is None:
        return structure.detect(sample)
    width = structure.usual_width(sample)
    if options.header_row == 0:
        return structure.Structure(
            header=0, header_rows=0, data=0, width=width, names=(), reasons=("no header, as given",)
        )
    at = next((i for i, r in enumerate(sample) if r.line >= options.header_row), 0)
    return structure.Structure(
        header=at,
        header_rows=1,
        data=at + 1,
        width=width,
        names=tuple(sample[at].cells),
        reasons=("header row as given",),
    )


def _last_row(
    sheet: Any,
    found: structure.Structure,
    options: ParseOptions,
    data_line: int,
) -> int:
    total = int(sheet.start[0] if sheet.start else 0) + int(sheet.total_height) + 1
    if options.skip_footer:
        filled = [n for n, c in _rows(sheet) if structure.filled(c)]
        return filled[-options.skip_footer - 1] if len(filled) > options.skip_footer else 0
    if options.skip_footer == 0 or total > 100_000:
        return total + 1
    rows = [Record(n, c) for n, c in _rows(sheet) if n >= data_line and structure.filled(c)]
    count = structure.footer_rows(rows, width=found.width, header=found.names)
    return rows[-count - 1].line if count and len(rows) > count else total + 1


def text(value: Any) -> str:
    """The cell as text: 7.0 → `7`, 0.1 → `0.1`, a date without time → `2024-01-31`."""
    for types, written in _WRITTEN:
        if isinstance(value, types):
            return written(value)
    return "" if value is None else str(value)


def _number(value: float) -> str:
    return str(int(value)) if value.is_integer() and abs(value) < 1e15 else repr(value)


def _moment(value: datetime) -> str:
    return value.isoformat(sep=" ") if value.time() != time() else value.date().isoformat()


def _duration(value: timedelta) -> str:
    seconds = int(value.total_seconds())
    whole = f"{seconds // 3600:02d}:{seconds % 3600 // 60:02d}:{seconds % 60:02d}"
    return whole + (f".{value.microseconds:06d}".rstrip("0") if value.microseconds else "")


_WRITTEN: tuple[tuple[type | tuple[type, ...], Callable[[Any], str]], ...] = (
    (str, str),
    (bool, lambda v: "TRUE" if v else "FALSE"),
    (float, _number),
    (datetime, _moment),
    ((date, time), lambda v: v.isoformat()),
    (timedelta, _duration),
)
