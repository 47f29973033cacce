"""The encoding of text, from its bytes: BOM, NUL pattern, valid UTF-8, or the likeliest code page.

A code page is judged by what its bytes above 0x7F become: letters among letters and usual signs
speak for it, capitals within words, symbols and undefined bytes against it.
"""

from __future__ import annotations

import codecs
import re
import unicodedata
from dataclasses import dataclass

_BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
_PAGES = (
    ("cp1252", 0.06),
    ("mac_roman", -0.05),
    ("cp1250", -0.05),
    ("cp1251", 0.0),
    ("cp850", -0.5),
)
_HIGH_RUN = re.compile(rb"[\x80-\xff]+")
_FREQUENT = frozenset(
    "\u2013\u2014\u2018\u2019\u201c\u201d\u2026\u00a0éèêàâçôîûïëäöüßÄÖÜñóíáúåøæÅØÉ°€ãõòìù"
    "şğıčšžřěýłńąęśżźćőű®©²³½·£"
)


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
    wide = _wide(sample[:4096])
    if wide:
        return Encoding(name=wide, bom=False, confidence=0.9, reason="every other byte is NUL")
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


def _wide(head: bytes) -> str | None:
    if len(head) < 4 or b"\0" not in head:
        return None
    n = len(head) // 4 * 4
    zeros = [head[i:n:4].count(0) / (n // 4) for i in range(4)]
    if min(zeros[1:]) > 0.9 and zeros[0] < 0.1:
        return "utf-32-le"
    if min(zeros[:3]) > 0.9 and zeros[3] < 0.1:
        return "utf-32-be"
    even, odd = (zeros[0] + zeros[2]) / 2, (zeros[1] + zeros[3]) / 2
    if odd > 0.5 and even < 0.05:
        return "utf-16-le"
    return "utf-16-be" if even > 0.5 and odd < 0.05 else None


def _code_page(sample: bytes) -> Encoding:
    multi = _multibyte(sample)
    if multi:
        return multi
    runs = _contexts(sample)
    scores = {name: _score(runs, name) + prior for name, prior in _PAGES}
    name = max(scores, key=lambda n: scores[n])
    ranked = sorted(scores.values(), reverse=True)
    margin = ranked[0] - ranked[1]
    return Encoding(
        name=name,
        bom=False,
        confidence=round(min(0.95, 0.6 + margin), 2),
        reason=f"it is no UTF-8, and read as {name} its letters make the most sense",
    )


def _contexts(sample: bytes) -> list[bytes]:
    found = []
    for match in _HIGH_RUN.finditer(sample):
        found.append(sample[max(0, match.start() - 1) : match.end() + 1])
        if len(found) >= 2000:
            break
    return found


def _score(runs: list[bytes], name: str) -> float:
    total = n = 0.0
    for run in runs:
        text = run.decode(name, "replace")
        for at, char in enumerate(text):
            if char.isascii():
                continue
            n += 1
            before = text[at - 1] if at else " "
            after = text[at + 1] if at + 1 < len(text) else " "
            total += _plausible(char, before, after)
    return total / n if n else 0.0


def _plausible(char: str, before: str, after: str) -> float:
    category = unicodedata.category(char)
    if char == "\ufffd" or category[0] == "C":
        return -3.0
    usual = 1.0 if char in _FREQUENT else 0.5
    if "\u0400" <= char <= "\u04ff":
        alike = "\u0400" <= before <= "\u04ff" or "\u0400" <= after <= "\u04ff"
        mixed = (before.isascii() and before.isalpha()) or (after.isascii() and after.isalpha())
        capital_inside = char.isupper() and before.islower()
        return -1.0 if mixed or capital_inside else 1.0 if alike else 0.0
    if category == "Lu":
        return -1.0 if before.islower() or (after.islower() and before.islower()) else usual * 0.8
    if category == "Ll":
        return -0.5 if before.isupper() and after.isupper() else usual
    if category[0] in "PS":
        return (
            usual * 0.9 if usual == 1.0 else -0.5 if before.isalpha() and after.isalpha() else 0.1
        )
    return 0.3 if usual == 1.0 else 0.0


def _multibyte(sample: bytes) -> Encoding | None:
    """East Asian encodings: nearly all high bytes pair up into common ideographs or kana."""
    if len(_HIGH_RUN.findall(sample)) == 0:
        return None
    lengths = [len(r) for r in _HIGH_RUN.findall(sample)]
    if sum(lengths) / len(lengths) < 2.5:
        return None
    for name in ("shift_jis", "euc_jp", "gb18030", "big5", "euc_kr"):
        decoder = codecs.getincrementaldecoder(name)()
        try:
            text = decoder.decode(sample, False)
        except UnicodeDecodeError:
            continue
        wide = [c for c in text if not c.isascii()]
        kana = sum("\u3040" <= c <= "\u30ff" for c in wide)
        common = kana + sum("\u4e00" <= c <= "\u7fff" or "\uac00" <= c <= "\ud7a3" for c in wide)
        if (
            wide
            and common / len(wide) > 0.8
            and (name not in {"shift_jis", "euc_jp"} or kana / len(wide) > 0.1)
        ):
            return Encoding(
                name=name,
                bom=False,
                confidence=0.8,
                reason=f"its bytes pair up into characters of {name}",
            )
    return None
