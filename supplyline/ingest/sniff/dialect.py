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
from itertools import islice

from supplyline.contracts import ParseOptions
from supplyline.ingest.readers.delimited import DelimitedRows
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Event, Record
from supplyline.ingest.sniff.kinds import TYPED, VALUES, kind, weight

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
_NO_ROWS_ALIKE = 0.08
"""Below this score no cut is believed."""
_ONE_COLUMN = 0.45
"""What whole lines weigh beside lines cut in two, whose pattern is 0.5."""
MAX_SAMPLE_ROWS = 400
_CUT = re.compile(r"[;\t|]|,(?! )|\"")
"""What parts cells, and not words."""
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
    picked = [(n, t, e) for n, (t, e) in enumerate(lines, start=1)]
    # Delimiters are looked for in as many lines as a sample of short rows has.
    text = "\n".join(t for _, t, _ in picked[:MAX_SAMPLE_ROWS])
    ranked: list[tuple[float, str, str, str]] = []
    for delimiter in _delimiters(text, options):
        for quote, escape in _quotings(text, delimiter, options):
            rows = _rows(picked, Tokenizer(delimiter, quote, escape))
            score = _score(rows, picked, delimiter, quote, escape)
            ranked.append((score, delimiter, quote, escape))
    if options.delimiter is None and text.strip():
        ranked = [*_tabs_first(ranked, picked), _one_column(picked, ranked)]
    ranked.sort(key=lambda r: -r[0])
    score, delimiter, quote, escape = ranked[0]
    other = next((s for s, d, _, _ in ranked if d != delimiter), 0.0)
    if options.delimiter is None and score < _NO_ROWS_ALIKE:
        delimiter, score = ",", _NO_ROWS_ALIKE
        reason = "no delimiter cuts the lines into alike rows, so they are cut at commas"
    elif not delimiter:
        delimiter = _unused(text, picked, quote, escape)
        reason = f"one column: whole lines are alike (score {score:.2f}, cut {other:.2f})"
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


def _rows(picked: list[tuple[int, str, str]], tokens: Tokenizer) -> list[Event]:
    """The first rows, whole: a cell may hold more lines than a sample of short rows has."""
    return list(islice(DelimitedRows(tokens, mend=False).read(iter(picked)), MAX_SAMPLE_ROWS))


def _tabs_first(
    ranked: list[tuple[float, str, str, str]], picked: list[tuple[int, str, str]]
) -> list[tuple[float, str, str, str]]:
    """Nobody writes the same number of tabs into the text of every line: they part its cells."""
    counts = Counter(t.count("\t") for _, t, _ in picked[:MAX_SAMPLE_ROWS] if t.strip())
    usual, lines = counts.most_common(1)[0]
    if not usual or lines < max(2, 0.95 * counts.total()):
        return ranked
    return [(s if "\t" in d else 0.7 * s, d, q, e) for s, d, q, e in ranked]


def _one_column(
    picked: list[tuple[int, str, str]], ranked: list[tuple[float, str, str, str]]
) -> tuple[float, str, str, str]:
    """Lines as they are, as one column: each a single value, or prose that nothing cuts evenly."""
    lines = [t for _, t, _ in picked[:MAX_SAMPLE_ROWS] if t.strip()]
    quote, escape = max(ranked)[2:]
    score = _ONE_COLUMN * sum(map(_whole, lines)) / len(lines)
    names = [n for n, t in enumerate(lines[:-1]) if kind(t) not in TYPED and _CUT.search(t)]
    if any(_cuts(lines[n]) & _cuts(lines[n + 1]) for n in names):
        score *= 0.3  # 1,5 is one value, but not below Year,Births
    return score, "", quote, escape


def _cuts(line: str) -> set[tuple[str, int]]:
    """The delimiters that a line has, with their number."""
    return {(d, n) for d, n in Counter(_CUT.findall(line)).items() if d != '"'}


def _whole(line: str) -> float:
    """How much a line, as it is, looks like one value."""
    if kind(line) in TYPED:
        return 1.0
    return 0.1 if _CUT.search(line) else weight(line)


def _unused(text: str, picked: list[tuple[int, str, str]], quote: str, escape: str) -> str:
    """A delimiter that cuts no row of a table of one column."""
    for delimiter in ",;\t|":
        rows = _rows(picked, Tokenizer(delimiter, quote, escape))
        if delimiter not in text or all(len(r.cells) == 1 for r in rows if isinstance(r, Record)):
            return delimiter
    return "\x1f"


def _delimiters(text: str, options: ParseOptions) -> Iterator[str]:
    if options.delimiter is not None:
        yield options.delimiter
        return
    yield ","
    yield from (d for d in _SINGLE if d in text and d != ",")
    yield from (d for d in _LONGER if d in text)
    for single in ",;|":
        spaced = single + " "
        padded = text.count(" " + spaced) > 0.5 * text.count(spaced)  # a column's width
        if text.count(spaced) >= 0.9 * max(text.count(single), 3) and not padded:
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


