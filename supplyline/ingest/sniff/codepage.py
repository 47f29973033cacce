"""The code page of text that is no UTF-8, from three kinds of evidence that are multiplied.

Frequencies: how likely the pairs of bytes are in the languages written in a code page (chardet's
models). Sense: what its bytes above 0x7F become: letters among letters of the same script speak for
it; symbols within words, capitals within words, two scripts in a word and undefined bytes against
it. And how common the code page is, which decides where a few letters cannot.
"""

from __future__ import annotations

import codecs
import math
import re
import unicodedata

_LETTERS = 12
"""So many letters beyond ASCII are needed for their frequencies to count in full."""
_COMMON = {
    "cp1252": 0.0, "cp1250": -0.5, "cp1251": -0.3, "cp932": -0.4, "gb18030": -0.4, "cp949": -0.5,
    "big5hkscs": -0.6, "euc_jp": -0.7, "cp1254": -0.6, "cp1253": -0.6, "mac_roman": -0.7,
    "cp850": -0.8, "iso8859_2": -0.7, "koi8_r": -0.8, "cp1257": -0.8, "cp1255": -0.6,
    "cp1256": -0.6, "cp874": -0.6, "iso8859_15": -0.9, "iso8859_7": -0.8, "koi8_u": -1.0,
    "cp866": -0.9, "cp852": -0.9, "iso8859_5": -1.2, "mac_cyrillic": -1.2, "cp1258": -1.2,
}  # fmt: skip
"""Candidates, each with the logarithm of how common it is among tables, roughly."""
_WIDE = frozenset({"cp932", "gb18030", "cp949", "big5hkscs", "euc_jp"})
_SAMPLE = 1 << 13
"""Bytes that are looked at, of lines from all over."""
_USUAL = frozenset("\u2013\u2014\u2018\u2019\u201c\u201d\u201e\u2026\u00a0°€µ«»©®²³½·£§№º")
_ISO = frozenset({"iso8859_2"})
"""Code pages that have letters elsewhere than their Windows kin, which has some at 0x80 to 0x9F."""
_C1 = re.compile(rb"[\x80-\x9f]")
_IN_WORDS = frozenset("\u2019\u00b7\u2011\u00ad")
_SCRIPTS = ("LATIN", "CYRILLIC", "GREEK", "HEBREW", "ARABIC", "THAI")


def likeliest(sample: bytes) -> list[tuple[str, float]]:
    """Code pages with their share of the evidence (together 1), the likeliest first. Of those that
    read the bytes alike only the likeliest is named."""
    part = _beyond_ascii(sample)
    scores = {}
    count = sum(b > 0x7F for b in part)
    frequencies = _frequencies(part, count)
    if count > 2 and not _C1.search(part):
        frequencies = {n: f + 0.4 * (n in _ISO) for n, f in frequencies.items()}
    for name, common in _COMMON.items():
        sense = _sense(part, name)
        if sense is not None:
            scores[name] = common + sense + frequencies.get(name, -6.0)
    if not scores:
        return [("cp1252", 0.1)]
    best = max(scores.values())
    weights = {n: math.exp(s - best) for n, s in scores.items()}
    total = sum(weights.values())
    alike: dict[str, list[str]] = {}
    for name in sorted(weights, key=lambda n: -weights[n]):
        alike.setdefault(part.decode(name, "replace"), []).append(name)
    shares = [
        # A few letters say little of the language, so that of equals the commoner one is named.
        (max(names, key=_COMMON.__getitem__) if count < _LETTERS else names[0],
         sum(weights[n] for n in names) / total)
        for names in alike.values()
    ]  # fmt: skip
    return sorted(shares, key=lambda pair: -pair[1])


