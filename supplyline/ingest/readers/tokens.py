"""One record of delimited text into cells, and the mending of records with stray quotes.

Grammar (RFC 4180, made tolerant):
* A cell that begins with the quote character ends at a quote that is followed by a delimiter or
  the end of the line; within it a doubled quote (or an escaped one) stands for one quote.
* In a cell that does not begin with it a quote is an ordinary character.
* An escape character counts only before a quote, a delimiter, a line end or itself, and only
  where the dialect has one; elsewhere (`8\\'9`) it is text like any other.

A record that does not fit is mended: of all ways to cut it into cells the cheapest is taken, where
a stray quote costs, and so does a number of cells that is not the table's. So a quote too many
spoils one cell and not the rows behind it.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field

MAX_DELIMITERS_TO_MEND = 400
MAX_PIECES = 64
"""Of a cell that holds delimiters, while a record is mended."""
_STRAY, _OPEN, _ACROSS, _WIDTH = 1.0, 3.0, 2.0, 2.5


@dataclass(frozen=True, slots=True)
class Split:
    """`cells`, whether the record fitted the grammar, and whether a quote is still open."""

    cells: list[str]
    clean: bool = True
    unclosed: bool = False


@dataclass(frozen=True)
class Tokenizer:
    """Cuts records by one dialect. `quote` and `escape` may be empty."""

    delimiter: str
    quote: str = '"'
    escape: str = ""
    double_quote: bool = True
    _cell: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _escaped: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _closing: re.Pattern[str] | None = field(init=False, repr=False, compare=False, default=None)
    _pairs: re.Pattern[str] = field(init=False, repr=False, compare=False)
    """An escape and what it stands before."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "_pairs", re.compile(re.escape(self.escape) + "[\\s\\S]?"))
        if not self.quote:
            if self.escape:
                object.__setattr__(self, "_escaped", self._unescape_pattern())
            return
        d, q, e = map(re.escape, (self.delimiter, self.quote, self.escape))
        inner = [f"{q}{q}"] if self.double_quote and self.escape != self.quote else []
        if self.escape and self.escape != self.quote:
            inner.append(f"{e}[\\s\\S]")
        stop = f"{q}{e}" if self.escape and self.escape != self.quote else q
        plain = f"[^{_cls(stop)}]*"
        quoted = f"{plain}(?:(?:{'|'.join(inner)}){plain})*" if inner else plain
        object.__setattr__(
            self,
            "_cell",
            re.compile(f"{q}({quoted}){q}(?={d}|\\Z)|(?!{q})((?:(?!{d})[\\s\\S])*)")
            if len(self.delimiter) > 1
            else re.compile(f"{q}({quoted}){q}(?={d}|\\Z)|(?!{q})([^{_cls(d)}]*)"),
        )
        object.__setattr__(self, "_closing", re.compile(f"{q}(?={d}|\\Z)"))
        if self.escape and self.escape != self.quote:
            object.__setattr__(self, "_escaped", self._unescape_pattern())

    def _unescape_pattern(self) -> re.Pattern[str]:
        """Escape before quote, itself, delimiter or line end; else it is a literal character."""
        targets = [re.escape(t) for t in (self.quote, self.escape, self.delimiter) if t]
        return re.compile(f"{re.escape(self.escape)}({'|'.join(targets)}|\\r\\n|\\n|\\r)")

    def split(self, text: str) -> Split:
        """Cuts one record (without its line end)."""
        if self.quote and self.quote in text:
            return self._split_quoted(text)
        if self._escaped is not None and self.escape in text:
            return Split(self._split_escaped(text))
        return Split(text.split(self.delimiter))

    def _split_quoted(self, text: str) -> Split:
        if self._cell is None:  # pragma: no cover - split() calls this only with a quote
            return Split(text.split(self.delimiter))
        cells: list[str] = []
        at, match, step, end = 0, self._cell.match, len(self.delimiter), len(text)
        while True:
            found = match(text, at)
            if found is None:
                return self._lenient(text, cells, at)
            inside = found[1]
            cells.append(self._unquote(inside) if inside is not None else self._plain(found[2]))
            at = found.end()
            if at >= end:
                return Split(cells)
            at += step

    def _lenient(self, text: str, cells: list[str], at: int) -> Split:
        """From the first cell that breaks the grammar: quoted until a quote before a delimiter."""
        step, end = len(self.delimiter), len(text)
        while at <= end:
            if text.startswith(self.quote, at):
                close = self._closing.search(text, at + 1) if self._closing else None
                if close is None:
                    cells.append(self._unquote(text[at + 1 :]))
                    return Split(cells, clean=False, unclosed=True)
                cells.append(self._unquote(text[at + 1 : close.start()]))
                at = close.end() + step
            else:
                stop = text.find(self.delimiter, at)
                stop = end if stop < 0 else stop
                cells.append(self._plain(text[at:stop]))
                at = stop + step
        return Split(cells, clean=False)

    def open_cell(self, text: str, at: int, *, fits: bool) -> tuple[int, bool] | None:
        """Where the cell begins whose quote is open at the end of `text`; None if none is.

        `at`: the beginning of a cell, from which to look; `fits`: whether the text before it fits
        the grammar. Answers that of the cell found, to go on from when there is more text.
        """
        if self._cell is None or self._closing is None:
            return None
        step, end = len(self.delimiter), len(text)
        while at <= end:
            found = self._cell.match(text, at) if fits else None
            if found is not None:
                stop = found.end()
            elif text.startswith(self.quote, at):
                close = self._closing.search(text, at + 1)
                if close is None:
                    return at, fits
                fits, stop = False, close.end()
            else:
                fits, stop = False, text.find(self.delimiter, at)
                stop = end if stop < 0 else stop
            if stop >= end:
                return None
            at = stop + step
        return None

    def may_close(self, line: str) -> bool:
        """Whether an open quote might end in the line."""
        return self._closing is not None and self._closing.search(line) is not None

    def quotes(self, text: str) -> int:
        """How many quotes open or close: those that no escape stands before."""
        if self._escaped is not None and self.escape in text:
            text = self._pairs.sub("", text)
        return text.count(self.quote)

    def _unquote(self, inside: str) -> str:
        if self.double_quote and self.quote in inside:
            inside = inside.replace(self.quote * 2, self.quote)
        if self._escaped is not None and self.escape in inside:
            inside = self._escaped.sub(r"\1", inside)
        return inside

    def _plain(self, cell: str) -> str:
        if self._escaped is not None and self.escape in cell:
            return self._escaped.sub(r"\1", cell)
        return cell

    def _split_escaped(self, text: str) -> list[str]:
        if self.escape + self.delimiter not in text:
            return [self._plain(c) for c in text.split(self.delimiter)]
        cells, at, start = [], 0, 0
        while at < len(text):
            if text.startswith(self.escape, at):
                at += 2
            elif text.startswith(self.delimiter, at):
                cells.append(self._plain(text[start:at]))
                at += len(self.delimiter)
                start = at
            else:
                at += 1
        cells.append(self._plain(text[start:]))
        return cells

    def mend(self, text: str, *, width: int) -> tuple[list[str], float] | None:
        """The cheapest cutting of a record with stray quotes, and its cost; None: too large.

        `width`: the table's number of cells, 0 when unknown. Dynamic program over the delimiters
        and the number of cells so far.
        """
        pieces = text.split(self.delimiter)
        n = len(pieces)
        if n > MAX_DELIMITERS_TO_MEND or not self.quote:
            return None
        starts = [p.startswith(self.quote) for p in pieces]
        ends = [p.endswith(self.quote) for p in pieces]
        # best[i][k]: cheapest cost of pieces[:i] as k cells, and where the last of them begins.
        best: list[dict[int, tuple[float, int]]] = [{} for _ in range(n + 1)]
        best[0][0] = (0.0, 0)
        for i in range(n):
            if not best[i]:
                continue
            # What costs more than the best by all that a wrong width can cost never wins.
            hopeless = min(cost for cost, _ in best[i].values()) + 4 * _WIDTH
            hopeful = [(k, cost) for k, (cost, _) in best[i].items() if cost <= hopeless]
            reach = [i + 1]
            if starts[i]:
                reach += [j + 1 for j in range(i + 1, min(n, i + MAX_PIECES)) if ends[j]]
            for j in reach:
                cost = self._cost(pieces[i:j])
                for k, so_far in hopeful:
                    known = best[j].get(k + 1)
                    if known is None or so_far + cost < known[0]:
                        best[j][k + 1] = (so_far + cost, i)
        off = (lambda k: min(abs(k - width), 4) * _WIDTH) if width else (lambda _: 0.0)
        k, (cost, _) = min(best[n].items(), key=lambda kv: (kv[1][0] + off(kv[0]), -kv[0]))
        cells: list[str] = []
        i, count = n, k
        while i > 0:
            begin = best[i][count][1]
            cells.append(self._mended(self.delimiter.join(pieces[begin:i])))
            i, count = begin, count - 1
        return cells[::-1], cost + off(k)

    def _cost(self, pieces: list[str]) -> float:
        q = self.quote
        if len(pieces) == 1:
            cell = pieces[0]
            if q not in cell:
                return 0.0
            if not cell.startswith(q):
                return _STRAY * 1.5 if cell.endswith(q) else 0.0
            if len(cell) > 1 and cell.endswith(q):
                return _STRAY * min(self._strays(cell[1:-1]), 3)
            return _OPEN
        inside = self.delimiter.join(pieces)[1:-1]
        strays = self._strays(inside)
        crossing = sum(p.endswith(q) and not p.endswith(q * 2) for p in pieces[:-1]) + sum(
            p.startswith(q) for p in pieces[1:]
        )
        return _STRAY * min(strays, 3) + _ACROSS * crossing

    def _strays(self, inside: str) -> int:
        if self._escaped is not None:
            inside = inside.replace(self.escape + self.quote, "")
        if self.double_quote:
            inside = inside.replace(self.quote * 2, "")
        return inside.count(self.quote)

    def _mended(self, cell: str) -> str:
        q = self.quote
        if len(cell) > 1 and cell.startswith(q) and cell.endswith(q):
            return self._unquote(cell[1:-1])
        return self._plain(cell)


def _cls(chars: str) -> str:
    """Characters (maybe already escaped) for use within `[...]`."""
    return chars
