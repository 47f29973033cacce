"""What a column's cells may be: a *kind*, one text of an SQL type and, where needed, a format.

`bigint`, `numeric`, `numeric 1.234,5`, `date DD.MM.YYYY`, `timestamptz YYYY-MM-DDTHH24:MI:SSZ`,
`boolean TRUE/FALSE`, `uuid UPPER`, `json`, `text`. A kind takes a text only if it gives the same
text back, so no kind takes `00123` as a number, and a column of `TRUE` and `true` stays text.

Everything here is pure: `kind_of` says what a kind means, `kinds_of` which kinds one text fits,
`fits` which texts of an array a kind takes. In SQL, `Kind.read` makes a value of a text that fits
and `Kind.write` the text again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

import pyarrow as pa
import pyarrow.compute as pc
from psycopg import sql

from supplyline.arrays import strings
from supplyline.errors import InvalidColumnType
from supplyline.load import dates, numbers

TEXT, BIGINT, NUMERIC, BOOLEAN, DATE, TIMESTAMP, TIMESTAMPTZ, UUID, JSON = (
    "text", "bigint", "numeric", "boolean", "date", "timestamp", "timestamptz", "uuid", "json",
)  # fmt: skip

_HEX = "[0-9a-f]"
WORDS = ("boolean yes/no", "boolean YES/NO", "boolean Yes/No")
"""Truth values whose words are others' too: `NO` alone is Norway, an article, a number's mark."""
_BOOLEANS = ("true/false", "TRUE/FALSE", "True/False", "yes/no", "YES/NO", "Yes/No")
"""Pairs that mean a truth value to everybody; others (`Y/N`, `1/0`, `ja/nein`) are set by hand."""


def _same(value: sql.Composable) -> sql.Composable:
    return value


def _text(value: sql.Composable) -> sql.Composable:
    return sql.SQL("{}::text").format(value)


def _all_valid(values: pa.Array) -> pa.Array:
    return pc.is_valid(values)


@dataclass(frozen=True, kw_only=True)
class Kind:
    """What a kind means.

    `pattern`: an anchored regular expression, read alike by RE2 and PostgreSQL, that its texts
    match. `valid`: which texts, of those that match, are values (there is no 30 February).
    `meaning`: kinds of one type and one meaning read the same value out of every text they share.
    `reading`: the same in full: of kinds of one type that differ here, a text that both take may be
    two values. `plain`: PostgreSQL's own input and output are the text, without `readable` and
    `write`.
    """

    spec: str
    type: str
    pattern: str
    meaning: str = ""
    reading: str = ""
    plain: bool = False
    valid: Callable[[pa.Array], pa.Array] = _all_valid
    readable: Callable[[sql.Composable], sql.Composable] = _same
    """SQL: a text that matches → a text that PostgreSQL's cast to `type` takes."""
    write: Callable[[sql.Composable], sql.Composable] = _text
    """SQL: value → the text as it came."""

    def read(self, text: sql.Composable) -> sql.Composable:
        """SQL: a text that fits → its value."""
        if self.type == TEXT:
            return text
        return sql.SQL("({})::{}").format(self.readable(text), sql.SQL(self.type))

    def accepts(self, text: sql.Composable) -> sql.Composable:
        """SQL: whether a text fits; null stays null."""
        if self.type == TEXT:
            return sql.SQL("({} IS NOT NULL)").format(text)
        return sql.SQL(
            "CASE WHEN {x} ~ {p} THEN pg_input_is_valid({r}, {k}) ELSE false END"
        ).format(
            x=text, p=sql.Literal(self.pattern), r=self.readable(text), k=sql.Literal(self.type)
        )


def sql_type(spec: str) -> str:
    """`date DD.MM.YYYY` → `date`."""
    return spec.partition(" ")[0]


def normal(spec: str) -> str:
    """A kind as it is written here: one space, and no format that is the usual one."""
    name, _, form = " ".join(spec.strip().split(" ", 1)).partition(" ")
    usual = {**dates.CANONICAL, BOOLEAN: "true/false", NUMERIC: "1234.5"}.get(name)
    return name.lower() if form.strip() in ("", usual) else f"{name.lower()} {form.strip()}"


