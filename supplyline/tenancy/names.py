"""Every name that is made from input is made here: databases, roles, collections, identifiers.

Promises: a name that comes out is safe to use and cannot collide with another organization's,
also after PostgreSQL's truncation to 63 bytes, since every part is checked for length before.
Refuses (`InvalidName`) whatever cannot be such a name; nothing is silently changed, except by
`column_names`, whose purpose it is and whose result is recorded beside the header.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Iterable, Sequence

from supplyline.contracts import OrgId, TableName
from supplyline.errors import InvalidName

MAX_IDENTIFIER = 63
"""Bytes that PostgreSQL keeps of an identifier (NAMEDATALEN - 1)."""

_ORG = re.compile(r"[a-z0-9](?:[a-z0-9_]{0,38}[a-z0-9])?")
_TABLE = re.compile(r"[a-z][a-z0-9_]{0,47}")
_FILE_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,63}")
_RESERVED_TABLES = frozenset({"inventory_forecast", "inventory_plan"})


def parse_org_id(text: object) -> OrgId:
    """`"123"` → OrgId. At most 40 of a-z, 0-9, `_`; `org_` in front is no part of an id."""
    value = str(text)
    if not _ORG.fullmatch(value) or value.startswith("org_"):
        raise InvalidName(
            f"{value[:60]!r} is not an organization id.",
            next_step="An id is 1 to 40 lower-case letters, digits and underscores, such as 123.",
        )
    return OrgId(value)


def parse_client_id(text: object) -> OrgId:
    """`client_id` of the forecast: `org_123` or `123`."""
    return parse_org_id(str(text).removeprefix("org_"))


def parse_table_name(text: object) -> TableName:
    """Checks a table's name; it must leave room for `_history` and may not be one of ours."""
    value = str(text)
    if not _TABLE.fullmatch(value):
        raise InvalidName(
            f"{value[:60]!r} is not a table name.",
            next_step="A table's name is 1 to 48 lower-case letters, digits and underscores and "
            "begins with a letter, such as products.",
        )
    if value in _RESERVED_TABLES or value.endswith("_history") or value.startswith("pg_"):
        raise InvalidName(
            f"The table name {value!r} is kept for Supplyline or PostgreSQL itself.",
            next_step="Choose another name for the table.",
        )
    return TableName(value)


def parse_file_id(text: object, *, what: str = "a file") -> str:
    value = str(text)
    if not _FILE_ID.fullmatch(value):
        raise InvalidName(
            f"{value[:60]!r} is not {what} id.",
            next_step="An id is 1 to 64 letters, digits, `_` and `-` and begins with a letter or "
            "digit, such as file_456; that of an upload is in its answer.",
        )
    return value


def database_name(org: OrgId, *, prefix: str) -> str:
    """PG_DB_PREFIX + org, e.g. `orgdata_123`."""
    return _fit(prefix + org)


def role_name(org: OrgId, *, prefix: str) -> str:
    """The organization's own login role; the same text as its database."""
    return _fit(prefix + org)


def rows_collection(org: OrgId, table: TableName) -> str:
    """Landed rows. `.` is in no id, so `a` + `b_c` and `a_b` + `c` stay apart."""
    return f"{org}.{table}"


def manifests_collection(org: OrgId) -> str:
    return f"{org}:manifests"


def quarantine_collection(org: OrgId) -> str:
    return f"{org}:quarantine"


def _fit(name: str) -> str:
    if len(name.encode()) > MAX_IDENTIFIER:
        raise InvalidName(
            f"The name {name!r} is longer than {MAX_IDENTIFIER} bytes.",
            next_step="Shorten PG_DB_PREFIX or the organization's id.",
        )
    return name


_SYSTEM_COLUMNS = frozenset({"tableoid", "xmin", "cmin", "xmax", "cmax", "ctid"})


