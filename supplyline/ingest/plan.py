"""What was decided about a delimited file: found from a sample, overruled by what a person said."""

from __future__ import annotations

import codecs
from dataclasses import dataclass, replace
from typing import BinaryIO

from supplyline.contracts import Column, Dialect, Layout, ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest.readers.lines import decoded, lines
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Event, Record, Refused
from supplyline.ingest.sniff import dialect, encoding, ends, structure
from supplyline.tenancy.names import column_names

SAMPLE = 1 << 18
UTF8_CHECK = 64 << 20
_HALF_PAIRS = frozenset({"utf-7", "unicode-escape", "raw-unicode-escape"})
"""Encodings that give halves of surrogate pairs without an error. No file comes in them."""
_MARKS = {
    "utf-16": (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE),
    "utf-32": (codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE),
}
_BLANK = b"\0 \t\r\n\xef\xbb\xbf"


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
    """Physical lines at the end that are no rows of the table."""
    below: tuple[Refused, ...] = ()
    """Rows of further tables below it, set aside."""
    unreadable: tuple[Refused, ...] = ()
    """Rows above the data that nobody can read, and so nobody can take for preamble or header:
    they come first, set aside."""


def make(source: BinaryIO, *, options: ParseOptions, form: str = "csv") -> Plan:
    """Looks at the beginning and the end of `source`. Raises UnreadableFile for no table at all."""
    head, whole = _head(source)
    if not head:
        return _empty(options)
    enc = _encoding(source, head, whole, options)
    pairs, line_end, blank = _sample_lines(source, enc.name, whole)
    if not pairs:
        return _empty(options)
    guess = dialect.detect(_skipped(pairs, options, blank), options=options)
    tokens = guess.tokenizer
    rows = _records(ends.events(tokens, pairs[: dialect.MAX_SAMPLE_ROWS], before=blank))
    width = structure.usual_width(rows) if rows else 1
    events = ends.events(tokens, pairs, width=width, before=blank)
    rows = _records(events)
    if not rows:
        raise UnreadableFile("No line of the file can be read as a row.")
    found = _structure(rows, options)
    header_line = rows[found.header].line if found.header_rows else 0
    above, body = _at_data(events, rows, found)
    data_line = body[0].line if body else blank + len(pairs) + 1
    named = options.header_row or 0
    table = ends.Table(tokens=tokens, width=found.width, names=found.names)
    if options.skip_footer is not None:
        last = pairs[-options.skip_footer :] if whole and options.skip_footer else []
        below = ends.Below(
            lines=options.skip_footer, footer=options.skip_footer, notes=ends.texts(last)
        )
    elif whole:
        below = ends.of_sample(body, pairs, before=blank, table=table)
    else:
        below = ends.of_file(source, encoding=enc.name, line_end=line_end, table=table)
    before = (header_line or data_line) - 1
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
        preamble_lines=before,
        footer_lines=below.footer,
        preamble=ends.texts(pairs[: max(before - blank, 0)]),
        footer=below.notes,
        confidence=round(min(enc.confidence, guess.confidence), 2),
        reasons=reasons,
    )
    return Plan(
        layout=layout,
        tokens=tokens,
        names=found.names,
        width=found.width,
        data_line=data_line,
        footer_lines=below.lines,
        below=below.second,
        unreadable=tuple(e for e in above if isinstance(e, Refused) and e.line >= named),
    )


def _head(source: BinaryIO) -> tuple[bytes, bool]:
    """The first bytes, from where there is any text on; whether that is all of the file."""
    source.seek(0)
    first = head = source.read(SAMPLE)
    if head and not head.strip(b"\0"):
        raise UnreadableFile("The file holds nothing but NUL bytes.")
    while head and not head.strip(_BLANK):
        head = source.read(SAMPLE)
    if head is first:
        return head, len(head) < SAMPLE
    return (encoding.bom_of(first) + head if head else b""), False


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
    """Raises UnreadableFile for what is the name of no encoding in which files come."""
    if not _decodes(name):
        raise UnreadableFile(
            f"{name[:40]!r} is no known encoding.",
            next_step="Give an encoding such as utf-8, cp1252 or utf-16.",
        )


def _decodes(name: str) -> bool:
    try:
        "".encode(name)
        codecs.getincrementaldecoder(name)("supplyline_keep").decode(b"a", True)
        return codecs.lookup(name).name not in _HALF_PAIRS
    except (LookupError, UnicodeError, ValueError, TypeError):
        return False


def _require_order(name: str, head: bytes) -> None:
    """Raises UnreadableFile for an encoding that leaves it to the file to say in which order its
    bytes stand, and a file that does not."""
    marks = _MARKS.get(codecs.lookup(name).name)
    if marks and not head.startswith(marks):
        raise UnreadableFile(
            f"The file does not begin with the byte order mark of {name[:40]}.",
            next_step=f"Leave the encoding out, or give {name[:40]}-le or {name[:40]}-be where the "
            "file has no such mark.",
        )


def _encoding(
    source: BinaryIO, head: bytes, whole: bool, options: ParseOptions
) -> encoding.Encoding:
    if options.encoding is not None:
        known_encoding(options.encoding)
        _require_order(options.encoding, head)
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


def _sample_lines(
    source: BinaryIO, name: str, whole: bool
) -> tuple[list[tuple[str, str]], str, int]:
    """The first lines from the first that is not blank on, the usual line end, and the number of
    blank lines before them."""
    source.seek(0)
    parts: list[str] = []
    size = 0
    for piece in decoded(source, encoding=name):
        if not parts and not piece.strip():
            continue
        parts.append(piece)
        size += len(piece)
        if size >= SAMPLE:
            break
    joined = "".join(parts)
    line_end = _line_end(joined)
    pairs = list(lines(iter([joined]), line_end=line_end))
    if not whole and len(pairs) > 1:
        pairs.pop()  # most likely cut in the middle
    at = next((i for i, (text, _) in enumerate(pairs) if text.strip()), len(pairs))
    source.seek(0)
    numbers = enumerate(lines(decoded(source, encoding=name), line_end=line_end))
    blank = next((n for n, (text, _) in numbers if text.strip()), 0)
    return pairs[at:], line_end, blank


def _line_end(text: str) -> str:
    crlf = text.count("\r\n")
    lf, cr = text.count("\n") - crlf, text.count("\r") - crlf
    if cr and not lf and not crlf:
        return "\r"
    if cr > 0.1 * (lf + crlf + cr) and cr > 1:
        return "any"
    return "\r\n" if crlf > lf else "\n"


def _skipped(
    pairs: list[tuple[str, str]], options: ParseOptions, blank: int
) -> list[tuple[str, str]]:
    return pairs[max(options.header_row - 1 - blank, 0) :] if options.header_row else pairs


def _structure(rows: list[Record], options: ParseOptions) -> structure.Structure:
    found = structure.of(rows, header_row=options.header_row)
    if found is None:
        raise UnreadableFile(
            f"There is no line {options.header_row} for the header.",
            next_step="Give the line number of the header, counted from 1, or 0 for none.",
        )
    return found


def with_compression(plan: Plan, compression: str | None) -> Plan:
    return replace(plan, layout=replace(plan.layout, compression=compression))
