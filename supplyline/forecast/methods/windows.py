"""What one history is too short to tell and many tell: how theta's forecasts usually miss.

The logarithms of the last 36 months and of theta's forecast of the next 24, relative to the last
year's mean, go through three small networks (two layers of 128 rectified units), which say by how
much to move that forecast (a forecast corrected by what was learned from many series: Smyl 2020,
"A hybrid method of exponential smoothing and recurrent neural networks", IJF 36; trained across
series: Montero-Manso and Hyndman 2021, IJF 37). The mean of the three counts. The weights are in
`windows_12.npz`, learned by `python -m benchmarks.learn_windows` from public series that are no
organization's; they are the same for every organization, so that an item's forecast never depends
on its neighbours.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import numpy as np

from supplyline.forecast.methods.panel import Panel
from supplyline.forecast.series import Floats

SEASON = 12
LAGS = 36
STEPS = 24
LEAST = 24
"""Months of history from which the weights say something."""
WIDEST = 6.0
"""How far theta's forecast counts as moving, and may be moved, in units of the window's spread."""

Layers = tuple[tuple[Floats, Floats], ...]
"""Weights of shape (inputs, outputs) and what is added (outputs,), first layer first."""


@cache
def learned() -> tuple[Layers, ...]:
    """The networks."""
    with np.load(Path(__file__).with_name("windows_12.npz"), allow_pickle=False) as kept:
        return unpacked({name: kept[name].astype(float) for name in kept.files})


def packed(networks: tuple[Layers, ...]) -> dict[str, Floats]:
    """Name → array, as `unpacked` reads them."""
    return {
        f"{k}.{i}.{part}": array
        for k, layers in enumerate(networks)
        for i, layer in enumerate(layers)
        for part, array in zip("wb", layer, strict=True)
    }


def unpacked(arrays: dict[str, Floats]) -> tuple[Layers, ...]:
    """The networks from `packed`."""
    places = sorted({tuple(map(int, name.split(".")[:2])) for name in arrays})
    return tuple(
        tuple((arrays[f"{k}.{i}.w"], arrays[f"{k}.{i}.b"]) for n, i in places if n == k)
        for k in sorted({k for k, _ in places})
    )


def features(
    recent: Floats, ahead: Floats, *, strength: Floats, alpha: Floats
) -> tuple[Floats, Floats]:
    """From logarithms of the last LAGS values and of theta's next STEPS (rows), the strength of the
    season and the smoothing constant: features of shape (rows, LAGS + STEPS + 3), and the unit
    (rows, 1) in which theta's forecast is moved."""
    level = recent[:, -SEASON:].mean(axis=1, keepdims=True)
    apart = recent - level
    unit = apart.std(axis=1, keepdims=True) + 0.02
    told = np.clip((ahead - level) / unit, -WIDEST, WIDEST)
    size = np.log(unit) / 2 + 1
    return np.hstack([apart / unit, strength[:, None], alpha[:, None], size, told]), unit


def moves(inputs: Floats, networks: tuple[Layers, ...]) -> Floats:
    """The mean of the networks, (rows, STEPS), in units of `features`."""
    total = np.zeros((len(inputs), networks[0][-1][1].size))
    for layers in networks:
        values = inputs
        for i, (weights, added) in enumerate(layers):
            values = _times(values, weights) + added
            if i < len(layers) - 1:
                values = np.maximum(values, 0.0)
        total += values
    return np.asarray(np.clip(total / len(networks), -WIDEST, WIDEST), dtype=float)


def _times(values: Floats, weights: Floats) -> Floats:
    """The matrix product, added up in one order for every number of rows."""
    total = np.zeros((len(values), weights.shape[1]))
    for column, row in zip(values.T, weights, strict=True):
        total += column[:, None] * row
    return total


def windows(logs: Panel, ahead: Floats, *, strength: Floats, alpha: Floats) -> Floats:
    """Logarithms of forecasts, of shape (series, horizon), from logarithms of histories and of
    theta's forecast `ahead` (series, at least STEPS); beyond what was learned it goes on as theta
    does. NaN for histories shorter than LEAST."""
    inputs, unit = features(logs.tail(LAGS), ahead[:, :STEPS], strength=strength, alpha=alpha)
    moved = moves(inputs, learned()) * unit
    last = moved[:, -SEASON:].mean(axis=1, keepdims=True)
    beyond = np.repeat(last, ahead.shape[1] - STEPS, axis=1)
    out = ahead + np.hstack([moved, beyond])
    return np.where((logs.length >= LEAST)[:, None], out, np.nan)