def column_names(headers: Sequence[str]) -> tuple[str, ...]:
    """SQL names for headers: `["Order ID", "Größe", "", "Цена", "Price €", "Price $", "Größe"]` →
    `("order_id", "groesse", "column_3", "цена", "price_eur", "price_usd", "groesse_2")`.

    Lower case; accents of Latin letters off, other scripts as they are; what is no letter or digit
    becomes one `_`; camelCase is split; at most 63 bytes; never empty, never repeated, never
    beginning with `_` (kept for ours), never one that PostgreSQL keeps for itself (`ctid` →
    `c_ctid`). A header gives the same name wherever it stands: headers that only differ in what a
    name cannot hold are told apart by their signs, or by four digits of their hash; only headers
    that are equal, or empty, are numbered.
    """
    texts = [header.strip() for header in headers]
    chosen = _told_apart({text for text in texts if text})
    taken = set(chosen.values())
    seen: set[str] = set()
    numbers: Counter[str] = Counter()
    out: list[str] = []
    for position, text in enumerate(texts, start=1):
        base = chosen.get(text) or f"column_{position}"
        n = numbers[text] + 1 if text else 1
        name = base if n == 1 else _with(base, f"_{n}")
        while name in seen or (name in taken and not (text and n == 1)):
            n += 1
            name = _with(base, f"_{n}")
        numbers[text] = n
        seen.add(name)
        out.append(name)
    return tuple(out)


def _told_apart(texts: Iterable[str]) -> dict[str, str]:
    """Header → name, each another, whatever the order of the headers."""
    alike: dict[str, list[str]] = {}
    for text in texts:
        name = _name(text) or _name(text.translate(_SIGNS)) or f"column_{_digest(text)}"
        alike.setdefault(name, []).append(text)
    out: dict[str, str] = {}
    for name, group in alike.items():
        if len(group) == 1:
            out[group[0]] = name
            continue
        # The plain name is that of the header which is written most like it.
        first, *others = sorted(group, key=lambda t: (t != name, t.lower() != name, len(t), t))
        spoken = [_name(text.translate(_SIGNS)) for text in group]
        free = all(one == name or (one and one not in alike) for one in spoken)
        if free and len({*spoken}) == len(group):
            out |= dict(zip(group, spoken, strict=True))
            continue
        out[first] = name
        out |= {text: _with(name, f"_{_digest(text)}") for text in others}
    return out


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:4]


def _name(text: str) -> str:
    base = _slug(text)
    if base[:1].isdigit() or base in _SYSTEM_COLUMNS:
        base = f"c_{base}"
    return _with(base, "")


def _with(base: str, ending: str) -> str:
    room = MAX_IDENTIFIER - len(ending)
    return base.encode()[:room].decode(errors="ignore").rstrip("_") + ending


_SIGNS = str.maketrans(
    {
        "€": " eur ",
        "$": " usd ",
        "£": " gbp ",
        "¥": " jpy ",
        "%": " percent ",
        "#": " number ",
        "&": " and ",
        "+": " plus ",
        "Δ": " delta ",
        "²": "2",
        "³": "3",
    }
)

_UMLAUTS = str.maketrans(
    {
        "ä": "ae",
        "ö": "oe",
        "ü": "ue",
        "Ä": "Ae",
        "Ö": "Oe",
        "Ü": "Ue",
        "ß": "ss",
        "æ": "ae",
        "ø": "o",
        "å": "a",
        "Æ": "Ae",
        "Ø": "O",
        "Å": "A",
    }
)


def _slug(text: str) -> str:
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.translate(_UMLAUTS))
    kept: list[str] = []
    base = ""
    for c in unicodedata.normalize("NFKD", text):
        kind = unicodedata.category(c)
        if kind[0] == "M":  # an accent, or in other scripts a part of the letter
            kept.append("" if base.isascii() else c)
        elif kind != "Cf":
            base = c if c.isalnum() else ""
            kept.append(c.lower() if c.isalnum() else "_")
    return re.sub(r"_+", "_", unicodedata.normalize("NFC", "".join(kept))).strip("_")
