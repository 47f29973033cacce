"""What a plan rests on beside history and forecast: an item's facts, and the run's terms."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta


@dataclass(frozen=True, kw_only=True)
class Facts:
    """What is known of an item beside its demand; None: not known. Times in days."""

    name: str = ""
    unit_cost: float | None = None
    unit_price: float | None = None
    lead_time_days: float | None = None
    lead_time_sd_days: float | None = None
    lead_time_from: str = ""
    """`item`, `orders` (as they arrived), `supplier`, or empty: not known."""
    review_days: float | None = None
    fill_rate: float | None = None
    order_cost: float | None = None
    holding_rate: float | None = None
    min_order_qty: float | None = None
    pack_size: float | None = None
    on_hand: float | None = None
    on_order: float | None = None
    sold_in: float | None = None
    """The unit of what was sold, where the history holds estimates of more."""
    abc: str = ""
    discontinued: str = ""
    """What the table of products says, where the item is not bought any more."""
    status: str = ""
    """Set when no forecast is to be made: `not_a_product`, `no_history`."""
    why: str = ""
    notes: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Terms:
    """The run's terms: days per period, review in days, fill rates, the default lead time."""

    as_of: date
    bucket: str
    bucket_days: float
    review_days: float
    lead_time_days: float
    fill_rate: dict[str, float] = field(default_factory=dict)
    holding_rate: float = 0.2
    """Cost of holding stock for a year, as a share of its value."""
    stock_day: date | None = None
    """The day from which stock is counted, where it is later than `as_of`."""

    @property
    def day(self) -> date:
        """The day the plan is for: the one after the last that the data know."""
        return (self.stock_day or self.as_of) + timedelta(days=1)


SHORTEST_REVIEW = 1.0
"""Days. Who looks at the stock all the time, or states 0, orders every day at most."""


@dataclass(frozen=True, kw_only=True)
class ItemTerms:
    """An item's own terms: `lead`, `review` and `varying` (sd of the lead time) in periods; the
    review is of SHORTEST_REVIEW days at least."""

    lead_days: float
    lead: float
    review: float
    varying: float
    target: float


def terms_of(facts: Facts, terms: Terms) -> ItemTerms:
    """What the item says, and the run's terms where it says nothing."""
    lead_days = terms.lead_time_days if facts.lead_time_days is None else facts.lead_time_days
    review_days = terms.review_days if facts.review_days is None else facts.review_days
    return ItemTerms(
        lead_days=lead_days,
        lead=lead_days / terms.bucket_days,
        review=max(review_days, SHORTEST_REVIEW) / terms.bucket_days,
        varying=(facts.lead_time_sd_days or 0.0) / terms.bucket_days,
        target=facts.fill_rate or terms.fill_rate.get(facts.abc, 0.95),
    )
