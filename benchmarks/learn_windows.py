"""Learns the networks of `supplyline/forecast/methods/windows.py` from public monthly series.

    python -m benchmarks.learn_windows            # writes windows_12.npz

Sources: the public parts of M3 (monthly), of M4 (weekly, added up to months) and of M5 (daily,
likewise). The periods that the benchmarks hold out are learned from in no set: of a calendar that
series share, nothing after a forecast's beginning is known. Months of a series' last years
are examples: the 36 months before it and theta's forecast are what is known, theta's errors
in the 24 months after it are what is to be learned (as many of them as there are). Half of what a
network sees are mixtures of two examples (Zhang et al. 2018, "mixup"), errors count absolutely
beyond half a unit (Huber 1964), steps are Adam's (Kingma and Ba 2015). Half a minute.
"""

from __future__ import annotations

import argparse
import itertools
from pathlib import Path

import numpy as np

from benchmarks.sets import load
from supplyline.forecast.methods import windows
from supplyline.forecast.methods.logs import seasonal_theta
from supplyline.forecast.methods.panel import panel_of
from supplyline.forecast.pools import RECENT

MONTHS_OF = {"m3": 1.0, "m4w": 365.25 / 84, "m5": 365.25 / 12}
"""Periods of each set that make a month."""
LEAST = 28
"""Months before an example: two seasons and four."""
LATEST = 80
"""Months of a series from which examples are taken, and no more than 200 of its history."""
EVERY = {"m3": 1, "m4w": 3, "m5": 3}
"""Months from one example to the next: M3 has the series of most kinds."""
BATCH, EPOCHS, RATE = 256, 8, 2e-3
WIDTHS = (128, 128)
NETWORKS = 3
MIXED = 0.4
BEND = 0.5


def months(y: np.ndarray, step: float) -> np.ndarray:
    """Sums over spans of `step` periods, the last of which ends with the history."""
    if step == 1:
        return y
    total = np.r_[0.0, np.cumsum(y)]
    ends = y.size - step * np.arange(int(y.size // step) + 1)[::-1]
    return np.diff(np.interp(ends, np.arange(total.size), total))


def known(name: str) -> list[np.ndarray]:
    """The monthly histories of a set's public part, without what its benchmark holds out."""
    found = [months(past, MONTHS_OF[name]) for _, past, _ in load(name, sample=0)]
    return [y for y in found if (y > 0).all()]


def examples(histories: list[np.ndarray], every: int) -> tuple[np.ndarray, np.ndarray]:
    """Features, and theta's errors in units of `windows.features`, NaN where nothing is known."""
    pasts, after = [], []
    for whole in histories:
        y = whole[-200:]
        for end in range(y.size - 6, max(LEAST, y.size - LATEST) - 1, -every):
            pasts.append(y[:end])
            rest = np.log(y[end : end + windows.STEPS])
            after.append(np.r_[rest, np.full(windows.STEPS - rest.size, np.nan)])
    inputs, targets = [], []
    for first in range(0, len(pasts), 2000):
        panel = panel_of([p[-RECENT:] for p in pasts[first : first + 2000]])
        told = seasonal_theta(panel, windows.STEPS, windows.SEASON)
        found, unit = windows.features(
            told.panel.tail(windows.LAGS), told.ahead, strength=told.strength, alpha=told.alpha
        )
        came = np.stack(after[first : first + 2000])[told.panel.order] - told.top[:, None]
        inputs.append(found)
        targets.append(np.clip((came - told.ahead) / unit, -8.0, 8.0))
    return np.concatenate(inputs), np.concatenate(targets)


def network(inputs: np.ndarray, targets: np.ndarray, *, seed: int) -> windows.Layers:
    """One network by Adam with a rate that falls to zero."""
    rng = np.random.default_rng(seed)
    sizes = (inputs.shape[1], *WIDTHS, targets.shape[1])
    layers = [
        [rng.normal(0, np.sqrt(2 / a), (a, b)) * (0.1 if b == sizes[-1] else 1), np.zeros(b)]
        for a, b in itertools.pairwise(sizes)
    ]
    flat = [array for layer in layers for array in layer]
    first, second = ([np.zeros_like(a) for a in flat] for _ in range(2))
    steps = EPOCHS * (len(inputs) // BATCH)
    order = rng.permutation(len(inputs))
    for step in range(1, steps + 1):
        place = (step - 1) * BATCH % (len(inputs) - BATCH + 1)
        if place < BATCH:
            order = rng.permutation(len(inputs))
        one = order[place : place + BATCH]
        other = rng.permutation(one)
        share = rng.beta(MIXED, MIXED, (one.size, 1))
        x = share * inputs[one] + (1 - share) * inputs[other]
        y = share * targets[one] + (1 - share) * targets[other]
        rate = RATE * 0.5 * (1 + np.cos(np.pi * step / steps))
        for k, slope in enumerate(_slopes(layers, x, y)):
            first[k] = 0.9 * first[k] + 0.1 * slope
            second[k] = 0.999 * second[k] + 0.001 * slope * slope
            size = np.sqrt(second[k] / (1 - 0.999**step)) + 1e-8
            flat[k] -= rate * (first[k] / (1 - 0.9**step) / size + 1e-3 * flat[k])
    return tuple((weights, added) for weights, added in layers)


def _slopes(layers: list[list[np.ndarray]], x: np.ndarray, y: np.ndarray) -> list[np.ndarray]:
    values = [x]
    for i, (weights, added) in enumerate(layers):
        x = x @ weights + added
        x = np.maximum(x, 0.0) if i < len(layers) - 1 else x
        values.append(x)
    slope = np.nan_to_num(np.clip((values[-1] - y) / BEND, -1.0, 1.0)) / len(y)
    found: list[np.ndarray] = []
    for i in range(len(layers) - 1, -1, -1):
        found = [values[i].T @ slope, slope.sum(axis=0), *found]
        slope = (slope @ layers[i][0].T) * (values[i] > 0)
    return found


def learn(sets: dict[str, list[np.ndarray]]) -> tuple[windows.Layers, ...]:
    """The networks from histories by set, with the precision that is kept."""
    found = [examples(histories, EVERY[name]) for name, histories in sets.items()]
    inputs, targets = (np.concatenate(part) for part in zip(*found, strict=True))
    networks = tuple(network(inputs, targets, seed=seed) for seed in range(NETWORKS))
    return windows.unpacked(_halved(networks))


def _halved(networks: tuple[windows.Layers, ...]) -> dict[str, np.ndarray]:
    return {n: a.astype(np.float16).astype(float) for n, a in windows.packed(networks).items()}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sets", nargs="+", choices=MONTHS_OF, default=list(MONTHS_OF))
    parser.add_argument(
        "--output", type=Path, default=Path(windows.__file__).with_name("windows_12.npz")
    )
    args = parser.parse_args()
    sets = {name: known(name) for name in args.sets}
    kept = windows.packed(learn(sets))
    np.savez_compressed(args.output, **{n: a.astype(np.float16) for n, a in kept.items()})
    print(", ".join(f"{name} {len(found)} series" for name, found in sets.items()), args.output)


if __name__ == "__main__":
    main()
