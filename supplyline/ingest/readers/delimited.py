"""Rows of delimited text, one after the other, the careful way.

Promises: every cell's text exactly as read; one broken row spoils no other; memory is bounded by
one row. Refuses, as `Refused` events, rows with bytes that are no text in the encoding, NUL
characters, a quote that never closes, or absurdly many cells.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
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
_TOO_LONG = f"The line has more than {MAX_LINE} characters."

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
        self._waiting: deque[Numbered] = deque()
        self._source = source
        split, quote = self.tokens.split, self.tokens.quote
        escape = self.tokens.escape
        cut = False
        while (line := self._first()) is not None:
            number, text, end = line
            if cut or len(text) > MAX_LINE:
                cut = not end
                yield Refused(number, "row_too_long", _TOO_LONG, readable(text))
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
        return None if not self._waiting and self.stop() else self._next()

    def _next(self) -> Numbered | None:
        if self._waiting:
            return self._waiting.popleft()
        return next(self._source, None)

    def _escaped_end(self, text: str) -> bool:
        trailing = len(text) - len(text.rstrip(self.tokens.escape))
        return trailing % 2 == 1 and not self.tokens.quote

    def _continued(self, text: str, end: str) -> list[str]:
        """Without quotes an escape before the line end carries the cell on to the next line."""
        while self._escaped_end(text) and (more := self._next()) is not None:
            if len(text) + len(more[1]) > MAX_RECORD_CHARS:
                self._put_back([more])
                break
            text, end = text + end + more[1], more[2]
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
        quote = self.tokens.quote
        found = self.tokens.split(text)
        if found.clean:
            return found.cells
        alone = self.tokens.mend(text, width=self.width) if self.mend else None
        fits = alone is not None and (not self.width or len(alone[0]) == self.width)
        # An odd number of quotes: by the grammar one is still open, wherever a cell seems to end.
        open_still = found.unclosed or bool(self.tokens.double_quote and text.count(quote) % 2)
        longer = self._gather(text, end) if open_still and end else None
        if longer is not None:
            record, used = longer
            whole = self.tokens.split(record)
            good = whole.clean and (not self.width or len(whole.cells) == self.width)
            if good or not fits:
                if not good and alone is not None and alone[1] <= _CHEAP:
                    self._put_back(used)
                    return alone[0]
                refused = self._unreadable(number, record) if len(used) else None
                return refused or whole.cells
            self._put_back(used)
        if alone is not None and (fits or alone[1] <= _CHEAP or not found.unclosed):
            return alone[0]
        if found.unclosed:
            reason = "A quote opens here and never closes."
            return Refused(number, "unterminated_quote", reason, readable(text), len(found.cells))
        return found.cells

    def _gather(self, text: str, end: str) -> tuple[str, list[Numbered]] | None:
        """Takes lines until the open quote closes. None (and all put back) if it never does."""
        used: list[Numbered] = []
        parts, size, last_end = [text], len(text), end
        quote = self.tokens.quote
        odd = bool(text.count(quote) % 2)
        while len(used) < MAX_RECORD_LINES:
            more = self._next()
            if more is None:
                break
            used.append(more)
            if size + len(more[1]) > MAX_RECORD_CHARS:
                break
            parts += [last_end, more[1]]
            size += len(more[1]) + len(last_end)
            last_end = more[2]
            odd ^= bool(more[1].count(quote) % 2)
            if quote in more[1] and not (odd and self.tokens.double_quote):
                record = "".join(parts)
                if not self.tokens.split(record).unclosed:
                    return record, used
                parts = [record]
        self._put_back(used)
        return None

    def _put_back(self, used: Sequence[Numbered]) -> None:
        self._waiting.extendleft(reversed(used))
