"""Proofs that a whole array fits a kind, over its bytes at once: much faster for the usual kinds.

`proves` is asked before the regular expression. True is a proof; False only means that the pattern
has to be asked, so nothing is decided here that `kinds` does not decide alike.
"""

from __future__ import annotations

from ctypes import c_int64, c_void_p
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa

from supplyline import native
from supplyline.load import dates
from supplyline.native.columns import Columns

_WIDTHS = {"YYYY": 4, "MM": 2, "DD": 2, "HH24": 2, "MI": 2, "SS": 2, "FF": 0}
_WIDTHS |= {f"FF{n}": n for n in range(1, 7)}
_RANGES = {"y": (1000, 9999), "m": (1, 12), "d": (1, 31), "H": (0, 23), "M": (0, 59), "S": (0, 59)}
_ROLES = {"y": 1, "m": 2, "d": 3}
_DAYS = np.array([0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31], dtype=np.int16)
_LEAP_DAY = 29
_ZERO, _NINE, _POINT, _MINUS = (ord(c) for c in "09.-")
_BIGINT_DIGITS, _WHOLE_DIGITS, _PLACES = 18, 61, 40

Bytes = npt.NDArray[np.uint8]
Ints = npt.NDArray[np.int64]
Numbers = npt.NDArray[np.int16]


def proves(spec: str, values: pa.Array) -> bool:
    """Whether every text certainly fits; the array has no nulls and no empty texts."""
    if values.type != pa.string() or not len(values):
        return False
    if spec == "bigint":
        return are_numbers(values, digits=_BIGINT_DIGITS, whole=True)
    if spec == "numeric":
        return are_numbers(values, digits=_WHOLE_DIGITS)
    form = form_of(spec)
    return form is not None and are_dates(values, form)


def proves_small(values: pa.Array, *, digits: int) -> bool:
    """Whether every text is certainly a plain number with at most so many digits before the point;
    as for `proves`, the array has no nulls and no empty texts."""
    if values.type != pa.string() or not len(values):
        return False
    return are_numbers(values, digits=digits)


def _bytes_of(values: pa.Array) -> tuple[Bytes, Ints]:
    """The texts' bytes, and where in them each begins and the last ends."""
    every = np.frombuffer(values.buffers()[1], dtype=np.int32)
    offsets = every[values.offset : values.offset + len(values) + 1].astype(np.int64)
    data = np.frombuffer(values.buffers()[2], dtype=np.uint8)[offsets[0] : offsets[-1]]
    return data, offsets - offsets[0]


@dataclass(frozen=True)
class Form:
    """A format of one width: parts (letter, begin, end) and literals (place, byte)."""

    width: int
    parts: tuple[tuple[str, int, int], ...]
    literals: tuple[tuple[int, int], ...]

    @cached_property
    def arrays(self) -> tuple[Ints, Ints]:
        """The parts and literals as native/proofs.c takes them."""
        parts = [
            (begin, end, _ROLES.get(letter, 0), *_RANGES.get(letter, (0, 10 ** (end - begin))))
            for letter, begin, end in self.parts
        ]
        return np.array(parts, dtype=np.int64), np.array(self.literals, dtype=np.int64)


@lru_cache(maxsize=512)
def form_of(spec: str) -> Form | None:
    """None for a format of many widths."""
    name, _, form = spec.partition(" ")
    found = dates.parse(form or dates.CANONICAL.get(name, ""))
    if found is None or found.type != name:
        return None
    at, parts, literals, letters = 0, [], [], iter(found.parts)
    for token in found.tokens:
        if dates.is_part(token):
            if token not in _WIDTHS:
                return None
            letter, width = next(letters), _WIDTHS[token]
            if width:
                parts.append((letter, at, at + width))
            at += width
        else:
            literals.append((at, ord(token)))
            at += 1
    literals += [(at + n, ord(char)) for n, char in enumerate(found.zone)]
    return Form(at + len(found.zone), tuple(parts), tuple(literals))


def are_dates(values: pa.Array, form: Form) -> bool:
    """Whether every text is a date that there is, in this form."""
    call = native.function(
        "supplyline_are_dates",
        c_void_p, c_int64, c_int64, c_void_p, c_int64, c_void_p, c_int64,
    )  # fmt: skip
    if call is None:
        return dates_by_arrays(values, form)
    column, (parts, literals) = Columns([values]), form.arrays
    found = call(
        column.address, len(values), form.width, parts.ctypes.data, len(parts),
        literals.ctypes.data, len(literals),
    )  # fmt: skip
    return found == 1


def dates_by_arrays(values: pa.Array, form: Form) -> bool:
    """As `are_dates`, with arrays alone."""
    data, offsets = _bytes_of(values)
    rows, width = len(values), form.width
    if len(data) != rows * width or (np.diff(offsets) != width).any():
        return False
    chars = np.ascontiguousarray(data.reshape(rows, width).T)
    if any((chars[at] != byte).any() for at, byte in form.literals):
        return False
    chars = chars - np.uint8(_ZERO)  # a copy; what is no digit becomes more than nine
    of: dict[str, Numbers] = {}
    for letter, begin, end in form.parts:
        if (chars[begin:end] > _NINE - _ZERO).any():
            return False
        if letter in _RANGES:
            number = chars[begin].astype(np.int16)  # of at most four digits
            for digit in chars[begin + 1 : end]:
                number *= 10
                number += digit
            least, most = _RANGES[letter]
            if number.min() < least or number.max() > most:
                return False
            of[letter] = number
    late = np.flatnonzero(of["d"] > _DAYS[of["m"]])
    if not len(late):
        return True
    year, month, day = (of[part][late] for part in "ymd")
    leap = (year % 4 == 0) & ((year % 100 != 0) | (year % 400 == 0))
    return bool(((month == 2) & (day == _LEAP_DAY) & leap).all())


def are_numbers(values: pa.Array, *, digits: int, whole: bool = False) -> bool:
    """`numbers.INTEGER`, and the plain format's pattern but for a minus before a zero; with at most
    so many digits before the point."""
    call = native.function("supplyline_are_numbers", c_void_p, c_int64, c_int64, c_int64)
    if call is None:
        return numbers_by_arrays(values, digits=digits, whole=whole)
    column = Columns([values])
    return call(column.address, len(values), digits, 0 if whole else _PLACES) == 1


def numbers_by_arrays(values: pa.Array, *, digits: int, whole: bool = False) -> bool:
    """As `are_numbers`, with arrays alone."""
    data, offsets = _bytes_of(values)
    begins, ends = offsets[:-1], offsets[1:]
    points, signs = np.flatnonzero(data == _POINT), np.flatnonzero(data == _MINUS)
    numerals = np.count_nonzero((data - np.uint8(_ZERO)) <= _NINE - _ZERO)
    if numerals + len(points) + len(signs) != len(data) or (whole and len(points)):
        return False
    negative = data[begins] == _MINUS
    if np.count_nonzero(negative) != len(signs):  # a minus within a text
        return False
    first = begins + negative
    length = ends - first  # digits before the point
    if len(points):
        rows = np.searchsorted(offsets, points, side="right") - 1
        places = ends[rows] - points - 1
        if (np.diff(rows) == 0).any() or places.min() < 1 or places.max() > _PLACES:
            return False
        length[rows] = points - first[rows]
    if length.min() < 1 or length.max() > digits:
        return False
    zero = data[first] == _ZERO
    return not (zero & ((length > 1) | negative)).any()
