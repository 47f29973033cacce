"""What counts as change, so that a run costs what changed and the rest stays as it was.

* `keep` all rows as they were: nothing happened to the item.
* `replan` levels and quantities from the same forecast: stock, orders, prices, lead time, ABC
  class, planning settings or an override changed, or the day from which stock is counted.
* `roll` the same forecast on, and plan anew: only new days, all inside the 95 % interval, and the
  fit is less than `refit_days` old (daily histories only).
* `fit` anew: a new period, a corrected past, another bucket, season or horizon, another version of
  the engine, or no published run to compare with.

A period counts when it is over, and the grid of weeks stays where it was, so weekly and monthly
histories change when a week or month has ended, and not every night. Each day about one in
`refit_days` of the daily items is refitted, so that they do not all fall on the same night.
"""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass
from datetime import date
from functools import cache
from importlib import metadata, resources
from typing import Any

import numpy as np

from supplyline.forecast.series import Floats

FIT, ROLL, REPLAN, KEEP = "fit", "roll", "replan", "keep"


def terms_key(*, bucket: str, horizon: int, season: int, refit: int) -> str:
    """A fingerprint of what all fits of a run have in common: with another none is used on."""
    return key(engine_version(), bucket, horizon, season, refit)


@dataclass(frozen=True, kw_only=True)
class Before:
    """What the run before knew of an item. `periods`: length of its history; `fit_periods`: of
    the history that was fitted; `hi`, `lo`: ends of the 95 % interval from then on."""

    history_key: str
    plan_key: str
    fit_key: str
    periods: int
    fit_periods: int
    lo: Floats | None = None
    hi: Floats | None = None


@dataclass(frozen=True, kw_only=True)
class Decision:
    action: str
    fit_key: str
    fit_periods: int


@cache
def engine_version() -> str:
    """Changes with the source of this package and the libraries that fit: a fit of another version
    is not reused."""
    digest = hashlib.sha256()
    for package in ("supplyline.forecast", "supplyline.forecast.methods"):
        for file in sorted(resources.files(package).iterdir(), key=lambda f: f.name):
            if file.name.endswith((".py", ".npz")):
                digest.update(file.name.encode() + b"\0" + file.read_bytes())
    for library in ("numpy", "scipy"):
        digest.update(f"{library} {metadata.version(library)}".encode())
    return digest.hexdigest()[:16]


def key(*parts: Any) -> str:
    """A fingerprint of JSON values (dates as text)."""
    text = json.dumps(parts, sort_keys=True, default=str, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def history_key(first_period: date | None, demand: Floats) -> str:
    """A fingerprint of a history: when it begins, and every value of it."""
    digest = hashlib.sha256(str(first_period).encode())
    digest.update(np.ascontiguousarray(demand, dtype="<f8").tobytes())
    return digest.hexdigest()


def decide(
    *,
    first_period: date | None,
    demand: Floats,
    plan_key: str,
    before: Before | None,
    refit: int,
    turn: bool,
) -> Decision:
    """What to do with one item whose run before had the same terms (`before` is None otherwise).

    `refit`: periods after which a fit is too old to be rolled on; `turn`: it is this item's turn.
    """
    now = history_key(first_period, demand)
    anew = Decision(action=FIT, fit_key=now, fit_periods=demand.size)
    if before is None:
        return anew
    if now == before.history_key:
        action = KEEP if plan_key == before.plan_key else REPLAN
        return Decision(action=action, fit_key=before.fit_key, fit_periods=before.fit_periods)
    age = demand.size - before.fit_periods
    fresh = demand[before.periods :]
    if (
        turn
        or not 0 < fresh.size <= age < refit
        or before.lo is None
        or before.hi is None
        or before.lo.size < fresh.size
        or history_key(first_period, demand[: before.periods]) != before.history_key
    ):
        return anew
    usual = (fresh >= before.lo[: fresh.size]) & (fresh <= before.hi[: fresh.size])
    if not usual.all():
        return anew
    return Decision(action=ROLL, fit_key=before.fit_key, fit_periods=before.fit_periods)


def turn_of(item: str, *, day: date, refit: int) -> bool:
    """Whether a rolled item is refitted on this day: one in `refit`, in a fixed order."""
    place = int.from_bytes(hashlib.sha256(item.encode()).digest()[:4], "big")
    return (place + day.toordinal()) % max(1, refit) == 0
