"""Fill rate reached and stock held: order-up-to with lead time and backorders, beside the textbook.

    python -m benchmarks.inventory --dataset braf [--sample 200] [--json]

Simulation (Silver, Pyke and Thomas 2017, ch. 6): at the end of every review the position is raised
to S; the order arrives after L periods; what cannot be served waits. The levels are decided four
times (`--decisions`), from the history up to then and nothing later. Fill rate: units served from
the shelf at once over units wanted; also without the first lead time, in which the full shelf of
the start serves. Stock: mean units on hand after demand. The textbook is
mean + z * sd * sqrt(L + R) with z of the same target, compared also at the fill that we reached.

The sets carry no prices, so that stock in money is counted at prices drawn once from a lognormal
distribution (sigma 1.2, the same for every run), with and without telling them to the plan; fill
rates are shown per ABC class (80, 15 and 5 % of the value sold in the periods simulated: items that
sold more than anybody knew are in A; `fill_abc_known`: of what had sold before).
"""

from __future__ import annotations

import argparse
import json
import zlib

import numpy as np
from scipy import stats

from benchmarks.sets import SETS, load

TARGETS = (0.90, 0.95, 0.98)
PERIODS = {"m5": 112, "auto": 6, "m4w": 26, "m3": 18, "carparts": 12, "braf": 24}
"""Periods simulated at the end of each set, before them at least twelve are known."""


def simulate_many(
    demand: np.ndarray, levels: np.ndarray, *, lead_time: int, review: int, uncounted: int = 0
) -> tuple[np.ndarray, np.ndarray]:
    """Units served at once (after the first `uncounted` periods) and mean units on the shelf, each
    (items, plans).

    `demand` is (items, periods); `levels` (items, plans, periods), S at the end of the period
    before. Starts full, nothing on order. Events in a period: arrivals, demand (what waits is
    served first), then review.
    """
    on_hand = levels[:, :, 0].astype(float)
    waiting, served, held = (np.zeros_like(on_hand) for _ in range(3))
    pipeline = [np.zeros_like(on_hand) for _ in range(lead_time + 1)]
    periods = demand.shape[1]
    for t in range(periods):
        on_hand = on_hand + pipeline.pop(0)
        pipeline.append(np.zeros_like(on_hand))
        back = np.minimum(on_hand, waiting)
        on_hand, waiting = on_hand - back, waiting - back
        wanted = demand[:, t, None]
        now = np.minimum(on_hand, wanted)
        served += now if t >= uncounted else 0.0
        on_hand, waiting = on_hand - now, waiting + wanted - now
        held += on_hand
        if t % review == 0 and t + 1 < periods:
            position = on_hand - waiting + np.sum(pipeline, axis=0)
            pipeline[lead_time] = pipeline[lead_time] + np.maximum(
                0.0, levels[:, :, t + 1] - position
            )
    return served, held / max(1, periods)


def simulate(demand: np.ndarray, levels: np.ndarray, *, lead_time: int, review: int) -> tuple:
    """One item under one plan: units wanted, served at once, and mean units on the shelf."""
    served, held = simulate_many(
        demand[None, :], levels[None, None, :], lead_time=lead_time, review=review
    )
    return float(demand.sum()), float(served[0, 0]), float(held[0, 0])


def textbook(past: np.ndarray, *, periods: int, z: np.ndarray) -> np.ndarray:
    return np.maximum(0.0, past.mean() * periods + z * past.std(ddof=1) * np.sqrt(periods))


