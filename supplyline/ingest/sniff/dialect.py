"""The dialect of delimited text: the one under which rows are alike and cells look like values.

After "Wrangling messy CSV files by detecting row and type patterns" (van den Burg, Nazabal, Sutton,
2019): score = pattern * type. Pattern here: the share of cells beyond the first in each row, over
the effective number (exp of the entropy) of different row widths, so a few broken rows cost little.
Type: how much the cells look like values (`kinds.weight`). Quotes that do not fit cost extra.
"""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from supplyline.contracts import ParseOptions
from supplyline.ingest.readers.delimited import DelimitedRows
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Record
from supplyline.ingest.sniff.kinds import VALUES, kind, weight

_SINGLE = ",;\t|:~^#\x1f\x01 \u00a7\u00a6\u00ac\u00a4\u00b6*"
_LONGER = ("||", "::", ";;", "~~", "~|~", "|~|", "^|^", "|^|", "|#|", "#|#", "@@", "\t|\t", "|@|")
_PRIOR = {
    ",": 1.0,
    ";": 1.0,
    "\t": 1.0,
    "|": 1.0,
    "~": 0.95,
    "^": 0.95,
    ":": 0.75,
    " ": 0.6,
    "#": 0.8,
}
_ONE_COLUMN = 0.08
MAX_SAMPLE_ROWS = 400
_CLOCK = re.compile(r"\d:\d\d|://")


@dataclass(frozen=True, kw_only=True)
class Guess:
    delimiter: str
    quote: str
    escape: str
    score: float
    confidence: float
    reason: str

    @property
    def tokenizer(self) -> Tokenizer:
        return Tokenizer(self.delimiter, self.quote, self.escape)


def detect(lines: Sequence[tuple[str, str]], *, options: ParseOptions) -> Guess:
    """`lines`: pairs of text and line end from the beginning of the file, at least one."""
    picked = [(n, t, e) for n, (t, e) in enumerate(lines[:MAX_SAMPLE_ROWS], start=1)]
    text = "\n".join(t for _, t, _ in picked)
    ranked: list[tuple[float, str, str, str]] = []
    for delimiter in _delimiters(text, options):
        for quote, escape in _quotings(text, delimiter, options):
            score = _score(picked, delimiter, quote, escape)
            ranked.append((score, delimiter, quote, escape))
    ranked.sort(key=lambda r: -r[0])
    score, delimiter, quote, escape = ranked[0]
    other = next((s for s, d, _, _ in ranked if d != delimiter), 0.0)
    if score < _ONE_COLUMN and options.delimiter is None:
        delimiter, score = ",", max(score, _ONE_COLUMN)
        reason = "no delimiter cuts the lines into alike rows: one column"
    else:
        reason = f"cut at {delimiter!r} the rows are alike (score {score:.2f}, next {other:.2f})"
    sure = 1.0 if options.delimiter else min(1.0, 0.5 + (score - other) / max(score, 1e-9) / 2)
    return Guess(
        delimiter=delimiter,
        quote=quote,
        escape=escape,
        score=score,
        confidence=round(sure, 2),
        reason=reason,
    )


def _delimiters(text: str, options: ParseOptions) -> Iterator[str]:
    if options.delimiter is not None:
        yield options.delimiter
        return
    yield ","
    yield from (d for d in _SINGLE if d in text and d != ",")
    yield from (d for d in _LONGER if d in text)
    for single in ",;|":
        spaced = single + " "
        if text.count(spaced) >= 0.9 * max(text.count(single), 3):
            yield spaced


def _quotings(text: str, delimiter: str, options: ParseOptions) -> Iterator[tuple[str, str]]:
    if options.quote is not None:
        quotes = [options.quote]
    else:
        d = re.escape(delimiter)
        quotes = [
            q
            for q in "\"'`"
            if re.search(f"(?:^|{d}) ?{q}", text, re.MULTILINE)
            and (q == '"' or re.search(f"{q} ?(?:{d}|$)", text, re.MULTILINE))
        ]
        quotes = quotes or ['"']
        if quotes != ['"']:
            quotes += [q for q in ('"', "") if q not in quotes]
    for quote in quotes:
        if options.escape is not None:
            yield quote, options.escape
            continue
        yield quote, ""
        if quote and "\\" + quote in text:
            yield quote, "\\"


def _score(picked: list[tuple[int, str, str]], delimiter: str, quote: str, escape: str) -> float:
    tokens = Tokenizer(delimiter, quote, escape)
    rows = list(DelimitedRows(tokens, mend=False).read(iter(picked)))
    good = [e.cells for e in rows if isinstance(e, Record)]
    if not good:
        return 0.0
    broken = (len(rows) - len(good)) / len(rows)
    taken = sum(1 for _, text, _ in picked if text.strip())
    # Rows that swallow many lines are a sign of quotes that are none.
    swallowed = 1.0 - min(1.0, len(rows) / max(taken, 1))
    widths = Counter(len(c) for c in good)
    n = len(good)
    entropy = -sum(k / n * math.log(k / n) for k in widths.values())
    pattern = sum(k / n * (w - 1) / w for w, k in widths.items()) / math.exp(entropy)
    penalty = (1 - broken) * (1 - 0.5 * swallowed) * _PRIOR.get(delimiter, 0.95)
    if delimiter == ":" and any(_CLOCK.search(t) for _, t, _ in picked):
        penalty *= 0.2  # colons of times and addresses cut nothing
    if delimiter == " ":
        penalty *= _more_than_words(
            good, quoted=bool(quote) and any(quote in t for _, t, _ in picked)
        )
    if quote and _stray(good, quote):
        penalty *= 1 - 0.3 * min(1.0, _stray(good, quote) * 3)
    if not escape and quote and any("\\" + quote in t for _, t, _ in picked):
        penalty *= 0.99
    if len(delimiter) > 1:
        penalty *= 1.08  # a longer one explains what the shorter one leaves as empty cells
    return pattern * _types(good) * penalty


def _more_than_words(rows: list[list[str]], *, quoted: bool) -> float:
    """Words and times have spaces between them: whether a cut at spaces gives more than these."""
    if quoted:
        return 1.0
    values = sum(any(kind(c) in VALUES for c in r) for r in rows) / len(rows)
    moments = sum(len(r) == 2 and kind(" ".join(r)) == "datetime" for r in rows) / len(rows)
    return (0.15 + 0.85 * values) * (1 - 0.9 * moments)


def _stray(rows: list[list[str]], quote: str) -> float:
    """Share of cells that keep a quote at one edge: cut in the wrong place."""
    cells = [c for r in rows for c in r]
    odd = sum((c.startswith(quote) != c.endswith(quote)) and len(c) > 1 for c in cells)
    return odd / max(len(cells), 1)


def _types(rows: list[list[str]]) -> float:
    """Mean weight of the cells; in spaces-only cuts prose falls apart into words, so count rows."""
    total = sum(sum(weight(c) for c in r) / max(len(r), 1) for r in rows)
    return total / len(rows)
