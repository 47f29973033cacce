"""Overrides: what people know and the model does not, with their reason.

Promises: an override never changes `inventory_forecast`; the plan says which it used and what the
model had said. None is changed or deleted: it is replaced by a newer version or withdrawn, with its
audit event in the same transaction (P9). Refuses items that no plan lists, and what no
plan could use: days that are over, codes that are no product.

`demand` is a number of units over the days from `from_day` to `to_day`. `fill_rate` and
`lead_time_days` hold for plans made within their days, the day of a plan being the one after the
last of the data (without days: until withdrawn). Of two that speak
of the same day the newer one counts. `overriding` puts them into a plan.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import asdict, dataclass, fields
from datetime import date, datetime
from typing import Any

import psycopg
from psycopg import sql
from psycopg.rows import class_row

from supplyline.audit.events import append
from supplyline.contracts import OrgId
from supplyline.errors import Terminal
from supplyline.forecast.read import ItemNotPlanned, published

Connection = psycopg.Connection[tuple[Any, ...]]

DEMAND, FILL_RATE, LEAD_TIME = "demand", "fill_rate", "lead_time_days"
KINDS = (DEMAND, FILL_RATE, LEAD_TIME)
LONGEST_DAYS = 3660


class BadOverride(Terminal):
    code = "invalid_override"
    next_step = "Correct what is named; docs/forecast.md says what an override may be."


class OverrideNotFound(Terminal):
    code = "override_not_found"
    next_step = "GET /api/forecast/overrides/ lists the overrides."


class OverrideConflict(Terminal):
    code = "override_conflict"
    next_step = "Read the item's overrides again; this one was withdrawn or replaced meanwhile."


@dataclass(frozen=True, kw_only=True)
class Override:
    """One version. `replaces`: the version before; `withdrawn_at` None: it is in force."""

    id: int
    item: str
    kind: str
    value: float
    from_day: date | None
    to_day: date | None
    reason: str
    set_by: str
    set_at: datetime
    replaces: int | None
    withdrawn_at: datetime | None
    withdrawn_by: str
    withdrawn_reason: str

    def covers(self, day: date) -> bool:
        return (self.from_day is None or self.from_day <= day) and (
            self.to_day is None or day <= self.to_day
        )


_COLUMNS = sql.SQL(", ").join(sql.Identifier(f.name) for f in fields(Override))


def set_override(
    conn: Connection,
    org: OrgId,
    *,
    item: str,
    kind: str,
    value: float,
    reason: str,
    actor: str,
    now: datetime,
    from_day: date | None = None,
    to_day: date | None = None,
    replaces: int | None = None,
) -> Override:
    """Records an override and its audit event; `replaces` withdraws that version with it.

    Raises BadOverride, NoForecastYet, ItemNotPlanned, OverrideNotFound, OverrideConflict.
    """
    _check(kind, value, from_day, to_day, reason)
    _check_effect(conn, item, kind, to_day)
    if replaces is not None:
        before = _withdraw(conn, replaces, reason=f"replaced: {reason}", actor=actor, now=now)
        if (before.item, before.kind) != (item, kind):
            raise BadOverride("`replaces` names an override of another item or kind.")
    with conn.cursor(row_factory=class_row(Override)) as cursor:
        made = cursor.execute(
            sql.SQL(
                "INSERT INTO supplyline.forecast_override (item, kind, value, from_day, to_day,"
                " reason, set_by, set_at, replaces) VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s)"
                " RETURNING {}"
            ).format(_COLUMNS),
            (item, kind, value, from_day, to_day, reason.strip(), actor, now, replaces),
        ).fetchone()
    if made is None:
        raise OverrideConflict("The override was not stored.")
    detail = {"id": made.id, "kind": kind, "replaces": replaces, "from": from_day, "to": to_day}
    append(conn, org=org, kind="override.set", actor=actor, subject=item, detail=detail)
    return made


def _check_effect(conn: Connection, item: str, kind: str, to_day: date | None) -> None:
    """An override that no plan could ever use is refused."""
    found = conn.execute(
        "SELECT p.status, r.as_of, coalesce(r.stock_day, r.as_of), EXISTS (SELECT FROM"
        " supplyline.forecast_override o WHERE o.item = p.item AND o.kind = %s"
        " AND o.withdrawn_at IS NULL AND o.to_day > r.as_of)"
        " FROM public.inventory_plan p JOIN supplyline.forecast_run r USING (run_id)"
        " WHERE p.run_id = %s AND p.item = %s",
        (DEMAND, published(conn), item),
    ).fetchone()
    if found is None:
        raise ItemNotPlanned("This item is in no row of the plan.")
    status, as_of, known, expected = found
    over = as_of if kind == DEMAND else known
    if to_day is not None and to_day <= over:
        raise BadOverride(
            f"`to_day` lies in the past: the data reach to {over}, plans begin the day after."
        )
    if status == "not_a_product":
        raise BadOverride(
            "This code is no product and is not planned.",
            next_step="Add it to `products` in the forecast settings first.",
        )
    if status == "no_history" and kind != DEMAND and not expected:
        raise BadOverride(
            "This item never sold, so that only an override of its `demand` makes a plan.",
            next_step="Set `demand` with `from_day` and `to_day` first.",
        )


def withdraw(
    conn: Connection, org: OrgId, *, override_id: int, reason: str, actor: str, now: datetime
) -> Override:
    """Ends an override, with its audit event. Raises OverrideNotFound, OverrideConflict."""
    ended = _withdraw(conn, override_id, reason=reason, actor=actor, now=now)
    detail = {"id": ended.id, "kind": ended.kind}
    append(
        conn, org=org, kind="override.withdrawn", actor=actor, subject=ended.item, detail=detail
    )  # fmt: skip
    return ended


def _withdraw(
    conn: Connection, override_id: int, *, reason: str, actor: str, now: datetime
) -> Override:
    with conn.cursor(row_factory=class_row(Override)) as cursor:
        ended = cursor.execute(
            sql.SQL(
                "UPDATE supplyline.forecast_override SET withdrawn_at = %s, withdrawn_by = %s,"
                " withdrawn_reason = %s WHERE id = %s AND withdrawn_at IS NULL RETURNING {}"
            ).format(_COLUMNS),
            (now, actor, reason.strip(), override_id),
        ).fetchone()
    if ended is not None:
        return ended
    known = conn.execute(
        "SELECT FROM supplyline.forecast_override WHERE id = %s", (override_id,)
    ).rowcount
    if known:
        raise OverrideConflict(f"Override {override_id} is not in force any more.")
    raise OverrideNotFound(f"There is no override {override_id}.")


def _check(
    kind: str, value: float, from_day: date | None, to_day: date | None, reason: str
) -> None:
    if kind not in KINDS:
        raise BadOverride(f"`kind` is none of {', '.join(KINDS)}.")
    if not reason.strip():
        raise BadOverride("An override needs a `reason`.")
    if not 0 <= value < 1e12:
        raise BadOverride("`value` is negative, no number, or too large.")
    if kind == FILL_RATE and not 0 < value < 1:
        raise BadOverride("A fill rate lies between 0 and 1, such as 0.95.")
    if kind == LEAD_TIME and value > LONGEST_DAYS:
        raise BadOverride(f"A lead time is at most {LONGEST_DAYS} days.")
    if kind == DEMAND and (from_day is None or to_day is None):
        raise BadOverride("A `demand` override needs `from_day` and `to_day`.")
    if from_day is not None and to_day is not None:
        if to_day < from_day:
            raise BadOverride("`to_day` lies before `from_day`.")
        if (to_day - from_day).days > LONGEST_DAYS:
            raise BadOverride("An override spans ten years at most.")


def list_overrides(
    conn: Connection, *, item: str | None = None, in_force: bool = True, limit: int = 1000
) -> list[Override]:
    """Newest first; those withdrawn or replaced too when `in_force` is False."""
    with conn.cursor(row_factory=class_row(Override)) as cursor:
        return cursor.execute(
            sql.SQL(
                "SELECT {} FROM supplyline.forecast_override"
                " WHERE (%(item)s::text IS NULL OR item = %(item)s)"
                " AND (NOT %(in_force)s OR withdrawn_at IS NULL) ORDER BY id DESC LIMIT %(limit)s"
            ).format(_COLUMNS),
            {"item": item, "in_force": in_force, "limit": limit},
        ).fetchall()


def due(conn: Connection, *, day: date) -> dict[str, list[Override]]:
    """Item → overrides in force that speak of `day` or later, oldest first."""
    out: dict[str, list[Override]] = defaultdict(list)
    for one in reversed(list_overrides(conn, limit=10_000_000)):
        if one.to_day is None or one.to_day >= day:
            out[one.item].append(one)
    return dict(out)


def as_json(one: Override) -> dict[str, Any]:
    """JSON values; dates and times are ISO 8601."""
    return {
        k: v.isoformat() if isinstance(v, date | datetime) else v for k, v in asdict(one).items()
    }


def from_json(data: dict[str, Any]) -> Override:
    days = {k: data[k] and date.fromisoformat(data[k]) for k in ("from_day", "to_day")}
    times = {k: data[k] and datetime.fromisoformat(data[k]) for k in ("set_at", "withdrawn_at")}
    return Override(**{**data, **days, **times})
