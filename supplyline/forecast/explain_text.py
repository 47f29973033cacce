"""One item's explanation as text: data, class, candidates and scores, formula with its values."""

from __future__ import annotations

from textwrap import fill
from typing import Any

WIDTH = 100


def render(told: dict[str, Any]) -> str:
    """What `explain` answers, for a person to read, in lines of WIDTH characters at most."""
    plan = told["plan"]
    lines = [
        ("item", f"{plan['item']}  {plan['name']}".strip()),
        ("status", f"{plan['status']}: {plan['why']}"),
    ]
    explanation = plan["explanation"]
    if data := explanation.get("data"):
        lines += _data(data)
    if kind := explanation.get("class"):
        grades = f"ABC {plan['abc'] or '-'}, XYZ {plan['xyz'] or '-'}"
        lines.append(("class", f"{kind['name']}: {kind['why']} {grades} ({kind['source']})"))
    if model := explanation.get("model"):
        lines += _model(model)
    if told["forecast"]:
        lines += _forecast(told["forecast"], told["run"]["bucket"])
    if formula := explanation.get("formula"):
        lines += _plan(plan, formula, told["run"]["bucket"])
    for one in explanation.get("overrides", ()):
        days = f" from {one['from_day']} to {one['to_day']}" if one["from_day"] else ""
        lines.append(
            (
                "override",
                f"{one['kind']} {_n(one['used'])} instead of {_n(one['model'])}{days}, by "
                f"{one['set_by']}: {one['reason']}",
            )
        )
    return "\n".join(
        fill(text, width=WIDTH, initial_indent=f"{title:<9} ", subsequent_indent=" " * 12)
        for title, text in lines
    )


def _data(data: dict[str, Any]) -> list[tuple[str, str]]:
    if "bucket" not in data:
        head = f"{data['periods']} periods"
    else:
        head = f"{data['periods']} {data['bucket']}s to {data['as_of']}, {_n(data['units'])} units"
    return [("data", head), *(("", note) for note in data["notes"])]


def _weighed(model: dict[str, Any]) -> str:
    """`theta (0.62), ets (0.38)`, heaviest first; older plans hold no weights and name methods."""
    weights = sorted(model.get("weights", {}).items(), key=lambda e: (-e[1], e[0]))
    if len(weights) < 2:
        return str(model["used"])
    return ", ".join(f"{name} ({w:.2f})" for name, w in weights)


def _model(model: dict[str, Any]) -> list[tuple[str, str]]:
    used = _weighed(model)
    if model["mase"] is None:
        return [("model", f"{used}; too short for a backtest")]
    verdict = "better than" if model["beats_naive"] else "no better than"
    covered = ", ".join(f"{k} % interval {v:.0%}" for k, v in model["covered"].items())
    text = (
        f"{used}; backtest MASE {model['mase']:.2f}, {verdict} the naive method's "
        f"{model['mase_naive']:.2f}"
    )
    return [("model", text), *([("", f"covered in the backtest: {covered}")] if covered else [])]


def _forecast(rows: list[dict[str, Any]], bucket: str) -> list[tuple[str, str]]:
    first = rows[0]
    means = ", ".join(_n(r["mean"]) for r in rows[:6])
    text = f"per {bucket} from {first['period']}: {means}{', …' if len(rows) > 6 else ''}"
    bands = (
        f"the first: 80 % between {_n(first['lo_80'])} and {_n(first['hi_80'])}, "
        f"95 % between {_n(first['lo_95'])} and {_n(first['hi_95'])}"
    )
    return [("forecast", text), ("", bands)]


def _plan(plan: dict[str, Any], formula: dict[str, Any], bucket: str) -> list[tuple[str, str]]:
    v = formula["values"]
    lines = [
        ("formula", formula["text"]),
        ("", formula["source"]),
        (
            "values",
            f"L {_n(v['L_periods'])} {bucket}s ({v['lead_time_from']}), sd of L "
            f"{_n(v['sd_of_L_periods'])}, R {_n(v['R_periods'])}, fill rate {v['fill_rate']:g} "
            f"aimed at, {v['expected_fill_rate']:.2f} expected for this item",
        ),
        ("", _level(plan, v)),
    ]
    if plan["on_hand"] is None:
        return [*lines, ("", "no stock is known, so there is no quantity")]
    position = plan["on_hand"] + (plan["on_order"] or 0)
    if plan["order_quantity"]:
        more = [f"minimum {_n(v['minimum_order'])}"] if v["minimum_order"] else []
        more += [f"packs of {_n(v['pack'])}"] if v["pack"] else []
        said = f" ({', '.join(more)})" if more else ""
        text = (
            f"on hand {_n(plan['on_hand'])} + on order {_n(plan['on_order'] or 0)} is below the "
            f"reorder point: order {_n(plan['order_quantity'])}{said}"
        )
    else:
        text = f"position {_n(position)}: nothing to order"
    lines.append(("", text))
    if plan["days_of_cover"] is not None:
        lines.append(
            (
                "stock",
                f"lasts {_n(plan['days_of_cover'])} days; out of stock on {plan['stockout_date']}; "
                f"risk before an order placed now arrives {plan['stockout_risk']:.0%} (demand over "
                f"L {_n(v.get('mean_over_L'))}, sd {_n(v.get('sd_over_L'))})",
            )
        )
    if plan["excess_units"]:
        money = f", worth {_n(plan['excess_value'])}" if plan["excess_value"] is not None else ""
        lines.append(("excess", f"{_n(plan['excess_units'])} units{money}"))
    return lines


def _level(plan: dict[str, Any], v: dict[str, Any]) -> str:
    """The level as it can be recomputed, and what of it is safety stock."""
    point, expected = plan["reorder_point"], v["mean_over_L_plus_R"]
    if v["level_mean"] <= 0:
        return "nothing is expected to sell, so nothing is held"
    if not point and any(n.startswith("Not bought") for n in plan["explanation"]["data"]["notes"]):
        return "it is not bought any more, so nothing is held"
    sign = "-" if v["safety_factor"] < 0 else "+"
    unit = v.get("unit", 1)  # older plans hold none
    steps = "" if unit == 1 else f" to multiples of {_n(unit)}"
    made = (
        f"reorder point {_n(point)} = {_n(v['level_mean'])} {sign} "
        f"{abs(v['safety_factor']):.3g} x sd "
        f"{_n(v['level_sd'])} over L + R ({v['level_from']}), at least 0 and rounded up{steps}; "
    )
    if point >= expected:
        safety = f"safety stock {_n(plan['safety_stock'])} beyond the {_n(expected)} expected"
    else:
        safety = f"no safety stock: {_n(expected)} are expected, and the fill rate allows for less"
    return f"{made}{safety}; order up to {_n(plan['order_up_to'])}"


def _n(value: Any) -> str:
    if value is None:
        return "-"
    if abs(value) >= 100 or value == int(value):
        return f"{value:,.0f}"
    return f"{value:.3g}"
