"""Every name that is made from input is made here: databases, roles, collections, identifiers.

Promises: a name that comes out is safe to use and cannot collide with another organization's,
also after PostgreSQL's truncation to 63 bytes, since every part is checked for length before.
Refuses (`InvalidName`) whatever cannot be such a name; nothing is silently changed, except by
`column_names`, whose purpose it is and whose result is recorded beside the header.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence

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


def parse_file_id(text: object) -> str:
    value = str(text)
    if not _FILE_ID.fullmatch(value):
        raise InvalidName(
            f"{value[:60]!r} is not a file id.",
            next_step="Use the file id that the upload answered.",
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
    """SQL names for headers: `["Order ID", "Größe", "", "order id"]` →
    `("order_id", "groesse", "column_3", "order_id_2")`.

    Lower case; accents off; what is no letter or digit becomes one `_`; camelCase is split;
    at most 63 bytes; never empty, never repeated, never beginning with `_` (kept for ours), never
    one that PostgreSQL keeps for itself (`ctid` → `c_ctid`).
    Deterministic, so the same header gives the same columns in every file.
    """
    taken: set[str] = set()
    out: list[str] = []
    for position, header in enumerate(headers, start=1):
        base = _slug(header) or f"column_{position}"
        if base[0].isdigit() or base in _SYSTEM_COLUMNS:
            base = f"c_{base}"
        base = base[:56]
        name, n = base, 1
        while name in taken:
            n += 1
            name = f"{base}_{n}"
        taken.add(name)
        out.append(name)
    return tuple(out)


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
    text = re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", text.strip().translate(_UMLAUTS))
    text = unicodedata.normalize("NFKD", text)
    text = "".join(c for c in text if not unicodedata.combining(c)).lower()
    return re.sub(r"[^a-z0-9]+", "_", text).strip("_")
