"""From a forecast to what a buyer does: safety stock, reorder point, order quantity, risk.

Policy: every review period R, when the position (on hand + on order) is below the reorder point,
order up to S; the order arrives after the lead time L. The reorder point carries the demand of
L + R at the target fill rate (see `leadtime`), safety stock is what it holds beyond the mean:

    reorder point = order-up-to level that reaches the fill rate over L + R
    safety stock  = reorder point - expected demand over L + R, at least 0
    S             = reorder point + max(0, economic lot - expected demand over R)
    economic lot  = sqrt(2 A D / (r v)) where the cost of an order A is known (D units a year,
                    r holding rate a year, v unit cost), else 0
    order         = max(S - position, minimum order), rounded up to whole packs, or without a pack
                    to pieces, or to the unit of goods that are not sold by the piece (see `grain`)

Demand over a lead time that varies: variance + mean demand per period squared times the variance of
the lead time (Silver, Pyke and Thomas 2017, ch. 6).

Source: Silver, Pyke and Thomas (2017), ch. 6.9-6.10 (R, S) and 6.12 (R, s, S). ABC after Pareto's
cut at 80 and 95 % of the value sold in a year; XYZ by the CV of demand per period (0.5 and 1.0).
"""

from __future__ import annotations

import math
from datetime import date, timedelta
from typing import Any

import numpy as np

from supplyline.forecast.engine import Forecast
from supplyline.forecast.grain import Grain, grain_of
from supplyline.forecast.leadtime import Level, Risk, level_for, stockout
from supplyline.forecast.series import Floats
from supplyline.forecast.terms import Facts, ItemTerms, Terms, terms_of

FORMULA = (
    "reorder_point = level_mean + safety_factor * level_sd, at least 0, rounded up to the item's "
    "unit, with the safety_factor that reaches fill_rate over L + R; "
    "safety_stock = max(0, reorder_point - mean(L + R)); "
    "S = order_up_to = reorder_point + max(0, economic_lot - mean(R)); "
    "order_quantity = max(order_up_to - on_hand - on_order, minimum_order), rounded up to whole "
    "packs, or without a pack to pieces or the smaller unit, when "
    "on_hand + on_order < reorder_point, else 0; "
    "stockout_risk = P(demand over L > on_hand + on_order), the demand being of mean_over_L and "
    "sd_over_L; urgency by stockout_risk * short_over_L * price"
)
SOURCE = "Silver, Pyke and Thomas (2017), Inventory and Production Management, ch. 6-7"


def xyz(values: Floats) -> str:
    """X steady, Y changing, Z erratic: CV of demand per period below 0.5, below 1.0, above."""
    mean = float(values.mean()) if values.size else 0.0
    if mean <= 0:
        return "Z"
    cv = float(values.std()) / mean
    return "X" if cv < 0.5 else "Y" if cv < 1.0 else "Z"


def abc(values: dict[str, float]) -> dict[str, str]:
    """Item → A, B or C by its share in the sum of `values` (money, or units without prices)."""
    total = sum(values.values())
    out, before = {}, 0.0
    for item, value in sorted(values.items(), key=lambda e: (-e[1], e[0])):
        share = before / total if total else 1.0
        out[item] = "A" if share < 0.80 else "B" if share < 0.95 else "C"
        before += value
    return out


def mean_ahead(forecast: Forecast, own: ItemTerms) -> float:
    """Expected demand per period over lead time and review; nothing for dead items."""
    if forecast.pattern.name == "dead":
        return 0.0
    ahead = min(forecast.mean.size, max(1, math.ceil(own.lead + own.review)))
    return float(np.maximum(forecast.mean[:ahead], 0.0).mean())