def _score(
    rows: list[Event], picked: list[tuple[int, str, str]], delimiter: str, quote: str, escape: str
) -> float:
    good = [e.cells for e in rows if isinstance(e, Record)]
    if not good:
        return 0.0
    broken = (len(rows) - len(good)) / len(rows)
    widths = Counter(len(c) for c in good)
    n = len(good)
    entropy = -sum(k / n * math.log(k / n) for k in widths.values())
    pattern = sum(k / n * (w - 1) / w for w, k in widths.items()) / math.exp(entropy)
    penalty = (1 - broken) * (1 - 0.5 * _swallowed(good, widths)) * _PRIOR.get(delimiter, 0.95)
    penalty *= _loses_header(good, delimiter)
    if delimiter == ":" and any(_CLOCK.search(t) for _, t, _ in picked):
        penalty *= 0.2  # colons of times and addresses cut nothing
    if delimiter == " ":
        penalty *= _more_than_words(
            good, quoted=bool(quote) and any(quote in t for _, t, _ in picked)
        )
    marks = sum(t.count('"') for _, t, _ in picked)
    if marks:
        penalty *= 1 - 0.4 * min(1.0, sum(c.count('"') for r in good for c in r) / marks)
    if quote and _stray(good, quote):
        penalty *= 1 - 0.3 * min(1.0, _stray(good, quote) * 3)
    if not escape and quote and _escapes(picked, delimiter, quote):
        penalty *= 0.99
    if len(delimiter) > 1:
        penalty *= 1.08  # a longer one explains what the shorter one leaves as empty cells
    return pattern * _types(good) * penalty


def _escapes(picked: list[tuple[int, str, str]], delimiter: str, quote: str) -> bool:
    """Whether a backslash stands before a quote that ends no cell; a folder's name ends in one."""
    inside = re.compile(rf"\\{quote}(?! *(?:{re.escape(delimiter)}|$))")
    return any(inside.search(t) for _, t, _ in picked)


def _swallowed(rows: list[list[str]], widths: Counter[int]) -> float:
    """Share of lines that vanish in cells of rows of an odd width: these quotes are none."""
    usual = widths.most_common(1)[0][0]
    breaks = [(len(r), sum(c.count("\n") + c.count("\r") for c in r)) for r in rows]
    odd = sum(b for width, b in breaks if width != usual)
    return odd / (len(rows) + sum(b for _, b in breaks))


def _loses_header(rows: list[list[str]], delimiter: str) -> float:
    """Whether a name of one cell stands right above rows that have no other header: then the cut
    may be one within values."""
    if len(rows) < 3 or len(rows[0]) > 1 or not 1 < len(rows[1]) <= 4:
        return 1.0
    name = rows[0][0].strip()
    if not name or len(name) > 30 or len(name.split()) > 3 or kind(name) not in {"word", "code"}:
        return 1.0
    if any(len(r) < 2 for r in rows[1:]):
        return 1.0
    first, second = (sum(kind(c) in VALUES for c in r) for r in rows[1:3])
    words = all(c.startswith(" ") for r in rows[1:] for c in r[1:]) or delimiter.endswith(" ")
    if second > first or not (second or words):
        return 1.0
    return 0.5 if delimiter in {" ", ", "} else 0.7


def _more_than_words(rows: list[list[str]], *, quoted: bool) -> float:
    """Words and times have spaces between them: whether a cut at spaces gives more than these."""
    if quoted:
        return 1.0
    values = sum(any(kind(c) in VALUES for c in r) for r in rows) / len(rows)
    moments = sum(len(r) == 2 and kind(" ".join(r)) == "datetime" for r in rows) / len(rows)
    likely = (0.15 + 0.85 * values) * (1 - 0.9 * moments)
    width = len(rows[0])
    even = len(rows) > 4 and width > 1 and all(len(r) == width and all(r) for r in rows)
    if even and any(all(kind(r[i]) in VALUES for r in rows[1:]) for i in range(width)):
        likely *= 1.35  # as many words in every line, and one a value each time: columns
    return likely


def _stray(rows: list[list[str]], quote: str) -> float:
    """Share of cells that keep a quote at one edge: cut in the wrong place."""
    cells = [c for r in rows for c in r]
    odd = sum((c.startswith(quote) != c.endswith(quote)) and len(c) > 1 for c in cells)
    return odd / max(len(cells), 1)


def _types(rows: list[list[str]]) -> float:
    """Mean weight of the cells; in spaces-only cuts prose falls apart into words, so count rows."""
    total = sum(sum(weight(c) for c in r) / max(len(r), 1) for r in rows)
    return total / len(rows)
