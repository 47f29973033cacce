"""Physical lines of text out of a stream of bytes, in bounded memory, nothing changed.

Bytes that are invalid in the encoding become lone surrogates U+DC00 + byte, so that a row that has
some can be recognised, set aside, and shown with those bytes readable.
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator
from typing import BinaryIO

CHUNK = 1 << 18
MAX_LINE = 3 << 20
"""Characters of one line. A longer one is set aside, in pieces that fit a document of MongoDB."""

BAD = re.compile("[\udc00-\udcff]")
_HALF = re.compile("[\ud800-\udfff]")
_UNIVERSAL = re.compile(r"\r\n|\n|\r")


def _keep(error: UnicodeError) -> tuple[str, int]:
    if not isinstance(error, UnicodeDecodeError):
        raise error
    bad = error.object[error.start : error.end]
    return "".join(chr(0xDC00 + b) for b in bad), error.end


codecs.register_error("supplyline_keep", _keep)


def readable(text: str) -> str:
    """Undecodable bytes as `\\xNN` and half pairs as `\\uNNNN`, everything else as it is."""
    return _HALF.sub(lambda m: _written(ord(m[0])), text)


def _written(code: int) -> str:
    return f"\\x{code - 0xDC00:02x}" if 0xDC00 <= code <= 0xDCFF else f"\\u{code:04x}"


def decoded(source: BinaryIO, *, encoding: str) -> Iterator[str]:
    """The text from the beginning in pieces; a BOM is no text."""
    decoder = codecs.getincrementaldecoder(encoding)("supplyline_keep")
    first = True
    while chunk := source.read(CHUNK):
        text = decoder.decode(chunk)
        if first and text:
            text, first = text.removeprefix("\ufeff"), False
        if text:
            yield text
    if tail := decoder.decode(b"", True):
        yield tail.removeprefix("\ufeff") if first else tail


def lines(pieces: Iterator[str], *, line_end: str) -> Iterator[tuple[str, str]]:
    """Pairs of (line, its end). `line_end`: `"\\n"` or `"\\r\\n"` (both end at `\\n`), `"\\r"`, or
    `"any"` where a file mixes them. The last line may have the end `""`, and so have the pieces of
    MAX_LINE + 1 characters into which a longer line is cut.
    """
    if line_end == "any":
        yield from _any_lines(pieces)
        return
    mark = "\r" if line_end == "\r" else "\n"
    rest: list[str] = []
    held = 0
    for piece in pieces:
        parts = piece.split(mark)
        if len(parts) == 1:
            rest.append(piece)
            held += len(piece)
            if held > 2 * MAX_LINE:
                *whole, (last, _) = _cut("".join(rest), "")
                yield from whole
                rest, held = [last], len(last)
            continue
        parts[0] = "".join(rest) + parts[0]
        rest = [parts.pop()]
        for part in parts:
            end = mark
            text = part
            if mark == "\n" and part[-1:] == "\r":
                text, end = part[:-1], "\r\n"
            if len(text) > MAX_LINE:
                yield from _cut(text, end)
            else:
                yield text, end
        held = len(rest[0])
    tail = "".join(rest)
    if tail:
        yield from _cut(tail, "")


def _cut(text: str, end: str) -> Iterator[tuple[str, str]]:
    while len(text) > MAX_LINE + 1:
        yield text[: MAX_LINE + 1], ""
        text = text[MAX_LINE + 1 :]
    yield text, end


def _any_lines(pieces: Iterator[str]) -> Iterator[tuple[str, str]]:
    rest = ""
    for piece in pieces:
        text, at = rest + piece, 0
        for found in _UNIVERSAL.finditer(text):
            if found.end() == len(text) and found[0] == "\r":
                break  # its \n may be in the next piece
            yield from _cut(text[at : found.start()], found[0])
            at = found.end()
        rest = text[at:]
        if len(rest) > 2 * MAX_LINE:
            *whole, (rest, _) = _cut(rest, "")
            yield from whole
    while rest:
        found_last = _UNIVERSAL.search(rest)
        if found_last is None:
            yield from _cut(rest, "")
            return
        yield from _cut(rest[: found_last.start()], found_last[0])
        rest = rest[found_last.end() :]
