"""Learns the weights of `supplyline/forecast/methods/windows.py` from the public part of M3.

    python -m benchmarks.learn_windows            # writes windows_12.csv from all its series
    python -m benchmarks.learn_windows --half 0   # from every second series only

Every window of 24 months with its next 24 is one example, scaled by how much the window moves; a
ridge regression per step ahead. `--half` is for measuring on series that were not learned from.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import numpy as np

from benchmarks.forecast import load
from supplyline.forecast.methods import windows
from supplyline.forecast.methods.panel import panel_of
from supplyline.forecast.methods.season import profile_of
from supplyline.forecast.methods.theta import theta

STEPS = windows.STEPS
RIDGE = 1e-3
RECENT = 60
"""Windows per series and step, the latest ones."""


def learn(histories: list[np.ndarray]) -> np.ndarray:
    panel = panel_of(histories)
    profile = profile_of(panel, windows.SEASON)
    _, alpha, _ = theta(profile.remove(panel), 1)
    strength, alpha = panel.restore(profile.strength), panel.restore(alpha)
    inputs, targets, steps = [], [], []
    for y, s, a in zip(histories, strength, alpha, strict=True):
        logs = np.log(np.maximum(y, 0.01 * np.abs(y).mean()))
        for step in range(STEPS):
            last = y.size - step
            ends = np.arange(max(windows.LAGS, last - RECENT), last)
            if not ends.size:
                continue
            recent = np.stack([logs[e - windows.LAGS : e] for e in ends])
            found, level = windows.features(recent, np.full(ends.size, s), np.full(ends.size, a))
            unit = recent.std(axis=1, keepdims=True) + 0.02
            inputs.append(found / unit)
            targets.append((logs[ends + step] - level[:, 0]) / unit[:, 0])
            steps.append(np.full(ends.size, step))
    x, y, at = np.concatenate(inputs), np.concatenate(targets), np.concatenate(steps)
    out = np.empty((x.shape[1], STEPS))
    for step in range(STEPS):
        rows = x[at == step]
        shrink = RIDGE * len(rows) * np.eye(x.shape[1])
        out[:, step] = np.linalg.solve(rows.T @ rows + shrink, rows.T @ y[at == step])
    return out


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--half", type=int, choices=(0, 1), help="only every second series")
    parser.add_argument(
        "--output", type=Path, default=Path(windows.__file__).with_name("windows_12.csv")
    )
    args = parser.parse_args()
    rows = load("m3", sample=0)
    if args.half is not None:
        rows = rows[args.half :: 2]
    weights = learn([np.r_[past, future] for _, past, future in rows])
    np.savetxt(args.output, weights, delimiter=",", fmt="%.5g")


if __name__ == "__main__":
    main()
