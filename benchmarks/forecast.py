"""Accuracy and intervals on public parts of M3, M4, M5 and spare-parts sets, beside peers.

    python -m benchmarks.forecast --dataset m3 [--sample 100] [--alone] [--recent 24] [--json]

Measures are M4's (Makridakis, Spiliotis and Assimakopoulos 2020): sMAPE, MASE, and OWA, the mean
of both relative to Naive2; pinball is the mean quantile loss of the four ends of the intervals,
scaled as MASE is. Every method sees the same history in the same run; a peer that fails on a series
falls back to the last value, and how often is shown.

On m3, from whose public part the networks of `methods/windows.py` were learned among others, each
half of the series is forecast with networks learned from the other half and the other sets only,
none from the periods held out, so that the figures hold for series and times never seen.
"""

from __future__ import annotations

import argparse
import json
import os
import time
import warnings
from concurrent.futures import ProcessPoolExecutor

import numpy as np

from benchmarks.learn_windows import known, learn
from benchmarks.sets import SETS, load

PEERS = ("AutoETS", "AutoTheta", "DOT", "SeasonalNaive", "Naive2")


def smape(actual: np.ndarray, forecast: np.ndarray) -> float:
    """Percent, 0 to 200; both zero counts as no error."""
    total = np.abs(actual) + np.abs(forecast)
    with np.errstate(divide="ignore", invalid="ignore"):
        one = np.where(total > 0, 200 * np.abs(actual - forecast) / total, 0.0)
    return float(one.mean())


def naive_error(history: np.ndarray, season: int) -> float:
    """The in-sample mean absolute error of the seasonal naive method (MASE's denominator)."""
    m = season if history.size > season else 1
    return float(np.abs(history[m:] - history[:-m]).mean()) if history.size > m else float("nan")


def mase(actual: np.ndarray, forecast: np.ndarray, history: np.ndarray, season: int) -> float:
    unit = naive_error(history, season)
    return float(np.abs(actual - forecast).mean() / unit) if unit > 0 else float("nan")


def rmsse(actual: np.ndarray, forecast: np.ndarray, history: np.ndarray) -> float:
    """M5's measure: the scale begins at the first sale."""
    begun = history[np.flatnonzero(history)[0] :] if history.any() else history
    unit = float((np.diff(begun) ** 2).mean()) if begun.size > 1 else float("nan")
    return float(np.sqrt(((actual - forecast) ** 2).mean() / unit)) if unit > 0 else float("nan")


def is_seasonal(history: np.ndarray, season: int) -> bool:
    """M4's 90 % autocorrelation test of Naive2."""
    if season < 2 or history.size < 3 * season:
        return False
    y = history - history.mean()
    total = float((y**2).sum())
    if total == 0:
        return False
    acf = np.array([float((y[k:] * y[:-k]).sum()) / total for k in range(1, season + 1)])
    limit = 1.645 * np.sqrt((1 + 2 * (acf[:-1] ** 2).sum()) / history.size)
    return bool(abs(acf[-1]) > limit)


def naive2(history: np.ndarray, horizon: int, season: int) -> np.ndarray:
    """Naive on seasonally adjusted data (classical multiplicative indices) where seasonal."""
    if not is_seasonal(history, season) or history.min() <= 0:
        return np.full(horizon, history[-1])
    kernel = np.ones(season) / season
    if season % 2 == 0:
        kernel = np.r_[0.5, np.ones(season - 1), 0.5] / season
    trend = np.convolve(history, kernel, mode="valid")
    half = kernel.size // 2
    ratio = history[half : half + trend.size] / trend
    index = np.array(
        [ratio[(np.arange(ratio.size) + half) % season == k].mean() for k in range(season)]
    )
    index /= index.mean()
    last = history[-1] / index[(history.size - 1) % season]
    return last * index[(history.size + np.arange(horizon)) % season]


