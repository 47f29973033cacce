"""The checks and their scores. Every formula stands here and in docs/quality.md.

Promises: each check gives a score from 0 to 100, how many were looked at and how many failed, or
no score at all when it does not apply (no key, no date column, no file yet). Nothing is judged
that was not looked at. The total is the mean of the scores that exist, by `WEIGHTS`.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from statistics import median

from psycopg import sql

from supplyline.contracts import Certificate, Manifest, TableSettings
from supplyline.quality.profile import ColumnProfile, Connection, TableProfile

WEIGHTS = {
    "completeness": 3,
    "uniqueness": 3,
    "validity": 2,
    "freshness": 1,
    "quarantine": 3,
    "reconciliation": 4,
    "references": 2,
}
QUARANTINE_FACTOR = 5
"""A fifth of the rows set aside is a score of 0."""
FRESH_INTERVALS, STALE_INTERVALS = 2, 10
"""In usual distances between files: up to the first full score, from the second on 0."""

_NOT_NEGATIVE = re.compile(r"(?:^|_)(?:qty|quantity|price|cost|stock|on_hand|lead_time)(?:_|$)")
_MAY_BE_FUTURE = re.compile(
    r"(?:^|_)(?:due|expiry|expires?|expiration|eta|delivery|arrival|planned|valid|until|end)(?:_|$)"
)
_ITEM = ("item", "sku", "product_id", "product", "stock_code", "item_id")


@dataclass(frozen=True, kw_only=True)
class Check:
    """`checked` things (rows, cells, files) were looked at, `failed` of them were not in order."""

    name: str
    score: float | None
    checked: int
    failed: int
    detail: str


def completeness(found: TableProfile) -> Check:
    """100 * (1 - empty cells / cells); a cell is empty when it is null or nothing but spaces."""
    cells = found.rows * len(found.columns)
    empty = sum(column.nulls + column.empties for column in found.columns)
    worst = max(found.columns, key=lambda c: c.nulls + c.empties, default=None)
    detail = f"most in {worst.name}" if worst and empty else "no cell is empty"
    return _share("completeness", checked=cells, failed=empty, detail=detail)


def uniqueness(conn: Connection, found: TableProfile, *, settings: TableSettings) -> Check:
    """100 * (1 - rows whose key is incomplete or was there before / rows)."""
    key = settings.key or ()
    if not key or any(found.column(name) is None for name in key):
        return _none("uniqueness", "no business key is set for the table")
    columns = sql.SQL(", ").join(sql.Identifier(name) for name in key)
    complete = sql.SQL(" AND ").join(
        sql.SQL("{} IS NOT NULL").format(sql.Identifier(name)) for name in key
    )
    row = conn.execute(
        sql.SQL(
            "SELECT count(*) FROM (SELECT DISTINCT {columns} FROM {table} WHERE {complete}) AS keys"
        ).format(columns=columns, table=sql.Identifier("public", found.table), complete=complete)
    ).fetchone()
    good = int(row[0]) if row else 0
    return _share(
        "uniqueness",
        checked=found.rows,
        failed=found.rows - good,
        detail=f"key: {', '.join(key)}",
    )


def validity(
    conn: Connection, found: TableProfile, *, settings: TableSettings, now: datetime
) -> Check:
    """100 * (1 - invalid values / values looked at).

    Invalid: a negative number in a column of quantities, prices, costs, stock or lead times, and
    a date more than a day ahead in a column that does not speak of the future (due, expiry, ...).
    """
    parts, names = [], []
    limit = sql.Literal(now.astimezone(UTC) + timedelta(days=1))
    for column in found.columns:
        rule = _rule(column, settings=settings)
        if rule is None:
            continue
        names.append(column.name)
        name = sql.Identifier(column.name)
        wrong = (
            sql.SQL("{} < 0").format(name)
            if rule == "negative"
            else sql.SQL("{} > {}").format(name, limit)
        )
        parts += [
            sql.SQL("count({})").format(name),
            sql.SQL("count(*) FILTER (WHERE {})").format(wrong),
        ]
    if not parts:
        return _none("validity", "no column of numbers or dates that a rule speaks of")
    query = sql.SQL("SELECT {} FROM {}").format(
        sql.SQL(", ").join(parts), sql.Identifier("public", found.table)
    )
    counts = conn.execute(query).fetchone() or ()
    failed = {name: counts[2 * n + 1] for n, name in enumerate(names) if counts[2 * n + 1]}
    detail = ", ".join(f"{name}: {n}" for name, n in failed.items()) or "nothing invalid"
    return _share("validity", checked=sum(counts[::2]), failed=sum(failed.values()), detail=detail)


def freshness(manifests: Sequence[Manifest], *, now: datetime) -> Check:
    """100 up to 2 usual distances since the newest file, then falling evenly to 0 at 10.

    The usual distance is the median between files, and at least a day.
    """
    times = sorted(m.closed_at for m in manifests if m.closed_at is not None)
    if not times:
        return _none("freshness", "no file was read yet")
    day = timedelta(days=1)
    gaps = [(b - a) / day for a, b in pairwise(times)]
    usual = max(1.0, median(gaps)) if gaps else 1.0
    age = (now - times[-1]) / day
    late = age / usual
    score = 100 * (STALE_INTERVALS - late) / (STALE_INTERVALS - FRESH_INTERVALS)
    return Check(
        name="freshness",
        score=_clamp(score),
        checked=len(times),
        failed=0,
        detail=f"newest file {age:.1f} days ago"
        + (f", usually every {usual:.1f} days" if gaps else ""),
    )


def quarantine(manifests: Sequence[Manifest]) -> Check:
    """100 * (1 - 5 * quarantined rows / rows read), not under 0."""
    read = sum(m.rows_read for m in manifests)
    aside = sum(m.quarantined for m in manifests)
    if not read:
        return _none("quarantine", "no row was read in this time")
    return Check(
        name="quarantine",
        score=_clamp(100 * (1 - QUARANTINE_FACTOR * aside / read)),
        checked=read,
        failed=aside,
        detail=f"{aside} of {read} rows were set aside",
    )


def reconciliation(certificates: Sequence[Certificate]) -> Check:
    """100 * certificates without a difference of count or checksum / certificates."""
    wrong = [c for c in certificates if c.differences]
    detail = f"differences in {', '.join(c.file_id for c in wrong[:3])}" if wrong else "all agree"
    if not certificates:
        return _none("reconciliation", "no certificate in this time")
    return _share("reconciliation", checked=len(certificates), failed=len(wrong), detail=detail)


def references(
    conn: Connection,
    found: TableProfile,
    *,
    settings: TableSettings,
    products: TableSettings,
    product_columns: Sequence[str],
) -> Check:
    """100 * (1 - rows whose item is in no row of `products` / rows with an item)."""
    ours = _item(settings, [column.name for column in found.columns])
    theirs = _item(products, product_columns, key=products.key)
    if found.table == "products":
        return _none("references", "the items of other tables are looked up here")
    if ours is None or theirs is None:
        return _none("references", "there are no items to look up in a table products")
    row = conn.execute(
        sql.SQL(
            "SELECT count(*), count(*) FILTER (WHERE NOT EXISTS (SELECT FROM public.products p"
            " WHERE p.{theirs}::text = t.{ours}::text)) FROM {table} t WHERE t.{ours} IS NOT NULL"
        ).format(
            ours=sql.Identifier(ours),
            theirs=sql.Identifier(theirs),
            table=sql.Identifier("public", found.table),
        )
    ).fetchone()
    checked, orphans = row or (0, 0)
    return _share(
        "references",
        checked=checked,
        failed=orphans,
        detail=f"{found.table}.{ours} in products.{theirs}",
    )


def total(checks: Sequence[Check]) -> float | None:
    """The mean of the scores that exist, by WEIGHTS; None when there is none."""
    scored = [(WEIGHTS[c.name], c.score) for c in checks if c.score is not None]
    if not scored:
        return None
    weight = sum(w for w, _ in scored)
    return round(sum(w * score for w, score in scored) / weight, 2)


def _rule(column: ColumnProfile, *, settings: TableSettings) -> str | None:
    roles = {name: role for role, name in settings.mapping.items()}
    name = f"{column.name}_{roles.get(column.name, '')}"
    if column.is_number and _NOT_NEGATIVE.search(name):
        return "negative"
    if column.is_time and not _MAY_BE_FUTURE.search(name):
        return "future"
    return None


def _item(
    settings: TableSettings, columns: Sequence[str], *, key: tuple[str, ...] | None = None
) -> str | None:
    wanted = (
        [settings.mapping["item"]] if "item" in settings.mapping else [*(key or ())[:1], *_ITEM]
    )
    return next((name for name in wanted if name in columns), None)


def _share(name: str, *, checked: int, failed: int, detail: str) -> Check:
    if not checked:
        return _none(name, "the table is empty")
    score = _clamp(100 * (1 - failed / checked))
    return Check(name=name, score=score, checked=checked, failed=failed, detail=detail)


def _none(name: str, why: str) -> Check:
    return Check(name=name, score=None, checked=0, failed=0, detail=why)


def _clamp(score: float) -> float:
    """Between 0 and 100; rounded down, so that 100 means that nothing failed."""
    return max(0.0, min(100.0, int(score * 100 + 1e-9) / 100))
