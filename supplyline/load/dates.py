"""How dates and times are written: formats, what fits them, and SQL that reads and writes them.

A format is made of `YYYY`, `MM`/`M`, `DD`/`D` (with and without a leading zero), `Mon`, `MON`,
`mon` (English names), `HH24`/`H24`, `HH12`/`H12` with `AM` or `am`, `MI`, `SS`, `FF1` to `FF6`
(that many digits of a second), `FF` (a fraction without trailing zeros, with its point, or
nothing), `(20)YY` or `(19)YY` (two digits of a year of that century), and literal characters. A
time may end with a fixed offset, `Z`, `+02:00`, `+0200` or `+02`: the column is then timestamptz.
Offsets that change within a column cannot be given back and leave it text.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property, lru_cache

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

CANONICAL = {"date": "YYYY-MM-DD", "timestamp": "YYYY-MM-DD HH24:MI:SSFF"}
"""As PostgreSQL writes them; needs no format in the kind's text."""

_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_HOUR24 = "[01][0-9]|2[0-3]"
_TOKENS: dict[str, tuple[str, str, str]] = {
    "YYYY": ("y", "[1-9][0-9]{3}", "YYYY"),
    "(20)YY": ("y", "[0-9]{2}", "YY"),
    "(19)YY": ("y", "[0-9]{2}", "YY"),
    "MM": ("m", "0[1-9]|1[0-2]", "MM"),
    "M": ("m", "[1-9]|1[0-2]", "FMMM"),
    "Mon": ("m", "|".join(_MONTHS), "Mon"),
    "MON": ("m", "|".join(_MONTHS).upper(), "MON"),
    "mon": ("m", "|".join(_MONTHS).lower(), "mon"),
    "DD": ("d", "0[1-9]|[12][0-9]|3[01]", "DD"),
    "D": ("d", "[1-9]|[12][0-9]|3[01]", "FMDD"),
    "HH24": ("H", _HOUR24, "HH24"),
    "H24": ("H", "1?[0-9]|2[0-3]", "FMHH24"),
    "HH12": ("H", "0[1-9]|1[0-2]", "HH12"),
    "H12": ("H", "[1-9]|1[0-2]", "FMHH12"),
    "MI": ("M", "[0-5][0-9]", "MI"),
    "SS": ("S", "[0-5][0-9]", "SS"),
    **{f"FF{n}": ("F", f"[0-9]{{{n}}}", f"FF{n}") for n in range(1, 7)},
    "FF": ("F", r"(?:\.[0-9]{0,5}[1-9])?", ""),
    "AM": ("P", "AM|PM", "AM"),
    "am": ("P", "am|pm", "am"),
}
"""Token → (part, pattern, PostgreSQL's to_char)."""

_SPLIT = re.compile("|".join(map(re.escape, sorted(_TOKENS, key=len, reverse=True))) + r"|.")
_OFFSET = "Z|[+-](?:0[0-9]|1[0-4])(?::?[0-5][0-9])?"
_ZONE = re.compile(rf"({_OFFSET})$")
_LITERAL = re.compile(r"[-/.:, T]")
_ONE_OR_TWO = {"M", "D", "H24", "H12"}
_DIGITS = {"YYYY", "(20)YY", "(19)YY", "MM", "DD", "HH24", "HH12", "MI", "SS"}
_NEEDED = ({"y", "m", "d"}, {"y", "m", "d", "H", "M"})