def abc(value: np.ndarray) -> np.ndarray:
    """0, 1, 2 for A, B, C by the share in the sum of `value` that dearer items leave."""
    order = np.argsort(-value, kind="stable")
    before = np.cumsum(value[order]) - value[order]
    out = np.empty(value.size, dtype=int)
    out[order] = np.digitize(before / value.sum(), [0.80, 0.95])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=SETS, required=True)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--lead-time", type=int, default=0)
    parser.add_argument("--review", type=int, default=0)
    parser.add_argument("--periods", type=int, default=0, help="periods simulated")
    parser.add_argument("--back", type=int, default=0, help="leave out so many last periods")
    parser.add_argument("--season", type=int, default=1, help="that the plan is to follow")
    parser.add_argument("--decisions", type=int, default=4, help="how often levels are decided")
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    daily = args.dataset == "m5"
    lead_time = args.lead_time or (7 if daily else 2)
    review = args.review or (7 if daily else 1)
    test = args.periods or PERIODS[args.dataset]
    found = load(args.dataset, sample=args.sample, back=args.back)
    rows = [(i, np.r_[p, f]) for i, p, f in found]
    rows = [(i, y) for i, y in rows if y.size >= test + 12 and np.isfinite(y).all()]
    names = [i for i, _ in rows]
    prices = {
        i: np.exp(1.2 * stats.norm.ppf((zlib.crc32(i.encode()) + 0.5) / 2**32)) for i in names
    }
    price = np.array([prices[i] for i in names])
    demand = np.stack([y[-test:] for _, y in rows])
    zs = np.r_[stats.norm.ppf(TARGETS), np.linspace(0, 9, 37)]
    ours, priced, book = (np.empty((len(rows), k, test)) for k in (3, 3, zs.size))
    for start in range(0, test, max(review, -(-test // args.decisions))):
        past = [y[: y.size - test + start] for _, y in rows]
        for out, known in ((ours, {}), (priced, prices)):
            out[:, :, start:] = planned(names, past, lead_time, review, known, season=args.season)[
                :, :, None
            ]
        levels = [textbook(p, periods=lead_time + review, z=zs) for p in past]
        book[:, :, start:] = np.stack(levels)[:, :, None]

    def run(levels: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        return simulate_many(demand, levels, lead_time=lead_time, review=review)

    wanted = demand.sum(axis=1)
    later, _ = simulate_many(demand, ours, lead_time=lead_time, review=review, uncounted=lead_time)
    later = later.sum(axis=0) / demand[:, lead_time:].sum()
    grade = abc(price * wanted)
    grade_known = abc(price * np.array([y[:-test].mean() for _, y in rows]))
    (served, held), (served_p, held_p), (served_b, held_b) = run(ours), run(priced), run(book)
    fills = served_b.sum(axis=0) / wanted.sum()
    curve = np.argsort(fills[3:], kind="stable") + 3
    at_fill = lambda fill, stock: float(np.interp(fill, fills[curve], stock[curve]))  # noqa: E731
    result = {}
    for k, target in enumerate(TARGETS):
        fill, fill_p = (float(s[:, k].sum() / wanted.sum()) for s in (served, served_p))
        units, money = held_b.sum(axis=0), (held_b * price[:, None]).sum(axis=0)
        of_class = lambda s, of=grade, k=k: [  # noqa: E731
            float(s[of == g, k].sum() / max(wanted[of == g].sum(), 1e-9)) for g in range(3)
        ]
        result[str(target)] = {
            "fill": fill,
            "fill_after_first_lead_time": float(later[k]),
            "miss_points": 100 * abs(fill - target),
            "stock": float(held[:, k].sum()),
            "textbook_fill": float(fills[k]),
            "textbook_stock": float(units[k]),
            "textbook_stock_at_same_fill": at_fill(fill, units),
            "money": float((held[:, k] * price).sum()),
            "textbook_money_at_same_fill": at_fill(fill, money),
            "fill_abc": of_class(served),
            "fill_abc_known": of_class(served, grade_known),
            "with_prices": {
                "fill": fill_p,
                "money": float((held_p[:, k] * price).sum()),
                "textbook_money_at_same_fill": at_fill(fill_p, money),
                "fill_abc": of_class(served_p),
                "fill_abc_known": of_class(served_p, grade_known),
            },
        }
        print(target, json.dumps(result[str(target)], default=float))
    miss = float(np.mean([r["miss_points"] for r in result.values()]))
    print(f"mean miss {miss:.2f} points")
    if args.json:
        print(json.dumps({"dataset": args.dataset, "miss_points": miss, "targets": result}))


def planned(
    names: list[str],
    past: list[np.ndarray],
    lead_time: int,
    review: int,
    prices: dict[str, float],
    *,
    season: int = 1,
) -> np.ndarray:
    """Our levels, (items, targets)."""
    from supplyline.forecast.series import Series
    from supplyline.forecast.stocking import plan_levels

    batch = [Series(id=i, values=p) for i, p in zip(names, past, strict=True)]
    levels, _ = plan_levels(
        batch,
        lead_time=lead_time,
        review=review,
        targets=TARGETS,
        prices=prices,
        season=season,
    )
    return np.array([[levels[i][t] for t in TARGETS] for i in names])


if __name__ == "__main__":
    main()