def peer(work: tuple[str, np.ndarray, int, int]) -> tuple[np.ndarray, bool]:
    """The forecast, and whether the method failed and the last value stands in for it."""
    from statsforecast import models as m

    name, past, horizon, season = work
    if name == "Naive2":
        return naive2(past, horizon, season), False
    cls = {"DOT": "DynamicOptimizedTheta"}.get(name, name)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            found = getattr(m, cls)(season_length=season).forecast(past, horizon)["mean"]
        except Exception:  # a peer that fails is forecast naively, counted and shown (`failed`)
            return np.full(horizon, past[-1]), True
    if not np.isfinite(found).all():
        return np.full(horizon, past[-1]), True
    return np.asarray(found), False


def ours(
    name: str,
    rows: list[tuple[str, np.ndarray, np.ndarray]],
    *,
    workers: int,
    back: int = 0,
    alone: bool = False,
) -> tuple[list, float]:
    """Our forecasts, in order, and the CPU seconds they took; on m3 from weights learned on the
    other half (whose learning is not counted: it is done once, before release). `alone`: each
    series by itself, as if in a file of its own."""
    from supplyline.forecast.engine import forecast_batch
    from supplyline.forecast.methods import windows
    from supplyline.forecast.series import Series

    _, horizon, season = SETS[name]
    batch = [Series(id=i, values=y) for i, y, _ in rows]

    def run(part: list[Series]) -> tuple[list, float]:
        begun = cpu_seconds()
        files = [[s] for s in part] if alone else [part]
        out = [
            f
            for file in files
            for f in forecast_batch(file, horizon=horizon, season=season, workers=workers)
        ]
        return out, cpu_seconds() - begun

    if name != "m3":
        return run(batch)
    everything = load(name, sample=0, back=back)
    place = {item: k % 2 for k, (item, _, _) in enumerate(everything)}
    others = {other: known(other) for other in ("m4w", "m5")}
    found, kept, used = {}, windows.learned, 0.0
    for half in (0, 1):
        weights = learn({"m3": [p for i, p, _ in everything if place[i] != half], **others})
        windows.learned = lambda weights=weights: weights
        out, took = run([s for s in batch if place[s.id] == half])
        used += took
        found |= {f.id: f for f in out}
    windows.learned = kept
    return [found[s.id] for s in batch], used


def cpu_seconds() -> float:
    """Of this process and its children that have ended."""
    return sum(os.times()[:4])


def score(
    rows: list[tuple[str, np.ndarray, np.ndarray]], forecasts: list[np.ndarray], season: int
) -> dict[str, float]:
    s = [smape(f, p[: f.size]) for (_, _, f), p in zip(rows, forecasts, strict=True)]
    e = [mase(f, p[: f.size], y, season) for (_, y, f), p in zip(rows, forecasts, strict=True)]
    r = [rmsse(f, p[: f.size], y) for (_, y, f), p in zip(rows, forecasts, strict=True)]
    return {"smape": float(np.mean(s)), "mase": float(np.nanmean(e)), "rmsse": float(np.nanmean(r))}


def interval_scores(
    rows: list[tuple[str, np.ndarray, np.ndarray]], found: list, season: int
) -> dict[str, float]:
    inside: dict[int, list[float]] = {80: [], 95: []}
    losses = []
    for (_, past, future), f in zip(rows, found, strict=True):
        unit = naive_error(past, season)
        for level in (80, 95):
            lo, hi = f.lo[level][: future.size], f.hi[level][: future.size]
            inside[level] += list((future >= lo - 1e-9) & (future <= hi + 1e-9))
            for end, q in ((lo, (1 - level / 100) / 2), (hi, (1 + level / 100) / 2)):
                d = future - end
                if unit > 0:
                    losses.append(float(np.maximum(q * d, (q - 1) * d).mean() / unit))
    return {
        "coverage80": float(np.mean(inside[80])),
        "coverage95": float(np.mean(inside[95])),
        "pinball": float(np.mean(losses)),
    }


