"""Many rows at once, by Arrow's reader, where it comes to the same as the careful way.

A block is taken only if it is beyond doubt: valid UTF-8 without NUL, every quote opens at the
beginning of a cell and closes at its end, every row has the table's number of cells, no blank
lines, no row that may be a header again. Everything else is left to the careful reader.
"""

from __future__ import annotations

import codecs
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from supplyline.ingest.readers.tokens import Tokenizer

if TYPE_CHECKING:
    import pyarrow as pa

Ints = npt.NDArray[np.int64]
MAX_ROW_BYTES = 1 << 20
MAX_ROW_LINES = 1_000
_LF, _CR = 10, 13


@dataclass(frozen=True)
class Chunk:
    """Rows in columns of text. `lines`: the physical line on which each begins; `used`: how many
    bytes of the segment these rows are."""

    columns: list[pa.Array]
    lines: Ints
    used: int
    line_count: int


def suits(tokens: Tokenizer, *, width: int, line_end: str) -> bool:
    """Whether a dialect can be read in columns at all."""
    return (
        width > 1
        and line_end in {"\n", "\r\n"}
        and len(tokens.delimiter) == 1
        and tokens.delimiter.isascii()
        and tokens.delimiter not in "\r\n\0"
        and len(tokens.quote) <= 1
        and tokens.quote.isascii()
        and tokens.quote not in {tokens.delimiter, "\r", "\n", "\0"}
        and tokens.double_quote
        and not (tokens.quote and tokens.escape == tokens.quote)
    )


@dataclass
class ColumnarRows:
    """Reads segments in columns, or not at all."""

    tokens: Tokenizer
    width: int
    _options: dict[str, Any] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        import pyarrow as pa
        import pyarrow.csv as pc

        names = [str(i) for i in range(self.width)]
        self._names = names
        self._convert = pc.ConvertOptions(
            column_types=dict.fromkeys(names, pa.string()),
            null_values=[],
            strings_can_be_null=False,
            quoted_strings_can_be_null=False,
            check_utf8=True,
        )

    def read(self, data: bytes, *, line: int, last: bool) -> Chunk | None:
        """The rows of `data`, which begins with a row on physical line `line`; None: not for us.

        A row that does not end in `data` is left, unless nothing follows (`last`).
        """
        if not self._plain(data):
            return None
        octets = np.frombuffer(data, dtype=np.uint8)
        breaks = np.flatnonzero(octets == _LF)
        if data[-1] != _LF and last:
            breaks = np.append(breaks, len(data))
        quote = self.tokens.quote
        quoted = bool(quote) and quote.encode() in data
        ends = breaks
        if quoted:
            quotes = np.flatnonzero(octets == ord(quote))
            ends = breaks[np.searchsorted(quotes, breaks) & 1 == 0]
        if not len(ends) or (last and int(ends[-1]) < len(data) - 1):
            return None
        used = min(int(ends[-1]) + 1, len(data))
        if quoted and not self._quotes_fit(octets[:used], quotes[quotes < used]):
            return None
        starts = np.concatenate(([0], ends[:-1] + 1))
        # Which physical line a row begins on, and how many there are in all.
        before = np.searchsorted(breaks, np.append(starts, ends[-1] + 1))
        if int((ends - starts).max()) > MAX_ROW_BYTES or int(np.diff(before).max()) > MAX_ROW_LINES:
            return None
        columns = self._parsed(data if used == len(data) else data[:used], quoted)
        if columns is None or len(columns[0]) != len(ends):
            return None
        return Chunk(columns, line + before[:-1], used, int(before[-1]))

    def _plain(self, data: bytes) -> bool:
        if not data or b"\0" in data or data.startswith(codecs.BOM_UTF8):
            return False
        if b"\r" in data and data.count(b"\r") != data.count(b"\r\n"):
            return False
        return not (self.tokens.escape and self.tokens.escape.encode() in data)

    def _quotes_fit(self, octets: npt.NDArray[np.uint8], quotes: Ints) -> bool:
        """Every other quote opens a cell, or stands right behind the one that closed; and so on."""
        opening, closing = quotes[::2], quotes[1::2]
        mark = ord(self.tokens.delimiter)
        before = octets[np.maximum(opening - 1, 0)]
        fits = (before == mark) | (before == _LF) | (opening == 0)
        fits[1:] |= opening[1:] == closing[:-1] + 1
        if not fits.all():
            return False
        after = octets[np.minimum(closing + 1, len(octets) - 1)]
        fits = (after == mark) | (after == _LF) | (after == _CR) | (closing == len(octets) - 1)
        fits[:-1] |= closing[:-1] + 1 == opening[1:]
        return bool(fits.all())

    def _parsed(self, data: bytes, quoted: bool) -> list[pa.Array] | None:
        import pyarrow as pa
        import pyarrow.csv as pc

        try:
            table = pc.read_csv(
                pa.BufferReader(data),
                read_options=pc.ReadOptions(
                    use_threads=False, column_names=self._names, block_size=len(data) + 1
                ),
                parse_options=pc.ParseOptions(
                    delimiter=self.tokens.delimiter,
                    quote_char=self.tokens.quote if quoted else False,
                    double_quote=quoted,
                    newlines_in_values=quoted,
                ),
                convert_options=self._convert,
            )
        except pa.ArrowInvalid:
            return None
        return [c.chunk(0) if c.num_chunks == 1 else c.combine_chunks() for c in table.columns]
