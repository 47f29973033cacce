"""How numbers are written: a mark for decimals, and one for thousands or none.

A format is shown by example: `` (1234.5), `1234,5`, `1,234.5`, `1.234,5`, `1 234,5`, `1'234.5`. A
number fits only if it is written so throughout: thousands grouped everywhere or nowhere, no sign
but a minus, no leading zero, no bare mark, no minus before zero. Its own places are kept, since
PostgreSQL's numeric keeps them: `1.50` and `1.5` may stand in one column.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from psycopg import sql

INTEGER = r"^(0|-?[1-9][0-9]{0,17})$"
_PLAIN = r"[1-9][0-9]{0,60}"
_GROUPS = ("", ",", ".", " ", "\u00a0", "\u202f", "'", "\u2019")


@dataclass(frozen=True)
class Number:
    """`decimal`: the mark before the places. `group`: the mark between thousands, or ''."""

    decimal: str
    group: str

    @property
    def pattern(self) -> str:
        decimal, group = re.escape(self.decimal), re.escape(self.group)
        whole = rf"[1-9][0-9]{{0,2}}({group}[0-9]{{3}}){{0,20}}" if self.group else _PLAIN
        return (
            rf"^(-?{whole}({decimal}[0-9]{{1,40}})?|0({decimal}[0-9]{{1,40}})?"
            rf"|-0{decimal}[0-9]{{0,39}}[1-9][0-9]{{0,39}})$"
        )

    def readable(self, text: sql.Composable) -> sql.Composable:
        """SQL: the text with a decimal point and without grouping."""
        if self.group:
            text = sql.SQL("replace({}, {}, '')").format(text, sql.Literal(self.group))
        if self.decimal != ".":
            text = sql.SQL("replace({}, {}, '.')").format(text, sql.Literal(self.decimal))
        return text

    def write(self, value: sql.Composable) -> sql.Composable:
        """SQL: the number as it was written."""
        text = sql.SQL("{}::text").format(value)
        if not self.group:
            if self.decimal == ".":
                return text
            return sql.SQL("replace({}, '.', {})").format(text, sql.Literal(self.decimal))
        return sql.SQL(
            "regexp_replace(split_part({t}, '.', 1), '([0-9])(?=([0-9]{{3}})+$)', {g}, 'g')"
            " || CASE WHEN scale({v}) > 0 THEN {d} || split_part({t}, '.', 2) ELSE '' END"
        ).format(t=text, v=value, g=sql.Literal(rf"\1{self.group}"), d=sql.Literal(self.decimal))


def parse(form: str) -> Number | None:
    """`` and `1234.5` are a decimal point without grouping; None for what is no format."""
    found = re.fullmatch(r"1([^0-9]?)234([.,])5", form or "1234.5", re.DOTALL)
    if found is None or found[1] not in _GROUPS or found[1] == found[2]:
        return None
    return Number(decimal=found[2], group=found[1])


FORMATS = ("", "1234,5", "1,234.5", "1.234,5", "1 234,5", "1 234.5", "1\u00a0234,5",
           "1\u202f234,5", "1'234.5", "1\u2019234.5")  # fmt: skip
"""Those that are looked for; the plainest first."""
