"""A stream of text as UTF-8 blocks of whole lines, for readers that take many rows at once.

Lines end at `\\n`. Lines before the table and behind it are left out here.
"""

from __future__ import annotations

import codecs
from collections.abc import Iterator
from dataclasses import dataclass
from typing import BinaryIO

from supplyline.errors import UnreadableFile
from supplyline.ingest.readers.lines import CHUNK, decoded

BLOCK = 1 << 20
MAX_FOOTER = 64 << 20
"""Bytes (in `lines.py`: characters) of a footer, which is held in memory until the end is seen."""


@dataclass(frozen=True, slots=True)
class Segment:
    """`last`: nothing follows. Ends with a line end unless it is the last, or one line alone is
    larger than BLOCK several times."""

    data: bytes
    last: bool


def is_utf8(encoding: str) -> bool:
    return codecs.lookup(encoding).name == "utf-8"


def error_handler(encoding: str) -> str:
    """How a segment's bytes become the text that `lines.decoded` gives."""
    return "supplyline_keep" if is_utf8(encoding) else "surrogatepass"


def segments(
    source: BinaryIO, *, encoding: str, first_line: int, footer_lines: int, size: int = BLOCK
) -> Iterator[Segment]:
    """The lines from `first_line` (from 1) on, without the last `footer_lines` of the file.

    Raises UnreadableFile for a footer of more than MAX_FOOTER.
    """
    skip, held, seen = first_line - 1, b"", False
    for piece in _utf8(source, encoding, size):
        data = held + piece
        at = 0
        while skip and (end := data.find(b"\n", at)) >= 0:
            at, skip = end + 1, skip - 1
        data = data[at:]
        if skip:
            held = b""
            continue
        cut = _behind_line(data, footer_lines)
        if cut == 0 and len(data) > 4 * size and not footer_lines:
            cut = len(data)
        elif cut == 0 and len(data) > MAX_FOOTER:
            raise UnreadableFile(f"The file's last {footer_lines} lines are far too long.")
        held = data[cut:]
        if cut:
            seen = True
            yield Segment(data[:cut], last=False)
    if skip:
        return
    end = len(held)
    for _ in range(footer_lines):
        end = held.rfind(b"\n", 0, max(end - 1, 0)) + 1
    if end or seen:
        yield Segment(held[:end], last=True)


def _behind_line(data: bytes, footer_lines: int) -> int:
    """Where the last line ends behind which `footer_lines` further ones do; 0 if there is none."""
    at = len(data)
    for _ in range(footer_lines + 1):
        at = data.rfind(b"\n", 0, at)
        if at < 0:
            return 0
    return at + 1


def _utf8(source: BinaryIO, encoding: str, size: int) -> Iterator[bytes]:
    if is_utf8(encoding):
        first = source.read(size).removeprefix(codecs.BOM_UTF8)
        while first:
            yield first
            first = source.read(size)
        return
    held: list[bytes] = []
    for piece in decoded(source, encoding=encoding):
        held.append(piece.encode("utf-8", "surrogatepass"))
        if len(held) * CHUNK >= size:
            yield b"".join(held)
            held = []
    if held:
        yield b"".join(held)
