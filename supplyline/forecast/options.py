"""What an organization decides for its forecast, with defaults that are said in every plan."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field, fields
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo, available_timezones

from supplyline.errors import Terminal


class BadForecastSettings(Terminal):
    code = "invalid_forecast_settings"
    next_step = "Correct the setting that is named; docs/replenishment.md lists them."


MOST_PERIODS, MOST_DAYS = 1000, 3660
"""Bounds of what is forecast for every item, and of the times in days."""
LISTS = ("not_products", "products", "statuses_left_out", "statuses_counted")


@dataclass(frozen=True, kw_only=True)
class ForecastSettings:
    """`bucket`: day, week, month, or empty to find out. Times in days. `fill_rate`: share of
    demand to be served from the shelf, per ABC class."""

    bucket: str = ""
    horizon: int = 0
    """Periods ahead; 0: 28 days, 13 weeks or 12 months, at least lead time plus review."""
    season: int = 0
    """Periods in a season; 0: 7 for days, 52 for weeks, 12 for months."""
    lead_time_days: float = 14.0
    """Used where neither the item nor its supplier says."""
    review_days: float = 7.0
    fill_rate: dict[str, float] = field(default_factory=lambda: {"A": 0.98, "B": 0.95, "C": 0.90})
    holding_rate: float = 0.2
    """Cost of holding stock for a year as a share of its value, where an item does not say."""
    timezone: str = "UTC"
    """Where a day begins: for times of sales and counts that say their own zone, and for today."""
    refit_days: int = 7
    """Days for which the fit of a daily history is used on while sales are as expected."""
    chunk_items: int = 500
    keep_runs: int = 5
    not_products: tuple[str, ...] = ()
    """Codes that are no product, beside those recognised."""
    products: tuple[str, ...] = ()
    """Codes that are a product although they look like a fee."""
    statuses_left_out: tuple[str, ...] = ()
    """Statuses of sales lines that are no demand, beside those recognised."""
    statuses_counted: tuple[str, ...] = ()
    """Statuses of sales lines that are demand although they look like a cancellation."""

    def refit(self, bucket: str) -> int:
        """Periods after which a fit is made anew at the latest: 1 but for daily histories."""
        return self.refit_days if bucket == "day" else 1

    def day(self, moment: datetime) -> date:
        """The organization's day at a moment."""
        return moment.astimezone(ZoneInfo(self.timezone)).date()

    def planning(self) -> dict[str, Any]:
        """What the plan of an item rests on beside its forecast and its facts."""
        return {
            "review_days": self.review_days,
            "lead_time_days": self.lead_time_days,
            "fill_rate": self.fill_rate,
            "holding_rate": self.holding_rate,
        }

    def as_json(self) -> dict[str, Any]:
        return asdict(self)


def parse(data: dict[str, Any]) -> ForecastSettings:
    """Checks settings from JSON. Raises BadForecastSettings naming the wrong one."""
    known = {f.name for f in fields(ForecastSettings)}
    unknown = sorted(set(data) - known)
    if unknown:
        raise BadForecastSettings(f"Unknown forecast settings: {', '.join(unknown)}.")
    kinds: dict[str, type | tuple[type, ...]] = {
        "bucket": str, "timezone": str, "fill_rate": dict, **dict.fromkeys(LISTS, (list, tuple)),
    }  # fmt: skip
    for name, value in data.items():
        if isinstance(value, bool) or not isinstance(value, kinds.get(name, (int, float))):
            raise BadForecastSettings(f"`{name}` is of a wrong kind.")
    for name in ("horizon", "season", "refit_days", "chunk_items", "keep_runs"):
        if data.get(name, 1) != int(data.get(name, 1)) or data.get(name, 1) > 100_000:
            raise BadForecastSettings(f"`{name}` is no whole number up to 100000.")
    lists = {k: tuple(map(str, data[k])) for k in LISTS if k in data}
    merged: dict[str, Any] = data | lists
    found = ForecastSettings(**merged)
    _refuse_nonsense(found)
    return found


def _refuse_nonsense(found: ForecastSettings) -> None:
    for name in ("horizon", "season"):
        if getattr(found, name) > MOST_PERIODS:
            raise BadForecastSettings(f"`{name}` is more than {MOST_PERIODS} periods.")
    for name in ("lead_time_days", "review_days"):
        if not getattr(found, name) <= MOST_DAYS:
            raise BadForecastSettings(f"`{name}` is more than {MOST_DAYS} days, or no number.")
    if found.bucket not in ("", "day", "week", "month"):
        raise BadForecastSettings("`bucket` is none of day, week, month.")
    if found.timezone not in available_timezones():
        raise BadForecastSettings("`timezone` is no time zone, such as UTC or Europe/Berlin.")
    for name in ("lead_time_days", "review_days", "horizon", "season", "holding_rate"):
        if getattr(found, name) < 0:
            raise BadForecastSettings(f"`{name}` is negative.")
    if set(found.fill_rate) != {"A", "B", "C"}:
        raise BadForecastSettings("`fill_rate` needs a value for each of the classes A, B and C.")
    if not all(isinstance(r, float) and 0 < r < 1 for r in found.fill_rate.values()):
        raise BadForecastSettings("A `fill_rate` lies between 0 and 1, such as 0.95.")
    for name in ("chunk_items", "keep_runs", "refit_days"):
        if getattr(found, name) < 1:
            raise BadForecastSettings(f"`{name}` is at least 1.")