def bias_by_group(
    rows: list[tuple[str, np.ndarray, np.ndarray]], forecasts: list[np.ndarray]
) -> dict[str, float]:
    """Sum of forecasts over sum of actuals - 1, by the id's first word (M5's categories)."""
    total: dict[str, list[float]] = {}
    for (item, _, future), p in zip(rows, forecasts, strict=True):
        pair = total.setdefault(item.split("_")[0], [0.0, 0.0])
        pair[0] += float(p[: future.size].sum())
        pair[1] += float(future.sum())
    return {k: p / a - 1 for k, (p, a) in total.items() if a}


def chance_by_group(rows: list[tuple[str, np.ndarray, np.ndarray]]) -> dict[str, float]:
    """The standard deviation of `bias_by_group` that is left where every item's mean is known and
    items have nothing in common: that of their sums over a horizon, from one to the next (half the
    squared differences, von Neumann 1941, so that a level that moved is not taken for chance)."""
    total: dict[str, list[float]] = {}
    for item, past, future in rows:
        spans = past.size // future.size
        sums = past[past.size - spans * future.size :].reshape(spans, future.size).sum(axis=1)
        pair = total.setdefault(item.split("_")[0], [0.0, 0.0])
        pair[0] += float((np.diff(sums) ** 2).mean()) / 2 if spans > 1 else 0.0
        pair[1] += float(future.sum())
    return {k: float(np.sqrt(v)) / a for k, (v, a) in total.items() if a}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--dataset", choices=SETS, required=True)
    parser.add_argument("--sample", type=int, default=0, help="only so many series")
    parser.add_argument("--back", type=int, default=0, help="leave out so many last periods")
    parser.add_argument("--recent", type=int, default=0, help="only so many periods of history")
    parser.add_argument("--alone", action="store_true", help="each series in a file of its own")
    parser.add_argument("--workers", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="one JSON object as the last line")
    parser.add_argument("--no-peers", action="store_true")
    args = parser.parse_args()
    _, horizon, season = SETS[args.dataset]
    rows = load(args.dataset, sample=args.sample, back=args.back)
    rows = [(item, past[-args.recent :], future) for item, past, future in rows]
    began = time.monotonic()
    found, used = ours(args.dataset, rows, workers=args.workers, back=args.back, alone=args.alone)
    result = score(rows, [f.mean for f in found], season)
    result |= interval_scores(rows, found, season)
    base = score(rows, [naive2(y, horizon, season) for _, y, _ in rows], season)
    owa = lambda s: (s["smape"] / base["smape"] + s["mase"] / base["mase"]) / 2  # noqa: E731
    result |= {
        "owa": owa(result),
        "series": len(rows),
        "series_per_cpu_s": len(rows) / max(used, 1e-9),
        "seconds": time.monotonic() - began,
    }
    if args.dataset == "m5":
        result["bias"] = bias_by_group(rows, [f.mean for f in found])
        result["bias_by_chance"] = chance_by_group(rows)
    others = {}
    for name in () if args.no_peers else PEERS:
        begun = cpu_seconds()
        with ProcessPoolExecutor(args.workers) as pool:
            out = list(
                pool.map(peer, [(name, y, horizon, season) for _, y, _ in rows], chunksize=16)
            )
        others[name] = score(rows, [f for f, _ in out], season)
        others[name]["failed"] = sum(failed for _, failed in out)
        others[name]["owa"] = owa(others[name])
        others[name]["series_per_cpu_s"] = len(rows) / max(cpu_seconds() - begun, 1e-9)
    for name, s in {"supplyline": result, **others}.items():
        shown = "  ".join(f"{k} {v:.3f}" for k, v in s.items() if isinstance(v, float))
        shown += f"  failed on {s['failed']} series" if s.get("failed") else ""
        print(f"{name:14} {shown}")
    for group, bias in result.get("bias", {}).items():
        print(f"{group:14} bias {bias:+.3f}  by chance {result['bias_by_chance'][group]:.3f}")
    if args.json:
        print(json.dumps({"dataset": args.dataset, **result, "peers": others}))


if __name__ == "__main__":
    main()
