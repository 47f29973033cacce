"""Rows of delimited text, one after the other, the careful way.

Promises: every cell's text exactly as read; one broken row spoils no other; memory is bounded by
one row. Refuses, as `Refused` events, rows with bytes that are no text in the encoding, NUL
characters, a quote that never closes, or absurdly many cells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from supplyline.errors import UnreadableFile
from supplyline.ingest.readers.lines import BAD, MAX_LINE, readable
from supplyline.ingest.readers.tokens import Tokenizer
from supplyline.ingest.records import Event, Record, Refused

MAX_RECORD_LINES = 2_000
MAX_RECORD_CHARS = MAX_LINE
MAX_FOOTER = 64 << 20
MAX_CELLS = 4_096
_CHEAP = 4.0
_ENOUGH = 1 << 20
"""Characters that may be looked at again for open quotes, besides some times what was read."""
_FEW_LINES = 16
TOO_LONG = f"The line has more than {MAX_LINE} characters."

Numbered = tuple[int, str, str]
"""(1-based physical line, text, line end)"""


def numbered(pairs: Iterable[tuple[str, str]], *, footer_lines: int = 0) -> Iterator[Numbered]:
    """Numbers lines from 1 and leaves out the last `footer_lines` of them.

    Raises UnreadableFile for a footer of more than MAX_FOOTER characters.
    """
    held: deque[Numbered] = deque()
    number, size = 1, 0
    for text, end in pairs:
        held.append((number, text, end))
        size += len(text)
        while held and number - held[0][0] >= footer_lines:
            size -= len(held[0][1])
            yield held.popleft()
        if size > MAX_FOOTER:
            raise UnreadableFile(f"The file's last {footer_lines} lines are far too long.")
        number += bool(end)


class Ahead:
    """Lines that were read and not taken yet, and in which of them a quote may end."""

    def __init__(self, source: Iterator[Numbered]) -> None:
        self._source = source
        self._lines: deque[Numbered] = deque()
        self._sizes: deque[int] = deque()
        """Characters of the file up to and with the line."""
        self._taken, self._size, self._taken_size = 0, 0, 0
        self._searched = 0
        self._closing: deque[int] = deque()
        """Of the first `_searched` lines of the file, those in which a quote may end; from 1."""

    def __bool__(self) -> bool:
        return bool(self._lines)

    def take(self) -> Numbered | None:
        """The next line; None at the end."""
        if not self.fill(1):
            return None
        line = self._lines[0]
        self.drop(1)
        return line

    def fill(self, count: int) -> bool:
        """Whether there are so many lines; reads what is needed for it."""
        while len(self._lines) < count:
            line = next(self._source, None)
            if line is None:
                return False
            self._lines.append(line)
            self._size += len(line[1]) + len(line[2])
            self._sizes.append(self._size)
        return True

    def lines(self, first: int, end: int) -> list[Numbered]:
        """Lines `first` to `end - 1` of those ahead, counted from 0."""
        return [self._lines[at] for at in range(first, end)]

    def size(self, count: int) -> int:
        """Characters of the first `count` lines."""
        return self._sizes[count - 1] - self._taken_size

    def drop(self, count: int) -> None:
        for _ in range(count):
            self._lines.popleft()
            self._taken_size = self._sizes.popleft()
        self._taken += count
        self._searched = max(self._searched, self._taken)
        while self._closing and self._closing[0] <= self._taken:
            self._closing.popleft()

    def closing(self, tokens: Tokenizer, limit: int) -> Iterator[int]:
        """Numbers of lines ahead, from 1 to `limit`, in which an open quote may end; in order."""
        at = 0
        while True:
            while at < len(self._closing):
                number = self._closing[at] - self._taken
                if number > limit:
                    return
                yield number
                at += 1
            number = self._searched - self._taken + 1
            if number > limit or not self.fill(number):
                return
            if self.size(number) > MAX_RECORD_CHARS:
                return
            self._searched += 1
            if tokens.may_close(self._lines[number - 1][1]):
                self._closing.append(self._searched)


@dataclass
class DelimitedRows:
    """Turns numbered lines into events. `width`: the table's number of cells, 0 if unknown."""

    tokens: Tokenizer
    width: int = 0
    mend: bool = True
    stop: Callable[[], bool] = lambda: False
    """Asked before each row: whether reading ends here."""

    def read(self, source: Iterator[Numbered]) -> Iterator[Event]:
        """Rows in the order of the file. A blank line is no row."""
        self._ahead = Ahead(source)
        self._wasted, self._budget = 0, _ENOUGH
        split, quote = self.tokens.split, self.tokens.quote
        escape = self.tokens.escape
        cut = False
        while (line := self._first()) is not None:
            number, text, end = line
            self._budget += 16 * len(text)
            if cut or len(text) > MAX_LINE:
                cut = not end
                yield Refused(number, "row_too_long", TOO_LONG, readable(text))
                continue
            if not text or (not text.strip() and self.tokens.delimiter not in text):
                continue
            if "\0" in text or not text.isascii():
                refused = self._unreadable(number, text)
                if refused is not None:
                    yield refused
                    continue
            if quote and quote in text:
                yield self._checked(number, self._quoted(number, text, end))
            elif escape and text.endswith(escape) and end and self._escaped_end(text):
                yield self._checked(number, self._continued(text, end))
            else:
                yield self._checked(number, split(text).cells)

    def _first(self) -> Numbered | None:
        """The line with which the next row begins."""
        return None if not self._ahead and self.stop() else self._ahead.take()

    def _escaped_end(self, text: str) -> bool:
        trailing = len(text) - len(text.rstrip(self.tokens.escape))
        return trailing % 2 == 1 and not self.tokens.quote

    def _continued(self, text: str, end: str) -> list[str]:
        """Without quotes an escape before the line end carries the cell on to the next line."""
        parts, size = [text], len(text)
        while self._escaped_end(text) and self._ahead.fill(1):
            ((_, more, its_end),) = self._ahead.lines(0, 1)
            if size + len(more) > MAX_RECORD_CHARS:
                break
            self._ahead.drop(1)
            parts += [end, more]
            size += len(more) + len(end)
            text, end = more, its_end
        text = "".join(parts)
        return self.tokens.split(text).cells

    def _unreadable(self, number: int, text: str) -> Refused | None:
        if "\0" in text:
            at = self.tokens.split(text[: text.index("\0")]).cells
            reason = "The row has a NUL character, which is no text."
            return Refused(number, "nul_character", reason, readable(text), len(at))
        bad = BAD.search(text)
        if bad is None:
            return None
        column = len(self.tokens.split(text[: bad.start()]).cells)
        byte = ord(bad[0]) - 0xDC00
        reason = f"The byte 0x{byte:02x} is no text in the file's encoding."
        return Refused(number, "undecodable", reason, readable(text), column)

    def _checked(self, number: int, cells: list[str] | Refused) -> Event:
        if isinstance(cells, Refused):
            return cells
        if len(cells) > MAX_CELLS and len(cells) > 4 * max(self.width, 1):
            reason = f"The row has {len(cells)} cells where the table has {self.width}."
            raw = self.tokens.delimiter.join(cells)
            return Refused(number, "too_many_cells", reason, raw)
        return Record(number, cells)

    def _quoted(self, number: int, text: str, end: str) -> list[str] | Refused:
        """A record with quotes: in order, fitting, continued on the next lines, mended, refused."""
        found = self.tokens.split(text)
        if found.clean:
            return found.cells
        alone = self.tokens.mend(text, width=self.width) if self.mend else None
        fits = alone is not None and (not self.width or len(alone[0]) == self.width)
        # An odd number of quotes: by the grammar one is still open, wherever a cell seems to end.
        open_still = found.unclosed or bool(
            self.tokens.double_quote and self.tokens.quotes(text) % 2
        )
        longer = self._gather(text, end) if open_still and end else None
        if longer is not None:
            record, used = longer
            whole = self.tokens.split(record)
            good = whole.clean and (not self.width or len(whole.cells) == self.width)
            if good or not fits:
                if not good and alone is not None and alone[1] <= _CHEAP:
                    return alone[0]
                self._ahead.drop(used)
                return self._unreadable(number, record) or whole.cells
        if alone is not None and (fits or alone[1] <= _CHEAP or not found.unclosed):
            return alone[0]
        if found.unclosed:
            reason = "A quote opens here and never closes."
            return Refused(number, "unterminated_quote", reason, readable(text), len(found.cells))
        return found.cells

    def _gather(self, text: str, end: str) -> tuple[str, int] | None:
        """Adds lines until the open quote closes: the record, and how many lines that took.

        None if it never does. Every line is looked at once, and text again only while that does
        not become much of all reading (a quote that opens in each row, and never closes).
        """
        ahead, tokens = self._ahead, self.tokens
        parts, size, last_end = [text], len(text), end
        odd = bool(tokens.quotes(text) % 2)
        at, fits, joined = 0, True, text
        used, looked = 0, 0
        limit = MAX_RECORD_LINES if self._wasted <= self._budget else _FEW_LINES
        for found in ahead.closing(tokens, limit):
            if ahead.size(found) + size > MAX_RECORD_CHARS:
                break
            for _, line, its_end in ahead.lines(used, found):
                parts += [last_end, line]
                last_end = its_end
                odd ^= bool(tokens.quotes(line) % 2)
            used = found
            if odd and tokens.double_quote:
                continue
            joined = "".join(parts)
            parts = [joined]
            looked += len(joined) - at
            still_open = tokens.open_cell(joined, at, fits=fits)
            if still_open is None:
                return joined, used
            at, fits = still_open
            if self._wasted + looked > self._budget and looked > _ENOUGH:
                break
        self._wasted += looked
        return None