@dataclass(frozen=True)
class DateFormat:
    """A format taken apart: tokens in order, and the fixed offset that ends it, or ''."""

    tokens: tuple[str, ...]
    zone: str

    @cached_property
    def parts(self) -> str:
        """The part that each group of the pattern stands for, e.g. `dmyHMS`."""
        return "".join(_TOKENS[t][0] for t in self.tokens if t in _TOKENS)

    @property
    def type(self) -> str:
        return "date" if "H" not in self.parts else "timestamptz" if self.zone else "timestamp"

    @property
    def order(self) -> str:
        """`dmy`, `mdy` or `ymd`; what leaves no doubt counts as `ymd`: a month's name, and a day
        that comes first between dots."""
        named = any(t in ("Mon", "MON", "mon") for t in self.tokens)
        if named or ("." in self.tokens[:4] and self.parts[:3] == "dmy"):
            return "ymd"
        return self.parts[:3]

    @property
    def reading(self) -> str:
        """Which part each number is, and the century of a year that has none of its own."""
        return "".join(p for p in self.parts if p not in "FP") + self._century

    def _pattern(self, *, named: bool) -> str:
        groups = ""
        for token in self.tokens:
            if token in _TOKENS:
                part, pattern, _ = _TOKENS[token]
                groups += f"(?P<{part}>{pattern})" if named else f"({pattern})"
            else:
                groups += re.escape(token)
        return f"^{groups}{re.escape(self.zone)}$"

    @cached_property
    def pattern(self) -> str:
        return self._pattern(named=False)

    @property
    def _century(self) -> str:
        return next((t[1:3] for t in self.tokens if t.startswith("(")), "")

    def readable(self, text: sql.Composable) -> sql.Composable:
        """SQL: the text as year, month, day, time and offset, which PostgreSQL reads."""
        if self.is_canonical:
            return text
        at = {part: rf"\{n}" for n, part in enumerate(self.parts, 1)}
        iso = f"{self._century}{at['y']}-{at['m']}-{at['d']}"
        if "H" in at:
            iso += f" {at['H']}:{at['M']}"
            iso += f":{at['S']}" if "S" in at else ""
            iso += ("" if "FF" in self.tokens else ".") + at["F"] if "F" in at else ""
            iso += f" {at['P']}" if "P" in at else ""
            iso += " +00" if self.zone == "Z" else f" {self.zone}"
        return sql.SQL("regexp_replace({}, {}, {})").format(
            text, sql.Literal(self.pattern), sql.Literal(iso)
        )

    @property
    def is_canonical(self) -> bool:
        return "".join(self.tokens) + self.zone in CANONICAL.values()

    def write(self, value: sql.Composable) -> sql.Composable:
        """SQL: the value in this format, whatever the session's time zone is."""
        if self.is_canonical:
            return sql.SQL("{}::text").format(value)  # the session's DateStyle is ISO
        if self.zone:
            offset = "+00" if self.zone == "Z" else self.zone
            value = sql.SQL("({} AT TIME ZONE {}::interval)").format(
                value, sql.Literal(_as_interval(offset))
            )
        pieces: list[sql.Composable] = []
        for variable, char in self._chars():
            if variable:
                pieces.append(sql.SQL("rtrim(rtrim(to_char({}, '.US'), '0'), '.')").format(value))
            elif char:
                pieces.append(sql.SQL("to_char({}, {})").format(value, sql.Literal(char)))
        return sql.SQL("({})").format(sql.SQL(" || ").join(pieces))

    def _chars(self) -> Iterator[tuple[bool, str]]:
        char = ""
        for token in self.tokens:
            if token == "FF":  # noqa: S105 - a part of a format
                yield False, char
                yield True, ""
                char = ""
            else:
                char += _TOKENS[token][2] if token in _TOKENS else f'"{token}"'
        yield False, char + (f'"{self.zone}"' if self.zone else "")

    def numbers(self, values: pa.Array) -> dict[str, npt.NDArray[np.int64]]:
        """Year, month and day of texts; zeros where a text does not match."""
        found = pc.extract_regex(values, pattern=self._pattern(named=True))
        year = _int(found, "y") + (100 * int(self._century) if self._century else 0)
        month = pc.struct_field(found, "m")
        if any(t in ("Mon", "MON", "mon") for t in self.tokens):
            names = pa.array([n.upper() for n in _MONTHS])
            number = pc.add(pc.index_in(pc.ascii_upper(month), value_set=names), 1)
            return {"y": year, "m": _zeroed(number), "d": _int(found, "d")}
        return {"y": year, "m": _int(found, "m"), "d": _int(found, "d")}

    def valid(self, values: pa.Array) -> pa.Array:
        """Which texts name a day that exists."""
        if self.tokens[:5] == _ISO and _are_days(pc.utf8_slice_codeunits(values, 0, 10)):
            return pc.is_valid(values)
        of = self.numbers(values)
        months = (of["y"] - 1970).astype("M8[Y]").astype("M8[M]") + np.maximum(of["m"] - 1, 0)
        days = (months + 1).astype("M8[D]") - months.astype("M8[D]")
        return pa.array((of["d"] > 0) & (of["d"] <= days.astype(np.int64)))


def dotted(form: str) -> bool:
    """Whether a format is a day, a month and a year between dots, which names no month."""
    found = parse(form)
    return found is not None and "." in found.tokens[:4] and found.parts[:3] == "dmy"


def is_part(token: str) -> bool:
    """Whether a token stands for a part of a date, and not for itself."""
    return token in _TOKENS


_ISO = ("YYYY", "-", "MM", "-", "DD")


