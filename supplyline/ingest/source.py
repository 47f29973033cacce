"""From an upload's bytes to a stream of one known format; refuses what cannot be a table.

The bytes decide, the name's ending only helps where they leave a choice. Compressed data is read as
a stream; growth beyond any reasonable ratio is refused while reading, before it fills memory.
"""

from __future__ import annotations

import codecs
import gzip
import io
import re
import zipfile
import zlib
from dataclasses import dataclass
from typing import BinaryIO, cast

from supplyline.contracts import ParseOptions
from supplyline.errors import UnreadableFile
from supplyline.ingest.sniff.encoding import bom_of, wide

MAX_RATIO = 250
MAX_UNPACKED = 64 << 30
FREE_SIZE = 64 << 20
"""Bytes that may come out before the ratio is looked at."""
MAX_BLANKS = 16 << 20
"""Bytes of blanks before the first sign by which the format is told."""

_SIGNATURES: tuple[tuple[bytes, str], ...] = (
    (b"%PDF", "a PDF document"),
    (b"\x89PNG", "a PNG image"),
    (b"\xff\xd8\xff", "a JPEG image"),
    (b"GIF8", "a GIF image"),
    (b"7z\xbc\xaf\x27\x1c", "a 7-Zip archive"),
    (b"Rar!", "a RAR archive"),
    (b"SQLite format 3", "an SQLite database"),
    (b"\x7fELF", "a program"),
    (b"MZ\x90", "a program"),
    (b"BZh", "a bzip2 archive"),
    (b"\xfd7zXZ", "an xz archive"),
    (b"\x28\xb5\x2f\xfd", "a Zstandard archive"),
    (b"{\\rtf", "an RTF document"),
)
_HTML = re.compile(
    rb"\s*(?:<!--.*?-->\s*)?<(?:!doctype html|(?:html|head|body|table|div|h1|h2|center|form|script"
    rb"|style|meta|title|link|iframe)(?:\s[^<>]*)?/?>|html|body)",
    re.I | re.S,
)
_XML = re.compile(
    rb"\s*<\?xml|\s*<([a-zA-Z][\w:.-]*)(?:\s+[\w:.-]+=[\"'][^<>]*)?>(?=.*</\1>)(?![^\n]*</\1>[,;\t|])",
    re.S,
)
_XML_OPEN = re.compile(rb"\s*<[a-zA-Z][\w:.-]*\s+(?:xmlns|[\w:.-]+=[\"'][^<>\"']*[\"']\s*/?>)")
FORMATS = ("csv", "xlsx", "xls", "xlsb", "ods", "jsonl", "json", "parquet")


@dataclass(frozen=True, kw_only=True)
class Opened:
    """`stream`: seekable bytes in `format` (see FORMATS), unpacked; `compression`: what was."""

    stream: BinaryIO
    format: str
    name: str
    compression: str | None = None


class Limited(io.RawIOBase):
    """Reads from a decompressor and refuses when far more comes out than went in."""

    def __init__(self, inner: BinaryIO, *, packed: int, name: str) -> None:
        self._inner, self._packed, self._name = inner, max(packed, 1), name

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._inner.tell()

    def seek(self, offset: int, whence: int = 0) -> int:
        if whence == io.SEEK_END:  # decompressors cannot: read on to the end
            self._inner.seek(0)
            while self.read(1 << 18):
                pass
            return self._inner.seek(max(0, self._inner.tell() + offset))
        return self._inner.seek(offset, whence)

    def read(self, size: int = -1) -> bytes:
        try:
            data = self._inner.read(size)
        except (EOFError, zlib.error, gzip.BadGzipFile, zipfile.BadZipFile, OSError) as error:
            raise UnreadableFile(f"The compressed file is damaged: {error}.") from error
        except RuntimeError as error:
            raise UnreadableFile(f"The archive cannot be opened: {error}.") from error
        out = self._inner.tell()
        if out > MAX_UNPACKED or (out > FREE_SIZE and out > MAX_RATIO * self._packed):
            raise UnreadableFile(
                "The compressed file unpacks to an unreasonable size.",
                next_step="Upload the file without compression.",
            )
        return data


def unpack(source: BinaryIO, *, name: str, options: ParseOptions) -> Opened:
    """Raises UnreadableFile for what can be no table."""
    size = source.seek(0, io.SEEK_END)
    source.seek(0)
    head = source.read(4096)
    source.seek(0)
    if head.startswith(b"\x1f\x8b"):
        stream = cast(
            BinaryIO, Limited(cast(BinaryIO, gzip.GzipFile(fileobj=source)), packed=size, name=name)
        )
        inner = stream.read(4096)
        stream.seek(0)
        bare = re.sub(r"\.gz$", "", name, flags=re.I)
        return _known(stream, inner, bare, options, compression="gzip")
    if head.startswith((b"PK\x03\x04", b"PK\x05\x06")):
        return _zipped(source, name=name, options=options)
    return _known(source, head, name, options, compression=None)


def _known(
    stream: BinaryIO, head: bytes, name: str, options: ParseOptions, *, compression: str | None
) -> Opened:
    form = options.format or _format(_beginning(stream, head), name)
    form = {"tsv": "csv", "ndjson": "jsonl"}.get(form, form)
    if form not in FORMATS:
        raise UnreadableFile(
            f"{form!r} is no format that can be read.",
            next_step=f"Give one of {', '.join(FORMATS)}.",
        )
    return Opened(stream=stream, format=form, name=name, compression=compression)


