"""Fill rate reached and stock held: order-up-to with lead time and backorders, beside the textbook.

    python benchmarks/inventory.py --dataset braf [--sample 200] [--json]

Simulation (Silver, Pyke and Thomas 2017, ch. 6): at the end of every review the position is raised
to S; the order arrives after L periods; what cannot be served waits. The levels are decided once a
`--refresh` from the history up to then, nothing later. Fill rate: units served from the shelf at
once over units wanted. Stock: mean units on hand after demand. The textbook is
mean + z * sd * sqrt(L + R) with z of the same target, compared also at the fill that we reached.
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass

import numpy as np
from scipy import stats

from benchmarks.forecast import SETS, load

TARGETS = (0.90, 0.95, 0.98)


@dataclass
class Held:
    """Per item: units wanted, units served at once, mean units on the shelf."""

    wanted: np.ndarray
    served: np.ndarray
    stock: np.ndarray

    def fill(self) -> float:
        return float(self.served.sum() / self.wanted.sum())

    def units(self) -> float:
        return float(self.stock.sum())


def simulate(demand: np.ndarray, levels: np.ndarray, *, lead_time: int, review: int) -> tuple:
    """One item: `levels[t]` is S at the end of period t-1. Starts full, nothing on order.

    Order of events in a period: arrivals, demand (waiting demand first), then review.
    """
    on_hand, waiting = float(levels[0]), 0.0
    pipeline = [0.0] * (lead_time + 1)
    served = held = 0.0
    for t, wanted in enumerate(demand):
        on_hand += pipeline.pop(0)
        pipeline.append(0.0)
        back = min(on_hand, waiting)
        on_hand -= back
        waiting -= back
        now = min(on_hand, wanted)
        served += now
        on_hand -= now
        waiting += wanted - now
        held += on_hand
        if t % review == 0 and t + 1 < demand.size:
            position = on_hand - waiting + sum(pipeline)
            pipeline[lead_time] += max(0.0, levels[t + 1] - position)
    return float(demand.sum()), served, held / max(1, demand.size)


def textbook(past: np.ndarray, *, periods: int, z: float) -> float:
    return max(0.0, float(past.mean() * periods + z * past.std(ddof=1) * np.sqrt(periods)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=SETS, required=True)
    parser.add_argument("--sample", type=int, default=0)
    parser.add_argument("--lead-time", type=int, default=0)
    parser.add_argument("--review", type=int, default=0)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    from supplyline.forecast.series import Series
    from supplyline.forecast.stocking import plan_levels

    daily = args.dataset == "m5"
    lead_time = args.lead_time or (7 if daily else 2)
    review = args.review or (7 if daily else 1)
    rows = [(i, np.r_[p, f]) for i, p, f in load(args.dataset, sample=args.sample)]
    test = {"m5": 112, "auto": 9, "m4w": 26, "m3": 18}.get(args.dataset, 24)
    refresh = max(review, test // 4)
    rows = [(i, y) for i, y in rows if y.size >= test + 12 and np.isfinite(y).all()]
    ours = {t: [np.empty(test) for _ in rows] for t in TARGETS}
    zs = np.linspace(0, 6, 25)
    book = {float(z): [np.empty(test) for _ in rows] for z in (*stats.norm.ppf(TARGETS), *zs)}
    for start in range(0, test, refresh):
        end = min(test, start + refresh)
        past = [y[: y.size - test + start] for _, y in rows]
        batch = [Series(id=i, values=p) for (i, _), p in zip(rows, past, strict=True)]
        levels, _ = plan_levels(
            batch, lead_time=lead_time, review=review, targets=TARGETS, prices={}
        )
        for n, (item, _) in enumerate(rows):
            for t in TARGETS:
                ours[t][n][start:end] = levels[item][t]
            for z, filled in book.items():
                filled[n][start:end] = textbook(past[n], periods=lead_time + review, z=z)
    demands = [y[-test:] for _, y in rows]

    def run(levels: list[np.ndarray]) -> Held:
        out = [
            simulate(d, s, lead_time=lead_time, review=review)
            for d, s in zip(demands, levels, strict=True)
        ]
        return Held(*(np.array(c) for c in zip(*out, strict=True)))

    curve = sorted((h.fill(), h.units()) for h in (run(book[float(z)]) for z in zs))
    result = {}
    for target, z in zip(TARGETS, stats.norm.ppf(TARGETS), strict=True):
        mine, theirs = run(ours[target]), run(book[float(z)])
        same = float(np.interp(mine.fill(), [f for f, _ in curve], [u for _, u in curve]))
        result[str(target)] = {
            "fill": mine.fill(), "stock": mine.units(), "textbook_fill": theirs.fill(),
            "textbook_stock": theirs.units(), "textbook_stock_at_same_fill": same,
            "miss_points": 100 * abs(mine.fill() - target),
        }  # fmt: skip
        print(target, {k: round(v, 3) for k, v in result[str(target)].items()})
    miss = float(np.mean([r["miss_points"] for r in result.values()]))
    print(f"mean miss {miss:.2f} points")
    if args.json:
        print(json.dumps({"dataset": args.dataset, "miss_points": miss, "targets": result}))


if __name__ == "__main__":
    main()
