"""What was decided about a delimited file: found from a sample, overruled by what a person said."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace
from typing import BinaryIO

from supplyline.contracts import Column, Dialect, Layout, ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest.readers.delimited import DelimitedRows, numbered
from supplyline.ingest.readers.lines import decoded, lines
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Event, Record, Refused
from supplyline.ingest.sniff import dialect, encoding, structure
from supplyline.tenancy.names import column_names

SAMPLE = 1 << 18
UTF8_CHECK = 64 << 20
TAIL = 1 << 16


@dataclass(frozen=True, kw_only=True)
class Plan:
    """`layout` for others; the rest is how to read. `names`: the header as read, () if none."""

    layout: Layout
    tokens: Tokenizer
    names: tuple[str, ...]
    width: int
    data_line: int
    """1-based physical line on which data begins."""
    footer_lines: int
    unreadable: tuple[Refused, ...] = ()
    """Rows above the data that nobody can read, and so nobody can take for preamble or header:
    they come first, set aside."""


def make(source: BinaryIO, *, options: ParseOptions, form: str = "csv") -> Plan:
    """Looks at the beginning and the end of `source`. Raises UnreadableFile for no table at all."""
    source.seek(0)
    head = source.read(SAMPLE)
    whole = len(head) < SAMPLE
    if head and not head.strip(b"\0"):
        raise UnreadableFile("The file holds nothing but NUL bytes.")
    if not head.strip(b"\0 \t\r\n\xef\xbb\xbf"):
        return _empty(options)
    enc = _encoding(source, head, whole, options)
    pairs, line_end = _sample_lines(source, enc.name, whole)
    if not any(text.strip() for text, _ in pairs):
        return _empty(options)
    guess = dialect.detect(_skipped(pairs, options), options=options)
    tokens = guess.tokenizer
    rows = _records(_events(tokens, pairs[: dialect.MAX_SAMPLE_ROWS]))
    width = structure.usual_width(rows) if rows else 1
    events = _events(tokens, pairs, width=width)
    rows = _records(events)
    if not rows:
        raise UnreadableFile("No line of the file can be read as a row.")
    found = _structure(rows, options)
    header_line = rows[found.header].line if found.header_rows else 0
    above, below = _at_data(events, rows, found)
    data_line = below[0].line if below else len(pairs) + 1
    named = options.header_row or 0
    footer = options.skip_footer
    if footer is None:
        footer = _footer(
            source,
            whole=whole,
            body=below,
            found=found,
            name=enc.name,
            sample_lines=len(pairs),
            tokens=tokens,
        )
    reasons = (f"encoding {enc.name}: {enc.reason}", f"dialect: {guess.reason}", *found.reasons)
    layout = Layout(
        format=form,
        columns=columns(found.names, found.width),
        dialect=Dialect(
            encoding=enc.name,
            bom=enc.bom,
            delimiter=guess.delimiter,
            quote=guess.quote,
            escape=guess.escape,
            line_end=line_end,
        ),
        header_row=header_line,
        preamble_lines=(header_line or data_line) - 1,
        footer_lines=footer,
        confidence=round(min(enc.confidence, guess.confidence), 2),
        reasons=reasons,
    )
    return Plan(
        layout=layout,
        tokens=tokens,
        names=found.names,
        width=found.width,
        data_line=data_line,
        footer_lines=footer,
        unreadable=tuple(e for e in above if isinstance(e, Refused) and e.line >= named),
    )


def _events(tokens: Tokenizer, pairs: list[tuple[str, str]], *, width: int = 0) -> list[Event]:
    return list(DelimitedRows(tokens, width=width).read(numbered(iter(pairs))))


def _records(events: list[Event]) -> list[Record]:
    return [e for e in events if isinstance(e, Record)]


def _at_data(
    events: list[Event], rows: list[Record], found: structure.Structure
) -> tuple[list[Event], list[Event]]:
    """The sample parted where data begins: right behind the header, be it readable or not."""
    at = events.index(rows[found.data - 1]) + 1 if found.data else 0
    return events[:at], events[at:]


def columns(names: tuple[str, ...], width: int) -> tuple[Column, ...]:
    """One column per header, and further ones where most rows are wider than the header."""
    headers = names + ("",) * (width - len(names))
    return tuple(
        Column(header=h, name=n) for h, n in zip(headers, column_names(headers), strict=True)
    )


def _empty(options: ParseOptions) -> Plan:
    layout = Layout(
        format="csv",
        columns=(),
        dialect=Dialect(encoding=options.encoding or "utf-8"),
        header_row=0,
        reasons=("the file is empty",),
    )
    return Plan(
        layout=layout, tokens=Tokenizer(","), names=(), width=0, data_line=1, footer_lines=0
    )


def known_encoding(name: str) -> None:
    """Raises UnreadableFile for what is the name of no encoding of texts."""
    try:
        "".encode(name)
    except (LookupError, UnicodeError, ValueError):
        raise UnreadableFile(
            f"{name[:40]!r} is no known encoding.",
            next_step="Give an encoding such as utf-8, cp1252 or utf-16.",
        ) from None


def _encoding(
    source: BinaryIO, head: bytes, whole: bool, options: ParseOptions
) -> encoding.Encoding:
    if options.encoding is not None:
        known_encoding(options.encoding)
        return encoding.Encoding(name=options.encoding, bom=False, confidence=1.0, reason="given")
    found = encoding.detect(head, whole=whole)
    if found.name != "utf-8" or whole or found.bom:
        return found
    odd = _not_utf8(source)
    return encoding.detect(odd, whole=False) if odd else found


def _not_utf8(source: BinaryIO) -> bytes:
    """The bytes around the first place that is no UTF-8 (in the first 64 MiB); b"" if none."""
    source.seek(0)
    rest, read = b"", 0
    while read < UTF8_CHECK and (chunk := source.read(1 << 20)):
        read += len(chunk)
        data = rest + chunk
        try:
            data.decode("utf-8")
            rest = b""
        except UnicodeDecodeError as error:
            if error.start < len(data) - 3:
                # One odd byte in a sea of valid UTF-8 is a broken row, not another encoding.
                highs = sum(b > 0x7F for b in data)
                bad = len(data.decode("utf-8", "replace").split("\ufffd")) - 1
                return data if bad * 3 >= highs else b""
            rest = data[error.start :]
    return b""


def _sample_lines(source: BinaryIO, name: str, whole: bool) -> tuple[list[tuple[str, str]], str]:
    source.seek(0)
    text, size = [], 0
    for piece in decoded(source, encoding=name):
        text.append(piece)
        size += len(piece)
        if size >= SAMPLE:
            break
    joined = "".join(text)
    line_end = _line_end(joined)
    pairs = list(lines(iter([joined]), line_end=line_end))
    if not whole and len(pairs) > 1:
        pairs.pop()  # most likely cut in the middle
    return pairs, line_end


def _line_end(text: str) -> str:
    crlf = text.count("\r\n")
    lf, cr = text.count("\n") - crlf, text.count("\r") - crlf
    if cr and not lf and not crlf:
        return "\r"
    if cr > 0.1 * (lf + crlf + cr) and cr > 1:
        return "any"
    return "\r\n" if crlf > lf else "\n"


def _skipped(pairs: list[tuple[str, str]], options: ParseOptions) -> list[tuple[str, str]]:
    return pairs[options.header_row - 1 :] if options.header_row else pairs


def _structure(rows: list[Record], options: ParseOptions) -> structure.Structure:
    if options.header_row is None:
        return structure.detect(rows)
    width = structure.usual_width(rows)
    if options.header_row == 0:
        return structure.Structure(
            header=0, header_rows=0, data=0, width=width, names=(), reasons=("no header, as given",)
        )
    at = next((i for i, r in enumerate(rows) if r.line >= options.header_row), None)
    if at is None:
        raise UnreadableFile(
            f"There is no line {options.header_row} for the header.",
            next_step="Give the line number of the header, counted from 1, or 0 for none.",
        )
    return structure.Structure(
        header=at,
        header_rows=1,
        data=at + 1,
        width=width,
        names=tuple(rows[at].cells),
        reasons=("header line as given",),
    )


def _footer(
    source: BinaryIO,
    *,
    whole: bool,
    body: list[Event],
    found: structure.Structure,
    name: str,
    sample_lines: int,
    tokens: Tokenizer,
) -> int:
    """Physical lines of notes at the end of the file."""
    if whole:
        first = _first_note(body, found)
        return sample_lines - first + 1 if first else 0
    if name.startswith(("utf-16", "utf-32")):
        return 0
    size = source.seek(0, os.SEEK_END)
    source.seek(max(0, size - TAIL))
    text = source.read(TAIL).decode(name, "supplyline_keep")
    pairs = list(lines(iter([text]), line_end=_line_end(text)))[1:]
    first = _first_note(_events(tokens, pairs, width=found.width), found)
    return len(pairs) - first + 1 if first else 0


def _first_note(events: list[Event], found: structure.Structure) -> int:
    """The line with which the notes begin, 0 if there are none. What cannot be read is no note."""
    rows = _records(events)
    count = structure.footer_rows(rows, width=found.width, header=found.names)
    unreadable = max((e.line for e in events if isinstance(e, Refused)), default=0)
    return next((r.line for r in rows[len(rows) - count :] if r.line > unreadable), 0)


def with_compression(plan: Plan, compression: str | None) -> Plan:
    return replace(plan, layout=replace(plan.layout, compression=compression))