def _beginning(stream: BinaryIO, head: bytes) -> bytes:
    """The head without the blanks before (or behind the first bracket of) a text that has many."""
    begun = head.removeprefix(codecs.BOM_UTF8).strip()
    if begun.removeprefix(b"["):
        return head
    stream.seek(len(head))
    for _ in range(MAX_BLANKS // len(head) if head else 0):
        piece = stream.read(len(head))
        if more := piece.lstrip():
            begun += more
            break
        if not piece:
            break
    stream.seek(0)
    return begun or head


def _format(head: bytes, name: str) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"):
        return "xls"
    for signature, what in _SIGNATURES:
        if head.startswith(signature):
            raise UnreadableFile(f"The file is {what}, not a table.")
    if head.startswith((b"PK", b"\x1f\x8b")):
        raise UnreadableFile(
            "The file is an archive within an archive.",
            next_step="Unpack it and upload the file that it holds.",
        )
    if head[257:262] == b"ustar":
        raise UnreadableFile(
            "The file is a tar archive, not a table.",
            next_step="Unpack it and upload the files one by one.",
        )
    text = _as_utf8(head)
    if _HTML.match(text):
        raise UnreadableFile(
            "The file is an HTML page, not a table.",
            next_step="Download the data itself; the page may be a login page.",
        )
    if _XML.match(text) or _XML_OPEN.match(text):
        raise UnreadableFile("The file is XML, not a table.")
    ending = name.rpartition(".")[2].lower()
    start = text.lstrip()[:1]
    if start == b"[" and (ending == "json" or re.match(rb"\s*\[\s*(?:\{|\]\s*$)", text)):
        return "json"
    if start == b"{" and re.match(rb"\s*\{\s*(?:\"|\})", text):
        return "jsonl" if _one_per_line(text, ending) else "json"
    _text_or_refuse(head)
    return "csv"


def _as_utf8(head: bytes) -> bytes:
    """The beginning of a text in UTF-16 as UTF-8; anything else as it is. Without a BOM."""
    if head[:2] in (b"\xff\xfe", b"\xfe\xff"):
        name = "utf-16"
    elif head[1:8:2] == bytes(4) and head[:8:2].isascii():
        name = "utf-16-le"
    elif head[:8:2] == bytes(4) and head[1:8:2].isascii():
        name = "utf-16-be"
    else:
        return head.removeprefix(b"\xef\xbb\xbf")
    return head.decode(name, "ignore").encode("utf-8", "ignore")


def _one_per_line(text: bytes, ending: str) -> bool:
    first = text.lstrip().split(b"\n", 1)[0].rstrip()
    return first.endswith(b"}") or ending in {"jsonl", "ndjson"}


def _text_or_refuse(head: bytes) -> None:
    """Control characters that no text has, in numbers: not a table in text."""
    if bom_of(head) or wide(head):
        return
    odd = sum(b < 32 and b not in b"\t\n\r\v\f\x1a\x1b\x1c\x1d\x1e\x1f\x01\0" for b in head)
    nul = head.count(0)
    if head and (odd / len(head) > 0.05 or (nul > 0 and odd / len(head) > 0.01)):
        raise UnreadableFile("The file holds binary data in no format that can be read.")


def _zipped(source: BinaryIO, *, name: str, options: ParseOptions) -> Opened:
    try:
        archive = zipfile.ZipFile(source)
        members = [m for m in archive.infolist() if not m.is_dir()]
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError) as error:
        raise UnreadableFile(f"The archive is damaged: {error}.") from error
    names = {m.filename for m in members}
    sheet = _spreadsheet(names)
    if sheet:
        unpacked = sum(m.file_size for m in members)
        if unpacked > 2 << 30 or any(
            m.file_size > FREE_SIZE and m.file_size > MAX_RATIO * max(m.compress_size, 1)
            for m in members
        ):
            raise UnreadableFile("The workbook unpacks to an unreasonable size.")
        source.seek(0)
        return Opened(stream=source, format=sheet, name=name)
    tables = [m for m in members if not re.search(r"(^|/)(__MACOSX/|\.)", m.filename)]
    if len(tables) != 1:
        raise UnreadableFile(
            f"The archive holds {len(tables)} files.",
            next_step="Upload an archive of one file, or the files one by one.",
        )
    member = tables[0]
    if member.flag_bits & 1:
        raise UnreadableFile("The archive is encrypted.", next_step="Upload it without a password.")
    try:
        inner = cast(BinaryIO, archive.open(member))
    except (NotImplementedError, RuntimeError, zipfile.BadZipFile) as error:
        raise UnreadableFile(f"The archive cannot be opened: {error}.") from error
    stream = cast(BinaryIO, Limited(inner, packed=member.compress_size, name=name))
    head = stream.read(4096)
    stream.seek(0)
    return _known(stream, head, member.filename, options, compression="zip")


def _spreadsheet(names: set[str]) -> str | None:
    lower = {n.lower() for n in names}
    if any(n.endswith("xl/workbook.bin") for n in lower):
        return "xlsb"
    if "[content_types].xml" in lower or any(n.startswith("xl/") for n in lower):
        return "xlsx"
    if "mimetype" in lower or "content.xml" in lower:
        return "ods"
    return None