def plan_item(
    item: str,
    *,
    values: Floats,
    forecast: Forecast | None,
    facts: Facts,
    terms: Terms,
    pooled: Level | None = None,
) -> dict[str, Any]:
    """One row of `inventory_plan` (without run_id, urgency and computed_in).

    `pooled`: the level that the item's pool gives it (see `levels`); None: by formula.
    """
    if forecast is None or facts.status:
        return _without_forecast(item, values=values, facts=facts)
    own = terms_of(facts, terms)
    lead_days, lead, review, varying = own.lead_days, own.lead, own.review, own.varying
    target, rate = own.target, mean_ahead(forecast, own)
    demand = np.maximum(values, 0.0)
    basis = pooled
    if basis is None or review < 1:
        alone = level_for(
            demand, rate=rate, lead_time=lead, review=review, target=target, lead_time_sd=varying
        )
        # A review shorter than a period never needs more than one of a period.
        basis = alone if basis is None or alone.amount < basis.amount else basis
    level = max(0.0, basis.amount)
    if facts.sold_in:  # the history holds estimates, which are no whole pieces
        level = Grain(size=facts.sold_in, counted=True).whole(level)
    if facts.discontinued:
        level = 0.0
    expected = rate * (lead + review)
    position = None if facts.on_hand is None else facts.on_hand + (facts.on_order or 0.0)
    risk = (
        None
        if position is None
        else stockout(position, demand, rate=rate, lead_time=lead, lead_time_sd=varying)
    )
    money = facts.unit_cost if facts.unit_cost is not None else facts.unit_price
    lot = _lot(rate / terms.bucket_days * 365.25, money, facts, terms)
    top = level + max(0.0, lot - rate * review) if level > 0 else level
    unit = facts.sold_in or grain_of(demand).size
    quantity = _quantity(level, top, position, facts, unit=unit)
    excess = None if position is None else max(0.0, position - top - rate * 90 / terms.bucket_days)
    weight = facts.unit_price or facts.unit_cost or 1.0
    status, why = _status(forecast, position, quantity, level)
    if facts.discontinued and status == "ok":
        why = f"Not bought any more ({facts.discontinued}): nothing is ordered."
    return {
        "item": item,
        "name": facts.name,
        "status": status,
        "why": why,
        "class": forecast.pattern.name,
        "abc": facts.abc,
        "xyz": xyz(demand),
        "on_hand": facts.on_hand,
        "on_order": facts.on_order,
        "lead_time_days": lead_days,
        "demand_per_day": rate / terms.bucket_days,
        "safety_stock": max(0.0, level - expected),
        "reorder_point": level,
        "order_up_to": top,
        "order_quantity": quantity,
        "order_value": None if quantity is None or money is None else quantity * money,
        "days_of_cover": _cover(forecast.mean, facts.on_hand, terms, rate),
        "stockout_risk": None if risk is None else risk.chance,
        "stockout_date": _stockout(forecast.mean, position, terms, rate),
        "excess_units": excess,
        "excess_value": None if excess is None or money is None else excess * money,
        "fill_rate": target,
        "unit_cost": facts.unit_cost,
        "urgency_score": (
            0.0 if risk is None or facts.discontinued else risk.chance * risk.short * weight
        ),
        "explanation": _explanation(
            forecast, values, facts, terms, lead=lead, review=review, rate=rate, basis=basis,
            target=target, lot=lot, top=top, varying=varying, pooled=basis is pooled, unit=unit,
            risk=risk, level=level,
        ),
    }  # fmt: skip


def _without_forecast(item: str, *, values: Floats, facts: Facts) -> dict[str, Any]:
    nothing = (
        "lead_time_days", "demand_per_day", "safety_stock", "reorder_point", "order_up_to",
        "order_quantity", "order_value", "days_of_cover", "stockout_risk", "stockout_date",
        "fill_rate",
    )  # fmt: skip
    status = facts.status or "no_history"
    counted = facts.on_hand if status == "no_history" else None
    idle = None if counted is None else max(0.0, counted)
    money = facts.unit_cost if facts.unit_cost is not None else facts.unit_price
    return {
        **dict.fromkeys(nothing),
        "item": item,
        "name": facts.name,
        "status": status,
        "why": facts.why or "No sale of this item was found, so nothing can be forecast.",
        "class": "insufficient",
        "abc": facts.abc,
        "xyz": "",
        "on_hand": facts.on_hand,
        "on_order": facts.on_order,
        "lead_time_days": facts.lead_time_days,
        "excess_units": idle,
        "excess_value": None if idle is None or money is None else idle * money,
        "unit_cost": facts.unit_cost,
        "urgency_score": 0.0,
        "explanation": {"data": {"periods": int(values.size), "notes": list(facts.notes)}},
    }


def _lot(yearly: float, money: float | None, facts: Facts, terms: Terms) -> float:
    """Economic order quantity sqrt(2 A D / (r v)), 0 where the cost of an order is not known."""
    rate = terms.holding_rate if facts.holding_rate is None else facts.holding_rate
    if not facts.order_cost or not money or rate <= 0 or yearly <= 0:
        return 0.0
    return math.sqrt(2 * facts.order_cost * yearly / (rate * money))


def _quantity(
    level: float, top: float, position: float | None, facts: Facts, *, unit: float
) -> float | None:
    if position is None:
        return None
    if position >= level or level <= 0:
        return 0.0
    quantity = max(top - position, facts.min_order_qty or 0.0)
    pack = facts.pack_size or min(1.0, unit)
    return float(f"{math.ceil(quantity / pack - 1e-9) * pack:.12g}")