def _beyond_ascii(sample: bytes) -> bytes:
    """Lines with bytes above 0x7F."""
    lines = [line for line in re.split(rb"[\r\n]+", sample) if not line.isascii()]
    every = max(1, sum(map(len, lines)) // _SAMPLE)
    return b"\n".join(lines[::every])[: 2 * _SAMPLE]


def _frequencies(part: bytes, count: int) -> dict[str, float]:
    """Logarithms of how well each code page explains the bytes, the best 0 or near it."""
    import chardet

    names = {_of_chardet(n): n for n in _COMMON}
    found = chardet.detect_all(
        part,
        ignore_threshold=True,
        include_encodings=list(names),
        compat_names=False,
        no_match_encoding=_of_chardet("cp1252"),
    )
    sure = {names[f["encoding"]]: f["confidence"] for f in found if f["encoding"] in names}
    best = max(sure.values(), default=0.0)
    if not best:
        return {}
    weight = min(1.0, count / _LETTERS)
    return {n: max(-6.0, 6 * weight * math.log(max(c, 1e-9) / best)) for n, c in sure.items()}


def _of_chardet(name: str) -> str:
    return "euc_jis_2004" if name == "euc_jp" else codecs.lookup(name).name


def _sense(part: bytes, name: str) -> float | None:
    """The sense that the characters beyond ASCII make, 3 at best; None if the bytes cannot be
    `name`. What no text has counts by the piece, not only by its share."""
    if name in _WIDE:
        try:
            text = codecs.getincrementaldecoder(name)().decode(part, False)
        except UnicodeDecodeError:
            return None
        judge = _korean if name == "cp949" else _everyday
    else:
        text = part.decode(name, "replace")
        judge = _plausible
    text = f" {text} "
    found = [judge(c, text[at - 1], text[at + 1]) for at, c in enumerate(text) if not c.isascii()]
    if not found:
        return None
    return 3 * sum(found) / len(found) - min(3.0, 0.3 * sum(f <= -1 for f in found))


def _plausible(char: str, before: str, after: str) -> float:
    """The sense of a character between its neighbours, -1 to 1; -4 for what is none."""
    category = unicodedata.category(char)
    if char == "\ufffd" or category in {"Cc", "Co", "Cn"}:
        return -4.0
    if category[0] in "LM" and char not in _USUAL:
        return _letter(char, before, after)
    if before.isalpha() and after.isalpha():
        return 0.0 if char in _IN_WORDS else -1.0
    if char in _USUAL:
        return 0.8
    return -1.0 if after.isalpha() else -0.3 if before.isalpha() else 0.0


def _letter(char: str, before: str, after: str) -> float:
    script = _script(char)
    beside = [c for c in (before, after) if c.isalpha()]
    if any(_script(c) != script for c in beside) or (char.isupper() and before.islower()):
        return -1.0
    if char.islower() and before.isupper() and after.isupper():
        return -0.5
    return 1.0 if beside else 0.3


def _script(char: str) -> str:
    if char.isascii():
        return "LATIN"
    name = unicodedata.name(char, "")
    return next((s for s in _SCRIPTS if name.startswith(s)), "")


def _korean(char: str, before: str, after: str) -> float:
    """Korean is hardly written with ideographs any more."""
    sense = _everyday(char, before, after)
    return min(sense, 0.2) if "\u4e00" <= char <= "\u9fff" else sense


def _everyday(char: str, before: str, after: str) -> float:
    """Ideographs, kana, Hangul speak for an East Asian encoding, but not beside small letters."""
    if any(c.isascii() and c.islower() for c in (before, after)):
        return -1.0
    if "\uac00" <= char <= "\ud7a3" or "\u3040" <= char <= "\u30ff":
        return 1.0
    if "\u4e00" <= char <= "\u9fff":
        return 0.9
    if "\u3000" <= char <= "\u303f" or "\uff01" <= char <= "\uff5e":
        return 0.8
    if "\uff61" <= char <= "\uff9f":
        return 0.2  # half-width kana are single bytes, as chance may give
    return -1.0 if unicodedata.category(char)[0] == "C" else -0.3
