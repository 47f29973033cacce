"""What a table's contract may ask of a cell. A rule is checked when it is written, not when used.

{"quantity": {"required": true, "type": "integer", "min": 0},
 "order_date": {"type": "date", "format": "DD.MM.YYYY", "max": "2030-12-31"},
 "sku": {"required": true, "pattern": "[A-Z]{2}-[0-9]+"}, "unit": {"one_of": ["pc", "kg"]}}
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from typing import Any

from supplyline.contracts import Json
from supplyline.errors import Terminal

NUMBERS = ("integer", "number")
TYPES = (*NUMBERS, "date", "boolean")
DATES = {
    "YYYY-MM-DD": r"(?P<y>\d{4})-(?P<m>\d{1,2})-(?P<d>\d{1,2})",
    "DD.MM.YYYY": r"(?P<d>\d{1,2})\.(?P<m>\d{1,2})\.(?P<y>\d{4})",
    "DD/MM/YYYY": r"(?P<d>\d{1,2})/(?P<m>\d{1,2})/(?P<y>\d{4})",
    "MM/DD/YYYY": r"(?P<m>\d{1,2})/(?P<d>\d{1,2})/(?P<y>\d{4})",
    "YYYYMMDD": r"(?P<y>\d{4})(?P<m>\d{2})(?P<d>\d{2})",
}
_TIME = r"(?:[ T]\d{1,2}:\d{2}(?::\d{2}(?:\.\d+)?)?(?: ?[AP]M)?(?:Z|[+-]\d{2}:?\d{2})?)?"
"""A date may be followed by a time of day."""


class InvalidContract(Terminal):
    code = "invalid_contract"
    next_step = "Correct the part that is named; docs/ingest.md describes contracts."


@dataclass(frozen=True, kw_only=True)
class Rule:
    """`min`, `max`: a number, or a date as YYYY-MM-DD. `decimal`: the decimal sign of numbers.

    A cell of nothing but spaces is empty: `required` forbids it, nothing else speaks of it.
    """

    required: bool = False
    type: str | None = None
    format: str = "YYYY-MM-DD"
    decimal: str = "."
    min: str | None = None
    max: str | None = None
    pattern: str | None = None
    one_of: tuple[str, ...] = ()

    def as_json(self) -> Json:
        plain = asdict(Rule())
        return {
            k: list(v) if isinstance(v, tuple) else v
            for k, v in asdict(self).items()
            if v != plain[k]
        }


def parse_rules(given: Mapping[str, Any]) -> dict[str, Rule]:
    """Column → rule. Raises InvalidContract naming column and part."""
    if not isinstance(given, Mapping):
        raise InvalidContract("`rules` must map columns to what is asked of them.")
    return {str(column): _parse(str(column), rule) for column, rule in given.items()}


def _parse(column: str, given: Any) -> Rule:
    if not isinstance(given, Mapping):
        raise InvalidContract(f"The rule of {column} must be an object.")
    unknown = sorted(set(map(str, given)) - set(Rule.__dataclass_fields__))
    if unknown:
        raise InvalidContract(f"The rule of {column} has unknown parts: {', '.join(unknown)}.")
    said: dict[str, Any] = {k: v for k, v in given.items() if v is not None}
    if not isinstance(said.get("required", False), bool):
        raise InvalidContract(f"`required` of {column} must be true or false.")
    if "one_of" in said:
        said["one_of"] = _texts(column, said["one_of"])
    for name in said.keys() - {"required", "one_of"}:
        value = said[name]
        if not isinstance(value, str | int | float) or isinstance(value, bool):
            raise InvalidContract(f"`{name}` of {column} must be a text or a number.")
        said[name] = str(value)
    rule = Rule(**said)
    if rule.type is not None and rule.type not in TYPES:
        raise InvalidContract(f"The type of {column} must be one of {', '.join(TYPES)}.")
    if rule.format not in DATES:
        raise InvalidContract(f"The format of {column} must be one of {', '.join(DATES)}.")
    if rule.decimal not in (".", ","):
        raise InvalidContract(f"`decimal` of {column} must be a point or a comma.")
    _bounds(column, rule)
    _pattern(column, rule)
    return rule


def _texts(column: str, given: Any) -> tuple[str, ...]:
    if not isinstance(given, list | tuple) or not all(isinstance(v, str) for v in given):
        raise InvalidContract(f"`one_of` of {column} must be a list of texts.")
    return tuple(given)


def _bounds(column: str, rule: Rule) -> None:
    for name, value in (("min", rule.min), ("max", rule.max)):
        if value is None:
            continue
        if rule.type == "date":
            good = as_date(value, "YYYY-MM-DD") is not None
        elif rule.type in NUMBERS:
            good = _is_number(value)
        else:
            raise InvalidContract(f"`{name}` of {column} needs the type integer, number or date.")
        if not good:
            raise InvalidContract(f"`{name}` of {column} is no {rule.type}: {value[:40]!r}.")


def _is_number(text: str) -> bool:
    try:
        return Decimal(text).is_finite()
    except InvalidOperation:
        return False


def _pattern(column: str, rule: Rule) -> None:
    if rule.pattern is None:
        return
    import pyarrow as pa
    import pyarrow.compute as pc

    try:
        pc.match_substring_regex(pa.array([""]), anchored(rule.pattern))
    except pa.ArrowInvalid as error:
        raise InvalidContract(f"The pattern of {column} cannot be used: {error}.") from None


def anchored(pattern: str) -> str:
    """RE2 syntax (no backtracking, so no pattern can hang); the whole cell must match."""
    return rf"\A(?:{pattern})\z"


def as_date(text: str, form: str) -> str | None:
    """`YYYY-MM-DD`, or None for what is no day of the calendar."""
    found = re.fullmatch(DATES[form] + _TIME, text)
    if found is None:
        return None
    try:
        day = date(int(found["y"]), int(found["m"]), int(found["d"]))
    except ValueError:
        return None
    return day.isoformat()