@lru_cache(maxsize=512)
def kind_of(spec: str) -> Kind:
    """What a kind means. Raises InvalidColumnType for a text that is none."""
    name, _, form = spec.partition(" ")
    if name in (DATE, TIMESTAMP, TIMESTAMPTZ):
        form = form or dates.CANONICAL.get(name, "")
        date = dates.parse(form)
        if date is not None and date.type == name:
            return Kind(
                spec=spec, type=name, pattern=date.pattern, meaning=date.order,
                reading=date.reading, valid=date.valid, readable=date.readable, write=date.write,
                plain=date.is_canonical,
            )  # fmt: skip
    elif name == NUMERIC and (number := numbers.parse(form)) is not None:
        return Kind(
            spec=spec, type=name, pattern=number.pattern, meaning=number.decimal,
            reading=number.decimal, plain=not form, readable=number.readable, write=number.write,
        )  # fmt: skip
    elif name == BOOLEAN and _is_pair(form or "true/false"):
        return _boolean(spec, *(form or "true/false").split("/"))
    elif spec in _SIMPLE:
        return _SIMPLE[spec]
    raise InvalidColumnType(f"{spec!r} is no type of a column.")


def _is_pair(form: str) -> bool:
    return (
        re.fullmatch(r"[^\W_]{1,20}/[^\W_]{1,20}", form) is not None
        and len(set(form.split("/"))) == 2
    )


def _boolean(spec: str, yes: str, no: str) -> Kind:
    def readable(text: sql.Composable) -> sql.Composable:
        return sql.SQL("CASE {} WHEN {} THEN 'true' WHEN {} THEN 'false' END").format(
            text, sql.Literal(yes), sql.Literal(no)
        )

    def write(value: sql.Composable) -> sql.Composable:
        return sql.SQL("CASE {} WHEN true THEN {} WHEN false THEN {} END").format(
            value, sql.Literal(yes), sql.Literal(no)
        )

    return Kind(
        spec=spec, type=BOOLEAN, pattern=f"^({yes}|{no})$", reading=f"{yes}/{no}",
        readable=readable, write=write,
    )  # fmt: skip


def read_alike(one: str, other: str) -> bool:
    """Whether a text that two kinds take is the same value of the same SQL type in both."""
    return sql_type(one) == sql_type(other) and kind_of(one).reading == kind_of(other).reading


def _is_json(values: pa.Array) -> pa.Array:
    return pa.array([v is not None and _json(v) for v in values.to_pylist()], pa.bool_())


def _json(text: str) -> bool:
    """Whether both Python and PostgreSQL take it, which keeps `json` exactly as it came."""
    try:
        json.loads(text, parse_constant=_refuse)
    except (ValueError, RecursionError):
        return False
    return True


def _refuse(name: str) -> None:
    raise ValueError(name)


_SIMPLE = {
    kind.spec: kind
    for kind in (
        Kind(spec=TEXT, type=TEXT, pattern="", plain=True, write=_same),
        Kind(spec=BIGINT, type=BIGINT, pattern=numbers.INTEGER, meaning=".", plain=True),
        Kind(
            spec=UUID,
            type=UUID,
            pattern=f"^{_HEX}{{8}}(-{_HEX}{{4}}){{3}}-{_HEX}{{12}}$",
            plain=True,
        ),
        Kind(
            spec="uuid UPPER",
            type=UUID,
            pattern="^[0-9A-F]{8}(-[0-9A-F]{4}){3}-[0-9A-F]{12}$",
            write=lambda value: sql.SQL("upper({}::text)").format(value),
        ),
        Kind(spec=JSON, type=JSON, pattern=r"^[[{](.|\n|\r)*[]}]$", plain=True, valid=_is_json),
    )
}


def kinds_of(text: str) -> tuple[str, ...]:
    """Every kind that one text fits without a setting, the narrowest first; () for plain text."""
    one = strings([text])
    if text[:1] in ("[", "{"):
        return (JSON,) if fits(JSON, one)[0].as_py() else ()
    if not text or len(text) > 100:
        return ()
    # For one text Python's own expressions, which are compiled once, are much faster than Arrow's.
    alike = [spec for spec in _offered(text) if _expression(kind_of(spec).pattern).fullmatch(text)]
    return tuple(spec for spec in alike if kind_of(spec).valid(one)[0].as_py())


@lru_cache(maxsize=512)
def _expression(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


def _offered(text: str) -> list[str]:
    out: list[str] = []
    if any(c.isdigit() for c in text):
        out += [BIGINT, *(f"{NUMERIC} {f}".rstrip() for f in numbers.FORMATS)]
        out += dates.offered(text)
    return [*out, *(f"{BOOLEAN} {f}".removesuffix(" true/false") for f in _BOOLEANS), UUID,
            "uuid UPPER"]  # fmt: skip


def fits(spec: str, values: pa.Array) -> pa.Array:
    """Which texts of a string array the kind takes and gives back; null for null."""
    kind = kind_of(spec)
    if kind.type == TEXT:
        return pc.is_valid(values)
    matching = pc.match_substring_regex(values, kind.pattern)
    if kind.valid is _all_valid or not pc.any(matching).as_py():
        return matching
    return pc.and_(matching, kind.valid(values))