def _are_days(values: pa.Array) -> bool:
    """Whether every text is an ISO date that exists; much faster than to look at each."""
    try:
        values.cast(pa.date32())
    except pa.ArrowInvalid:
        return False
    return True


def _int(found: pa.Array, part: str) -> npt.NDArray[np.int64]:
    return _zeroed(pc.cast(pc.struct_field(found, part), pa.int64()))


def _zeroed(values: pa.Array) -> npt.NDArray[np.int64]:
    out: npt.NDArray[np.int64] = pc.fill_null(values, 0).cast(pa.int64()).to_numpy()
    return out


def _as_interval(offset: str) -> str:
    digits = offset[1:].replace(":", "").ljust(4, "0")
    return f"{offset[0]}{digits[:2]}:{digits[2:]}"


@lru_cache(maxsize=512)
def parse(form: str) -> DateFormat | None:
    """The format that a text describes, or None."""
    zone = _ZONE.search(form)
    tokens = tuple(_SPLIT.findall(form[: zone.start()] if zone else form))
    found = DateFormat(tokens, zone[0] if zone else "")
    if any(t not in _TOKENS and not _LITERAL.fullmatch(t) for t in tokens):
        return None
    parts = set(found.parts)
    time = parts - set("ymd")
    twelve = any(t in ("HH12", "H12") for t in tokens)
    if (
        len(parts) != len(found.parts)
        or not _NEEDED[bool(time)] <= parts
        or (found.zone and not time)
        or ("F" in parts and "S" not in parts)
        or twelve != ("P" in parts)
        or _run_together(tokens)
    ):
        return None
    return found


def _run_together(tokens: tuple[str, ...]) -> bool:
    """Whether two numbers of one or two digits have nothing but digits between them: `DMYYYY`."""
    widths = "".join("?" if t in _ONE_OR_TWO else "" if t in _DIGITS else " " for t in tokens)
    return "??" in widths


_DATES = (
    "YYYY-MM-DD", "YYYY/MM/DD", "YYYY.MM.DD",
    *(f"{a}{s}{b}{s}YYYY" for s in "./-" for a, b in (("DD", "MM"), ("D", "M"))),
    *(f"{a}{s}{b}{s}YYYY" for s in "/-" for a, b in (("MM", "DD"), ("M", "D"))),
    *(f"{d}{s}{m}{s}YYYY" for s in "- /" for m in ("Mon", "MON", "mon") for d in ("DD", "D")),
    "Mon DD, YYYY", "Mon D, YYYY", "YYYY-Mon-DD",
)  # fmt: skip
_CLOCKS = (
    "HH24:MI:SS", "HH24:MI", "H24:MI:SS", "H24:MI", "HH12:MI:SS AM", "HH12:MI AM", "H12:MI:SS AM",
    "H12:MI AM", "HH12:MI:SS am", "H12:MI:SS am", "HH12:MI am", "H12:MI am",
)  # fmt: skip
_TIME = re.compile(
    r"(?P<date>.*?[0-9])(?P<join>[ T]|, )(?P<clock>[0-9]{1,2}:[0-9]{2}(?::[0-9]{2})?)"
    rf"(?P<fraction>\.[0-9]{{1,6}})?(?P<noon> [AaPp][Mm])?(?P<zone>{_OFFSET})?"
)


def offered(text: str) -> list[str]:
    """Kinds worth trying for a text that may be a date or a time, the plainest first."""
    found = _TIME.fullmatch(text)
    if found is None:
        return [f"date {f}".replace("date YYYY-MM-DD", "date") for f in _DATES]
    fraction, zone = found["fraction"] or "", found["zone"] or ""
    kind = "timestamptz" if zone else "timestamp"
    days = [d for d in _DATES if _matches(d, found["date"])]
    clocks = [c for c in _CLOCKS if _matches(c, found["clock"] + (found["noon"] or ""))]
    forms = [
        f"{d}{found['join']}{tail}{zone}"
        for d in days
        for c in clocks
        for tail in _fractions(c, fraction)
    ]
    return [kind if f == CANONICAL["timestamp"] else f"{kind} {f}" for f in forms]


def _matches(form: str, text: str) -> bool:
    pattern = DateFormat(tuple(_SPLIT.findall(form)), "").pattern
    return re.fullmatch(pattern, text) is not None


def _fractions(clock: str, fraction: str) -> list[str]:
    """A clock with the fractions of a second that a text may have; `FF` is also none at all."""
    if "SS" not in clock:
        return [] if fraction else [clock]
    fixed = [f".FF{len(fraction) - 1}"] if fraction else []
    return [clock.replace("SS", f"SS{f}") for f in ("FF", *fixed)]
