"""The encoding of text, from its bytes: BOM, NULs, valid UTF-8, or the likeliest code page."""

from __future__ import annotations

import codecs
import unicodedata
from dataclasses import dataclass

from supplyline.ingest.sniff.codepage import likeliest

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PLAIN = bytes(range(32, 127)) + b"\0\t\r\n"
_NO_TEXT = frozenset({"Cn", "Co", "Cc"})


@dataclass(frozen=True, kw_only=True)
class Encoding:
    name: str
    bom: bool
    confidence: float
    reason: str


def detect(sample: bytes, *, whole: bool) -> Encoding:
    """`whole`: the sample is the whole file, so that a character cut at its end is an error."""
    for bom, name in _BOMS:
        if sample.startswith(bom):
            return Encoding(
                name=name,
                bom=True,
                confidence=1.0,
                reason=f"it begins with the byte order mark of {name}",
            )
    name_of_wide = wide(sample)
    if name_of_wide:
        reason = f"its delimiters and digits have the NUL bytes of {name_of_wide}"
        return Encoding(name=name_of_wide, bom=False, confidence=0.9, reason=reason)
    decoder = codecs.getincrementaldecoder("utf-8")()
    try:
        decoder.decode(sample, whole)
    except UnicodeDecodeError:
        return _code_page(sample)
    if sample.isascii():
        return Encoding(name="utf-8", bom=False, confidence=0.99, reason="all bytes are ASCII")
    return Encoding(name="utf-8", bom=False, confidence=0.99, reason="all bytes are valid UTF-8")


def bom_of(head: bytes) -> bytes:
    """The byte order mark with which the file begins, b"" if there is none."""
    return next((bom for bom, _ in _BOMS if head.startswith(bom)), b"")


def wide(head: bytes) -> str | None:
    """UTF-32 or UTF-16 without a byte order mark; None if it is neither.

    In UTF-16 the line ends, delimiters and digits have a NUL on one side, whatever the script; and
    all of it has to be characters that texts have.
    """
    n = min(len(head), 4096) // 4 * 4
    if n < 4 or b"\0" not in head[:n]:
        return None
    zeros = [head[i:n:4].count(0) / (n // 4) for i in range(4)]
    if min(zeros[2:]) > 0.95 and zeros[0] < 0.1:
        return "utf-32-le"
    if min(zeros[:2]) > 0.95 and zeros[3] < 0.1:
        return "utf-32-be"
    even, odd = zeros[0] + zeros[2], zeros[1] + zeros[3]
    name, other = ("utf-16-le", even) if odd > even else ("utf-16-be", odd)
    # Plain text with a few NULs in it is no other encoding.
    plain = not head[:n].translate(None, delete=_PLAIN) and max(even, odd) < 0.8
    if max(even, odd) < 0.1 or other > 0.05 or plain:
        return None
    text = codecs.getincrementaldecoder(name)("replace").decode(head[:n], False)
    odd_ones = sum(c not in "\t\r\n" and unicodedata.category(c) in _NO_TEXT for c in text)
    odd_ones += text.count("\ufffd")
    return name if odd_ones <= 0.02 * len(text) else None


def _code_page(sample: bytes) -> Encoding:
    (name, share), *others = likeliest(sample)
    reason = f"it is no UTF-8, and read as {name} its letters make the most sense"
    near = [n for n, s in others[:3] if s > share / 4]
    if near:
        reason += f"; it may as well be {' or '.join(near)}"
    return Encoding(name=name, bom=False, confidence=round(min(0.95, share), 2), reason=reason)