def _cover(mean: Floats, on_hand: float | None, terms: Terms, rate: float) -> float | None:
    """Days from the day of the stock until the mean forecast has used up what is on hand."""
    if on_hand is None or rate <= 0:
        return None
    over = ((terms.stock_day or terms.as_of) - terms.as_of).days / terms.bucket_days
    left, days = max(on_hand, 0.0), 0.0
    for step, whole in enumerate(np.maximum(mean, 0.0)):
        share = min(max(step + 1 - over, 0.0), 1.0)
        demand = float(whole) * share
        if demand > 0 and left <= demand:
            return days + terms.bucket_days * share * left / demand
        left -= demand
        days += terms.bucket_days * share
    return days + left / rate * terms.bucket_days


def _stockout(mean: Floats, position: float | None, terms: Terms, rate: float) -> date | None:
    days = _cover(mean, position, terms, rate)
    if days is None or days > 3650:
        return None
    return (terms.stock_day or terms.as_of) + timedelta(days=math.floor(days) + 1)


def _status(
    forecast: Forecast, position: float | None, quantity: float | None, level: float
) -> tuple[str, str]:
    kind = forecast.pattern.name
    if kind == "dead":
        return "dead", f"{forecast.pattern.why} Nothing is ordered; what is held is excess."
    short = kind in ("insufficient", "new")
    rests = f"{forecast.pattern.why} The plan rests on a few values and on what similar items do."
    if quantity:
        below = "The position is below the reorder point."
        return "order", f"{below} {rests}" if short else below
    if short:
        return "insufficient_history", rests
    if position is None:
        return "stock_unknown", "No stock is known for this item: levels without a quantity."
    if level <= 0:
        return "ok", "Demand is too rare for stock: what is asked for is ordered when it is."
    return "ok", "The position covers lead time and review at the target fill rate."


def _explanation(
    forecast: Forecast, values: Floats, facts: Facts, terms: Terms, *,
    lead: float, review: float, rate: float, basis: Level, target: float, lot: float, top: float,
    varying: float, pooled: bool, unit: float, risk: Risk | None, level: float,
) -> dict[str, Any]:  # fmt: skip
    beats = bool(forecast.mase < forecast.mase_naive)
    scored = not math.isnan(forecast.mase)
    notes = [*facts.notes, *forecast.notes]
    if facts.discontinued:
        notes.append(f"Not bought any more ({facts.discontinued}): the reorder point is 0.")
    if facts.lead_time_days is None:
        notes.append(f"No lead time is known: {terms.lead_time_days:g} days are assumed.")
    return {
        "data": {
            "periods": int(values.size),
            "bucket": terms.bucket,
            "as_of": terms.as_of.isoformat(),
            "units": round(float(values.sum()), 3),
            "notes": notes,
        },
        "class": {
            "name": forecast.pattern.name,
            "adi": round(forecast.pattern.adi, 3) if math.isfinite(forecast.pattern.adi) else None,
            "cv2": round(forecast.pattern.cv2, 3),
            "why": forecast.pattern.why,
            "source": "Syntetos, Boylan and Croston (2005)",
        },
        "model": {
            "used": forecast.model,
            "weights": {n: round(w, 3) for n, w in forecast.weights.items() if w >= 0.01},
            "mase": round(forecast.mase, 4) if scored else None,
            "mase_naive": round(forecast.mase_naive, 4) if scored else None,
            "beats_naive": beats if scored else None,
            "covered": {str(k): round(v, 3) for k, v in forecast.covered.items()},
        },
        "formula": {
            "text": FORMULA,
            "source": SOURCE,
            "values": {
                "L_periods": round(lead, 4),
                "R_periods": round(review, 4),
                "sd_of_L_periods": round(varying, 4),
                "lead_time_from": facts.lead_time_from or "settings",
                "mean_per_period": round(rate, 4),
                "mean_over_L_plus_R": round(rate * (lead + review), 4),
                "fill_rate": target,
                "expected_fill_rate": round(basis.fill, 4),
                "reorder_point": level,
                "level_mean": round(basis.mean, 4),
                "level_sd": round(basis.sd, 4),
                "safety_factor": round(basis.factor, 4),
                "level_from": "pool of items" if pooled else "formula per item",
                "economic_lot": round(lot, 2),
                "S": top,
                "on_hand": facts.on_hand,
                "on_order": facts.on_order,
                "minimum_order": facts.min_order_qty,
                "pack": facts.pack_size,
                "unit": unit,
                "mean_over_L": None if risk is None else round(risk.mean, 4),
                "sd_over_L": None if risk is None else round(risk.sd, 4),
                "short_over_L": None if risk is None else round(risk.short, 4),
            },
        },
    }
